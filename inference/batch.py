"""Files in, one file out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .errors import ArticleError, InputError
from .predictor import Predictor
from .reading import check_input, read_rows
from .writing import writer

LOG = logging.getLogger(__name__)

_REMEMBERED_IDS = 1_000_000
"""Ids that are checked for duplicates; more would cost memory without bound."""


def predict_files(predictor: Predictor, inputs: Sequence[str], output: str) -> Counter[str]:
    """Score the rows of files into one output, in order.

    Args:
        predictor: a loaded bundle.
        inputs: `.jsonl`, `.csv` or `.parquet` files, or `-`.
        output: a `.jsonl` or `.parquet` file, or `-`.

    Returns:
        How many records have each status.

    Raises:
        InputError: an input as a whole cannot be read, or the output not be written; then no output is left.
    """
    for path in inputs:
        check_input(path)
        if "-" not in (path, output) and Path(path).resolve() == Path(output).resolve():
            raise InputError(f"{output}: is also an input")
    counts: Counter[str] = Counter()
    with writer(output) as write:
        # The bar shows on a terminal only.
        for prediction in tqdm(predictor.predict(_rows(inputs)), unit=" articles", disable=None):
            counts[prediction.status] += 1
            if prediction.status == "error":
                LOG.warning("id %s: %s", prediction.id, prediction.error)
            write(prediction.to_dict())
    return counts


def _rows(inputs: Sequence[str]) -> Iterator[dict[str, Any] | ArticleError]:
    seen: set[int] = set()
    for path in inputs:
        for row in read_rows(path):
            _note_duplicate(row.content, row.place, seen)
            yield row.content


def _note_duplicate(content: dict[str, Any] | ArticleError, place: str, seen: set[int]) -> None:
    """Say when an id comes again: each row has its record, but a join on the id will not be one to one."""
    id = content.get("id") if isinstance(content, dict) else None
    if id is None:
        return
    key = hash(str(id))
    if key in seen:
        LOG.warning("%s: the id %r was there before; both rows are scored", place, str(id))
    elif len(seen) < _REMEMBERED_IDS:
        seen.add(key)
