from __future__ import annotations

import numpy as np
import pytest

from inference.schema import STANCE_LABELS
from inference.scorer import Scores
from models.base import Example
from models.objective import ranking_quality

from .samples import examples, without_stances, without_topics


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return examples(12)


def test_scores_that_rank_every_label_first_are_perfect(rows: list[Example]):
    assert ranking_quality(rows, _scores(rows)) == pytest.approx(1)


def test_a_shift_that_thresholds_would_notice_changes_nothing(rows: list[Example]):
    shifted = [Scores(score.topics - 9, score.stances) for score in _scores(rows)]
    assert ranking_quality(rows, shifted) == pytest.approx(1)


def test_both_heads_count_the_same(rows: list[Example]):
    reversed_topics = [Scores(-score.topics, score.stances) for score in _scores(rows)]
    topics_alone = ranking_quality(without_stances(rows), reversed_topics)
    assert topics_alone < 0.5
    assert ranking_quality(rows, reversed_topics) == pytest.approx((topics_alone + 1) / 2)


def test_a_head_without_labels_is_left_out(rows: list[Example]):
    wrong_topics = [Scores(-score.topics, score.stances) for score in _scores(rows)]
    assert ranking_quality(without_topics(rows), wrong_topics) == pytest.approx(1)


def test_nothing_labelled_is_zero(rows: list[Example]):
    assert ranking_quality(without_topics(without_stances(rows)), _scores(rows)) == 0
    assert ranking_quality([], []) == 0


def _scores(rows: list[Example]) -> list[Scores]:
    """Perfect scores."""
    eye = np.eye(len(STANCE_LABELS))
    return [Scores(np.where(np.asarray(row.topics) > 0, 2.0, -2.0), 5 * eye[row.stances]) for row in rows]
