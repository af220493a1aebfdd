"""Number formats in which a machine trains fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_FULL = "sdpa_in_fp32"
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


@contextmanager
def attention_in_fp32(encoder: Any, needed: bool) -> Iterator[None]:
    """Have an encoder's attention computed in fp32, whatever autocast says.

    On CPUs the backward pass of attention in bfloat16 takes seven times as long as in fp32, which would use up all that
    bfloat16 wins elsewhere.

    Args:
        encoder: a transformer.
        needed: False leaves it as it is.
    """
    before = encoder.config._attn_implementation
    if not needed or before != "sdpa":
        yield
        return
    AttentionInterface.register(_FULL, _attention)
    AttentionMaskInterface.register(_FULL, sdpa_mask)
    encoder.set_attn_implementation(_FULL)
    try:
        yield
    finally:
        encoder.set_attn_implementation(before)


def _attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    with torch.autocast(query.device.type, enabled=False):
        states, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return states.to(query.dtype), None


def _product_seconds(kind: torch.dtype, tries: int = 8) -> float:
    """The shortest time of a matrix product as a step of training has it."""
    left, right = torch.ones(1024, 384, dtype=kind), torch.ones(384, 1536, dtype=kind)
    times = []
    for _ in range(tries):
        started = perf_counter()
        left @ right
        times.append(perf_counter() - started)
    return min(times)
