from __future__ import annotations

from pathlib import Path

import pytest

from inference.predictor import Predictor
from models.base import Example
from models.embedding import EmbeddingFamily
from models.export import export_bundle
from models.linear import topics_by_words
from models.settings import EmbeddingModel, EncoderSource

from .conftest import WINDOW
from .samples import (
    HEADS,
    LEXICON,
    assert_same_scores,
    document,
    documents,
    learned,
    manifest,
    without_stances,
    without_topics,
)

SEED = 3


@pytest.fixture(scope="module")
def fitted(encoder_folder: Path, train: list[Example]) -> EmbeddingFamily:
    return _fitted(encoder_folder, train)


def test_the_heads_rank_what_they_were_fitted_on(encoder_folder: Path, train: list[Example]):
    scores = _fitted(encoder_folder, train, topic_words=0).score(documents(train))
    right = sum(
        bool(row.topics[score.topics.argmax()])
        for row, score in zip(train, scores, strict=True)
        if row.topics is not None
    )
    assert right >= 0.9 * len(train)
    stances = [score.stances.argmax(axis=1) == row.stances for row, score in zip(train, scores, strict=True)]
    assert sum(rows.sum() for rows in stances) >= 0.9 * sum(rows.size for rows in stances)


def test_words_are_added_to_topics_alone(encoder_folder: Path, fitted: EmbeddingFamily, train: list[Example]):
    words = topics_by_words(train, HEADS[0], 2.0, SEED)
    assert words is not None
    read = documents(train)
    alone = _fitted(encoder_folder, train, topic_words=0).score(read)
    for both, one, other in zip(fitted.score(read), alone, words.score(read), strict=True):
        assert both.topics == pytest.approx(one.topics + other.topics, abs=1e-5)
        assert both.stances == pytest.approx(one.stances, abs=1e-5)


def test_the_exported_bundle_scores_the_same(fitted: EmbeddingFamily, validation: list[Example], tmp_path: Path):
    mixed = [*documents(validation), document("")]
    bundle = export_bundle(fitted, tmp_path / "bundle", manifest("embedding", fitted.windows), LEXICON, {}, mixed)
    assert_same_scores(Predictor.load(bundle.path).score(mixed), fitted.score(mixed), 1e-4)


def test_one_head_alone_can_be_learned(encoder_folder: Path, train: list[Example], fitted: EmbeddingFamily):
    whole = fitted.score(documents(train))
    topics = _fitted(encoder_folder, without_stances(train)).score(documents(train))
    stances = _fitted(encoder_folder, without_topics(train)).score(documents(train))
    for all_labels, one, other in zip(whole, topics, stances, strict=True):
        assert all_labels.topics == pytest.approx(one.topics, abs=1e-5)
        assert all_labels.stances == pytest.approx(other.stances, abs=1e-5)


def _fitted(encoder: Path, rows: list[Example], **settings: float) -> EmbeddingFamily:
    source = EncoderSource(path=encoder)
    model = EmbeddingModel(family="embedding", encoder=source, max_tokens=WINDOW, topic_c=1, stance_c=1, **settings)
    family = EmbeddingFamily(model, learned(rows), SEED)
    family.fit(rows, [], lambda number, measured: None)
    return family
