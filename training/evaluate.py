"""Quality of scores against labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, confusion_matrix, f1_score, precision_recall_fscore_support

from inference.decode import Decisions, Floats, sigmoid, softmax
from inference.heads import STANCES, TOPICS, Head
from inference.schema import NEUTRAL, STANCE_LABELS
from inference.scorer import Scores
from models.base import UNLABELLED, Example, labelled_heads, stance_arrays, topic_arrays
from models.calibration import expected_calibration_error

from .field import field_metrics

Metrics = dict[str, Any]


def evaluate(
    examples: Sequence[Example], scores: Sequence[Scores], heads: Sequence[Head], decisions: Decisions
) -> Metrics:
    """Measure every head that is labelled: topics, same-sentence stances given the labelled actors, and others.

    Where several corpora are labelled for the same head, each is measured by itself too.

    Args:
        examples: labelled documents.
        scores: uncalibrated scores of each.
        heads: those that the scores are of.
        decisions: calibration and thresholds of topics and stances, fitted elsewhere.

    Returns:
        `articles`, their number; `topics` and `stances`, each with totals and a table by label; any other head by its
        name, with the figures of its field; `corpora`, by name, what several corpora are labelled for. What is not
        labelled is left out.
    """
    metrics = _measured(examples, scores, heads, decisions)
    shared = {head: corpora for head in heads if len(corpora := _corpora(examples, head)) > 1}
    for name in dict.fromkeys(name for corpora in shared.values() for name in corpora):
        rows = [row for row, example in enumerate(examples) if example.corpus == name]
        own = [examples[row] for row in rows], [scores[row] for row in rows]
        metrics.setdefault("corpora", {})[name] = _measured(*own, list(shared), decisions)
    return metrics


def _corpora(examples: Sequence[Example], head: Head) -> dict[str, None]:
    """Names of the corpora that are labelled for a head, in order."""
    return dict.fromkeys(example.corpus for example in examples if example.has(head))


def _measured(
    examples: Sequence[Example], scores: Sequence[Scores], heads: Sequence[Head], decisions: Decisions
) -> Metrics:
    metrics: Metrics = {"articles": len(examples)}
    for head in labelled_heads(examples, heads):
        if head.name == TOPICS:
            metrics[TOPICS] = _topic_metrics(*topic_arrays(examples, scores), head.labels, decisions)
        elif head.name == STANCES:
            metrics[STANCES] = _stance_metrics(*stance_arrays(examples, scores), decisions)
            metrics[STANCES]["direction_errors"] = _direction_errors(examples, scores, decisions)
        else:
            metrics[head.name] = field_metrics(examples, scores, head)
    return metrics


def _topic_metrics(
    scores: Floats, labels: npt.NDArray[np.int64], topics: Sequence[str], decisions: Decisions
) -> Metrics:
    probabilities = decisions.topic_probabilities(scores)
    assigned = decisions.assigned(probabilities).astype(np.int64)
    rows = {
        topic: _label_metrics(labels[:, column], assigned[:, column], probabilities[:, column])
        for column, topic in enumerate(topics)
    }
    return {
        "macro_f1": float(np.mean([row["f1"] for row in rows.values()])),
        "micro_f1": float(f1_score(labels.ravel(), assigned.ravel(), zero_division=0)),
        "ece_before": expected_calibration_error(sigmoid(scores), labels),
        "ece": expected_calibration_error(probabilities, labels),
        "labels": rows,
    }


def _stance_metrics(scores: Floats, classes: npt.NDArray[np.int64], decisions: Decisions) -> Metrics:
    probabilities = decisions.stance_probabilities(scores)
    predicted = decisions.stance_classes(probabilities)
    kinds = range(len(STANCE_LABELS))
    truth = np.eye(len(STANCE_LABELS), dtype=np.int64)[classes]
    return {
        "macro_f1": float(f1_score(classes, predicted, labels=list(kinds), average="macro", zero_division=0)),
        "micro_f1": float((classes == predicted).mean()),
        "ece_before": expected_calibration_error(softmax(scores), truth),
        "ece": expected_calibration_error(probabilities, truth),
        "confusion": confusion_matrix(classes, predicted, labels=list(kinds)).tolist(),
        "labels": {
            label: _label_metrics(truth[:, kind], (predicted == kind).astype(np.int64), probabilities[:, kind])
            for kind, label in enumerate(STANCE_LABELS)
        },
    }


def _label_metrics(truth: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], probability: Floats) -> Metrics:
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    return {
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "average_precision": float(average_precision_score(truth, probability)) if truth.any() else 0.0,
        "support": int(truth.sum()),
    }


def _direction_errors(examples: Sequence[Example], scores: Sequence[Scores], decisions: Decisions) -> float:
    """Share of the predicted stances whose label is right for the opposite direction only."""
    wrong = found = 0
    for example, score in zip(examples, scores, strict=True):
        labels = decisions.stance_labels(decisions.stance_probabilities(score.stances))
        truth = {
            (pair.sentence, pair.source, pair.target): STANCE_LABELS[kind]
            for pair, kind in zip(example.document.pairs, example.stances, strict=True)
            if kind != UNLABELLED
        }
        for pair, label in zip(example.document.pairs, labels, strict=True):
            key = (pair.sentence, pair.source, pair.target)
            if label != NEUTRAL and key in truth:
                found += 1
                wrong += truth[key] != label and truth.get((pair.sentence, pair.target, pair.source)) == label
    return wrong / max(1, found)
