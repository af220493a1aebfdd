"""The one number that decides when to stop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.metrics import average_precision_score

from inference.decode import Floats, softmax
from inference.heads import STANCES, Head
from inference.schema import NEUTRAL
from inference.scorer import Scores

from .base import Example, Labels, class_arrays, stance_arrays, topic_arrays
from .spans import span_f1


def stopping_quality(examples: Sequence[Example], scores: Sequence[Scores], heads: Sequence[Head]) -> float:
    """Average precision of labels, or F1 of spans, averaged over heads.

    Average precision is of each label and then their mean. It judges the order of the scores and so needs no
    threshold, which is fitted later; labels that do not occur are left out, and so is `neutral`. Tags have no
    threshold, and where a span ends matters more than how many words go on it.

    Args:
        examples: labelled documents.
        scores: uncalibrated scores of each.
        heads: those that count.

    Returns:
        Between 0 and 1; 0 where nothing is labelled.
    """
    labelled = [head for head in heads if any(example.has(head) for example in examples)]
    qualities = [
        span_f1(examples, scores, head) if head.kind == "tags" else _average_precision(examples, scores, head)
        for head in labelled
    ]
    known = [quality for quality in qualities if quality is not None]
    return float(np.mean(known)) if known else 0.0


def _average_precision(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> float | None:
    """The mean over labels that occur; None where none does."""
    columns = [(truth, score) for truth, score in _columns(examples, scores, head) if truth.any()]
    if not columns:
        return None
    return float(np.mean([average_precision_score(truth, score) for truth, score in columns]))


def _columns(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> Iterator[tuple[Labels, Floats]]:
    """Truth and score of everything labelled, label by label."""
    if head.kind == "topics":
        logits, labels = topic_arrays(examples, scores)
        yield from zip(labels.T, logits.T, strict=True)
        return
    stances = head.name == STANCES
    logits, classes = stance_arrays(examples, scores) if stances else class_arrays(examples, scores, head)
    for column, probabilities in enumerate(softmax(logits).T if len(logits) else ()):
        if head.labels[column] != NEUTRAL:
            yield (classes == column).astype(np.int64), probabilities
