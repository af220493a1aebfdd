"""The linear family: TF-IDF and logistic regression, for topics and for masked sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from inference.bundle import SKOPS
from inference.decode import Floats
from inference.document import Document
from inference.heads import STANCES, TOPICS, Head
from inference.linear_scorer import LinearScorer, StanceModel, TopicModel
from inference.masking import ARTICLE_WORD, PLACES, MaskedSentences, article_text, article_words
from inference.ngrams import Ints, NgramModel, Words
from inference.scorer import Scores

from .base import UNLABELLED, Epoch, Example
from .settings import LinearModel

_MASKED = r"\S+"

_BESIDE_ENCODER = LinearModel(family="linear", topic_ngrams=1, topic_c=30.0)
"""How words are learned that help an encoder: single ones, and closer than alone (docs/experiments.md)."""


class LinearFamily:
    """Fits one pipeline for topics and one for stances.

    Args:
        settings: the recipe's model section.
        heads: what is learned: topics, stances or both.
        seed: seed of the solver.
    """

    windows = None

    def __init__(self, settings: LinearModel, heads: Sequence[Head], seed: int) -> None:
        self._settings = settings
        self._heads = {head.name: head for head in heads}
        self._seed = seed
        self._scorer = LinearScorer(0)

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; there is nothing to stop early."""
        topics = len(self._heads[TOPICS].labels) if TOPICS in self._heads else 0
        self._scorer = LinearScorer(
            topics,
            topic_model(self.fit_topics(train)) if TOPICS in self._heads else None,
            stance_model(self.fit_stances(train)) if STANCES in self._heads else None,
        )

    def fit_topics(self, train: Sequence[Example]) -> Pipeline:
        """Fit the pipeline that scores articles given as `masking.article_text`."""
        rows = [(example.document, example.topics) for example in train if example.topics is not None]
        labels = np.stack([topics for _, topics in rows]).astype(int)
        return self._topic_pipeline().fit([article_text(doc) for doc, _ in rows], labels)

    def fit_stances(self, train: Sequence[Example]) -> Pipeline:
        """Fit the pipeline that scores pairs given as `pair_words`."""
        pairs = [
            (words, label)
            for example in train
            for words, label in zip(pair_words(example.document), example.stances, strict=True)
            if label != UNLABELLED
        ]
        words = np.array([words for words, _ in pairs], dtype=object)
        return self._stance_pipeline().fit(words, [label for _, label in pairs])

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Model.score`."""
        return self._scorer.score(documents)

    def quantized(self, documents: Sequence[Document]) -> None:
        """See `Family.quantized`."""

    def encoder_facts(self) -> None:
        """See `Model.encoder_facts`."""

    def save_encoder(self, directory: Path) -> None:
        """See `Model.save_encoder`."""

    def export(self, directory: Path) -> None:
        """See `Model.export`."""
        skops.io.dump(self._scorer.to_arrays(), directory / SKOPS)

    def _topic_pipeline(self) -> Pipeline:
        words = TfidfVectorizer(
            ngram_range=(1, self._settings.topic_ngrams),
            min_df=self._settings.min_articles,
            token_pattern=ARTICLE_WORD,
            sublinear_tf=True,
            strip_accents="unicode",
        )
        return make_pipeline(words, OneVsRestClassifier(self._regression(self._settings.topic_c)))

    def _stance_pipeline(self) -> Pipeline:
        shared: dict[str, Any] = {"lowercase": False, "token_pattern": _MASKED, "sublinear_tf": True}
        shared["min_df"] = self._settings.min_articles
        columns = ColumnTransformer(
            [
                ("words", TfidfVectorizer(ngram_range=(1, self._settings.stance_ngrams), **shared), 0),
                ("places", TfidfVectorizer(**shared), 1),
            ]
        )
        return make_pipeline(columns, self._regression(self._settings.stance_c))

    def _regression(self, c: float) -> LogisticRegression:
        weights = "balanced" if self._settings.class_weights == "balanced" else None
        return LogisticRegression(C=c, class_weight=weights, max_iter=1000, random_state=self._seed)


def pair_words(document: Document) -> list[tuple[str, str]]:
    """The sentence of each pair of a document with its actors masked, for scikit-learn.

    Returns:
        Two strings of words parted by spaces for each pair: the sentence, and each word with a mark of its place.
    """
    numbers: defaultdict[str, int] = defaultdict(count().__next__)
    sentences = MaskedSentences([document], numbers)
    masked, known = sentences.pairs(0, len(sentences)), list(numbers)
    words = [known[token] for token in masked.tokens.tolist()]
    marked = [f"{PLACES[place]}|{word}" for place, word in zip(masked.places.tolist(), words, strict=True)]
    ends = pairwise([0, *np.cumsum(masked.lengths).tolist()])
    return [(" ".join(words[start:end]), " ".join(marked[start:end])) for start, end in ends]


def topics_by_words(train: Sequence[Example], head: Head, weight: float, seed: int) -> LinearScorer | None:
    """Scores topics by the words of articles, to be added to the scores of an encoder.

    The encoder is sure of what it has learned by heart; word by word a regression errs elsewhere, and the sum errs less
    than either.

    Args:
        train: examples to learn from, but those that are for the encoder's sake or that teachers have scored: their
            scores are for the encoder to learn, not their labels.
        head: of topics.
        weight: of its scores beside the encoder's.
        seed: of the solver.

    Returns:
        The scorer; None where no word stands in two articles whose topics are labelled.
    """
    lasting = [example for example in train if example.epochs is None and head.name not in example.soft]
    labelled = [example for example in lasting if example.topics is not None]
    articles = Counter(word for example in labelled for word in set(article_words(example.document)))
    if max(articles.values(), default=0) < _BESIDE_ENCODER.min_articles:
        return None
    pipeline = LinearFamily(_BESIDE_ENCODER, [head], seed).fit_topics(labelled)
    return LinearScorer(len(head.labels), topic_model(pipeline, weight))


def topic_model(pipeline: Pipeline, weight: float = 1.0) -> TopicModel:
    """What scores as a fitted pipeline of topics does, times a weight."""
    vectorizer, regressions = (step for _, step in pipeline.steps)
    words = _words(vectorizer)
    # Of a topic that all articles have, or none, scikit-learn's predictor is the constant `y_`.
    none = np.zeros(len(vectorizer.vocabulary_))
    weights = np.stack([each.coef_[0] if hasattr(each, "coef_") else none for each in regressions.estimators_])
    intercept = [each.intercept_[0] if hasattr(each, "intercept_") else each.y_[0] for each in regressions.estimators_]
    ngrams = _ngrams(vectorizer, words, weight * weights)
    return TopicModel(words, ngrams, weight * np.array(intercept, dtype=np.float64))


def stance_model(pipeline: Pipeline) -> StanceModel:
    """What scores as a fitted pipeline of stances does."""
    columns, regression = (step for _, step in pipeline.steps)
    vectorizer, places = (columns.named_transformers_[name] for name in ("words", "places"))
    words = _words(vectorizer)
    weights, of_places = np.split(regression.coef_, [len(vectorizer.vocabulary_)], axis=1)
    ngrams = _ngrams(vectorizer, words, weights)
    return StanceModel(words, ngrams, _placed(places, words, of_places), regression.intercept_)


def _words(vectorizer: TfidfVectorizer) -> Words:
    return Words(sorted(term for term in vectorizer.vocabulary_ if " " not in term))


def _ngrams(vectorizer: TfidfVectorizer, words: Words, weights: Floats) -> NgramModel:
    """The model of a vectoriser whose n-grams are parted by spaces.

    Args:
        vectorizer: fitted; whatever n-gram it knows, it knows the n-gram without the last word, too, as that is at
            least as frequent.
        words: the single words that it knows.
        weights: of its terms, (labels, terms).
    """
    numbers, keys = dict(words), []
    for spaces in range(1, vectorizer.ngram_range[1]):
        parts = [term.rpartition(" ") for term in vectorizer.vocabulary_ if term.count(" ") == spaces]
        found = sorted((numbers[first] * (len(words) + 1) + words[last], f"{first} {last}") for first, _, last in parts)
        numbers |= {term: number for number, (_, term) in enumerate(found, start=len(numbers) + 1)}
        keys.append(np.array([key for key, _ in found], dtype=np.int64))
    return _model(vectorizer, numbers, keys, len(numbers) + 1, weights)


def _placed(vectorizer: TfidfVectorizer, words: Words, weights: Floats) -> NgramModel:
    """The model of a vectoriser of words that are marked with their places."""
    parts = {term: term.split("|", maxsplit=1) for term in vectorizer.vocabulary_}
    known = len(words) + 1
    numbers = {term: PLACES.index(place) * known + words[word] for term, (place, word) in parts.items()}
    return _model(vectorizer, numbers, [], len(PLACES) * known, weights)


def _model(
    vectorizer: TfidfVectorizer, numbers: Mapping[str, int], keys: Sequence[Ints], size: int, weights: Floats
) -> NgramModel:
    """A model of so many n-grams, of which a vectoriser's terms have the given numbers."""
    columns = [vectorizer.vocabulary_[term] for term in numbers]
    rows = list(numbers.values())
    idf, by_number = np.zeros(size), np.zeros((size, len(weights)))
    idf[rows], by_number[rows] = vectorizer.idf_[columns], weights.T[columns]
    return NgramModel(keys, idf, by_number)
