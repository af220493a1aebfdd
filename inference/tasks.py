"""Rows in tasks, each scored as one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import ArticleError
from .predictor import Predictor
from .totals import Totals, kind_of
from .writing import Format

Content = dict[str, Any] | ArticleError
Place = tuple[int, int]
"""Where reading stands: the number of an input, counted from 0, and how many of its rows are read."""

_ROWS = 64
"""Rows of a task: few enough that processes end at about the same time, and that what waits is little."""

_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Task:
    """Rows that are scored together.

    Args:
        first: number of the first row in the whole input, counted from 1.
        rows: what was read of each.
        end: where reading stands after the last.
    """

    first: int
    rows: list[Content]
    end: Place


@dataclass(frozen=True, slots=True)
class Scored:
    """The records of a task.

    Args:
        encoded: as the output's format has them.
        totals: how many they are.
        end: where reading stood after them.
        failures: id and reason of those with the status `error`.
        kept: columns to keep that at least one row has.
    """

    encoded: bytes
    totals: Totals
    end: Place
    failures: list[tuple[str, str]] = field(default_factory=list)
    kept: frozenset[str] = frozenset()


def tasks(rows: Iterable[tuple[Place, Content]], first: int, part_rows: int) -> Iterator[Task]:
    """Cut rows into tasks, none of which goes over the end of a part, so that parts do not depend on each other.

    Args:
        rows: each with where reading stands after it.
        first: number of the first of them, counted from 1.
        part_rows: rows of a part.
    """
    waiting: list[Content] = []
    characters = 0
    for number, (end, row) in enumerate(rows, start=first):
        waiting.append(row)
        characters += len(str(row.get("text"))) if isinstance(row, dict) else 0
        if len(waiting) == _ROWS or characters >= _CHARACTERS or number % part_rows == 0:
            yield Task(number + 1 - len(waiting), waiting, end)
            waiting, characters = [], 0
    if waiting:
        yield Task(number + 1 - len(waiting), waiting, end)


def score(predictor: Predictor, format: Format, task: Task) -> Scored:
    """The records of a task, with what is kept of each row."""
    totals, failures, records = Totals(), [], []
    kept: set[str] = set()
    for row, prediction in zip(task.rows, predictor.predict(task.rows, task.first), strict=True):
        carried = {column: row.get(column) if isinstance(row, dict) else None for column in format.keep}
        kept.update(column for column, value in carried.items() if value is not None)
        records.append(prediction.to_dict() | carried)
        totals.statuses[prediction.status] += 1
        if prediction.status == "error":
            totals.reasons[kind_of(prediction.error or "")] += 1
            failures.append((prediction.id, prediction.error or ""))
    return Scored(format.encode(records), totals, task.end, failures, frozenset(kept))
