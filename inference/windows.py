"""Windows of whole sentences that an encoder reads once, and batches of them as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from .document import UNNAMED, Document, Sentence
from .shapes import SHAPES, word_shapes

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """How an article is cut into windows.

    Args:
        max_tokens: tokens of a window at most, its two special ones included.
        start: id of the token that opens a window.
        end: id of the token that closes it.
        pad: id of the token that fills a batch.
    """

    max_tokens: int
    start: int
    end: int
    pad: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The tokens of a sentence that a window holds: all of them, unless it is longer than a window.

    Args:
        index: of the sentence in its document.
        sentence: the sentence.
        text: its text.
        encoding: of the whole sentence.
        begin: first token that the window holds.
        end: one past the last.
    """

    index: int
    sentence: Sentence
    text: str
    encoding: Encoding
    begin: int
    end: int


@dataclass(slots=True)
class Window:
    """Tokens that are read together.

    Args:
        ids: token ids, special tokens included.
        rows: for each pooled state, the ranges of tokens whose mean it is.
        pairs: (pair of the document, row of its source, of its target, of its sentence).
        pieces: the sentences it was made of.
    """

    ids: list[int]
    rows: list[list[Range]] = field(default_factory=list)
    pairs: list[tuple[int, int, int, int]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)

    def offsets(self) -> npt.NDArray[np.int64]:
        """Field (0 the title, 1 the text), start and end of every token but the special ones, (T - 2, 3)."""
        places = [
            (int(piece.sentence.field == "text"), piece.sentence.start + start, piece.sentence.start + end)
            for piece in self.pieces
            for start, end in piece.encoding.offsets[piece.begin : piece.end]
        ]
        return np.array(places, dtype=np.int64).reshape(-1, 3)

    def shapes(self) -> npt.NDArray[np.float32]:
        """Word shapes of every token but the special ones, (T - 2, 12)."""
        rows = [word_shapes(piece.text, piece.encoding.offsets)[piece.begin : piece.end] for piece in self.pieces]
        return np.concatenate([np.zeros((0, SHAPES), dtype=np.float32), *rows])


