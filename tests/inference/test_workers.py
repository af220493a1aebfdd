from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from itertools import chain
from time import monotonic, sleep
from typing import Any

import pytest

from inference.errors import BundleError
from inference.tasks import Content, Place, Scored, tasks
from inference.workers import WorkerError, scored
from inference.writing import format_of

from .quick import Quick, alive, killed_at, out_of_memory_at, rows, workers

LINES = format_of("-")


def ids(done: Scored) -> list[str]:
    return [line.split(b'"')[3].decode() for line in done.encoded.splitlines()]


def test_a_row_without_an_id_has_its_number_in_the_whole_input():
    work = tasks((((0, row), {"text": "x"}) for row in range(1, 6)), 31, 10)
    assert [id for done in scored(work, Quick(), LINES, 1) for id in ids(done)] == ["31", "32", "33", "34", "35"]


def test_a_single_task_is_scored_in_this_process():
    (done,) = scored(tasks(rows(5), 1, 10), Quick(), LINES, 2)
    assert ids(done) == ["1", "2", "3", "4", "5"]
    assert workers() == []


def test_no_more_workers_are_begun_than_there_are_tasks():
    done = scored(tasks(rows(3), 1, 1), Quick(), LINES, 16)
    next(done)
    assert len(workers()) <= 3
    assert len(list(done)) == 2


def test_few_tasks_are_taken_ahead_and_records_come_in_order():
    taken = 0

    def counted() -> Iterator[tuple[Place, Content]]:
        nonlocal taken
        for row in rows(40):
            taken += 1
            yield row

    done = scored(tasks(counted(), 1, 1), Quick(), LINES, 2)
    first = next(done)
    assert taken <= 2 * (1 + 2) + 2
    assert [id for each in chain([first], done) for id in ids(each)] == [str(row) for row in range(1, 41)]
    assert alive(workers(), 20) == []


def test_a_run_that_is_given_up_ends_its_workers_at_once():
    """They are busy for a minute, and have more to do after it."""
    done = scored(tasks(rows(99), 1, 1), Quick(partial(_sleep_after, 3)), LINES, 2)
    next(done)
    began = monotonic()
    done.close()
    assert alive(workers(), 20) == []
    assert monotonic() - began < 20


def test_rows_that_cannot_be_read_end_the_run_and_its_workers():
    def broken() -> Iterator[tuple[Place, Content]]:
        yield from rows(9)
        raise BundleError("no more")

    with pytest.raises(BundleError, match="no more"):
        list(scored(tasks(broken(), 1, 1), Quick(), LINES, 2))
    assert alive(workers(), 20) == []


@pytest.mark.parametrize("end", [killed_at, out_of_memory_at])
def test_a_worker_that_is_killed_is_told(end):
    with pytest.raises(WorkerError, match="was killed or ran out of memory"):
        list(scored(tasks(rows(20), 1, 1), Quick(partial(end, "11")), LINES, 2))
    gc.collect()
    assert alive(workers(), 20) == []


def test_workers_that_are_killed_while_they_send_are_told():
    """Their results are larger than what a pipe holds, so that each waits in the middle of one to be read."""
    done = scored(tasks(rows(20, "x" * 1_100_000), 1, 1), Quick(), format_of("-", ["text"]), 2)
    next(done)
    sleep(0.5)
    for worker in workers():
        worker.kill()
    with pytest.raises(WorkerError):
        list(done)
    assert alive(workers(), 20) == []


def test_an_error_in_a_worker_is_raised_here_with_where_it_was():
    with pytest.raises(BundleError, match="no such head") as raised:
        list(scored(tasks(rows(20), 1, 1), Quick(_without_head), LINES, 2))
    assert "_without_head" in raised.value.__notes__[0]


def test_what_is_nested_too_deep_for_another_process_is_scored_in_this_one():
    nested: Any = []
    for _ in range(500):
        nested = [nested]
    work = [((0, row), {"id": str(row), "text": "x", "more": nested if row == 2 else None}) for row in range(1, 6)]
    done = list(scored(tasks(work, 1, 1), Quick(), LINES, 2))
    assert [id for each in done for id in ids(each)] == ["1", "2", "3", "4", "5"]


def _without_head(id: str) -> None:
    raise BundleError("no such head")


def _sleep_after(last: int, id: str) -> None:
    if int(id) > last:
        sleep(60)
