"""Scores documents by the linear family's scikit-learn pipelines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from .document import Document
from .errors import BundleError
from .heads import STANCES, TOPICS
from .masking import article_words, pair_words
from .schema import STANCE_LABELS
from .scorer import Reading, Scorer, Scores

TRUSTED = frozenset(
    {
        "sklearn.feature_extraction.text.TfidfVectorizer",
        "sklearn.feature_extraction.text.TfidfTransformer",
        "numpy.float64",
    }
)
"""The only types beyond those that skops trusts by itself that a bundle may hold."""

_TORCH_ADAPTER = "sklearn.externals.array_api_compat.torch"


class LinearScorer(Scorer):
    """Runs a scikit-learn pipeline for topics and one for stances.

    Args:
        pipelines: by the name of the head; a head that is missing scores zero.
        topics: number of topic labels.
    """

    def __init__(self, pipelines: Mapping[str, Any], topics: int) -> None:
        self._pipelines = pipelines
        self._topics = topics

    @classmethod
    def load(cls, model: Path, topics: int) -> LinearScorer:
        """Read `model.skops`.

        Raises:
            BundleError: scikit-learn is missing, or the file cannot be read or holds a type that is not on the list.
        """
        try:
            with _hidden(_TORCH_ADAPTER):
                import skops.io
                from skops.io.exceptions import UntrustedTypesFoundException
        except ImportError as error:
            raise BundleError(f"a linear bundle needs `pip install detente[linear]` ({error})") from None
        try:
            return cls(skops.io.load(model, trusted=sorted(TRUSTED)), topics)
        except UntrustedTypesFoundException as error:
            raise BundleError(f"{model}: holds types that no detente bundle has: {error}") from error
        except (BadZipFile, ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
            advice = "if another scikit-learn wrote it, train it again"
            raise BundleError(f"{model}: cannot be loaded ({type(error).__name__}: {error}); {advice}") from error

    def read(self, documents: Sequence[Document], others: bool = False) -> list[Reading]:
        """See `Scorer.read`; there are no others."""
        topics = np.zeros((len(documents), self._topics))
        if documents and self._topics and TOPICS in self._pipelines:
            found = self._pipelines[TOPICS].decision_function([article_words(document) for document in documents])
            topics = found.reshape(topics.shape)  # of a single topic scikit-learn gives no columns
        return [Reading(row) for row in topics]

    def score_pairs(
        self, documents: Sequence[Document], readings: Sequence[Reading], others: bool = False
    ) -> list[Scores]:
        """See `Scorer.score_pairs`."""
        pairs = [pair_words(document, pair) for document in documents for pair in document.pairs]
        stances = np.zeros((len(pairs), len(STANCE_LABELS)))
        if pairs and STANCES in self._pipelines:
            stances = self._pipelines[STANCES].decision_function(np.array(pairs, dtype=object))
        ends = np.cumsum([len(document.pairs) for document in documents])
        return [
            Scores(reading.topics, stances[end - len(document.pairs) : end])
            for document, reading, end in zip(documents, readings, ends, strict=True)
        ]


@contextmanager
def _hidden(module: str) -> Iterator[None]:
    """Make a module impossible to import for a while.

    skops, when it is imported, imports every module of scikit-learn, and one of them imports torch
    where it is installed: seconds and memory for nothing.
    """
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
