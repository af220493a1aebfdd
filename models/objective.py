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


def ranking_quality(examples: Sequence[Example], scores: Sequence[Scores], heads: Sequence[Head]) -> float:
    """Average precision, averaged over labels and then over heads.

    It judges the order of the scores and so needs no threshold, which is fitted later. Labels that
    do not occur are left out, and so are `neutral` and what is outside of tags.

    Args:
        examples: labelled documents.
        scores: uncalibrated scores of each.
        heads: those that count.

    Returns:
        Between 0 and 1; 0 where nothing is labelled.
    """
    qualities = []
    for head in heads:
        columns = [(truth, score) for truth, score in _columns(examples, scores, head) if truth.any()]
        if columns:
            qualities.append(np.mean([average_precision_score(truth, score) for truth, score in columns]))
    return float(np.mean(qualities)) if qualities else 0.0


def _columns(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> Iterator[tuple[Labels, Floats]]:
    """Truth and score of everything labelled, label by label."""
    if head.kind == "topics":
        logits, labels = topic_arrays(examples, scores)
        yield from zip(labels.T, logits.T, strict=True)
        return
    stances = head.name == STANCES
    logits, classes = stance_arrays(examples, scores) if stances else class_arrays(examples, scores, head)
    passed = {0} if head.kind == "tags" else {place for place, label in enumerate(head.labels) if label == NEUTRAL}
    for column, probabilities in enumerate(softmax(logits).T if len(logits) else ()):
        if column not in passed:
            yield (classes == column).astype(np.int64), probabilities
