"""An article made ready for scoring: its sentences and the actor pairs to be judged in each."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import permutations

from .actors import Mention
from .schema import Article, Field
from .text import sentences

UNNAMED = "(unnamed)"
"""Whom no mention names, in a pair: the author of a text, or a target that is left open."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """`article.field(field)[start:end]` and the mentions that lie in it."""

    field: Field
    start: int
    end: int
    mentions: tuple[Mention, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The actors that the sentence names, in order of appearance."""
        return tuple(dict.fromkeys(mention.name for mention in self.mentions))


@dataclass(frozen=True, slots=True)
class Pair:
    """Two actors of one sentence, in the order in which the stance is asked for."""

    sentence: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a scorer reads. `pairs[i].sentence` is an index into `sentences`."""

    article: Article
    mentions: tuple[Mention, ...]
    sentences: tuple[Sentence, ...]
    pairs: tuple[Pair, ...]

    @classmethod
    def split(cls, article: Article) -> Document:
        """Split an article into sentences, the title first; it has no mentions yet."""
        spans = (
            Sentence(field, start, end) for field in ("title", "text") for start, end in sentences(article.field(field))
        )
        return cls(article, (), tuple(spans), ())

    @classmethod
    def build(cls, article: Article, mentions: Sequence[Mention], only: Collection[str] | None = None) -> Document:
        """Split an article into sentences and pair the actors of each; see `with_mentions`."""
        return cls.split(article).with_mentions(mentions, only)

    def with_mentions(self, mentions: Sequence[Mention], only: Collection[str] | None = None) -> Document:
        """The same sentences with mentions, and the actors of each sentence paired.

        Args:
            mentions: all of the article, in order of field and offset.
            only: where given, the only actors to pair.
        """
        positions = [_position(mention.field, mention.start) for mention in mentions]
        placed = tuple(_with(each, mentions, positions) for each in self.sentences)
        pairs = tuple(
            Pair(index, source, target)
            for index, sentence in enumerate(placed)
            if sentence.mentions
            for source, target in permutations([name for name in sentence.names if only is None or name in only], 2)
        )
        return Document(self.article, tuple(mentions), placed, pairs)

    def text_of(self, sentence: Sentence) -> str:
        """The words of one of the sentences."""
        return self.article.field(sentence.field)[sentence.start : sentence.end]


def _with(sentence: Sentence, mentions: Sequence[Mention], positions: Sequence[tuple[bool, int]]) -> Sentence:
    """A sentence with the mentions that lie in it.

    Args:
        sentence: the sentence.
        mentions: all of the article, in order.
        positions: where each begins.
    """
    first = bisect_left(positions, _position(sentence.field, sentence.start))
    end = bisect_left(positions, _position(sentence.field, sentence.end), first)
    inside = tuple(mention for mention in mentions[first:end] if mention.end <= sentence.end)
    return Sentence(sentence.field, sentence.start, sentence.end, inside) if inside or sentence.mentions else sentence


def _position(field: Field, start: int) -> tuple[bool, int]:
    return field == "text", start
