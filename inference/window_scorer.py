"""Scores documents by an encoder, each window read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .decode import Floats
from .document import Document
from .errors import BundleError, InputError
from .heads import ACTORS, STANCES, TOPICS, Head, Heads, States
from .linear_scorer import TopicModel
from .schema import NEUTRAL, STANCE_LABELS
from .scorer import Reading, Scorer, Scores
from .windows import Batch, Range, Window, Windower, batches, collate, placed

Encode = Callable[[Batch], States]
"""Token states of a batch, (B, T, H)."""

BATCH_TOKENS = 4096
"""Tokens of a batch in torch and on a GPU, padding included."""

ONE_BY_ONE = 1
"""Tokens of a batch in ONNX Runtime on a CPU: no batch. A window fills a core, more of them only its caches; and what
is read alone is padded by nothing and cannot depend on its neighbours."""

_SURE = 30.0

_SLOW = ["SkipLayerNormFusion"]
"""Of ONNX Runtime's rewritings: on a CPU a sum and a normalisation apart take a third of the fused one's time."""

_EXACT = ("session.x64quantprecision", "1")
"""Without it, sums of 8-bit products overflow on a CPU that has AVX2 or AVX512 and no VNNI, so that a bundle would not
score there as it did where it was checked."""


class WindowScorer(Scorer):
    """Cuts documents into windows, runs an encoder on batches of them, and reads the heads off its states.

    Args:
        windower: cuts documents.
        heads: what is read off.
        encode: the encoder, in ONNX Runtime or torch.
        batch_tokens: tokens of a batch at most, padding included; a batch has one window at least.
        words: what the words of an article say of its topics, which is added to what its states say; None for nothing.
    """

    def __init__(
        self,
        windower: Windower,
        heads: Heads,
        encode: Encode,
        batch_tokens: int = BATCH_TOKENS,
        words: TopicModel | None = None,
    ) -> None:
        self._windower = windower
        self._heads = heads
        self._encode = encode
        self._batch_tokens = batch_tokens
        self._words = words

    @classmethod
    def of_onnx(
        cls,
        windower: Windower,
        heads: Heads,
        model: Path,
        threads: int | None = None,
        device: str = "cpu",
        words: TopicModel | None = None,
    ) -> WindowScorer:
        """A scorer by ONNX Runtime, see `onnx_encode`."""
        encode = onnx_encode(model, threads, device)
        return cls(windower, heads, encode, ONE_BY_ONE if device == "cpu" else BATCH_TOKENS, words)

    def read(self, documents: Sequence[Document], others: bool = False) -> list[Reading]:
        """See `Scorer.read`; what is kept is every window with its token states."""
        cut = [self._windower.cut(document) for document in documents]
        states = iter(self._states([window for windows in cut for window in windows]))
        readings = [self._reading(windows, [next(states) for _ in windows], others) for windows in cut]
        if self._words is None:
            return readings
        said = self._words.scores(documents)
        return [replace(each, topics=each.topics + row) for each, row in zip(readings, said, strict=True)]

    def score_pairs(
        self, documents: Sequence[Document], readings: Sequence[Reading], others: bool = False
    ) -> list[Scores]:
        """See `Scorer.score_pairs`."""
        heads = [head for head in self._heads.heads if head.kind == "pairs" and (others or head.name == STANCES)]
        rows: list[States] = []
        pairs: list[tuple[int, int, int]] = []
        places: list[tuple[int, int]] = []
        for number, (document, reading) in enumerate(zip(documents, readings, strict=True)):
            windows, states = reading.state
            for window, own in zip(placed(windows, document), states, strict=True):
                first = len(rows)
                rows += [_pooled(own, ranges) for ranges in window.rows]
                pairs += [(first + source, first + target, first + whole) for _, source, target, whole in window.pairs]
                places += [(number, pair) for pair, *_ in window.pairs]
        found = [{head.name: _unread(head, len(document.pairs)) for head in heads} for document in documents]
        for head in heads if places else ():
            scores = self._heads.pairs(head, np.stack(rows), np.array(pairs))
            for (number, pair), row in zip(places, scores, strict=True):
                found[number][head.name][pair] = row
        return [_scores(reading, own) for reading, own in zip(readings, found, strict=True)]

    def _states(self, windows: Sequence[Window]) -> list[States]:
        """Token states of each window, (T, H), special tokens included."""
        states: list[States] = [np.zeros((0, 0), dtype=np.float32)] * len(windows)
        for batch in batches([len(window.ids) for window in windows], self._batch_tokens):
            found = self._encode(collate([windows[place] for place in batch], self._windower.settings.pad))
            for row, place in zip(found, batch, strict=True):
                states[place] = row[: len(windows[place].ids)]
        return states

    def _reading(self, windows: Sequence[Window], states: Sequence[States], others: bool) -> Reading:
        total = sum(own.sum(axis=0, dtype=np.float64) for own in states)
        mean = np.asarray(total) / sum(len(own) for own in states)
        found: dict[str, Floats] = {}
        for head in self._heads.heads:
            if head.kind == "pairs" or not (others or head.name in (TOPICS, ACTORS)):
                continue
            if head.kind == "tags":
                read = zip(windows, states, strict=True)
                parts = [self._heads.tags(head, own[1:-1], window.shapes()) for window, own in read]
                found[head.name] = np.concatenate(parts)
            else:
                found[head.name] = self._heads.linear(head, mean)
        tagged = any(head.kind == "tags" and head.name in found for head in self._heads.heads)
        tokens = np.concatenate([window.offsets() for window in windows]) if tagged else np.zeros((0, 3), np.int64)
        return Reading(found.pop(TOPICS, np.zeros(0)), found, tokens, (windows, states))


def _pooled(states: States, ranges: Sequence[Range]) -> States:
    """The mean state of ranges of tokens, (H,)."""
    if len(ranges) == 1:
        return np.asarray(states[slice(*ranges[0])].mean(axis=0))
    return np.asarray(np.concatenate([states[begin:end] for begin, end in ranges]).mean(axis=0))


def _scores(reading: Reading, pairs: dict[str, Floats]) -> Scores:
    stances = pairs.pop(STANCES, np.zeros((0, len(STANCE_LABELS))))
    return Scores(reading.topics, stances, {**reading.others, **pairs}, reading.tokens)


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
    options.add_session_config_entry(*_EXACT)
    try:
        session = ort.InferenceSession(str(model), options, providers=[providers[device]], disabled_optimizers=_SLOW)
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise BundleError(f"{model}: onnxruntime {ort.__version__} cannot load it: {error}") from error

    def encode(batch: Batch) -> npt.NDArray[np.float32]:
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        states: npt.NDArray[np.float32] = session.run(["states"], inputs)[0]
        return states

    return encode
