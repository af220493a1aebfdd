"""What a model family is, and what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from inference.decode import Floats
from inference.document import Document
from inference.heads import STANCES, TOPICS, Head
from inference.scorer import Scores
from inference.windows import WindowSettings

UNLABELLED = -100
"""The class of a pair that nobody labelled, as torch's losses skip it."""

Labels = npt.NDArray[np.int64]

Epoch = Callable[[int, dict[str, float]], None]
"""Called with the number of an epoch and what was measured in it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A document with its labels, or those of them that there are.

    Args:
        document: the document, its pairs made from labelled mentions.
        topics: one 0 or 1 a topic label, None where topics are not labelled.
        stances: class of every pair, `UNLABELLED` where there is none.
        others: labels of further heads by name: the class, (), of a text; classes of its pairs, (pairs,);
            for tags the field (0 the title, 1 the text), start, end and label of every span, (spans, 4).
        corpus: where it comes from; a training step reads one corpus.
        weight: times that an epoch reads it; of examples with 0.5 it reads half.
        epochs: first epochs, the only ones, that read it, for the encoder's sake; None for what a model is for.
        soft: scores of teachers by head, as `inference.scorer.Scores` has them.
    """

    document: Document
    topics: npt.NDArray[np.float32] | None
    stances: Labels
    others: Mapping[str, Labels] = field(default_factory=dict)
    corpus: str = ""
    weight: float = 1.0
    epochs: int | None = None
    soft: Mapping[str, Floats] = field(default_factory=dict)

    def teaches(self, head: Head) -> bool:
        """Whether there is something to learn from it for a head."""
        return head.name in self.soft or self.has(head)

    def has(self, head: Head) -> bool:
        """Whether it has a label for a head."""
        if head.name == TOPICS:
            return self.topics is not None
        if head.kind == "pairs":
            return bool((self.classes(head) != UNLABELLED).any())
        return head.name in self.others

    def classes(self, head: Head) -> Labels:
        """Class of every pair for a head of pairs, `UNLABELLED` where there is none."""
        if head.name == STANCES:
            return self.stances
        return self.others.get(head.name, np.full(len(self.document.pairs), UNLABELLED))


class Model(Protocol):
    """What is fitted: scores documents, writes its files into a bundle."""

    @property
    def windows(self) -> WindowSettings | None:
        """How it cuts articles, None where it reads them whole."""
        ...

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """Uncalibrated scores, as `inference.scorer.Scorer.score` gives them."""
        ...

    def encoder_facts(self) -> dict[str, Any] | None:
        """Name, digest and parameters of the encoder, None where there is none."""
        ...

    def save_encoder(self, directory: Path) -> None:
        """Write the encoder as a folder that a recipe can name by `encoder.path`; nothing where there is none."""
        ...

    def export(self, directory: Path) -> None:
        """Write the model's files, all but the manifest and the lexicon."""
        ...


class Family(Model, Protocol):
    """A kind of model: fits examples, and is what it has fitted."""

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """Learn from `train`; `validation` decides only when to stop."""
        ...

    def quantized(self, documents: Sequence[Document]) -> Model | None:
        """The fitted model with its encoder in 8-bit integers, None where it has no encoder.

        Args:
            documents: such as will be read, a hundred or more; widths of channels are found from them.
        """
        ...


def labelled_heads(examples: Sequence[Example], heads: Sequence[Head]) -> tuple[Head, ...]:
    """Those of the heads that the examples have labels for."""
    return tuple(head for head in heads if any(example.has(head) for example in examples))


def kept_heads(examples: Sequence[Example], heads: Sequence[Head]) -> tuple[Head, ...]:
    """Those of the heads that examples teach to the end of a fit, not for the encoder's sake alone."""
    lasting = [example for example in examples if example.epochs is None]
    return tuple(head for head in heads if any(example.teaches(head) for example in lasting))


def topic_arrays(examples: Sequence[Example], scores: Sequence[Scores]) -> tuple[Floats, Labels]:
    """Scores and labels, each (articles, topics), of the examples whose topics are labelled."""
    rows = [(score.topics, example.topics) for example, score in zip(examples, scores, strict=True)]
    labelled = [(logits, labels) for logits, labels in rows if labels is not None and len(logits)]
    if not labelled:
        return np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64)
    return np.stack([logits for logits, _ in labelled]), np.stack([labels for _, labels in labelled]).astype(np.int64)


def stance_arrays(examples: Sequence[Example], scores: Sequence[Scores]) -> tuple[Floats, Labels]:
    """Scores, (pairs, 3), and classes, (pairs,), of the pairs that are labelled."""
    read = [(score.stances, example.stances) for example, score in zip(examples, scores, strict=True)]
    return _labelled([(logits, classes) for logits, classes in read if len(logits) == len(classes)], 3)


def class_arrays(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> tuple[Floats, Labels]:
    """Scores, (items, outputs), and classes, (items,), of what is labelled for one of the other heads.

    An item is a text, a pair or a token, as the head's kind has it.
    """
    return _labelled(
        [
            (np.atleast_2d(score.others[head.name]), _classes(example, score, head))
            for example, score in zip(examples, scores, strict=True)
            if example.has(head) and head.name in score.others
        ],
        head.outputs,
    )


def tag_classes(tokens: Labels, spans: Labels) -> Labels:
    """The class of each token: 0 outside of spans, 1 + 2 n at the beginning of one of label n, 2 + 2 n inside.

    Args:
        tokens: field, start and end of each, (tokens, 3).
        spans: field, start, end and label of each, (spans, 4).
    """
    classes = np.zeros(len(tokens), dtype=np.int64)
    for place, start, end, label in spans:
        inside = np.flatnonzero((tokens[:, 0] == place) & (tokens[:, 1] < end) & (tokens[:, 2] > start))
        classes[inside] = 2 + 2 * label
        classes[inside[:1]] = 1 + 2 * label
    return classes


def _classes(example: Example, score: Scores, head: Head) -> Labels:
    if head.kind == "tags":
        return tag_classes(score.tokens, example.others[head.name])
    return np.atleast_1d(example.classes(head) if head.kind == "pairs" else example.others[head.name])


def _labelled(rows: Sequence[tuple[Floats, Labels]], outputs: int) -> tuple[Floats, Labels]:
    logits = np.concatenate([logits for logits, _ in rows]) if rows else np.zeros((0, outputs))
    classes = np.concatenate([classes for _, classes in rows]) if rows else np.zeros(0, dtype=np.int64)
    labelled = classes != UNLABELLED
    return logits[labelled], classes[labelled]
