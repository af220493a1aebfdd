"""How many cores there are, and who may use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""By this variable numpy is told, when it is loaded, how many threads to multiply with."""


def cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def single_products() -> Iterator[None]:
    """Have numpy multiply with one thread in a process that begins in the block, or that loads numpy in it.

    Our products in numpy are small. Further threads would gain nothing and wait for more work by turning, on cores that
    ONNX Runtime or other processes need: two processes on two cores then take 1.4 times as long.
    """
    given = os.environ.get(_BLAS_THREADS)
    os.environ.setdefault(_BLAS_THREADS, "1")
    try:
        yield
    finally:
        if given is None:
            del os.environ[_BLAS_THREADS]
