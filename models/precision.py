"""Number formats in which a machine trains fast."""

from __future__ import annotations

import os
from time import perf_counter

import torch

_WORTH = 1.25
"""How much faster bfloat16 must multiply before it is taken: casts eat up less than that."""


def computes_bf16(precision: str) -> bool:
    """Whether to train in bfloat16: asked for, or `auto` on a processor that is faster in it.

    Among CPUs no flag tells: with AVX512-BF16 some multiply at half the speed of fp32 and others at three times
    that, so a product of a layer's size is timed.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return False  # processes that time for themselves could disagree
    return _product_seconds(torch.bfloat16) * _WORTH < _product_seconds(torch.float32)


def _product_seconds(kind: torch.dtype, tries: int = 8) -> float:
    """The shortest time of a matrix product as a step of training has it."""
    left, right = torch.ones(1024, 384, dtype=kind), torch.ones(384, 1536, dtype=kind)
    times = []
    for _ in range(tries):
        started = perf_counter()
        left @ right
        times.append(perf_counter() - started)
    return min(times)
