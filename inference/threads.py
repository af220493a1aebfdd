"""How many cores there are, and who may use them."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache
from math import ceil
from pathlib import Path

from threadpoolctl import ThreadpoolController

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds that a container may compute for, and in how many."""


def cores() -> int:
    """The processor's cores that this process may use, by its affinity and by the quota of its container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text("ascii").split()
        return max(1, min(allowed, ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file outside of Linux, and `max` where there is no quota
        return allowed


def single_products() -> AbstractContextManager[object]:
    """Have numpy multiply with one thread in the block.

    Our products in numpy are small. Further threads would gain nothing and wait for more work by turning, on cores that
    ONNX Runtime or other processes need: two processes on two cores then take 1.4 times as long.
    """
    limits: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limits


@cache
def _libraries() -> ThreadpoolController:
    """What this process has loaded that multiplies; finding it takes some milliseconds."""
    return ThreadpoolController()
