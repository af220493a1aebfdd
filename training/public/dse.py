"""DSE: directed sentiment between two political entities of a news sentence (Park, Pan and Joo 2021).

The classes are mutually exclusive: 0 neutral, 1 and 2 a positive leaning of the first towards the second and the other
way round, 3 and 4 a negative one. Each becomes the stances of both ordered pairs, support for positive and oppose for
negative, of which one at most is not neutral. They train a head of their own, `dse`, since what counts as neutral
there differs from the codebook; a recipe can have them train `stances` instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.schema import NEUTRAL, OPPOSE, SUPPORT

from .rows import RowError, both_ways, sentence, table

_CLASSES = {"0": NEUTRAL, "1": SUPPORT, "2": SUPPORT, "3": OPPOSE, "4": OPPOSE}
_MARKED = re.compile(r"(.*?)\[([^\[\]]*)\](.*?)\[([^\[\]]*)\](.*)", re.DOTALL)


def read(path: Path) -> Iterator[dict[str, Any]]:
    """One row a line: the sentence with both entities in brackets, the entities, the class.

    Letters that follow a bracket ("[the United State]s") belong to the entity's last word.

    Raises:
        RowError: a line has no two entities in brackets, or another class.
    """
    for number, (marked, _, _, kind) in table(path, width=4):
        match = _MARKED.fullmatch(marked)
        if match is None or marked.count("[") != 2:
            raise RowError(f"{path}:{number}: {marked.count('[')} opening brackets, expected two entities in brackets")
        if kind not in _CLASSES:
            raise RowError(f"{path}:{number}: class {kind!r:.40}, expected one of {', '.join(_CLASSES)}")
        before, first, between, second, after = match.groups()
        if not first.strip() or not second.strip():
            raise RowError(f"{path}:{number}: found nothing in brackets, expected two entities")
        text = before + first + between + second + after
        start, other = len(before), len(before) + len(first) + len(between)
        names = ("p", "q")
        spans = {"p": [_word(text, start, start + len(first))], "q": [_word(text, other, other + len(second))]}
        source, target = names if kind in "013" else names[::-1]
        labels = [each for head in ("dse", "stances") for each in both_ways(head, source, target, _CLASSES[kind])]
        # The metrics of the corpus are of p → q first, whatever its class.
        labels.sort(key=lambda label: (label["head"], label["source"]))
        yield sentence(str(number), text, spans, pairs=labels)


def _word(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without spaces around it, up to the end of its last word."""
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    while start < end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end
