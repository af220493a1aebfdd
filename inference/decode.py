"""Scores to calibrated probabilities to labels; the numbers come from the bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT

Floats = npt.NDArray[np.float64]

FIGURES = 4
"""Of what an article shows of a pair; see `figures`."""

_SURE = 1e-4
"""Nearest to 0 and 1 that a probability is taken to be, so that its log-odds are finite."""

SIDES = (STANCE_LABELS.index(SUPPORT), STANCE_LABELS.index(OPPOSE))
"""Columns of the two leanings."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold gave on validation.

    Args:
        threshold: the probability from which a label is given.
        precision: share of what was given that was right.
        coverage: share of what is right that was given.
    """

    threshold: float
    precision: float
    coverage: float


NEVER = Point(float("inf"), 1.0, 0.0)
"""A threshold that nothing passes."""


@dataclass(frozen=True, slots=True)
class TopicDecision:
    """Platt scaling of one topic's score, and the probability from which the topic is assigned.

    Args:
        slope: what the score is multiplied by.
        intercept: what is then added.
        threshold: the probability from which the topic is assigned.
        points: what other thresholds give, lowest first.
    """

    slope: float = 1.0
    intercept: float = 0.0
    threshold: float = 0.5
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class StanceDecision:
    """Vector scaling of the stance scores (Guo et al. 2017) and a threshold for each leaning.

    Args:
        temperature: what the scores are divided by.
        bias: what is then added to each class, in the order of `STANCE_LABELS`.
        support: the probability from which a pair is `support`.
        oppose: the same for `oppose`.
    """

    temperature: float = 1.0
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    support: float = 0.5
    oppose: float = 0.5


@dataclass(frozen=True, slots=True)
class ArticleDecision:
    """How what the sentences show becomes the stance of an article: by logistic regression on `figures`.

    Args:
        intercept: of the regression.
        weights: of the figures; by default a stance is as likely as in the surest sentence.
        support: the probability from which a pair's stance in an article is `support`.
        oppose: the same for `oppose`.
        support_points: what other thresholds of `support` give, lowest first.
        oppose_points: the same for `oppose`.
    """

    intercept: float = 0.0
    weights: tuple[float, ...] = (1.0, *[0.0] * (FIGURES - 1))
    support: float = 0.5
    oppose: float = 0.5
    support_points: tuple[Point, ...] = ()
    oppose_points: tuple[Point, ...] = ()

    def probabilities(self, shown: Floats) -> Floats:
        """How likely articles show stances, (…,), by their figures, (…, `FIGURES`)."""
        return sigmoid(shown @ np.array(self.weights) + self.intercept)


@dataclass(frozen=True, slots=True)
class Decisions:
    """How a bundle turns scores into labels."""

    topics: Mapping[str, TopicDecision]
    stances: StanceDecision
    articles: ArticleDecision = ArticleDecision()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decisions:
        """Read what `dataclasses.asdict` wrote."""
        stances = dict(data["stances"])
        stances["bias"] = tuple(stances["bias"])
        topics = {
            label: TopicDecision(**{**numbers, "points": _points(numbers["points"])})
            for label, numbers in data["topics"].items()
        }
        articles: dict[str, Any] = dict(data["articles"])
        articles["weights"] = tuple(articles["weights"])
        if len(articles["weights"]) != FIGURES:
            raise ValueError(f"{len(articles['weights'])} weights of articles, expected {FIGURES}")
        for side in (SUPPORT, OPPOSE):
            articles[f"{side}_points"] = _points(articles[f"{side}_points"])
        return cls(topics, StanceDecision(**stances), ArticleDecision(**articles))

    def at_precision(self, least: float) -> Decisions:
        """The same with the lowest thresholds that reached a precision on validation.

        Args:
            least: the precision; a label that reached it nowhere is never given.
        """
        topics = {
            label: replace(made, threshold=_reaching(made.points, least).threshold)
            for label, made in self.topics.items()
        }
        articles = replace(
            self.articles,
            support=_reaching(self.articles.support_points, least).threshold,
            oppose=_reaching(self.articles.oppose_points, least).threshold,
        )
        return replace(self, topics=topics, articles=articles)

    def reached(self, least: float) -> dict[str, Point]:
        """What `at_precision` gives of each topic, and of `support` and `oppose`."""
        points = {label: made.points for label, made in self.topics.items()}
        points |= {SUPPORT: self.articles.support_points, OPPOSE: self.articles.oppose_points}
        return {label: _reaching(found, least) for label, found in points.items()}

    def topic_probabilities(self, scores: npt.ArrayLike) -> Floats:
        """Calibrated probabilities, (…, topics), from logits of the same shape."""
        slope = np.array([decision.slope for decision in self.topics.values()])
        intercept = np.array([decision.intercept for decision in self.topics.values()])
        return sigmoid(np.asarray(scores, dtype=np.float64) * slope + intercept)

    def assigned(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """Which topics pass their thresholds, (…, topics)."""
        return probabilities >= np.array([decision.threshold for decision in self.topics.values()])

    def stance_probabilities(self, scores: npt.ArrayLike) -> Floats:
        """Calibrated probabilities, (pairs, 3), from logits of the same shape."""
        logits = np.asarray(scores, dtype=np.float64).reshape(-1, len(STANCE_LABELS))
        return softmax(logits / self.stances.temperature + np.array(self.stances.bias))

    def stance_labels(self, probabilities: Floats) -> list[str]:
        """The label of each pair."""
        return [STANCE_LABELS[kind] for kind in self.stance_classes(probabilities)]

    def stance_classes(self, probabilities: Floats) -> npt.NDArray[np.int64]:
        """The likelier leaning of each pair where it passes its threshold, else neutral, as `STANCE_LABELS` counts."""
        sides = probabilities[:, SIDES]
        best = sides.argmax(axis=1) if len(sides) else np.zeros(0, dtype=int)
        thresholds = np.array([self.stances.support, self.stances.oppose])
        passes = sides.max(axis=1, initial=0.0) >= thresholds[best]
        return np.where(passes, np.array(SIDES)[best], STANCE_LABELS.index(NEUTRAL))


def _points(data: Iterable[Mapping[str, float]]) -> tuple[Point, ...]:
    return tuple(Point(**numbers) for numbers in data)


def _reaching(points: Sequence[Point], least: float) -> Point:
    return next((point for point in points if point.precision >= least), NEVER)


def figures(sentences: Floats, mentions: tuple[int, int]) -> Floats:
    """What an article shows of a pair of actors.

    Args:
        sentences: probabilities of any labels in each sentence that names both, (sentences, labels).
        mentions: how often the article names the source, and the target.

    Returns:
        For each label, (labels, `FIGURES`): the log-odds in the surest sentence, those of the mean over sentences, and
        the logarithms of both numbers of mentions: what is said of whom an article is about is likelier meant.
    """
    shown = np.clip([sentences.max(axis=0), sentences.mean(axis=0)], _SURE, 1 - _SURE)
    odds = np.log(shown) - np.log1p(-shown)
    return np.column_stack([*odds, *(np.full(sentences.shape[1], np.log(max(1, number))) for number in mentions)])


def sigmoid(logits: Floats) -> Floats:
    """The logistic function, stable at both ends."""
    return np.exp(-np.logaddexp(0.0, -logits))


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: Floats = shifted.sum(axis=-1, keepdims=True)
    return np.asarray(shifted / total, dtype=np.float64)
