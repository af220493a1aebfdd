"""Scores of tokens to spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .decode import Floats, softmax
from .document import Document
from .heads import Head
from .schema import Article

_FIELD = 1 << 40
"""More than a field has characters, so that field and offset are one number in order."""

Place = tuple[int, int, int]
"""Field (0 the title, 1 the text), start and end."""
Span = tuple[int, int, int, str]
"""Field, start, end and label."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a head of tags takes the tokens of an article for.

    Args:
        head: the head.
        tokens: field, start and end of each, (tokens, 3), in order.
        scores: logits, (tokens, 1 + 2 labels): outside, then beginning and inside of each label.
        joined: which tokens go on a word, (tokens,).
        opening: which tokens open a sentence, (tokens,).
    """

    head: Head
    tokens: npt.NDArray[np.int64]
    scores: Floats
    joined: npt.NDArray[np.bool_]
    opening: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, document: Document, head: Head, tokens: npt.NDArray[np.int64], scores: Floats) -> Tags:
        """The tags of a document's tokens."""
        starts = {(int(each.field == "text"), each.start) for each in document.sentences}
        opening = np.array([(field, start) in starts for field, start, _ in tokens.tolist()], dtype=bool)
        return cls(head, tokens, scores, joined_tokens(document.article, tokens), opening)

    def spans(self) -> list[Span]:
        """The spans that are found, in order, none over the end of a sentence; see `tagged_spans`."""
        cuts = [*np.flatnonzero(self.opening).tolist(), len(self.tokens)]
        parts = [slice(first, last) for first, last in pairwise([0, *cuts]) if first < last]
        return [
            span
            for part in parts
            for span in tagged_spans(self.tokens[part], self.scores[part], self.head, self.joined[part])
        ]

    def outside(self, places: Sequence[Place]) -> list[float]:
        """The probability that the first token of each place is outside of all spans; 0 where it has no token."""
        ends = self.tokens[:, 0] * _FIELD + self.tokens[:, 2]
        firsts = np.searchsorted(ends, [field * _FIELD + start for field, start, _ in places], side="right")
        found = []
        for first, (field, _, end) in zip(firsts.tolist(), places, strict=True):
            here = first < len(self.tokens) and self.tokens[first, 0] == field and self.tokens[first, 1] < end
            found.append(float(softmax(self.scores[first])[0]) if here else 0.0)
        return found


def tagged_spans(
    tokens: npt.NDArray[np.int64], scores: Floats, head: Head, joined: npt.NDArray[np.bool_] | None = None
) -> list[Span]:
    """The spans that a head of tags finds, in order.

    An inside that does not go on what was before it begins a span, as seqeval has it.

    Args:
        tokens: field, start and end of each, (tokens, 3), in order.
        scores: logits, (tokens, 1 + 2 labels): outside, then beginning and inside of each label.
        head: of tags.
        joined: which tokens go on a word, (tokens,): a word is inside or outside as its first token is. None for none.
    """
    spans: list[Span] = []
    before = 0
    goes_on = [False] * len(tokens) if joined is None else joined.tolist()
    for (place, start, end), own, inside in zip(tokens.tolist(), scores.argmax(axis=1).tolist(), goes_on, strict=True):
        tag = before + before % 2 if inside else own  # going on a word, the inside of its label
        label = head.labels[(tag - 1) // 2]
        if tag and tag % 2 == 0 and before in (tag, tag - 1) and spans[-1][0] == place:
            spans[-1] = (place, spans[-1][1], end, label)
        elif tag:
            spans.append((place, start, end, label))
        before = tag
    return spans


def joined_tokens(article: Article, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which tokens go on a word, (tokens,): nothing but letters and digits stands where they meet the one before.

    Args:
        article: the article.
        tokens: field, start and end of each, (tokens, 3), in order.
    """
    joined = np.zeros(len(tokens), dtype=bool)
    for number, ((place, _, stop), (field, start, _)) in enumerate(pairwise(tokens.tolist()), start=1):
        text = article.text if field else article.title
        joined[number] = place == field and stop == start > 0 and text[start - 1 : start + 1].isalnum()
    return joined
