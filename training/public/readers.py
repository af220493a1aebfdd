"""Which reader goes with which corpus of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import cameo, dse, newsmtsc, plover, tags

Reader = Callable[[Path], Iterator[dict[str, Any]]]

READERS: Mapping[str, tuple[Reader, str]] = {
    "dse": (dse.read, "dse"),
    "newsmtsc": (newsmtsc.read, "newsmtsc"),
    "plv": (plover.read_plv, "plover"),
    "gsr": (plover.read_gsr, "plover"),
    "aw": (plover.read_aw, "aw"),
    "cameo_class": (cameo.read, "cameo"),
    "cameo_ner": (tags.read_ner, "cameo_ner"),
    "re3d": (tags.read_re3d, "re3d"),
}
"""Reader of a file, and the head that the corpus trains where a recipe does not say."""
