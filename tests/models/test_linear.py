from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from inference.bundle import SKOPS
from inference.document import Document, Pair, Sentence
from inference.linear_scorer import LinearScorer
from inference.masking import article_text
from inference.predictor import Predictor
from inference.schema import Article
from models.base import Example
from models.export import export_bundle
from models.linear import LinearFamily, pair_words, stance_model, topic_model
from models.settings import LinearModel

from .samples import (
    FINDER,
    FORMS,
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
    family = _unfitted(rows)
    family.fit(rows, [], lambda number, measured: None)
    return family


def _unfitted(rows: list[Example]) -> LinearFamily:
    return LinearFamily(LinearModel(family="linear", min_articles=1), learned(rows), 3)


def test_a_single_topic_is_scored_as_one_column(rows: list[Example]):
    one = [replace(row, topics=None if row.topics is None else row.topics[:1]) for row in rows]
    family = LinearFamily(LinearModel(family="linear"), learned(one, TOPICS[:1]), 7)
    family.fit(one, [], lambda number, measured: None)
    assert family.score([rows[0].document])[0].topics.shape == (1,)


PIECES = [
    *FORMS, "praised", "condemned", "Troops", "the", "town", "bank", "a", "don't", "Ärger", "café", "cafe\u0301",
    "İran", "ΣΊΣΥΦΟΣ", "ﬁsh", "中国", "한국", "SOURCE", "|", "before|the", "_", "£5", "—", ".", "!", "\n", "\x1c",
    "\u2028", " ",
]  # fmt: skip
bodies = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=25).map(" ".join)


@pytest.fixture(scope="module")
def odd_rows(rows: list[Example]) -> list[Example]:
    """Examples in which odd words stand, too, so that models know them."""
    odd = " ".join(PIECES)
    articles = [replace(row.document.article, text=f"{row.document.article.text} {odd}.") for row in rows[::2]]
    read = [Document.build(article, FINDER.find(article)) for article in articles]
    labels = [np.resize(row.stances, len(document.pairs)) for row, document in zip(rows[::2], read, strict=True)]
    made = zip(rows[::2], read, labels, strict=True)
    return [*rows, *(replace(row, document=document, stances=stances) for row, document, stances in made)]


@pytest.fixture(scope="module")
def pipelines(odd_rows: list[Example]) -> tuple[Pipeline, Pipeline]:
    family = _unfitted(odd_rows)
    return family.fit_topics(odd_rows), family.fit_stances(odd_rows)


@pytest.fixture(scope="module")
def scorer(pipelines: tuple[Pipeline, Pipeline]) -> LinearScorer:
    return LinearScorer(len(TOPICS), topic_model(pipelines[0]), stance_model(pipelines[1]))


@given(articles=st.lists(st.tuples(bodies, bodies), min_size=1, max_size=3))
def test_scores_are_those_of_scikit_learn(scorer: LinearScorer, pipelines: tuple[Pipeline, Pipeline], articles):
    read = [document(text, title) for title, text in articles]
    scores = scorer.score(read)
    topics = pipelines[0].decision_function([article_text(each) for each in read])
    np.testing.assert_allclose(np.stack([score.topics for score in scores]), topics, rtol=0, atol=1e-9)
    pairs = [(each, pair) for each in read for pair in each.pairs]
    if pairs:
        words = np.array([masked_by_hand(*pair) for pair in pairs], dtype=object)
        stances = pipelines[1].decision_function(words)
        np.testing.assert_allclose(np.concatenate([score.stances for score in scores]), stances, rtol=0, atol=1e-9)


@given(bodies)
def test_pairs_are_masked_as_by_hand(text):
    read = document(text)
    assert pair_words(read) == [masked_by_hand(read, pair) for pair in read.pairs]


@pytest.mark.parametrize(
    "pair", [("(unnamed)", "Iran"), ("Russia", "(unnamed)"), ("(unnamed)", "(unnamed)"), ("Iran", "Iran")]
)
def test_pairs_that_a_sentence_does_not_name(pair):
    read = document("On Monday Russia praised Iran, and France.")
    read = replace(read, pairs=(Pair(0, *pair), Pair(0, "France", "Russia")))
    assert pair_words(read) == [masked_by_hand(read, each) for each in read.pairs]


def test_pairs_in_any_order_of_sentences():
    read = document("Russia praised Iran. Nobody came. Iran condemned France and Japan.")
    read = replace(read, pairs=tuple(reversed(read.pairs)))
    assert pair_words(read) == [masked_by_hand(read, each) for each in read.pairs]


def test_a_sentence_without_a_word(scorer: LinearScorer):
    bare = Document(Article("a", " "), (), (Sentence("text", 0, 1),), (Pair(0, "Russia", "Iran"),))
    assert pair_words(bare) == [("", "")]
    between = replace(document("Russia praised Iran."), pairs=())
    read = [bare, between, document("Russia praised Iran.")]
    found = scorer.score(read)
    assert [len(each.stances) for each in found] == [1, 0, 2]
    assert_same_scores(found[2:], scorer.score(read[2:]), 1e-12)


def masked_by_hand(document: Document, pair: Pair) -> tuple[str, str]:
    """The sentence word by word, for comparison."""
    pattern = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
    sentence = document.sentences[pair.sentence]
    text, at = document.article.field(sentence.field), sentence.start
    words: list[str] = []
    for mention in sentence.mentions:
        words += pattern.findall(text[at : mention.start].lower())
        words.append({pair.source: "SOURCE", pair.target: "TARGET"}.get(mention.name, "ACTOR"))
        at = mention.end
    words += pattern.findall(text[at : sentence.end].lower())
    masks = [number for number, word in enumerate(words) if word in ("SOURCE", "TARGET")] or [0]
    between = "st" if words and words[masks[0]] == "SOURCE" else "ts"
    places = [
        "before" if number < masks[0] else "after" if number > masks[-1] else between for number in range(len(words))
    ]
    return " ".join(words), " ".join(f"{place}|{word}" for place, word in zip(places, words, strict=True))


def test_a_topic_of_every_article_and_one_of_none(rows: list[Example]):
    labels = np.array([1, 0, 1], dtype=np.float32)
    even = [replace(row, topics=labels * np.array([1, 1, number % 2])) for number, row in enumerate(rows)]
    pipeline = _unfitted(even).fit_topics(even)
    scores = topic_model(pipeline).scores(documents(rows))
    expected = pipeline.decision_function([article_text(each) for each in documents(rows)])
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("ngrams", [1, 2, 4])
def test_any_length_of_ngrams(rows: list[Example], ngrams: int):
    settings = LinearModel(family="linear", topic_ngrams=ngrams, stance_ngrams=ngrams)
    family = LinearFamily(settings, learned(rows), 3)
    topics, stances = family.fit_topics(rows), family.fit_stances(rows)
    scores = LinearScorer(len(TOPICS), topic_model(topics), stance_model(stances)).score(documents(rows))
    expected = topics.decision_function([article_text(each) for each in documents(rows)])
    np.testing.assert_allclose(np.stack([score.topics for score in scores]), expected, rtol=0, atol=1e-9)
    words = np.array([words for each in documents(rows) for words in pair_words(each)], dtype=object)
    found = np.concatenate([score.stances for score in scores])
    np.testing.assert_allclose(found, stances.decision_function(words), rtol=0, atol=1e-9)


def test_what_is_exported_is_read_again(scorer: LinearScorer, rows: list[Example]):
    again = LinearScorer.from_arrays(scorer.to_arrays(), len(TOPICS))
    assert_same_scores(scorer.score(documents(rows)), again.score(documents(rows)), 0)
