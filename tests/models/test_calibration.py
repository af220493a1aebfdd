from __future__ import annotations

import numpy as np
import pytest

from inference.decode import (
    ArticleDecision,
    Decisions,
    Floats,
    StanceDecision,
    TopicDecision,
    figures,
    sigmoid,
    softmax,
)
from models.calibration import (
    Labels,
    best_threshold,
    expected_calibration_error,
    fit_articles,
    fit_decisions,
    precision_points,
)

NO_SCORES, NO_LABELS = np.zeros((0, 0)), np.zeros((0, 0), dtype=np.int64)
NO_PAIRS, NO_CLASSES = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)


def test_overconfident_topics_are_calibrated():
    scores, labels = _overconfident_topics()
    decisions = _fit_topics(scores, labels)
    before = expected_calibration_error(sigmoid(scores), labels)
    after = expected_calibration_error(decisions.topic_probabilities(scores), labels)
    assert before > 0.1
    assert after < 0.03
    assert decisions.topics["one"].slope == pytest.approx(0.25, rel=0.2)


def test_overconfident_stances_are_calibrated():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (3000, 3))
    classes = np.array([generator.choice(3, p=row) for row in softmax(logits)])
    scores, truth = 4 * logits, np.eye(3, dtype=np.int64)[classes]
    decisions = fit_decisions((), NO_SCORES, NO_LABELS, scores, classes)
    assert expected_calibration_error(softmax(scores), truth) > 0.08
    assert expected_calibration_error(decisions.stance_probabilities(scores), truth) < 0.03
    assert decisions.stances.temperature == pytest.approx(4, rel=0.2)


def test_a_rare_stance_gets_a_bias_of_its_own():
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 1, (3000, 3))
    shifted = logits + np.array([0.0, 0.0, -2.0])
    classes = np.array([generator.choice(3, p=row) for row in softmax(shifted)])
    neutral, support, oppose = fit_decisions((), NO_SCORES, NO_LABELS, logits, classes).stances.bias
    assert neutral == 0
    assert oppose < support - 1


def test_calibrated_topics_keep_the_order_of_their_scores_even_when_labels_contradict_it():
    scores = np.linspace(-3, 3, 40).reshape(-1, 1)
    decisions = _fit_topics(scores, (scores < 0).astype(np.int64))
    assert (np.diff(decisions.topic_probabilities(scores)[:, 0]) > 0).all()


def test_each_topic_is_calibrated_by_its_own_column():
    scores, labels = _overconfident_topics()
    both = fit_decisions(("one", "two"), np.hstack([scores, -scores]), np.hstack([labels, 1 - labels]), *_nothing())
    assert list(both.topics) == ["one", "two"]
    assert both.topics["one"].slope == pytest.approx(both.topics["two"].slope, rel=1e-3)
    assert both.topics["one"].intercept == pytest.approx(-both.topics["two"].intercept, abs=1e-3)


def test_the_threshold_is_half_of_the_best_f1():
    assert best_threshold(np.array([0.9, 0.8, 0.3, 0.1]), np.array([1, 0, 1, 0])) == pytest.approx(0.4)


def test_a_perfect_ranking_gives_a_threshold_of_one_half():
    assert best_threshold(np.array([0.7, 0.6, 0.2]), np.array([1, 1, 0])) == pytest.approx(0.5)


def test_a_label_without_positives_keeps_a_threshold_of_one_half():
    assert best_threshold(np.array([0.7, 0.6, 0.2]), np.zeros(3, dtype=np.int64)) == 0.5


def test_few_separable_positives_do_not_run_away():
    scores = np.array([[3.0], [2.5], *[[-2.0]] * 98])
    decision = _fit_topics(scores, (scores > 0).astype(np.int64)).topics["one"]
    assert 0.3 < decision.slope < 4
    assert abs(decision.intercept) < 4


def test_few_stances_do_not_run_away():
    scores = np.array([[4.0, -2.0, -2.0]] * 20 + [[-2.0, 4.0, -2.0], [-2.0, -2.0, 4.0]])
    decision = fit_decisions((), NO_SCORES, NO_LABELS, scores, scores.argmax(axis=1)).stances
    assert 0.25 < decision.temperature < 4
    assert max(map(abs, decision.bias)) < 4


def test_nothing_labelled_changes_no_score():
    decisions = fit_decisions(("one", "two"), NO_SCORES, NO_LABELS, NO_PAIRS, NO_CLASSES)
    assert decisions == Decisions({"one": TopicDecision(), "two": TopicDecision()}, StanceDecision())
    np.testing.assert_allclose(decisions.topic_probabilities([0.0, 2.0]), sigmoid(np.array([0.0, 2.0])))


def test_calibration_error_by_hand():
    # Two bins: two at 0.1 of which one is true (gap 0.8 in all), two at 0.9 which both are (gap 0.2 in all).
    assert expected_calibration_error(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0, 1, 1, 1])) == pytest.approx(0.25)


def test_a_probability_of_one_falls_into_the_last_bin():
    assert expected_calibration_error(np.array([1.0, 1.0]), np.array([1, 1])) == 0


