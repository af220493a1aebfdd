"""Political relations between a source and a target: PLV, AW (Hu et al. 2024) and PLOVER's gold records.

The root code of PLOVER, such as ACCUSE or AID, is the label of a head of its own, `plover`; its quad code,
cooperation or conflict in words or deeds, gives the stance: cooperation is support and conflict oppose. AW tells
only cooperation from conflict (`aw`). Only the direction that is coded is labelled: what the target holds is not known.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.document import UNNAMED
from inference.schema import OPPOSE, SUPPORT

from .rows import QUAD_STANCES, RowError, choice, pair, sentence, table, without_tags

LOG = logging.getLogger(__name__)

ROOT_QUADS = {
    "AGREE": "1", "CONSULT": "1", "SUPPORT": "1", "COOPERATE": "2", "AID": "2", "YIELD": "2",
    "REQUEST": "3", "ACCUSE": "3", "REJECT": "3", "THREATEN": "3",
    "PROTEST": "4", "SANCTION": "4", "MOBILIZE": "4", "COERCE": "4", "ASSAULT": "4",
}  # fmt: skip
"""Quad code of each root code: 1 verbal and 2 material cooperation, 3 verbal and 4 material conflict."""

_EARLIER = {
    "CONCEDE": "YIELD", "RETREAT": "YIELD", "FIGHT": "ASSAULT", "DEMAND": "REQUEST", "DISAPPROVE": "ACCUSE",
    "INVESTIGATE": "ACCUSE",
}  # fmt: skip
"""Root codes of PLOVER's first version, as the later one names them."""

BINARY = {"0": "cooperation", "1": "conflict"}
_BINARY_STANCES = {"0": SUPPORT, "1": OPPOSE}


def read_plv(path: Path) -> Iterator[dict[str, Any]]:
    """One row a relation. A few of its quad codes differ from their root's; metrics are of what the file says.

    Raises:
        RowError: a code is unknown.
    """
    for number, (marked, root, quad) in table(path, ("marked_sentence", "gold_root", "gold_penta")):
        place = f"{path}:{number}"
        code = choice(place, root, {name: name for name in ROOT_QUADS}, "root code")
        stance = choice(place, quad, QUAD_STANCES, "quad code")
        yield _relation(str(number), marked, {"plover": code, "plover_quad": quad, "stances": stance})


def read_aw(path: Path) -> Iterator[dict[str, Any]]:
    """One row a relation.

    Raises:
        RowError: a code is unknown.
    """
    for number, (marked, code) in table(path, ("marked_sentence", "gold_binary")):
        label = choice(f"{path}:{number}", code, BINARY, "binary code")
        yield _relation(str(number), marked, {"aw": label, "stances": _BINARY_STANCES[code]})


def read_gsr(path: Path) -> Iterator[dict[str, Any]]:
    """One row a record whose source and target stand in its text; the others are counted in the log.

    Raises:
        RowError: the file is not JSON of this form, or a root code is unknown.
    """
    try:
        records = [
            (record["id"], record["event"], record["text"], *_sides(record))
            for record in json.loads(path.read_text("utf-8"))
            if record.get("event") != "DOCUMENT"
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RowError(f"{path}: not a list of records ({type(error).__name__}: {error})") from None
    left = 0
    for number, (id, event, text, sources, targets) in enumerate(records, start=1):
        code = _EARLIER.get(event, event)
        root = choice(f"{path}: record {number}", code, {name: name for name in ROOT_QUADS}, "event")
        spans = {name: _places(text, name) for name in (*sources, *targets)}
        asked = [(a, b) for a in sources for b in targets if a != b and spans[a] and spans[b]]
        if not asked:
            left += 1
            continue
        stance = QUAD_STANCES[ROOT_QUADS[root]]
        labels = [
            pair(head, *names, label) for names in asked for head, label in (("plover", root), ("stances", stance))
        ]
        used = {name: spans[name] for names in asked for name in names}
        yield sentence(str(id), text, used, pairs=labels)
    LOG.info("%s: %d of %d records left out: no source and target in the text", path.name, left, len(records))


def _relation(id: str, marked: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """A marked sentence; a side without a mark is somebody unnamed."""
    text, found = without_tags(marked)
    source, target = ("source" if found["s"] else UNNAMED), ("target" if found["t"] else UNNAMED)
    spans = {name: places for name, places in ((source, found["s"]), (target, found["t"])) if places}
    return sentence(id, text, spans, pairs=[pair(head, source, target, label) for head, label in labels.items()])


def _sides(record: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Words of source and target. A target "SOURCE" or a missing one is everyone of the source."""
    source = _words(record.get("source") or [])
    target = record.get("target")
    return source, _words(target) if isinstance(target, list) else source


def _words(actors: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(actor["actorText"]) for actor in actors if actor.get("actorText")))


def _places(text: str, words: str) -> list[tuple[int, int]]:
    start = text.find(words)
    return [(start, start + len(words))] if start >= 0 else []
