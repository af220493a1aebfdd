"""Points of the curves that a report draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_curve

from inference.decode import Decisions, Floats
from inference.schema import STANCE_LABELS
from inference.scorer import Scores
from models.base import Example, stance_arrays, topic_arrays

_POINTS = 100
_BINS = 10


def curves(
    examples: Sequence[Example], scores: Sequence[Scores], topics: Sequence[str], decisions: Decisions
) -> dict[str, Any]:
    """Curves by head and label.

    Returns:
        For `topics` and `stances`, by label: `precision_recall`, a list of [recall, precision];
        `calibration`, a list of [mean probability, frequency, count]; `confusion`, counts as
        scikit-learn's `confusion_matrix` gives them for the label against the rest.
    """
    found: dict[str, Any] = {}
    topic_scores, topic_labels = topic_arrays(examples, scores)
    if len(topic_labels):
        probabilities = decisions.topic_probabilities(topic_scores)
        assigned = decisions.assigned(probabilities).astype(np.int64)
        found["topics"] = {
            topic: _label(probabilities[:, column], topic_labels[:, column], assigned[:, column])
            for column, topic in enumerate(topics)
        }
    stance_scores, classes = stance_arrays(examples, scores)
    if len(classes):
        probabilities = decisions.stance_probabilities(stance_scores)
        predicted = decisions.stance_classes(probabilities)
        found["stances"] = {
            label: _label(
                probabilities[:, kind], (classes == kind).astype(np.int64), (predicted == kind).astype(np.int64)
            )
            for kind, label in enumerate(STANCE_LABELS)
        }
    return found


def _label(probabilities: Floats, truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> dict[str, Any]:
    precision, recall, _ = precision_recall_curve(truth, probabilities) if truth.any() else (np.ones(1),) * 3
    chosen = np.unique(np.linspace(0, len(recall) - 1, _POINTS).astype(int))
    return {
        "precision_recall": np.round(np.stack([recall[chosen], precision[chosen]], axis=1), 4).tolist(),
        "calibration": _calibration(probabilities, truth),
        "confusion": confusion_matrix(truth, predicted, labels=[0, 1]).tolist(),
    }


def _calibration(probabilities: Floats, truth: npt.NDArray[np.int64]) -> list[list[float]]:
    place = np.minimum((probabilities * _BINS).astype(int), _BINS - 1)
    points = []
    for number in np.unique(place):
        inside = place == number
        mean, frequency = probabilities[inside].mean(), truth[inside].mean()
        points.append([round(float(mean), 4), round(float(frequency), 4), int(inside.sum())])
    return points
