"""Which reader goes with which corpus of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import cameo, dse, newsmtsc, plover, tags

Reader = Callable[[Path], Iterator[dict[str, Any]]]

READERS: Mapping[str, Reader] = {
    "dse": dse.read,
    "newsmtsc": newsmtsc.read,
    "plv": plover.read_plv,
    "gsr": plover.read_gsr,
    "aw": plover.read_aw,
    "cameo_class": cameo.read,
    "cameo_ner": tags.read_ner,
    "re3d": tags.read_re3d,
}
"""Reader of a file; a corpus with stand-off labels needs none of its own."""
