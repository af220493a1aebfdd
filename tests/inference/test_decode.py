from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.decode import (
    ArticleDecision,
    Decisions,
    Point,
    StanceDecision,
    TopicDecision,
    figures,
    sigmoid,
    softmax,
)

LOGITS = arrays(np.float64, st.tuples(st.integers(0, 6), st.just(3)), elements=st.floats(-1e4, 1e4))
DECISIONS = Decisions(
    {"a": TopicDecision(2.0, 1.0, 0.6), "b": TopicDecision(), "c": TopicDecision(0.5, -1.0, 0.1)},
    StanceDecision(2.0, (0.5, -0.5, 0.0), 0.3, 0.6),
)


POINTS = (Point(0.2, 0.5, 1.0), Point(0.6, 0.9, 0.4))
MEASURED = Decisions(
    {"a": TopicDecision(2.0, 1.0, 0.3, POINTS), "b": TopicDecision()},
    StanceDecision(),
    ArticleDecision(-0.5, (0.5, 0.25, 0.125, 0.0), 0.4, 0.5, support_points=POINTS),
)


@pytest.mark.parametrize("decisions", [DECISIONS, MEASURED])
def test_round_trip(decisions):
    assert Decisions.from_dict(json.loads(json.dumps(asdict(decisions)))) == decisions


def test_weights_of_other_figures_are_refused():
    data = json.loads(json.dumps(asdict(MEASURED)))
    data["articles"]["weights"] = [1.0, 0.0]
    with pytest.raises(ValueError, match="2 weights of articles, expected 4"):
        Decisions.from_dict(data)


def test_the_figures_of_a_pair():
    sentences = np.array([(0.5, 0.4, 0.1), (0.3, 0.6, 0.1)])
    neutral, support, oppose = figures(sentences, (1, 4))
    np.testing.assert_allclose(support, [np.log(0.6 / 0.4), 0.0, 0.0, np.log(4)], atol=1e-12)
    np.testing.assert_allclose(oppose[:2], np.log(0.1 / 0.9))
    assert neutral[1] == pytest.approx(np.log(0.4 / 0.6))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5), st.integers(0, 9), st.integers(0, 9))
def test_by_default_a_stance_is_as_likely_as_in_the_surest_sentence(found: list[float], source: int, target: int):
    shown = figures(np.array(found)[:, None], (source, target))
    assert ArticleDecision().probabilities(shown) == pytest.approx([max(found)], abs=1.1e-4)


def test_the_lowest_threshold_that_reached_a_precision_is_taken():
    for least, threshold in ((0.1, 0.2), (0.5, 0.2), (0.51, 0.6), (0.9, 0.6)):
        strict = MEASURED.at_precision(least)
        assert strict.topics["a"].threshold == strict.articles.support == threshold
    assert MEASURED.reached(0.9)["a"] == POINTS[1]


def test_what_never_reached_a_precision_is_never_given():
    strict = MEASURED.at_precision(0.95)
    assert not strict.assigned(np.array([1.0, 1.0])).any()
    assert strict.articles.oppose > 1
    assert MEASURED.reached(0.95)["oppose"].coverage == 0


@given(LOGITS)
def test_probabilities(logits):
    topics, stances = DECISIONS.topic_probabilities(logits), DECISIONS.stance_probabilities(logits)
    assert topics.shape == stances.shape == logits.shape
    assert ((topics >= 0) & (topics <= 1)).all()
    assert stances.sum(axis=1) == pytest.approx(1.0)
    assert len(DECISIONS.stance_labels(stances)) == len(logits)


@given(LOGITS)
def test_exchanging_the_leanings_exchanges_the_answers(logits):
    even = Decisions({}, StanceDecision(support=0.4, oppose=0.4))
    exchanged = {"support": "oppose", "oppose": "support", "neutral": "neutral"}
    probabilities = even.stance_probabilities(logits)
    clear = ~np.isclose(probabilities[:, 1], probabilities[:, 2], rtol=0)
    labels = even.stance_labels(probabilities[clear])
    assert [exchanged[label] for label in labels] == even.stance_labels(probabilities[clear][:, [0, 2, 1]])


@pytest.mark.parametrize(
    ("probabilities", "label"),
    [
        ((0.6, 0.3, 0.1), "support"),  # from the threshold on, though neutral is likelier
        ((0.7, 0.29, 0.01), "neutral"),
        ((0.1, 0.4, 0.5), "neutral"),  # the likelier leaning is judged, and it is below its threshold
        ((0.1, 0.2, 0.7), "oppose"),
    ],
)
def test_thresholds_decide(probabilities, label):
    assert DECISIONS.stance_labels(np.array([probabilities])) == [label]


def test_topic_at_its_threshold_is_assigned():
    assert DECISIONS.assigned(np.array([0.6, 0.49, 0.2])).tolist() == [True, False, True]


def test_extremes_do_not_overflow():
    with np.errstate(over="raise", invalid="raise"):
        assert sigmoid(np.array([-1e5, 0.0, 1e5])).tolist() == [0.0, 0.5, 1.0]
        assert softmax(np.array([[-1e5, 0.0, 1e5]])).tolist() == [[0.0, 0.0, 1.0]]
