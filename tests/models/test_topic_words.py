"""What the words of an article add to what an encoder says of its topics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.bundle import HEADS as HEAD_FILE
from inference.bundle import ONNX, SKOPS, TOKENIZER, Bundle
from inference.document import Document
from inference.heads import Heads
from inference.linear_scorer import LinearScorer
from inference.predictor import Predictor
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import Windower
from models.base import Example
from models.encoder import EncoderFamily
from models.export import export_bundle
from models.linear import topics_by_words

from .conftest import MakeFamily
from .samples import HEADS, LEXICON, TOPICS, documents, example, examples, manifest, without_stances, without_topics


@pytest.fixture(scope="module")
def words(train: list[Example]) -> LinearScorer:
    found = topics_by_words(train, HEADS[0], 1.0, 3)
    assert found is not None
    return found


def test_a_bundle_scores_topics_by_the_sum_of_both(exported: tuple[EncoderFamily, Bundle], validation: list[Example]):
    bundle, read = exported[1], documents(validation)
    words = _topics(LinearScorer.load(bundle.path / SKOPS, len(TOPICS)), validation)
    assert np.abs(words).min() > 0
    both = np.stack([scores.topics for scores in Predictor(bundle).score(read)])
    alone = np.stack([scores.topics for scores in _without_words(bundle, read)])
    np.testing.assert_allclose(both, alone + words, atol=1e-6)


def test_words_say_nothing_of_stances(exported: tuple[EncoderFamily, Bundle], validation: list[Example]):
    read = documents(validation)
    for one, other in zip(Predictor(exported[1]).score(read), _without_words(exported[1], read), strict=True):
        np.testing.assert_array_equal(one.stances, other.stances)


def test_without_a_weight_a_bundle_holds_no_words(make_family: MakeFamily, train: list[Example], tmp_path: Path):
    family = make_family(epochs=1)
    family.fit(train, train[:4], lambda number, measured: None)
    facts, read = manifest("encoder", family.windows), documents(train)
    bundle = export_bundle(family, tmp_path / "bundle", facts, LEXICON, {}, read)
    assert SKOPS not in bundle.manifest.files
    for one, other in zip(Predictor(bundle).score(read), _without_words(bundle, read), strict=True):
        np.testing.assert_array_equal(one.topics, other.topics)


def test_a_model_of_stances_alone_holds_no_words(make_family: MakeFamily, train: list[Example], tmp_path: Path):
    family = make_family(epochs=1, heads=HEADS[1:], topic_words=0.5)
    family.fit(train, train[:4], lambda number, measured: None)
    family.export(tmp_path)
    assert not (tmp_path / SKOPS).exists()


def test_words_tell_topics(words: LinearScorer):
    unseen = examples(12, first=100)
    found = _topics(words, unseen).argmax(axis=1)
    assert all(each.topics is not None and each.topics[topic] for each, topic in zip(unseen, found, strict=True))


def test_scores_go_with_the_weight(words: LinearScorer, train: list[Example]):
    half = topics_by_words(train, HEADS[0], 0.5, 3)
    assert half is not None
    np.testing.assert_allclose(_topics(half, train), _topics(words, train) / 2)


def test_only_articles_that_a_model_is_for_teach_words(words: LinearScorer, train: list[Example]):
    silent = without_topics(examples(6, first=200))
    passing = [replace(each, epochs=1, topics=1 - each.topics) for each in train if each.topics is not None]
    taught = [replace(each, epochs=None, soft={HEADS[0].name: np.zeros(3)}) for each in passing]
    found = topics_by_words([*train, *silent, *passing, *taught], HEADS[0], 1.0, 3)
    assert found is not None
    np.testing.assert_array_equal(_topics(found, train), _topics(words, train))


@pytest.mark.parametrize("texts", [[], ["Rain."], ["Rain fell.", "Snow melted!"], ["a b", "a b"]])
def test_nothing_is_learned_where_no_word_stands_in_two_articles(texts: list[str]):
    rows = without_stances([example(text, ["trade"], {}) for text in texts])
    assert topics_by_words(rows, HEADS[0], 1.0, 3) is None


def _topics(scorer: LinearScorer, rows: list[Example]) -> np.ndarray:
    return np.stack([scores.topics for scores in scorer.score(documents(rows))])


def _without_words(bundle: Bundle, read: list[Document]) -> list[Scores]:
    assert bundle.manifest.windows is not None
    windower = Windower.from_file(bundle.path / TOKENIZER, bundle.manifest.windows)
    heads = Heads.from_file(bundle.path / HEAD_FILE, bundle.manifest.heads)
    return WindowScorer.of_onnx(windower, heads, bundle.path / ONNX).score(read)
