"""Scores documents by TF-IDF models: the linear family, and what helps an encoder with topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from .decode import Floats
from .document import Document
from .errors import BundleError
from .heads import STANCES, TOPICS
from .masking import PLACES, MaskedSentences, article_words
from .ngrams import NgramModel, Words, checked
from .schema import STANCE_LABELS
from .scorer import Reading, Scorer, Scores
from .skops_arrays import read_arrays

_PAIRS = 1024
"""Pairs that are scored at once: what they need stays near the processor, and in bounds."""


@dataclass(frozen=True, slots=True)
class TopicModel:
    """Scores articles by their words.

    Args:
        words: those that it knows.
        ngrams: of the words of an article.
        intercept: of each topic, (topics,).
    """

    words: Words
    ngrams: NgramModel
    intercept: Floats

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], topics: int) -> TopicModel:
        """Read what `to_arrays` made.

        Raises:
            KeyError: an array is missing.
            TypeError: something else is where arrays should be.
            ValueError: an array is of another type or shape.
        """
        words = Words.from_array(arrays["words"])
        ngrams = NgramModel.from_arrays(arrays["ngrams"], len(words) + 1, topics)
        return cls(words, ngrams, checked("intercept", arrays["intercept"], np.float64, (topics,)))

    def to_arrays(self) -> dict[str, Any]:
        """What the model is made of, in plain dictionaries and arrays."""
        return {"words": self.words.to_array(), "ngrams": self.ngrams.to_arrays(), "intercept": self.intercept}

    def scores(self, documents: Sequence[Document]) -> Floats:
        """Logits, (documents, topics)."""
        words = [article_words(document) for document in documents]
        lengths = np.array([len(each) for each in words], dtype=np.int64)
        tokens = np.fromiter(map(self.words.__getitem__, chain.from_iterable(words)), np.int64, lengths.sum())
        return self.ngrams.scores(tokens, lengths) + self.intercept


@dataclass(frozen=True, slots=True)
class StanceModel:
    """Scores pairs by the words of their sentence, in which the actors are masked.

    Args:
        words: those that it knows.
        ngrams: of the words.
        places: of each word with its place; the token of a word is its number plus the number of words, the unknown one
            among them, times the place as `masking.PLACES` counts.
        intercept: of each stance, (3,).
    """

    words: Words
    ngrams: NgramModel
    places: NgramModel
    intercept: Floats

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> StanceModel:
        """Read what `to_arrays` made.

        Raises:
            KeyError: an array is missing.
            TypeError: something else is where arrays should be.
            ValueError: an array is of another type or shape.
        """
        words, stances = Words.from_array(arrays["words"]), len(STANCE_LABELS)
        ngrams = NgramModel.from_arrays(arrays["ngrams"], len(words) + 1, stances)
        places = NgramModel.from_arrays(arrays["places"], len(PLACES) * (len(words) + 1), stances)
        return cls(words, ngrams, places, checked("intercept", arrays["intercept"], np.float64, (stances,)))

    def to_arrays(self) -> dict[str, Any]:
        """What the model is made of, in plain dictionaries and arrays."""
        parts = {"ngrams": self.ngrams.to_arrays(), "places": self.places.to_arrays()}
        return {"words": self.words.to_array(), **parts, "intercept": self.intercept}

    def scores(self, documents: Sequence[Document]) -> Floats:
        """Logits, (pairs, 3), of all pairs, one document after another."""
        sentences = MaskedSentences(documents, self.words)
        found = np.zeros((len(sentences), len(STANCE_LABELS)))
        for first in range(0, len(sentences), _PAIRS):
            masked = sentences.pairs(first, first + _PAIRS)
            words = self.ngrams.scores(masked.tokens, masked.lengths)
            placed = masked.tokens + masked.places * self.ngrams.tokens
            found[first : first + _PAIRS] = words + self.places.scores(placed, masked.lengths)
        return found + self.intercept


class LinearScorer(Scorer):
    """Runs a model of topics and one of stances; where one is missing, its scores are zero.

    Args:
        topics: number of topic labels.
        topic_model: None scores no topics.
        stance_model: None scores no stances.
    """

    def __init__(
        self, topics: int, topic_model: TopicModel | None = None, stance_model: StanceModel | None = None
    ) -> None:
        self._topics = topics
        self._topic_model = topic_model
        self._stance_model = stance_model

    @classmethod
    def load(cls, model: Path, topics: int) -> LinearScorer:
        """Read `model.skops`.

        Raises:
            BundleError: the file cannot be read, or holds anything but arrays, or arrays of wrong types or shapes.
        """
        try:
            return cls.from_arrays(read_arrays(model), topics)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"{model}: cannot be loaded ({type(error).__name__}: {error}); train it again") from error

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], topics: int) -> LinearScorer:
        """Read what `to_arrays` made.

        Raises:
            KeyError: an array is missing.
            TypeError: something else is where arrays should be.
            ValueError: an array is of another type or shape.
        """
        return cls(
            topics,
            TopicModel.from_arrays(arrays[TOPICS], topics) if topics else None,
            StanceModel.from_arrays(arrays[STANCES]) if STANCES in arrays else None,
        )

    def to_arrays(self) -> dict[str, Any]:
        """What the models are made of by the names of their heads, in plain dictionaries and arrays."""
        models = {TOPICS: self._topic_model, STANCES: self._stance_model}
        return {name: model.to_arrays() for name, model in models.items() if model is not None}

    def read(self, documents: Sequence[Document], others: bool = False) -> list[Reading]:
        """See `Scorer.read`; there are no others."""
        topics = np.zeros((len(documents), self._topics))
        if self._topic_model is not None:
            topics = self._topic_model.scores(documents)
        return [Reading(row) for row in topics]

    def score_pairs(
        self, documents: Sequence[Document], readings: Sequence[Reading], others: bool = False
    ) -> list[Scores]:
        """See `Scorer.score_pairs`."""
        ends = np.cumsum([len(document.pairs) for document in documents], dtype=np.int64)
        stances = np.zeros((int(ends[-1]) if len(ends) else 0, len(STANCE_LABELS)))
        if self._stance_model is not None:
            stances = self._stance_model.scores(documents)
        return [
            Scores(reading.topics, stances[end - len(document.pairs) : end])
            for document, reading, end in zip(documents, readings, ends, strict=True)
        ]
