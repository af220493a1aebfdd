"""The linear family: TF-IDF and logistic regression, for topics and for masked sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from inference.bundle import SKOPS
from inference.document import Document
from inference.heads import STANCES, TOPICS, Head
from inference.linear_scorer import LinearScorer
from inference.masking import article_words, pair_words
from inference.scorer import Scores

from .base import UNLABELLED, Epoch, Example
from .settings import LinearModel

_WORDS = r"(?u)\b\w\w+\b"
_MASKED = r"\S+"


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
        self._models: dict[str, Pipeline] = {}

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; there is nothing to stop early."""
        if TOPICS in self._heads:
            rows = [(example.document, example.topics) for example in train if example.topics is not None]
            labels = np.stack([topics for _, topics in rows]).astype(int)
            self._models[TOPICS] = self._topic_pipeline().fit([article_words(doc) for doc, _ in rows], labels)
        if STANCES in self._heads:
            pairs = [
                (pair_words(example.document, pair), label)
                for example in train
                for pair, label in zip(example.document.pairs, example.stances, strict=True)
                if label != UNLABELLED
            ]
            words = np.array([pair for pair, _ in pairs], dtype=object)
            self._models[STANCES] = self._stance_pipeline().fit(words, [label for _, label in pairs])

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Family.score`."""
        topics = len(self._heads[TOPICS].labels) if TOPICS in self._heads else 0
        return LinearScorer(self._models, topics).score(documents)

    def encoder_facts(self) -> None:
        """See `Family.encoder_facts`."""

    def save_encoder(self, directory: Path) -> None:
        """See `Family.save_encoder`."""

    def export(self, directory: Path) -> None:
        """See `Family.export`."""
        # Vocabularies in JSON: deflated, the file is a small part of its size.
        skops.io.dump(self._models, directory / SKOPS, compression=ZIP_DEFLATED, compresslevel=1)

    def _topic_pipeline(self) -> Pipeline:
        words = TfidfVectorizer(
            ngram_range=(1, self._settings.topic_ngrams),
            min_df=self._settings.min_articles,
            token_pattern=_WORDS,
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
