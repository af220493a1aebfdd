"""Calibration and thresholds, fitted on validation; `inference.decode` applies them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

from inference.decode import (
    SIDES,
    ArticleDecision,
    Decisions,
    Floats,
    Point,
    StanceDecision,
    TopicDecision,
    sigmoid,
    softmax,
)
from inference.schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT

Labels = npt.NDArray[np.int64]

_THRESHOLDS = np.linspace(0.1, 0.9, 33)
"""Of stances in articles, those that are tried."""

_AS_GOOD = 0.97
"""Share of the best F1 that counts as reached: it is flat about its maximum, and where labels are rarer than on
validation the higher thresholds of that plateau are better, not the lower ones."""

_LEAST_GIVEN = 5
"""Labels that a threshold must have given for its precision to be believed."""

_STEP = 0.005
"""How much more precise one threshold must be than the one below it to be worth noting."""

_ENOUGH = 50
"""Stances of articles from which what they are like is fitted."""

_PRIOR = 1e-2
"""Pull of every fitted number towards no change, per example: few positives must not run away."""


def fit_decisions(
    topics: Sequence[str],
    topic_scores: Floats,
    topic_labels: Labels,
    stance_scores: Floats,
    stance_labels: Labels,
) -> Decisions:
    """Fit calibration, then thresholds, on validation.

    Args:
        topics: the topic labels.
        topic_scores: logits, (articles, topics); no article leaves every topic as it is.
        topic_labels: zeros and ones of the same shape.
        stance_scores: logits, (pairs, 3); no pair leaves the stances as they are.
        stance_labels: classes, (pairs,).

    Returns:
        The decisions; what `fit_articles` finds is not among them yet.
    """
    decided = {
        label: _topic(topic_scores[:, column], topic_labels[:, column]) if len(topic_scores) else TopicDecision()
        for column, label in enumerate(topics)
    }
    return Decisions(decided, _stance(stance_scores, stance_labels) if len(stance_scores) else StanceDecision())


def fit_articles(shown: Floats, leanings: Labels, missed: tuple[int, int] = (0, 0)) -> ArticleDecision:
    """What makes a stance of an article likely, and the thresholds that find most right ones, by F1.

    Args:
        shown: of each pair of an article and each label what `inference.decode.figures` gives, (pairs, 3, figures).
        leanings: class of each pair in its article, (pairs,).
        missed: how often there is `support` and `oppose` between actors of no such pair.
    """
    if not len(shown):
        return ArticleDecision()
    decision = ArticleDecision()
    true = (leanings[:, None] == np.array(SIDES)).ravel()
    if _ENOUGH <= true.sum() < len(true):
        fitted = LogisticRegression(max_iter=1000).fit(shown[:, SIDES].reshape(len(true), -1), true)
        weights = tuple(float(weight) for weight in fitted.coef_[0])
        decision = ArticleDecision(float(fitted.intercept_[0]), weights)
    scores = decision.probabilities(shown)
    support, oppose = _best_pair(scores, leanings, sum(missed))
    points = [
        precision_points(scores[:, side], leanings == side, number) for side, number in zip(SIDES, missed, strict=True)
    ]
    return replace(decision, support=support, oppose=oppose, support_points=points[0], oppose_points=points[1])


def _best_pair(scores: Floats, leanings: Labels, missed: int) -> tuple[float, float]:
    """The thresholds of support and oppose whose F1 is best; of those that come near it the most precise.

    Args:
        scores: of articles' pairs, (pairs, 3).
        leanings: classes, (pairs,).
        missed: stances of no such pair.
    """
    sides = np.array(SIDES)
    true = int((leanings != STANCE_LABELS.index(NEUTRAL)).sum()) + missed
    tried = []
    grid = [_THRESHOLDS if (leanings == side).any() else [0.5] for side in sides]  # without positives nothing tells
    for thresholds in product(*grid):
        passing = np.where(scores[:, sides] >= np.array(thresholds), scores[:, sides], -1.0)
        said = passing.max(axis=1) >= 0
        right = said & (leanings == sides[passing.argmax(axis=1)])
        precision = int(right.sum()) / max(1, int(said.sum()))
        f1 = 2 * int(right.sum()) / max(1, int(said.sum()) + true)
        tried.append((f1, precision, (float(thresholds[0]), float(thresholds[1]))))
    best = max(f1 for f1, *_ in tried)
    near = [each for each in tried if each[0] >= _AS_GOOD * best]
    precise = max(precision for _, precision, _ in near)
    equals = [thresholds for _, precision, thresholds in near if precision == precise]
    return equals[len(equals) // 2]


def best_threshold(probabilities: Floats, labels: Labels) -> float:
    """The threshold of the highest expected F1 for calibrated probabilities: half that F1.

    Lipton, Elkan and Narayanaswamy (2014) show that for calibrated scores the best threshold is half
    of the best F1. That needs one number from validation instead of the place of a maximum, which
    jumps about when positives are few.
    """
    if not labels.any():
        return 0.5
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(f1.max() / 2)


def precision_points(probabilities: Floats, labels: npt.NDArray[Any], missed: int = 0) -> tuple[Point, ...]:
    """The thresholds that are worth having: of those with no less precision the one that covers most.

    Args:
        probabilities: calibrated, (rows,).
        labels: zeros and ones, or truth values, (rows,).
        missed: what is right and in no row.

    Returns:
        Lowest threshold first, so precision rises and coverage falls; none where nothing is right.
    """
    order = np.argsort(-probabilities, kind="stable")
    shown, right = probabilities[order], np.cumsum(labels[order])
    last = np.flatnonzero(np.append(np.diff(shown) < 0, True)) if len(shown) else np.zeros(0, dtype=int)
    points: list[Point] = []
    for place in last[::-1]:  # from the lowest threshold up
        precision = float(right[place] / (place + 1))
        if place + 1 >= _LEAST_GIVEN and right[place] and (not points or precision >= points[-1].precision + _STEP):
            points.append(Point(float(shown[place]), precision, float(right[place] / (right[-1] + missed))))
    return tuple(points)


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = 10) -> float:
    """Mean gap between probability and frequency over equal-width bins (Naeini et al. 2015).

    Args:
        probabilities: of the positive class, any shape.
        labels: zeros and ones of that shape.
        bins: number of bins.
    """
    flat, truth = probabilities.ravel(), labels.ravel()
    place = np.minimum((flat * bins).astype(int), bins - 1)
    weight = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, flat, bins) - np.bincount(place, truth, bins))
    return float(gap.sum() / max(1, weight.sum()))


def _topic(scores: Floats, labels: Labels) -> TopicDecision:
    """Platt scaling (Platt 1999) and a threshold of one topic."""

    def loss(numbers: Floats) -> float:
        slope, intercept = np.exp(numbers[0]), numbers[1]
        logits = scores * slope + intercept
        return float(np.mean(np.logaddexp(0.0, logits) - labels * logits) + _PRIOR * (numbers**2).sum())

    slope, intercept = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    slope = np.exp(slope)
    probabilities = sigmoid(scores * slope + intercept)
    threshold = best_threshold(probabilities, labels)
    return TopicDecision(float(slope), float(intercept), threshold, precision_points(probabilities, labels))


def _stance(scores: Floats, labels: Labels) -> StanceDecision:
    """Temperature with a bias a class (vector scaling, Guo et al. 2017) and two thresholds."""
    rows = np.arange(len(labels))

    def scaled(numbers: Floats) -> Floats:
        return softmax(scores / np.exp(numbers[0]) + np.array([0.0, *numbers[1:]]))

    def loss(numbers: Floats) -> float:
        likelihood = np.maximum(scaled(numbers)[rows, labels], 1e-300)
        return float(-np.log(likelihood).mean() + _PRIOR * (numbers**2).sum())

    numbers = minimize(loss, np.zeros(3), method="L-BFGS-B").x
    probabilities = scaled(numbers)
    support, oppose = (STANCE_LABELS.index(label) for label in (SUPPORT, OPPOSE))
    return StanceDecision(
        temperature=float(np.exp(numbers[0])),
        bias=(0.0, float(numbers[1]), float(numbers[2])),
        support=best_threshold(probabilities[:, support], (labels == support).astype(np.int64)),
        oppose=best_threshold(probabilities[:, oppose], (labels == oppose).astype(np.int64)),
    )
