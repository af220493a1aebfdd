"""What a scorer is: documents in, raw scores out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .decode import Floats
from .document import Document


@dataclass(frozen=True, slots=True)
class Scores:
    """Uncalibrated scores of one document.

    Args:
        topics: logits, (topics,).
        stances: logits, (pairs, 3), row for row the document's pairs.
    """

    topics: Floats
    stances: Floats


class Scorer(Protocol):
    """A loaded model."""

    def score(self, documents: Sequence[Document]) -> list[Scores]:
        """Score documents; the result keeps their order and does not depend on their neighbours."""
        ...