class Windower:
    """Cuts documents into windows.

    Args:
        tokenizer: turned to neither truncate nor pad; nothing of a text is cut off.
        settings: sizes and special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, settings: WindowSettings) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self.settings = settings

    @classmethod
    def from_file(cls, path: Path, settings: WindowSettings) -> Windower:
        """Read `tokenizer.json`."""
        return cls(Tokenizer.from_file(str(path)), settings)

    def save(self, path: Path) -> None:
        """Write `tokenizer.json`."""
        self._tokenizer.save(str(path))

    def windows(self, document: Document) -> list[Window]:
        """All windows of a document with its pairs; an article without a single token has one empty window."""
        return placed(self.cut(document), document)

    def cut(self, document: Document) -> list[Window]:
        """The same windows without pairs: what an encoder reads."""
        texts = [document.text_of(sentence) for sentence in document.sentences]
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        windows = []
        for pieces in self._packed([len(encoding) for encoding in encodings]):
            window = Window([self.settings.start])
            for index, begin, end in pieces:
                window.ids.extend(encodings[index].ids[begin:end])
                window.pieces.append(
                    Piece(index, document.sentences[index], texts[index], encodings[index], begin, end)
                )
            window.ids.append(self.settings.end)
            windows.append(window)
        return windows

    def _packed(self, lengths: Sequence[int]) -> Iterator[list[tuple[int, int, int]]]:
        """Group (sentence, first token, end token) into windows of about equal size."""
        room = self.settings.max_tokens - 2
        total = sum(lengths)
        even = ceil(total / max(1, ceil(total / room)))
        window: list[tuple[int, int, int]] = []
        size = 0
        for index, length in enumerate(lengths):
            for begin in range(0, length, room):
                piece = min(room, length - begin)
                if window and (size >= even or size + piece > room):
                    yield window
                    window, size = [], 0
                window.append((index, begin, begin + piece))
                size += piece
        if window or not total:
            yield window


def placed(windows: Sequence[Window], document: Document) -> list[Window]:
    """Windows with the pairs of a document and the states that these ask for.

    A sentence longer than a window is read in pieces; the pairs whose two actors stand in no piece together belong to
    no window.

    Args:
        windows: of the document's sentences, as `Windower.cut` makes them.
        document: with mentions and pairs, which may not have been there when it was cut.
    """
    left: dict[int, list[int]] = {}
    for number, pair in enumerate(document.pairs):
        left.setdefault(pair.sentence, []).append(number)
    found = []
    for window in windows:
        rows: list[list[Range]] = []
        pairs: list[tuple[int, int, int, int]] = []
        first = 1
        for piece in window.pieces:
            if asked := left.get(piece.index):
                new = _piece_pairs(piece, document, asked, rows, first - piece.begin)
                pairs += new
                seen = {number for number, *_ in new}
                left[piece.index] = [number for number in asked if number not in seen]
            first += piece.end - piece.begin
        found.append(Window(window.ids, rows, pairs, window.pieces))
    return found


def _piece_pairs(
    piece: Piece, document: Document, numbers: Sequence[int], rows: list[list[Range]], base: int
) -> list[tuple[int, int, int, int]]:
    """The pairs of a sentence that a piece holds; adds to `rows` the states of their actors and of the sentence.

    Args:
        piece: of the sentence.
        document: with the sentence's mentions.
        numbers: of the pairs.
        rows: of the window so far.
        base: what a token's place in the window is above that in the sentence.
    """
    sentence = document.sentences[piece.index]
    offsets = piece.encoding.offsets[piece.begin : piece.end]
    named: dict[str, int] = {}
    if any(UNNAMED in (document.pairs[number].source, document.pairs[number].target) for number in numbers):
        named[UNNAMED] = len(rows)
        rows.append([(0, 1)])  # the opening token stands for them
    for mention in sentence.mentions:
        first, last = mention.start - sentence.start, mention.end - sentence.start
        inside = [token for token, (left, right) in enumerate(offsets) if left < last and right > first]
        if inside:
            if mention.name not in named:
                named[mention.name] = len(rows)
                rows.append([])
            at = piece.begin + base
            rows[named[mention.name]].append((inside[0] + at, inside[-1] + 1 + at))
    whole = len(rows)
    rows.append([(piece.begin + base, piece.end + base)])
    asked = [(number, document.pairs[number]) for number in numbers]
    return [
        (number, named[pair.source], named[pair.target], whole)
        for number, pair in asked
        if pair.source in named and pair.target in named
    ]


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows as the arrays that an encoder and its heads take: B windows of T tokens, R rows, P pairs.

    Args:
        input_ids: (B, T).
        attention_mask: (B, T), one where a token stands.
        pool: (B, R, T), each row the weights of a mean over tokens.
        pairs: (P, 3), rows of source, target and sentence, counted over the whole batch.
    """

    input_ids: npt.NDArray[np.int64]
    attention_mask: npt.NDArray[np.int64]
    pool: npt.NDArray[np.float32]
    pairs: npt.NDArray[np.int64]


def collate(windows: Sequence[Window], pad: int) -> Batch:
    """Make a batch of windows, padded to the longest."""
    longest = max(len(window.ids) for window in windows)
    rows = max(len(window.rows) for window in windows)
    ids = np.full((len(windows), longest), pad, dtype=np.int64)
    mask = np.zeros((len(windows), longest), dtype=np.int64)
    pool = np.zeros((len(windows), rows, longest), dtype=np.float32)
    pairs: list[tuple[int, int, int]] = []
    for number, window in enumerate(windows):
        ids[number, : len(window.ids)] = window.ids
        mask[number, : len(window.ids)] = 1
        for row, ranges in enumerate(window.rows):
            for begin, end in ranges:
                pool[number, row, begin:end] = 1.0
        pairs.extend((number * rows + a, number * rows + b, number * rows + s) for _, a, b, s in window.pairs)
    pool /= np.maximum(pool.sum(axis=2, keepdims=True), 1.0)
    return Batch(ids, mask, pool, np.array(pairs, dtype=np.int64).reshape(-1, 3))


def batches(lengths: Iterable[int], max_tokens: int) -> Iterator[list[int]]:
    """Indices of `lengths`, longest together, so that a padded batch has at most `max_tokens` tokens."""
    batch: list[int] = []
    longest = 0
    for length, index in sorted(((length, index) for index, length in enumerate(lengths)), reverse=True):
        longest = longest or length
        if batch and longest * (len(batch) + 1) > max_tokens:
            yield batch
            batch, longest = [], length
        batch.append(index)
    if batch:
        yield batch
