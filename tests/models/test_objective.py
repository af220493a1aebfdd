from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from inference.heads import Head
from inference.schema import STANCE_LABELS
from inference.scorer import Scores
from models.base import UNLABELLED, Example, tag_classes
from models.objective import stopping_quality

from .samples import (
    DEEDS,
    HEADS,
    OTHERS,
    RANK,
    TONE,
    examples,
    sentences,
    without_stances,
    without_topics,
)


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return examples(12)


def test_scores_that_rank_every_label_first_are_perfect(rows: list[Example]):
    assert stopping_quality(rows, _scores(rows), HEADS) == pytest.approx(1)


def test_a_shift_that_thresholds_would_notice_changes_nothing(rows: list[Example]):
    shifted = [Scores(score.topics - 9, score.stances) for score in _scores(rows)]
    assert stopping_quality(rows, shifted, HEADS) == pytest.approx(1)


def test_both_heads_count_the_same(rows: list[Example]):
    reversed_topics = [Scores(-score.topics, score.stances) for score in _scores(rows)]
    topics_alone = stopping_quality(without_stances(rows), reversed_topics, HEADS)
    assert topics_alone < 0.5
    assert stopping_quality(rows, reversed_topics, HEADS) == pytest.approx((topics_alone + 1) / 2)


def test_a_head_without_labels_is_left_out(rows: list[Example]):
    wrong_topics = [Scores(-score.topics, score.stances) for score in _scores(rows)]
    assert stopping_quality(without_topics(rows), wrong_topics, HEADS) == pytest.approx(1)


def test_nothing_labelled_is_zero(rows: list[Example]):
    assert stopping_quality(without_topics(without_stances(rows)), _scores(rows), HEADS) == 0
    assert stopping_quality([], [], HEADS) == 0


def test_other_heads_count_the_same(rows: list[Example]):
    made = sentences(12)
    scores = [_others(row) for row in made]
    backwards = [replace(score, others={**score.others, TONE.name: -score.others[TONE.name]}) for score in scores]
    tone = stopping_quality(made, backwards, [TONE])
    assert tone < 0.5
    assert stopping_quality(made, scores, OTHERS) == pytest.approx(1)
    assert stopping_quality(made, backwards, OTHERS) == pytest.approx((tone + 2) / 3)
    mixed = stopping_quality([*rows, *made], [*_scores(rows), *backwards], [*HEADS, *OTHERS])
    assert mixed == pytest.approx((tone + 4) / 5)


def test_tags_count_by_spans_that_are_found_whole():
    made = sentences(4)
    scores = [_others(row) for row in made]
    spans = sum(len(row.others[DEEDS.name]) for row in made)
    assert stopping_quality(made, scores, [DEEDS]) == 1
    tags = scores[0].others[DEEDS.name]
    tags[tags.argmax(axis=1) == 2 + 2 * DEEDS.labels.index("day")] = np.eye(DEEDS.outputs)[0]  # "on" without "Monday"
    assert stopping_quality(made, scores, [DEEDS]) == pytest.approx((spans - 1) / spans)


def test_neutral_pairs_of_another_head_do_not_count():
    head = Head("dse", "pairs", STANCE_LABELS)
    scores = [replace(score, others={"dse": score.stances}) for score in _scores(examples(12))]
    rows = [replace(row, stances=np.full(2, UNLABELLED), others={"dse": row.stances}) for row in examples(12)]
    assert stopping_quality(rows, scores, [head]) == pytest.approx(1)
    neutral = [replace(row, others={"dse": np.zeros_like(row.others["dse"])}) for row in rows]
    assert stopping_quality(neutral, scores, [head]) == 0


def _scores(rows: list[Example]) -> list[Scores]:
    """Perfect scores."""
    eye = np.eye(len(STANCE_LABELS))
    return [Scores(np.where(np.asarray(row.topics) > 0, 2.0, -2.0), 5 * eye[row.stances]) for row in rows]


def _others(row: Example) -> Scores:
    """Perfect scores of the other heads, a word being a token."""
    places = [(1, *word.span()) for word in re.finditer(r"\S+", row.document.article.text)]
    tokens = np.array(places, dtype=np.int64)
    found = {head.name: 5 * np.eye(head.outputs)[row.others[head.name]] for head in (TONE, RANK)}
    found[DEEDS.name] = 5 * np.eye(DEEDS.outputs)[tag_classes(tokens, row.others[DEEDS.name])]
    return Scores(np.zeros(3), np.zeros((2, 3)), found, tokens)
