from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ArticleError
from inference.tasks import Content, Task, score, tasks
from inference.writing import format_of

from .quick import Quick, rows

LINES = format_of("-")


@given(st.integers(0, 900), st.sampled_from([1, 2, 3, 7, 100, 256, 300, 1000]), st.integers(0, 5))
def test_tasks_hold_every_row_once_and_end_where_parts_end(number: int, part_rows: int, parts_before: int):
    before = parts_before * part_rows
    made = list(tasks(rows(number), before + 1, part_rows))
    assert [row["id"] for task in made for row in task.rows if isinstance(row, dict)] == [
        str(row) for row in range(1, number + 1)
    ]
    first = before + 1
    for task in made:
        last = first + len(task.rows) - 1
        assert (task.first, task.end) == (first, (0, last - before))
        assert (first - 1) // part_rows == (last - 1) // part_rows
        first = last + 1


def test_long_texts_make_small_tasks():
    made = list(tasks(rows(9, "x" * 900_000), 1, 1000))
    assert [len(task.rows) for task in made] == [2, 2, 2, 2, 1]
    assert [len(task.rows) for task in tasks(rows(3, "x" * 5_000_000), 1, 1000)] == [1, 1, 1]


def test_rows_that_are_no_articles_make_tasks_too():
    contents: list[Content] = [{}, {"text": None}, {"text": 5}, ArticleError("broken"), {"text": ["x"]}]
    (task,) = tasks([((0, 1), each) for each in contents], 1, 10)
    done = score(Quick(), LINES, task)
    assert done.totals.statuses == {"error": 4, "ok": 1}
    assert [id for id, _ in done.failures] == ["1", "3", "4", "5"]


def test_columns_that_are_kept_are_told_where_a_row_has_them():
    contents: list[Content] = [{"text": "x", "date": None, "outlet": "y"}, ArticleError("broken")]
    done = score(Quick(), format_of("-", ["date", "outlet"]), Task(1, contents, (0, 2)))
    assert done.kept == {"outlet"}
