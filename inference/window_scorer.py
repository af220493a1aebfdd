"""Scores documents by an encoder, each window read once, and their topics by words as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from .decode import Floats
from .document import Document
from .heads import ACTORS, STANCES, TOPICS, Head, Heads, States
from .onnx_encoder import Encode, onnx_encode
from .schema import NEUTRAL, STANCE_LABELS
from .scorer import Reading, Scorer, Scores
from .windows import Range, Window, Windower, batches, collate, placed

BATCH_TOKENS = 4096
"""Tokens of a batch in torch and on a GPU, padding included."""

ONE_BY_ONE = 1
"""Tokens of a batch in ONNX Runtime on a CPU: no batch. A window fills a core, more of them only its caches; and what
is read alone is padded by nothing and cannot depend on its neighbours."""

_SURE = 30.0


class WindowScorer(Scorer):
    """Cuts documents into windows, runs an encoder on batches of them, and reads the heads off its states.

    Args:
        windower: cuts documents.
        heads: what is read off.
        encode: the encoder, in ONNX Runtime or torch.
        batch_tokens: tokens of a batch at most, padding included; a batch has one window at least.
        words: scores topics by words, which is added to what the states say of them; None for nothing.
    """

    def __init__(
        self,
        windower: Windower,
        heads: Heads,
        encode: Encode,
        batch_tokens: int = BATCH_TOKENS,
        words: Scorer | None = None,
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
        words: Scorer | None = None,
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
        said = self._words.read(documents)
        return [replace(one, topics=one.topics + two.topics) for one, two in zip(readings, said, strict=True)]

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
