from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.bundle import SKOPS
from inference.predictor import Predictor
from models.base import Example
from models.export import export_bundle
from models.linear import LinearFamily
from models.settings import LinearModel

from .samples import (
    LEXICON,
    TOPICS,
    assert_same_scores,
    document,
    documents,
    examples,
    learned,
    manifest,
    without_stances,
    without_topics,
)


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return examples(60)


@pytest.fixture(scope="module")
def fitted(rows: list[Example]) -> LinearFamily:
    return _fitted(rows)


def test_unseen_articles_get_their_topic_and_stance(fitted: LinearFamily):
    unseen = document("Moscow condemned Japan. The team won the cup. Fans sang.")
    score = fitted.score([unseen])[0]
    assert TOPICS[int(score.topics.argmax())] == "sport"
    labels = {(pair.source, pair.target): row.argmax() for pair, row in zip(unseen.pairs, score.stances, strict=True)}
    assert labels == {("Russia", "Japan"): 2, ("Japan", "Russia"): 0}


def test_a_name_does_not_decide_a_stance(fitted: LinearFamily):
    one, other = fitted.score([document("Russia praised Iran."), document("France praised Japan.")])
    np.testing.assert_allclose(one.stances, other.stances)


def test_scores_do_not_depend_on_the_neighbours(fitted: LinearFamily, rows: list[Example]):
    alone = [fitted.score([row.document])[0] for row in rows[:6]]
    assert_same_scores(fitted.score(documents(rows))[:6], alone, 1e-9)


def test_the_exported_bundle_scores_the_same(fitted: LinearFamily, rows: list[Example], tmp_path: Path):
    bundle = export_bundle(fitted, tmp_path / "bundle", manifest("linear", None), LEXICON, {}, documents(rows))
    mixed = [*documents(rows), document("Nobody is named here."), document("Russia praised Iran and met France.")]
    assert_same_scores(fitted.score(mixed), Predictor.load(bundle.path).score(mixed), 1e-9)
    assert (bundle.path / SKOPS).is_file()


def test_the_same_seed_gives_the_same_scores(fitted: LinearFamily, rows: list[Example]):
    assert_same_scores(fitted.score(documents(rows)), _fitted(rows).score(documents(rows)), 0)


def test_topics_alone_can_be_learned(rows: list[Example]):
    scores = _fitted(without_stances(rows)).score(documents(rows))
    pairs = zip(rows, scores, strict=True)
    assert all(row.topics is not None and row.topics[score.topics.argmax()] for row, score in pairs)
    assert all((score.stances == 0).all() and score.stances.shape[1] == 3 for score in scores)


def test_stances_alone_can_be_learned(rows: list[Example]):
    scores = _fitted(without_topics(rows)).score(documents(rows))
    assert all(score.topics.shape == (0,) for score in scores)
    found = np.concatenate([score.stances.argmax(axis=1) for score in scores])
    assert (found == np.concatenate([row.stances for row in rows])).mean() > 0.95


def test_an_unlabelled_article_teaches_nothing(rows: list[Example], fitted: LinearFamily):
    silent = without_topics(without_stances(examples(10, first=100)))
    assert_same_scores(fitted.score(documents(rows)), _fitted([*rows, *silent]).score(documents(rows)), 1e-9)


def _fitted(rows: list[Example]) -> LinearFamily:
    family = LinearFamily(LinearModel(family="linear", min_articles=1), learned(rows), 3)
    family.fit(rows, [], lambda number, measured: None)
    return family


def test_a_single_topic_is_scored_as_one_column(rows: list[Example]):
    one = [replace(row, topics=None if row.topics is None else row.topics[:1]) for row in rows]
    family = LinearFamily(LinearModel(family="linear"), learned(one, TOPICS[:1]), 7)
    family.fit(one, [], lambda number, measured: None)
    assert family.score([rows[0].document])[0].topics.shape == (1,)
