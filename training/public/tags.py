"""Words with tags, a word a line: cameo_ner (source, target and relation words) and re3d (entities, Dstl).

Both are taken from ConfliBERT's repository (Hu et al. 2022). An entity of re3d may be no actor, and a source or
target of cameo_ner is one by its part in the sentence, so each has a head of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .rows import RowError, sentence

ROLES = ("S", "T", "R")
ENTITIES = (
    "DocumentReference", "Location", "MilitaryPlatform", "Money", "Nationality", "Organisation", "Person", "Quantity",
    "Temporal", "Weapon",
)  # fmt: skip


def read(path: Path, head: str, labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    """One row a sentence, its words joined by spaces. An inside that goes on nothing begins a span, as seqeval has it.

    Raises:
        RowError: a line is not a word and its tag, or a tag is unknown.
    """
    tags = {"O", *(f"{part}-{label}" for label in labels for part in "BI")}
    words: list[tuple[str, str]] = []
    first = 1
    lines = path.read_text("utf-8").split("\n")
    for number, line in enumerate((*lines, ""), start=1):
        parts = line.split()
        if not parts:
            if words:
                yield _row(str(first), words, head)
            words, first = [], number + 1
            continue
        if len(parts) != 2 or parts[1] not in tags:
            raise RowError(f"{path}:{number}: found {line!r:.60}, expected a word and one of {', '.join(sorted(tags))}")
        words.append((parts[0], parts[1]))


read_ner = partial(read, head="cameo_ner", labels=ROLES)
read_re3d = partial(read, head="re3d", labels=ENTITIES)


def _row(id: str, words: Sequence[tuple[str, str]], head: str) -> dict[str, Any]:
    spans: list[dict[str, Any]] = []
    end, before = -1, "O"
    for word, tag in words:
        start, end = end + 1, end + 1 + len(word)
        if tag.startswith("I-") and before[1:] == tag[1:]:
            spans[-1]["end"] = end
        elif tag != "O":
            spans.append({"start": start, "end": end, "label": tag[2:]})
        before = tag
    return sentence(id, " ".join(word for word, _ in words), tags=[{"head": head, "spans": spans}])
