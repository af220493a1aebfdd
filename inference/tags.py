"""Scores of tokens to spans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
        # A sentence may begin with what is no token, such as a character of no width.
        starts = [int(each.field == "text") * _FIELD + each.start for each in document.sentences]
        sentence = np.searchsorted(starts, tokens[:, 0] * _FIELD + tokens[:, 1], side="right")
        opening = np.diff(sentence, prepend=0) > 0
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
        return [0.0 if first is None else float(softmax(self.scores[first])[0]) for first in self._firsts(places)]

    def odds(self, places: Sequence[Place], label: str) -> list[float]:
        """The log-odds that each place has a label, were it a span, by its first token; 0 where it has no token."""
        own = self.head.labels.index(label)
        labels = np.logaddexp.reduce(self.scores[:, 1:].reshape(-1, len(self.head.labels), 2), axis=2)
        odds = labels[:, own] - np.logaddexp.reduce(np.delete(labels, own, axis=1), axis=1)
        return [0.0 if first is None else float(odds[first]) for first in self._firsts(places)]

    def _firsts(self, places: Sequence[Place]) -> Iterator[int | None]:
        """The number of the first token of each place, None where it has none."""
        ends = self.tokens[:, 0] * _FIELD + self.tokens[:, 2]
        firsts = np.searchsorted(ends, [field * _FIELD + start for field, start, _ in places], side="right")
        for first, (field, _, end) in zip(firsts.tolist(), places, strict=True):
            here = first < len(self.tokens) and self.tokens[first, 0] == field and self.tokens[first, 1] < end
            yield first if here else None


def tagged_spans(
    tokens: npt.NDArray[np.int64], scores: Floats, head: Head, joined: npt.NDArray[np.bool_] | None = None
) -> list[Span]:
    """The spans that a head of tags finds in a sentence, in order.

    Args:
        tokens: field, start and end of each, (tokens, 3), in order.
        scores: logits, (tokens, 1 + 2 labels): outside, then beginning and inside of each label.
        head: of tags.
        joined: which tokens go on a word, (tokens,): a word is inside or outside as its first token is. None for none.
    """
    words = np.arange(len(tokens)) if joined is None else np.flatnonzero(~joined)
    ends = tokens[np.append(words[1:], len(tokens)) - 1, 2].tolist() if len(words) else []
    spans: list[Span] = []
    for (field, start, _), end, tag in zip(tokens[words].tolist(), ends, likeliest_tags(scores[words]), strict=True):
        if tag % 2:
            spans.append((field, start, end, head.labels[tag // 2]))
        elif tag:
            spans[-1] = (*spans[-1][:2], end, spans[-1][3])
    return spans


def likeliest_tags(scores: Floats) -> list[int]:
    """The likeliest tags of a sentence in which every inside goes on its own label (Viterbi 1967).

    Args:
        scores: logits, (words, 1 + 2 labels): outside, then beginning and inside of each label.
    """
    tags: list[int] = scores.argmax(axis=1).tolist()
    if all(tag % 2 or not tag or before in (tag - 1, tag) for before, tag in pairwise([0, *tags])):
        return tags  # nothing is likelier than the likeliest tag of each word
    reached = np.concatenate([scores[0, :1], *([begin, -np.inf] for begin in scores[0, 1::2])])
    steps = []
    for row in scores[1:]:
        step = np.full(len(row), reached.argmax())
        step[2::2] = np.arange(1, len(row), 2) + (reached[2::2] > reached[1::2])
        reached = reached[step] + row
        steps.append(step)
    tags = [int(reached.argmax())]
    for step in reversed(steps):
        tags.append(int(step[tags[-1]]))
    return tags[::-1]


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
