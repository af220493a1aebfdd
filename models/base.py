"""What a model family is, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inference.bundle import Head
from inference.decode import Floats
from inference.document import Document
from inference.scorer import Scores
from inference.windows import WindowSettings

UNLABELLED = -100
"""The stance class of a pair that nobody labelled, as torch's losses skip it."""

Epoch = Callable[[int, dict[str, float]], None]
"""Called with the number of an epoch and what was measured in it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document with its labels, or those of them that there are.

    Args:
        document: the document, its pairs made from labelled mentions.
        topics: one 0 or 1 a topic label, None where topics are not labelled.
        stances: class of every pair, `UNLABELLED` where there is none.
    """

    document: Document
    topics: npt.NDArray[np.float32] | None
    stances: npt.NDArray[np.int64]


class Family(Protocol):
    """A kind of model: fits examples, scores documents, writes its files into a bundle."""

    @property
    def windows(self) -> WindowSettings | None:
        """How it cuts articles, None where it reads them whole."""
        ...

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """Learn from `train`; `validation` decides only when to stop."""
        ...

    def score(self, documents: Sequence[Document]) -> list[Scores]:
        """Uncalibrated scores, as `inference.scorer.Scorer.score` gives them."""
        ...

    def encoder_facts(self) -> dict[str, Any] | None:
        """Name, digest and parameters of the encoder, None where there is none."""
        ...

    def export(self, directory: Path) -> None:
        """Write the model's files, all but the manifest and the lexicon."""
        ...


def labelled_heads(examples: Sequence[Example]) -> tuple[Head, ...]:
    """The heads that the examples have labels for."""
    heads: list[Head] = []
    if any(example.topics is not None for example in examples):
        heads.append("topics")
    if any((example.stances != UNLABELLED).any() for example in examples):
        heads.append("stances")
    return tuple(heads)


def topic_arrays(examples: Sequence[Example], scores: Sequence[Scores]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Scores and labels, each (articles, topics), of the examples whose topics are labelled."""
    rows = [(score.topics, example.topics) for example, score in zip(examples, scores, strict=True)]
    labelled = [(logits, labels) for logits, labels in rows if labels is not None]
    if not labelled:
        return np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64)
    return np.stack([logits for logits, _ in labelled]), np.stack([labels for _, labels in labelled]).astype(np.int64)


def stance_arrays(examples: Sequence[Example], scores: Sequence[Scores]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Scores, (pairs, 3), and classes, (pairs,), of the pairs that are labelled."""
    logits = np.concatenate([score.stances.reshape(-1, 3) for score in scores]) if scores else np.zeros((0, 3))
    classes = np.concatenate([example.stances for example in examples]) if examples else np.zeros(0, dtype=np.int64)
    labelled = classes != UNLABELLED
    return logits[labelled], classes[labelled]
