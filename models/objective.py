"""The one number that decides when to stop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import average_precision_score

from inference.decode import softmax
from inference.schema import NEUTRAL, STANCE_LABELS
from inference.scorer import Scores

from .base import Example, stance_arrays, topic_arrays


def ranking_quality(examples: Sequence[Example], scores: Sequence[Scores]) -> float:
    """Average precision, averaged over labels and then over heads.

    It judges the order of the scores and so needs no threshold, which is fitted later. Labels that
    do not occur are left out.

    Returns:
        Between 0 and 1; 0 where nothing is labelled.
    """
    topic_scores, topic_labels = topic_arrays(examples, scores)
    stance_scores, stance_classes = stance_arrays(examples, scores)
    heads = []
    if len(topic_labels):
        heads.append([(topic_labels[:, column], topic_scores[:, column]) for column in range(topic_labels.shape[1])])
    if len(stance_classes):
        probabilities = softmax(stance_scores)
        sides = [column for column, label in enumerate(STANCE_LABELS) if label != NEUTRAL]
        heads.append([((stance_classes == column).astype(np.int64), probabilities[:, column]) for column in sides])
    qualities = [
        np.mean([average_precision_score(truth, score) for truth, score in head if truth.any()])
        for head in heads
        if any(truth.any() for truth, _ in head)
    ]
    return float(np.mean(qualities)) if qualities else 0.0
