"""What a scorer is: documents in, raw scores out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .decode import Floats
from .document import Document


@dataclass(frozen=True, slots=True)
class Scores:
    """Uncalibrated scores of one document.

    Args:
        topics: logits, (topics,).
        stances: logits, (pairs, 3), row for row the document's pairs.
        others: logits of further heads by name: (labels,) of a class, (pairs, labels) of pairs,
            (tokens, 1 + 2 labels) of tags.
        tokens: field (0 the title, 1 the text), start and end of each token that tags are for, (tokens, 3).
    """

    topics: Floats
    stances: Floats
    others: Mapping[str, Floats] = field(default_factory=dict)
    tokens: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 3), dtype=np.int64))


class Scorer(Protocol):
    """A loaded model."""

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """Score documents; the result keeps their order and does not depend on their neighbours.

        Args:
            documents: what to score.
            others: whether to score the heads, too, that no record is made of.
        """
        ...
