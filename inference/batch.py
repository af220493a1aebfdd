"""Files in, one file out."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .errors import ArticleError, InputError
from .predictor import Predictor
from .reading import check_input, read_rows
from .writing import SCHEMA, writer

LOG = logging.getLogger(__name__)

_REMEMBERED_IDS = 1_000_000
"""Ids that are checked for duplicates; more would cost memory without bound."""

_TOLD_IDS = 5
"""Duplicates that are named one by one; the others are counted."""


def predict_files(predictor: Predictor, inputs: Sequence[str], output: str, keep: Sequence[str] = ()) -> Counter[str]:
    """Score the rows of files into one output, in order.

    Args:
        predictor: a loaded bundle.
        inputs: `.jsonl`, `.csv` or `.parquet` files, or `-`.
        output: a `.jsonl` or `.parquet` file, or `-`.
        keep: columns of the inputs that are carried into the records; null where a row has none or cannot be read. One
            that no row has is warned of.

    Returns:
        How many records have each status.

    Raises:
        InputError: an input as a whole cannot be read, a column to keep has the name of a field of the record, or the
            output cannot be written; then no output is left.
    """
    taken = [column for column in keep if column in SCHEMA.names]
    if taken:
        raise InputError(f"--keep {taken[0]}: the record has a field of this name")
    for path in inputs:
        check_input(path)
        if "-" not in (path, output) and Path(path).resolve() == Path(output).resolve():
            raise InputError(f"{output}: is also an input")
    counts: Counter[str] = Counter()
    kept: deque[dict[str, Any]] = deque()
    missing = set(keep)
    with writer(output, keep) as write:
        # The bar shows on a terminal only.
        for prediction in tqdm(predictor.predict(_keeping(_rows(inputs), keep, kept)), unit=" articles", disable=None):
            counts[prediction.status] += 1
            if prediction.status == "error":
                LOG.warning("id %s: %s", prediction.id, prediction.error)
            carried = kept.popleft()
            missing.difference_update(column for column, value in carried.items() if value is not None)
            write(prediction.to_dict() | carried)
    if missing and counts:
        LOG.warning("no row has %s to keep", ", ".join(sorted(missing)))
    return counts


def _keeping(
    rows: Iterable[dict[str, Any] | ArticleError], columns: Sequence[str], kept: deque[dict[str, Any]]
) -> Iterator[dict[str, Any] | ArticleError]:
    """The rows as they are; what is to be kept of each waits in `kept` until its record comes."""
    for row in rows:
        kept.append({column: row.get(column) if isinstance(row, dict) else None for column in columns})
        yield row


def _rows(inputs: Sequence[str]) -> Iterator[dict[str, Any] | ArticleError]:
    """All rows; an id that comes again is told, since a join on it will not be one to one."""
    seen: set[int] = set()
    again = 0
    for path in inputs:
        for row in read_rows(path):
            if _is_duplicate(row.content, seen):
                again += 1
                if again <= _TOLD_IDS:
                    LOG.warning("%s: the id %r was there before; both rows are scored", row.place, _id(row.content))
            yield row.content
    if again > _TOLD_IDS:
        LOG.warning("%d rows in all have an id that was there before", again)


def _is_duplicate(content: dict[str, Any] | ArticleError, seen: set[int]) -> bool:
    id = _id(content)
    if id is None:
        return False
    key = hash(id)
    if key in seen:
        return True
    if len(seen) < _REMEMBERED_IDS:
        seen.add(key)
    return False


def _id(content: dict[str, Any] | ArticleError) -> str | None:
    id = content.get("id") if isinstance(content, dict) else content.id
    return None if id is None else str(id)
