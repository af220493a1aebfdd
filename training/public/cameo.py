"""cameo_class: the quad code of a news sentence, or none (fine-tuning data of ConfliBERT, Hu et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .rows import choice, sentence, table

CLASSES = {
    "0": "none",
    "1": "verbal_cooperation",
    "2": "material_cooperation",
    "3": "verbal_conflict",
    "4": "material_conflict",
}


def read(path: Path) -> Iterator[dict[str, Any]]:
    """One row a line: sentence and class. It names no actors, and so has no stances.

    Raises:
        RowError: a line has another class.
    """
    for number, (text, code) in table(path, width=2):
        label = choice(f"{path}:{number}", code.strip(), CLASSES, "class")
        yield sentence(str(number), text, classes=[{"head": "cameo", "label": label}])
