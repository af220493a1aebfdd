"""Text for a terminal: made harmless, coloured, measured and wrapped."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import TextIO

# C0 and C1 controls, among them the escape that opens a terminal's commands, and the marks that turn
# the direction of writing, by which a text can show other words than it holds.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_BREAKS = str.maketrans("\r\x0b\x0c\x85\u2028\u2029", "\n" * 6)
_WIDE = ("W", "F")
_NO_WIDTH = ("Mn", "Me", "Cf")

Paint = Callable[[str, str], str]
"""Takes text and the codes of its look, such as "1;31"; gives what is printed."""


def visible(text: str, keep: str = "") -> str:
    """`text` with every character that could command a terminal shown instead of sent.

    Args:
        text: any text.
        keep: controls to leave as they are, such as a line feed.

    Returns:
        A text of the same length, so that offsets stay.
    """
    return _UNSAFE.sub(lambda match: match[0] if match[0] in keep else _picture(match[0]), text)


def body(text: str) -> str:
    """`visible` for a text of several lines: every kind of line break becomes a line feed, a tab a space."""
    return visible(text.replace("\r\n", " \n").translate(_BREAKS).replace("\t", " "), keep="\n")


def colours(stream: TextIO) -> bool:
    """Whether a stream shows colours: it is a terminal, and nobody asked for none (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, codes: str) -> str:
    """`text` in colour."""
    return f"\x1b[{codes}m{text}\x1b[0m" if codes and text else text


def plain(text: str, codes: str) -> str:
    """`text` as it is."""
    return text


def width(text: str) -> int:
    """The columns that a text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def fitted(text: str, columns: int) -> str:
    """The beginning of a text that fits, with an ellipsis where it is cut."""
    if width(text) <= columns:
        return text
    room = columns - 1
    for index, character in enumerate(text):
        room -= _columns(character)
        if room < 0:
            return text[:index].rstrip() + "…"
    return text


def padded(text: str, columns: int) -> str:
    """`text` cut or filled up with spaces to so many columns."""
    text = fitted(text, columns)
    return text + " " * (columns - width(text))


def lines(text: str, columns: int) -> Iterator[tuple[int, int]]:
    """Break a text into lines at its line feeds and where it is full, preferably at a space.

    Yields:
        (start, end) of each line; only white space and line feeds lie between them.
    """
    start = 0
    for line in text.split("\n"):
        yield from _wrapped(text, start, start + len(line), columns)
        start += len(line) + 1


def _wrapped(text: str, start: int, end: int, columns: int) -> Iterator[tuple[int, int]]:
    while True:
        room, space, at = columns, start, start
        while at < end and (room := room - _columns(text[at])) >= 0:
            at += 1
            if at < end and text[at] == " ":
                space = at
        if at == end:
            yield start, end
            return
        cut = space if space > start else max(at, start + 1)
        yield start, cut
        start = cut
        while start < end and text[start] == " ":
            start += 1
        if start == end:
            return


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1


def _picture(control: str) -> str:
    code = ord(control)
    return "␡" if code == 0x7F else chr(0x2400 + code) if code < 0x20 else "�"
