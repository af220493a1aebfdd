"""What a scorer is: documents in, raw scores out, in two steps."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .decode import Floats
from .document import Document

Item = TypeVar("Item")

GROUP_CHARACTERS = 60_000
"""Characters that are read before their pairs are scored: about 15,000 tokens, whose states take 23 MB."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Uncalibrated scores of one document.

    Args:
        topics: logits, (topics,).
        stances: logits, (pairs, 3), row for row the document's pairs.
        others: logits of further heads by name, that of actors among them: (labels,) of a class, (pairs, labels) of
            pairs, (tokens, 1 + 2 labels) of tags.
        tokens: field (0 the title, 1 the text), start and end of each token that tags are for, (tokens, 3).
    """

    topics: Floats
    stances: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)
    tokens: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Reading:
    """A document as a scorer has read it, before its pairs are known.

    Args:
        topics: logits, (topics,).
        others: logits of heads of classes and of tags, by name.
        tokens: field, start and end of each token that tags are for, (tokens, 3).
        state: what the scorer keeps to score pairs by.
    """

    topics: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)
    tokens: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))
    state: Any = None


class Scorer(ABC):
    """A loaded model. It reads documents, and then scores pairs of actors by what it has read."""

    @abstractmethod
    def read(self, documents: Sequence[Document], others: bool = False) -> list[Reading]:
        """Read documents, whatever their pairs; the result keeps their order and does not depend on their neighbours.

        Args:
            documents: what to read; their states are held until the readings are gone, so mind how many they are.
            others: whether to read off the heads, too, that no record is made of.
        """

    @abstractmethod
    def score_pairs(
        self, documents: Sequence[Document], readings: Sequence[Reading], others: bool = False
    ) -> list[Scores]:
        """Score the pairs of documents.

        Args:
            documents: those that were read, which may have other mentions and pairs by now.
            readings: of each.
            others: as for `read`.
        """

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """Score documents with the pairs that they have, some at a time, so that memory is bounded."""
        found: list[Scores] = []
        for group in groups(documents):
            found += self.score_pairs(group, self.read(group, others), others)
        return found


def groups(items: Iterable[Item], most: int = sys.maxsize) -> Iterator[list[Item]]:
    """Items in groups whose documents may be held with their states.

    Args:
        items: documents, and whatever stands between them.
        most: items of a group at most.
    """
    group: list[Item] = []
    characters = 0
    for item in items:
        group.append(item)
        characters += len(item.article.title) + len(item.article.text) if isinstance(item, Document) else 0
        if len(group) >= most or characters >= GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group
