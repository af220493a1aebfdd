"""An encoder in ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .errors import BundleError, InputError
from .heads import States
from .windows import Batch

Encode = Callable[[Batch], States]
"""Token states of a batch, (B, T, H)."""

_SLOW = ["SkipLayerNormFusion"]
"""Of ONNX Runtime's rewritings: on a CPU a sum and a normalisation apart take a third of the fused one's time."""

_EXACT = ("session.x64quantprecision", "1")
"""Without it, an x86 CPU without VNNI adds two products of bytes in 16 bits, which they overflow: a bundle would not
score there as it did where it was checked. A CPU with VNNI is exact in its faster way."""

_VNNI = re.compile(r"\bavx(512)?_vnni\b")


def onnx_encode(model: Path, threads: int | None = None, device: str = "cpu") -> Encode:
    """An encoder in ONNX.

    Args:
        model: path of the model.
        threads: threads of ONNX Runtime; None leaves the choice to it.
        device: "cpu" or "cuda".

    Raises:
        InputError: this ONNX Runtime cannot use the device.
        BundleError: it cannot load the model.
    """
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    if providers.get(device) not in ort.get_available_providers():
        raise InputError(f"device {device}: this onnxruntime has none; `pip install onnxruntime-gpu` has it")
    try:
        session = ort.InferenceSession(
            str(model), session_options(threads or 0), providers=[providers[device]], disabled_optimizers=_SLOW
        )
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise BundleError(f"{model}: onnxruntime {ort.__version__} cannot load it: {error}") from error

    def encode(batch: Batch) -> npt.NDArray[np.float32]:
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        states: npt.NDArray[np.float32] = session.run(["states"], inputs)[0]
        return states

    return encode


def session_options(threads: int) -> ort.SessionOptions:
    """What a session runs with in which products of bytes are exact.

    Args:
        threads: its threads, 0 for as many as ONNX Runtime likes.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    if not _has_vnni():
        options.add_session_config_entry(*_EXACT)
    return options


def _has_vnni() -> bool:
    """Whether this processor says that it has VNNI; one that cannot be asked has not."""
    try:
        return _VNNI.search(Path("/proc/cpuinfo").read_text("utf-8")) is not None
    except OSError:
        return False
