"""Scores documents by an encoder, each window read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .decode import Floats
from .document import Document
from .errors import BundleError, InputError
from .heads import STANCES, TOPICS, Head, Heads, States
from .schema import NEUTRAL
from .scorer import Scores
from .windows import Batch, Window, Windower, batches, collate

Encode = Callable[[Batch], States]
"""Token states of a batch, (B, T, H)."""

BATCH_TOKENS = 4096
"""Tokens of a batch, padding included: enough to fill the cores, little enough for their caches."""

_SURE = 30.0


class WindowScorer:
    """Cuts documents into windows, runs an encoder on batches of them, and reads the heads off its states.

    Args:
        windower: cuts documents.
        heads: what is read off.
        encode: the encoder, in ONNX Runtime or torch.
    """

    def __init__(self, windower: Windower, heads: Heads, encode: Encode) -> None:
        self._windower = windower
        self._heads = heads
        self._encode = encode

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Scorer.score`."""
        read = [self._windower.windows(document) for document in documents]
        heads = [head for head in self._heads.heads if others or head.name in (TOPICS, STANCES)]
        parts = [_Parts(document, heads) for document in documents]
        places = [(number, index) for number, windows in enumerate(read) for index in range(len(windows))]
        for batch in batches([len(read[number][index].ids) for number, index in places], BATCH_TOKENS):
            chosen = [places[place] for place in batch]
            windows = [read[number][index] for number, index in chosen]
            arrays = collate(windows, self._windower.settings.pad)
            states = self._encode(arrays)
            pairs = self._pairs(arrays, states, heads)
            first = 0
            for place, ((number, index), window) in enumerate(zip(chosen, windows, strict=True)):
                parts[number].add(index, window, states[place, : len(window.ids)], self._heads)
                last = first + len(window.pairs)
                parts[number].add_pairs(window, {name: scores[first:last] for name, scores in pairs.items()})
                first = last
        return [part.scores(self._heads, windows) for part, windows in zip(parts, read, strict=True)]

    def _pairs(self, batch: Batch, states: States, heads: Sequence[Head]) -> dict[str, States]:
        """Scores of the batch's pairs by head; nothing is computed where it has none."""
        asked = [head for head in heads if head.kind == "pairs"]
        if not batch.pairs.size or not asked:
            return {}
        rows = (batch.pool @ states).reshape(-1, states.shape[-1])
        return {head.name: self._heads.pairs(head, rows, batch.pairs) for head in asked}


class _Parts:
    """What the windows of one document have given so far."""

    def __init__(self, document: Document, heads: Sequence[Head]) -> None:
        self._heads = heads
        self._total: Floats | float = 0.0
        self._count = 0
        self._pairs = {head.name: _unread(head, len(document.pairs)) for head in heads if head.kind == "pairs"}
        self._tags: dict[str, dict[int, States]] = {head.name: {} for head in heads if head.kind == "tags"}

    def add(self, index: int, window: Window, states: States, heads: Heads) -> None:
        """Take in a window: its token states, special tokens included, (T, H)."""
        self._total = self._total + states.sum(axis=0, dtype=np.float64)
        self._count += len(window.ids)
        for head in self._heads:
            if head.kind == "tags":
                self._tags[head.name][index] = heads.tags(head, states[1:-1], window.shapes())

    def add_pairs(self, window: Window, scores: dict[str, States]) -> None:
        """Take in the scores of a window's pairs by head, in the window's order."""
        numbers = [number for number, *_ in window.pairs]
        for name, rows in scores.items():
            self._pairs[name][numbers] = rows

    def scores(self, heads: Heads, windows: Sequence[Window]) -> Scores:
        """All scores of the document."""
        mean = np.asarray(self._total) / self._count
        found = {head.name: heads.linear(head, mean) for head in self._heads if head.kind in ("topics", "class")}
        found |= self._pairs
        found |= {name: np.concatenate([by[at] for at in sorted(by)]) for name, by in self._tags.items()}
        tokens = np.concatenate([window.offsets() for window in windows]) if self._tags else np.zeros((0, 3), np.int64)
        return Scores(found.pop(TOPICS, np.zeros(0)), found.pop(STANCES, np.zeros((0, 3))), found, tokens)


def _unread(head: Head, pairs: int) -> Floats:
    """Scores of pairs that no window has held together: surely neutral where the head knows that label."""
    sure = [0.0 if label == NEUTRAL or NEUTRAL not in head.labels else -_SURE for label in head.labels]
    return np.tile(np.array(sure), (pairs, 1))


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
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        session = ort.InferenceSession(str(model), options, providers=[providers[device]])
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise BundleError(f"{model}: onnxruntime {ort.__version__} cannot load it: {error}") from error

    def encode(batch: Batch) -> npt.NDArray[np.float32]:
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        states: npt.NDArray[np.float32] = session.run(["states"], inputs)[0]
        return states

    return encode