def _shown(sentences: Floats) -> Floats:
    """The figures of pairs that one sentence names each, (pairs, 3, figures)."""
    return np.stack([figures(row[None], (1, 1)) for row in sentences])


def _overconfident_topics() -> tuple[Floats, Labels]:
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 1.5, (2000, 1))
    return 4 * logits, (generator.random((2000, 1)) < sigmoid(logits)).astype(np.int64)


def _fit_topics(scores: Floats, labels: Labels) -> Decisions:
    return fit_decisions(("one",), scores, labels, *_nothing())


def _nothing() -> tuple[Floats, Labels]:
    return NO_PAIRS, NO_CLASSES


def test_what_makes_a_stance_of_an_article_likely_is_learned():
    """Sentences tell nothing here, how often the source is named does."""
    sentence = np.array([(0.4, 0.5, 0.1)])
    shown = np.stack([figures(sentence, (1 + 9 * (number % 2), 1)) for number in range(200)])
    labels = np.array([number % 2 for number in range(200)])
    decision = fit_articles(shown, labels)
    assert decision.weights[2] > 1 > abs(decision.weights[3])
    scores = decision.probabilities(shown)[:, 1]
    assert scores[0] < decision.support <= scores[1]
    assert fit_articles(shown[:90], labels[:90]).weights == ArticleDecision().weights, "too few to learn from"


def test_thresholds_of_articles_part_what_can_be_parted():
    rows = np.array([(0.2, 0.7, 0.1), (0.1, 0.1, 0.8), (0.7, 0.2, 0.1), (0.4, 0.2, 0.4)])
    decision = fit_articles(_shown(rows), np.array([1, 2, 0, 0]))
    assert 0.2 < decision.support <= 0.7
    assert 0.4 < decision.oppose <= 0.8


def test_of_thresholds_that_find_as_much_the_most_precise_are_taken():
    # At 0.6 all are found, ten of a thousand of them wrong; from 0.7 on five right ones are missed and none is wrong.
    rows = np.array([(0.1, 0.9, 0.0)] * 985 + [(0.35, 0.65, 0.0)] * 5 + [(0.35, 0.65, 0.0)] * 10)
    decision = fit_articles(_shown(rows), np.array([1] * 990 + [0] * 10))
    assert decision.support > 0.65


def test_articles_without_any_stance_leave_a_decision():
    decision = fit_articles(_shown(np.array([(0.9, 0.05, 0.05)])), np.array([0]))
    assert (decision.support, decision.oppose) == (0.5, 0.5)


def test_a_side_that_fails_its_threshold_gives_way_to_the_other():
    """As records are made: support is likelier but not likely enough, and so opposition is what is said."""
    rows = np.array([(0.1, 0.45, 0.45), (0.15, 0.45, 0.40), (0.2, 0.7, 0.1), (0.5, 0.46, 0.04)])
    decision = fit_articles(_shown(rows), np.array([2, 2, 1, 0]))
    assert decision.support > 0.46
    assert decision.oppose <= 0.40


def test_points_rise_in_precision_and_fall_in_coverage():
    probabilities = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])
    labels = np.array([1, 1, 1, 1, 1, 0, 1, 0, 0, 0])
    points = precision_points(probabilities, labels)
    assert [(point.threshold, point.precision, point.coverage) for point in points] == [
        (0.1, 0.6, 1.0),
        (0.2, pytest.approx(6 / 9), 1.0),
        (0.3, 0.75, 1.0),
        (0.4, pytest.approx(6 / 7), 1.0),
        (0.6, 1.0, pytest.approx(5 / 6)),
    ]


@pytest.mark.parametrize("labels", [[], [0] * 6, [1] * 4])
def test_a_precision_of_next_to_nothing_is_none(labels):
    assert precision_points(np.linspace(0, 1, len(labels)), np.array(labels, dtype=int)) == ()


def test_a_precision_that_is_asked_for_is_reached_where_it_was_fitted():
    generator = np.random.default_rng(3)
    scores = generator.normal(0, 2, (400, 1))
    labels = (generator.random((400, 1)) < sigmoid(scores)).astype(np.int64)
    decisions = _fit_topics(scores, labels)
    for least in (0.6, 0.8, 0.9):
        strict = decisions.at_precision(least)
        given = strict.assigned(strict.topic_probabilities(scores))
        assert labels[given].mean() >= least
        assert labels[given].sum() / labels.sum() == pytest.approx(strict.reached(least)["one"].coverage)


def test_stances_of_articles_reach_a_precision_of_their_own():
    generator = np.random.default_rng(4)
    probabilities = softmax(generator.normal(0, 2, (600, 3)))
    classes = np.array([generator.choice(3, p=row) for row in probabilities])
    shown = _shown(probabilities)
    made = fit_articles(shown, classes)
    strict = Decisions({}, StanceDecision(), made).at_precision(0.8).articles
    assert strict.support > made.support
    for column, threshold in ((1, strict.support), (2, strict.oppose)):
        assert (classes[made.probabilities(shown)[:, column] >= threshold] == column).mean() >= 0.8
