"""Sentences of a text, by their offsets."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_SENTENCE = 1000
"""Characters at which a run without a sentence end is broken, at a space where there is one."""

_LINE = re.compile(r"[^\n\r\u2028\u2029]+")
# An end mark, closing quotes and brackets, then space and something that can open a sentence.
# Scraped pages glue sentences together ("until morning.The"), and Chinese and Japanese have no space.
# Possessive repeats and the look back keep the time linear on a million full stops or spaces.
_END = re.compile(
    # What any end begins with comes first: such a place is found many times as fast.
    r"[.!?…。！？](?:"
    r"(?<=[.!?…])(?<![.!?…].)[.!?…]*+[\"'”’)\]»]*+(?=\s++[\"'“‘(\[«¿¡—–-]*+\s*+[^\W_a-z]|\s*+$)"
    r"|(?<=[a-z]{3}[.!?])(?=[A-Z][a-z])|(?<=[。！？])[。！？]*+)"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“‘—–-])(?:"
    r"(?:[A-Z]\.)+[A-Z]?"  # initials: U.S., J. F.
    r"|Mr|Mrs|Ms|Dr|Prof|St|Sr|Jr|Gen|Lt|Col|Maj|Capt|Cmdr|Adm|Sgt|Cpl|Brig|Rev|Hon|Pres|Gov|Sen|Sens|Rep|Reps"
    r"|Amb|Sec|Messrs|Mme|Mlle|vs|v|etc|e\.g|i\.e|cf|approx|Inc|Corp|Co|Ltd|Bros|Dept|Univ|Assn"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|Mon|Tue|Tues|Wed|Thu|Thurs|Fri"
    r"|Ala|Ariz|Ark|Calif|Colo|Conn|Del|Fla|Ga|Ill|Ind|Kan|Ky|La|Md|Mass|Mich|Minn|Miss|Mo|Mont|Neb|Nev"
    r"|Okla|Ore|Pa|Tenn|Tex|Va|Vt|Wash|Wis|Wyo|[A-Z])\.$"
)
# After initials a new sentence is likely when a word follows that seldom follows a name.
_OPENER = re.compile(
    r"\s+[\"'“‘]?(?:The|A|An|But|And|In|On|At|It|He|She|They|We|I|This|That|These|Those|His|Her|Their|Its|As|If|When"
    r"|While|After|Before|Since|For|With|From|By|To|So|Yet|Now|Then|There|Here|What|Who|Why|How|No|Not|Mr|Ms|Mrs)\b"
)
_NUMBER = re.compile(r"\bNos?\.$")
_INITIALS = re.compile(r"(?:[A-Z]\.){2,}$")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Split `text` into sentences.

    A line break ends a sentence, as headlines, datelines and lists in news need it. Nothing but
    white space lies between two sentences, so that no word is lost.

    Yields:
        (start, end): offsets in code points, in order, without surrounding white space.
    """
    for line in _LINE.finditer(text):
        yield from _split(text, line.start(), line.end())


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of one line."""
    for mark in _END.finditer(text, start, end):
        if mark.end() > start and not _is_abbreviation(text, start, mark.end()):
            yield from _trimmed(text, start, mark.end())
            start = mark.end()
    yield from _trimmed(text, start, end)


def _is_abbreviation(text: str, start: int, end: int) -> bool:
    """Whether the full stop that ends `text[start:end]` belongs to an abbreviation."""
    tail = text[max(start, end - 12) : end]
    if _NUMBER.search(tail) and text[end : end + 2].strip().isdigit():
        return True
    if not _ABBREVIATION.search(tail):
        return False
    return not (_INITIALS.search(tail) and _OPENER.match(text, end))


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """`text[start:end]` without outer white space, broken where it is too long to be a sentence."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while end - start > MAX_SENTENCE:
        space = text.rfind(" ", start + 1, start + MAX_SENTENCE)
        cut = space if space > 0 else start + MAX_SENTENCE
        yield from _trimmed(text, start, cut)
        start = cut
        while text[start].isspace():
            start += 1
    if start < end:
        yield start, end
