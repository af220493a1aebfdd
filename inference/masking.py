"""The words that TF-IDF models read, in training and in scoring alike."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from .document import Document, Sentence
from .ngrams import Ints

Masks = npt.NDArray[np.bool_]

PLACES = ("before", "st", "ts", "after")
"""Where a word stands: before both actors, between source and target or target and source, after both."""

SOURCE, TARGET, ACTOR = "SOURCE", "TARGET", "ACTOR"
"""The words that actors are masked with; those of a sentence are in lower case."""

ARTICLE_WORD = r"\w\w+"
_ARTICLE_WORD = re.compile(ARTICLE_WORD)
_WORD = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def article_text(document: Document) -> str:
    """The title and the text of an article."""
    return f"{document.article.title}\n{document.article.text}"


def article_words(document: Document) -> list[str]:
    """The words of `article_text` in lower case and without accents, as scikit-learn's vectoriser splits it."""
    text = article_text(document).lower()
    return _ARTICLE_WORD.findall(text if text.isascii() else _FOREIGN.sub(_without_accents, text))


@dataclass(frozen=True, slots=True)
class MaskedPairs:
    """The words of sentences with their actors masked, once for each ordered pair of them.

    Args:
        tokens: numbers of the words, of all pairs one after another, (tokens,).
        places: where each of them stands, as `PLACES` counts, (tokens,).
        lengths: words of each pair, (pairs,).
    """

    tokens: Ints
    places: Ints
    lengths: Ints


class MaskedSentences:
    """The sentences of documents in which pairs are, ready to be masked for any of these.

    Args:
        documents: the documents; their pairs, one document after another, are those of `pairs`.
        numbers: of words; it has one for any word.
    """

    def __init__(self, documents: Sequence[Document], numbers: Mapping[str, int]) -> None:
        self._masks = [numbers[word] for word in (SOURCE, TARGET)]
        self._words: list[str] = []
        self._ends: list[int] = []
        self._mentions: list[int] = []
        self._mentioned: list[int] = []
        self._codes: defaultdict[str, int] = defaultdict(count(1).__next__)  # of actors; 0 is no actor
        pairs = [row for document in documents for row in self._read(document)]
        self._pairs = np.array(pairs, dtype=np.int64).reshape(-1, 3)
        self._tokens = np.fromiter(map(numbers.__getitem__, self._words), np.int64, len(self._words))
        self._actors = np.zeros(len(self._words), dtype=np.int64)
        self._actors[self._mentions] = self._mentioned
        ends = np.array(self._ends, dtype=np.int64)
        self._lengths = np.diff(ends, prepend=0)
        self._starts = ends - self._lengths

    def __len__(self) -> int:
        return len(self._pairs)

    def pairs(self, first: int, end: int) -> MaskedPairs:
        """Mask the sentences of the pairs from one number to before another."""
        rows, sources, targets = self._pairs[first:end].T
        lengths = self._lengths[rows]
        inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = inside + np.repeat(self._starts[rows], lengths)
        actors = self._actors[at]
        is_source, is_target = actors == np.repeat(sources, lengths), actors == np.repeat(targets, lengths)
        tokens = np.where(is_target, self._masks[1], np.where(is_source, self._masks[0], self._tokens[at]))
        return MaskedPairs(tokens, _places(inside, is_source & ~is_target, is_target, lengths), lengths)

    def _read(self, document: Document) -> list[tuple[int, int, int]]:
        """Take the words of sentences with pairs, and give each pair's sentence, source and target by number."""
        rows: dict[int, int] = {}
        codes = self._codes
        for pair in document.pairs:
            if pair.sentence not in rows:
                rows[pair.sentence] = len(self._ends)
                sentence = document.sentences[pair.sentence]
                self._add(document.article.field(sentence.field), sentence)
        return [(rows[pair.sentence], codes[pair.source], codes[pair.target]) for pair in document.pairs]

    def _add(self, text: str, sentence: Sentence) -> None:
        words, at = self._words, sentence.start
        for mention in sentence.mentions:
            words += _WORD.findall(text[at : mention.start].lower())
            self._mentions.append(len(words))
            self._mentioned.append(self._codes[mention.name])
            words.append(ACTOR)
            at = mention.end
        words += _WORD.findall(text[at : sentence.end].lower())
        self._ends.append(len(words))


def _places(inside: Ints, sources: Masks, targets: Masks, lengths: Ints) -> Ints:
    """Where words stand, as `PLACES` counts.

    Args:
        inside: number of each word in its sentence, of all pairs one after another, (tokens,).
        sources: which of them are the pair's source.
        targets: which are its target.
        lengths: words of each pair, (pairs,).
    """
    pairs = np.repeat(np.arange(len(lengths)), lengths)
    first, last = np.zeros(len(lengths), dtype=np.int64), np.zeros(len(lengths), dtype=np.int64)
    forward = np.zeros(len(lengths), dtype=bool)
    masks = np.flatnonzero(sources | targets)
    # Of several values that are assigned to one place, the last stays.
    last[pairs[masks]] = inside[masks]
    backwards = masks[::-1]
    first[pairs[backwards]] = inside[backwards]
    forward[pairs[backwards]] = sources[backwards]
    between = np.where(forward, PLACES.index("st"), PLACES.index("ts"))[pairs]
    after = np.where(inside > last[pairs], PLACES.index("after"), between)
    return np.where(inside < first[pairs], PLACES.index("before"), after)


def _without_accents(match: re.Match[str]) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", match[0]) if not unicodedata.combining(letter))
