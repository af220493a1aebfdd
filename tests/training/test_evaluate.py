from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.decode import Decisions, StanceDecision, TopicDecision
from inference.scorer import Scores
from models.base import UNLABELLED, Example
from tests.models.samples import (
    HEADS,
    RANK,
    TONE,
    TOPICS,
    example,
    examples,
    sentences,
    without_stances,
    without_topics,
)
from training.curves import curves
from training.evaluate import Metrics, evaluate

PLAIN = Decisions({topic: TopicDecision() for topic in TOPICS}, StanceDecision())
EYE = np.eye(3)
YES, NO = 3.0, -3.0


def test_perfect_scores_are_perfect():
    rows = examples(12)
    metrics = evaluate(rows, [_perfect(row) for row in rows], HEADS, PLAIN)
    assert metrics["articles"] == 12
    for head in ("topics", "stances"):
        assert metrics[head]["macro_f1"] == metrics[head]["micro_f1"] == 1
        assert all(label["f1"] == label["average_precision"] == 1 for label in metrics[head]["labels"].values())
    assert metrics["stances"]["direction_errors"] == 0
    assert list(metrics["topics"]["labels"]) == list(TOPICS)
    assert list(metrics["stances"]["labels"]) == ["neutral", "support", "oppose"]


def test_topics_by_hand():
    truth = [["conflict"], ["conflict"], ["trade"], []]
    rows = [example("It rained.", topics, {}) for topics in truth]
    scores = [Scores(np.array(logits), np.zeros((0, 3))) for logits in ((YES, NO, NO), (NO, YES, NO), (NO, YES, NO),
                                                                       (YES, NO, NO))]  # fmt: skip
    topics = evaluate(rows, scores, HEADS, PLAIN)["topics"]
    # conflict: 1 of 2 found, 1 of 2 right; trade: 1 of 1 found, 1 of 2 right; sport never occurs.
    assert _figures(topics, "conflict") == pytest.approx((0.5, 0.5, 0.5, 2))
    assert _figures(topics, "trade") == pytest.approx((0.5, 1, 2 / 3, 1))
    assert _figures(topics, "sport") == (0, 0, 0, 0)
    assert topics["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    assert topics["micro_f1"] == pytest.approx(4 / 7)


def test_stances_by_hand():
    row = example("Russia praised Iran. France condemned Japan.", (), {
        ("Russia", "Iran"): "support", ("France", "Japan"): "oppose",
    })  # fmt: skip
    assert row.stances.tolist() == [1, 0, 2, 0]
    scores = Scores(np.zeros(3), 5 * EYE[[1, 1, 0, 0]])
    stances = evaluate([row], [scores], HEADS, PLAIN)["stances"]
    assert stances["micro_f1"] == 0.5
    assert stances["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert _figures(stances, "support") == pytest.approx((0.5, 1, 2 / 3, 1))
    assert _figures(stances, "oppose") == (0, 0, 0, 1)
    assert stances["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_direction_errors_are_stances_that_hold_the_other_way_round_only():
    row = example("Russia praised Iran.", (), {("Russia", "Iran"): "support"})
    assert _direction(row, [1, 0]) == 0
    assert _direction(row, [1, 1]) == 0.5
    assert _direction(row, [0, 1]) == 1
    assert _direction(row, [0, 2]) == 0
    assert _direction(row, [0, 0]) == 0
    both = example("Russia praised Iran.", (), {("Russia", "Iran"): "support", ("Iran", "Russia"): "support"})
    assert _direction(both, [1, 1]) == 0


def test_a_pair_without_a_label_counts_nowhere():
    row = example("Russia praised Iran.", (), {("Russia", "Iran"): "support"})
    half = Example(row.document, row.topics, np.array([1, UNLABELLED]))
    stances = evaluate([half], [Scores(np.zeros(3), 5 * EYE[[1, 1]])], HEADS, PLAIN)["stances"]
    assert stances["micro_f1"] == 1
    assert sum(map(sum, stances["confusion"])) == 1
    assert stances["direction_errors"] == 0


def test_thresholds_decide_and_calibration_is_applied():
    rows = [example("It rained.", ["conflict"], {})]
    scores = [Scores(np.array([-1.0, -1.0, -1.0]), np.zeros((0, 3)))]
    lenient = Decisions({topic: TopicDecision(2.0, 1.0, 0.2) for topic in TOPICS}, StanceDecision())
    assert evaluate(rows, scores, HEADS, PLAIN)["topics"]["labels"]["conflict"]["recall"] == 0
    assert evaluate(rows, scores, HEADS, lenient)["topics"]["labels"]["conflict"]["recall"] == 1
    topics = evaluate(rows, scores, HEADS, Decisions({t: TopicDecision(1, 9) for t in TOPICS}, StanceDecision()))
    assert topics["topics"]["ece"] != topics["topics"]["ece_before"]


def test_a_part_that_is_not_labelled_is_left_out():
    rows = examples(6)
    scores = [_perfect(row) for row in rows]
    assert "stances" not in evaluate(without_stances(rows), scores, HEADS, PLAIN)
    assert "topics" not in evaluate(without_topics(rows), scores, HEADS, PLAIN)
    assert evaluate([], [], HEADS, PLAIN) == {"articles": 0}


def test_other_heads_are_measured_on_what_is_labelled_for_them():
    rows = [*examples(6), *sentences(8)]
    perfect = [*map(_perfect, rows[:6]), *map(_others, rows[6:])]
    metrics = evaluate(rows, perfect, [*HEADS, TONE, RANK], PLAIN)
    assert set(metrics) == {"articles", "topics", "stances", "tone", "rank"}
    assert metrics["tone"]["micro_f1"] == metrics["tone"]["macro_f1"] == metrics["rank"]["micro_f1"] == 1
    assert [int(row.others["tone"]) for row in rows[-2:]] == [2, 2]
    worse = [*perfect[:-2], *(replace(score, others={**score.others, "tone": EYE[0]}) for score in perfect[-2:])]
    metrics = evaluate(rows, worse, [*HEADS, TONE, RANK], PLAIN)
    assert metrics["tone"]["micro_f1"] == 0.75
    assert metrics["rank"]["micro_f1"] == 1
    assert evaluate(rows, perfect, HEADS, PLAIN).keys() == {"articles", "topics", "stances"}


def test_several_corpora_are_measured_each_by_itself_too():
    ours, theirs = examples(6), [replace(row, corpus="theirs") for row in examples(12)]
    scores = [*map(_perfect, ours), *(Scores(-score.topics, score.stances) for score in map(_perfect, theirs))]
    metrics = evaluate([*ours, *theirs], scores, HEADS, PLAIN)
    assert {name: part["articles"] for name, part in metrics["corpora"].items()} == {"": 6, "theirs": 12}
    assert metrics["corpora"][""]["topics"]["micro_f1"] == 1
    assert metrics["corpora"]["theirs"]["topics"]["micro_f1"] == 0
    assert 0 < metrics["topics"]["micro_f1"] < 1
    assert "corpora" not in evaluate(ours, scores[:6], HEADS, PLAIN)


def test_curves_count_every_article_once():
    rows = examples(12)
    found = curves(rows, [_perfect(row) for row in rows], TOPICS, PLAIN)
    for topic in TOPICS:
        curve = found["topics"][topic]
        assert curve["confusion"] == [[8, 0], [0, 4]]
        assert sum(count for _, _, count in curve["calibration"]) == 12
        assert [1.0, 1.0] in curve["precision_recall"]
    assert list(found["stances"]) == ["neutral", "support", "oppose"]
    assert curves(without_topics(without_stances(rows)), [_perfect(row) for row in rows], TOPICS, PLAIN) == {}


def _perfect(row: Example) -> Scores:
    stances = np.where(row.stances == UNLABELLED, 0, row.stances)
    topics = np.zeros(3) if row.topics is None else np.where(row.topics, YES, NO)
    return Scores(topics, 5 * EYE[stances])


def _others(row: Example) -> Scores:
    tone, rank = (np.eye(head.outputs)[row.others[head.name]] for head in (TONE, RANK))
    return Scores(np.zeros(3), np.zeros((2, 3)), {"tone": tone, "rank": rank})


def _figures(head: Metrics, label: str) -> tuple[float, float, float, int]:
    found = head["labels"][label]
    return found["precision"], found["recall"], found["f1"], found["support"]


def _direction(row: Example, predicted: list[int]) -> float:
    scores = Scores(np.zeros(3), 5 * EYE[predicted])
    return float(evaluate([row], [scores], HEADS, PLAIN)["stances"]["direction_errors"])
