"""Rows scored by processes side by side, and given back in order."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from .errors import ArticleError, DetenteError
from .predictor import Predictor
from .threads import cores
from .totals import Totals, kind_of
from .writing import Format

Content = dict[str, Any] | ArticleError
Place = tuple[int, int]
"""Where reading stands: the number of an input, counted from 0, and how many of its rows are read."""

_ROWS = 64
"""Rows of a task: few enough that processes end at about the same time, and that what waits is little."""

_CHARACTERS = 1_000_000
_AHEAD = 2
"""Tasks that wait for each worker besides the one it works on: enough that it never waits for the reader."""


class WorkerError(DetenteError):
    """A process that scores has ended before its work."""


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


def scored(work: Iterable[Task], predictor: Predictor, format: Format, workers: int) -> Generator[Scored, None, None]:
    """The records of tasks, in order; what is a single task is scored in this process.

    Closed early, or at an error, it ends its workers at once.

    Args:
        work: the tasks; at most three for each worker are held at a time.
        predictor: each worker loads its bundle for itself.
        format: of the output.
        workers: processes to score with.

    Raises:
        WorkerError: a process was killed, by lack of memory or otherwise.
    """
    left = iter(work)
    head = list(islice(left, 2))
    left = chain(head, left)
    if workers == 1 or len(head) < 2:
        predictor.ready()
        yield from (score(predictor, format, task) for task in left)
        return
    threads = predictor.threads or max(1, cores() // workers)
    context = get_context("spawn")
    alive, held = context.Pipe(duplex=False)
    settings = (predictor.with_threads(threads), format, alive)
    with alive, held, ProcessPoolExecutor(workers, context, _begin, settings) as pool:
        try:
            for task, future in _in_order(pool, left, workers * (1 + _AHEAD)):
                yield _result(task, future, predictor, format)
            pool.shutdown()
        except (BrokenProcessPool, MemoryError) as error:
            raise WorkerError("a process that scores was killed or ran out of memory; --resume goes on") from error
        finally:
            held.close()  # workers that are still at it end at once


def _in_order(pool: ProcessPoolExecutor, left: Iterator[Task], most: int) -> Iterator[tuple[Task, Future[Scored]]]:
    waiting: deque[tuple[Task, Future[Scored]]] = deque()
    for task in left:
        waiting.append((task, _submitted(pool, task)))
        while waiting and (len(waiting) >= most or waiting[0][1].done()):
            yield waiting.popleft()
    yield from waiting


def _submitted(pool: ProcessPoolExecutor, task: Task) -> Future[Scored]:
    """Workers begin here, and an interrupt never reaches them: who began the run ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        return pool.submit(_work, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(task: Task, future: Future[Scored], predictor: Predictor, format: Format) -> Scored:
    try:
        return future.result()
    except RecursionError:  # JSON can be nested deeper than what is sent to another process
        return score(predictor.ready(), format, task)


_OWN: list[tuple[Predictor, Format]] = []
"""What a worker process scores with, and nothing in any other process."""


_SENDING = threading.Lock()
"""Held in a worker process from the end of one task to the beginning of the next."""

_SEND_SECONDS = 5
"""How long a worker may take to send what it has scored when nobody wants it any more."""


def _begin(predictor: Predictor, format: Format, alive: Connection) -> None:
    threading.Thread(target=_end_with_parent, args=[alive], daemon=True).start()
    _OWN.append((predictor, format))


def _end_with_parent(alive: Connection) -> None:
    """Not to wait for ever for tasks of a process that was killed, nor to finish those of one that has given up."""
    alive.poll(None)  # nothing is ever sent: this returns when the other end is closed
    _SENDING.acquire(timeout=_SEND_SECONDS)  # who has received half a result waits for the rest for ever
    os._exit(1)


def _work(task: Task) -> Scored:
    if _SENDING.locked():
        _SENDING.release()
    try:
        predictor, format = _OWN[0]
        return score(predictor.ready(), format, task)
    finally:
        _SENDING.acquire()
