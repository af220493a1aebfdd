"""What all readers of public corpora share: sentences as rows, files as tables."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.errors import DetenteError
from inference.schema import NEUTRAL, OPPOSE, SUPPORT

Spans = Mapping[str, Sequence[tuple[int, int]]]
"""Start and end of every mention, in code points, by the actor's name."""

QUAD_STANCES = {"1": SUPPORT, "2": SUPPORT, "3": OPPOSE, "4": OPPOSE}
"""Verbal and material cooperation are support, verbal and material conflict oppose."""

_TAG = re.compile(r"<(/?)([st])>")


class RowError(DetenteError):
    """A row of a public corpus is not as its authors wrote it; the message names file and line."""


def sentence(id: str, text: str, actors: Spans | None = None, **labels: Any) -> dict[str, Any]:
    """A row of one sentence.

    Args:
        id: unique in its file.
        text: the sentence, without markers.
        actors: the mentions of the actors in question, not of all.
        labels: `pairs`, `classes` and `tags` as `training.corpora.FEATURES` has them.
    """
    mentions = [
        {"name": name, "field": "text", "start": start, "end": end}
        for name, spans in (actors or {}).items()
        for start, end in spans
    ]
    mentions.sort(key=lambda mention: (mention["start"], mention["end"]))
    return {"id": id, "text": text, "sentence": True, "actors": mentions or None, **labels}


def pair(head: str, source: str, target: str, label: str) -> dict[str, str]:
    """A label of an ordered pair."""
    return {"head": head, "source": source, "target": target, "label": label}


def both_ways(head: str, source: str, target: str, label: str) -> list[dict[str, str]]:
    """A leaning of the source, and none of the target."""
    return [pair(head, source, target, label), pair(head, target, source, NEUTRAL)]


def table(
    path: Path, columns: Sequence[str] | None = None, width: int | None = None
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file parted by tabs, each with its line number.

    Args:
        path: the file, in UTF-8.
        columns: names in its first line of those that are wanted, in order; None where it has no such line.
        width: columns of a row, where there is no first line with names.

    Raises:
        RowError: a column is missing, or a row has another number of them.
    """
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t")
        head = next(reader, []) if columns else []
        for name in columns or ():
            if name not in head:
                raise RowError(f"{path}:1: no column {name!r}; found {', '.join(filter(None, head))}")
        expected = len(head) if columns else width
        for row in reader:
            if len(row) != expected:
                raise RowError(f"{path}:{reader.line_num}: {len(row)} columns, expected {expected}")
            yield reader.line_num, [row[head.index(name)] for name in columns] if columns else row


def choice(place: str, value: str, labels: Mapping[str, str], what: str) -> str:
    """The label that a code stands for.

    Raises:
        RowError: it stands for none.
    """
    if value not in labels:
        raise RowError(f"{place}: {what} {value!r:.40}, expected one of {', '.join(labels)}")
    return labels[value]


def without_tags(text: str) -> tuple[str, dict[str, list[tuple[int, int]]]]:
    """A sentence without its <s>…</s> and <t>…</t>, and the spans of each; what is not closed marks nothing."""
    spans: dict[str, list[tuple[int, int]]] = {"s": [], "t": []}
    opened: dict[str, int] = {}
    plain, last = "", 0
    for tag in _TAG.finditer(text):
        plain += text[last : tag.start()]
        last = tag.end()
        side: str = tag[2]
        if not tag[1]:
            opened[side] = len(plain)
        elif side in opened:
            spans[side].append((opened.pop(side), len(plain)))
    return plain + text[last:], spans
