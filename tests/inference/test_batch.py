from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference import progress
from inference.batch import predict_files
from inference.errors import InputError
from inference.predictor import Predictor
from inference.schema import Article

from .conftest import records_of, write_articles
from .quick import Quick


def scored(predictor: Predictor, inputs: Sequence[object], output: Path, **options: Any) -> list[Any]:
    predict_files(predictor, [str(path) for path in inputs], str(output), **options)
    return records_of(output)


@pytest.fixture
def news(tmp_path, articles):
    return write_articles(
        tmp_path / "news.jsonl", [{"id": one.id, "title": one.title, "text": one.text} for one in articles]
    )


def test_records_are_equal_in_both_formats(predictor, news, tmp_path, articles):
    lines, table = (scored(predictor, [news], tmp_path / name) for name in ("out.jsonl", "out.parquet"))
    assert lines == table == [json.loads(json.dumps(one.to_dict())) for one in predictor.predict(articles)]


def test_several_inputs_in_their_order(linear, tmp_path):
    first = write_articles(tmp_path / "a.jsonl", [{"text": "x"}, {"text": "y"}])
    (tmp_path / "b.csv").write_text("id,text\nb1,x\n,y\n")
    pq.write_table(pa.table({"id": [5], "text": ["x"]}), tmp_path / "c.parquet")
    records = scored(linear, [first, tmp_path / "b.csv", tmp_path / "c.parquet"], tmp_path / "out.jsonl")
    assert [record["id"] for record in records] == ["1", "2", "b1", "4", "5"]


def test_bad_rows_have_their_records(linear, tmp_path, caplog):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "x"}\n{"text": \n{"text": ""}\n{"text": "\xff"}\n{"id": "e", "text": 5}\n')
    totals = predict_files(linear, [str(path)], str(tmp_path / "out.jsonl"))
    assert totals.statuses == {"ok": 1, "empty": 1, "error": 3}
    assert totals.reasons == {"broken JSON": 1, "not valid UTF-8 at byte …": 1, "`text` is int": 1}
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(record["id"], record["status"]) for record in records] == [
        ("1", "ok"),
        ("2", "error"),
        ("3", "empty"),
        ("4", "error"),
        ("e", "error"),
    ]
    assert f"{path}, line 2: broken JSON" in records[1]["error"]
    assert f"{path}, line 4: not valid UTF-8" in records[3]["error"]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 3


def test_ids_that_come_twice_are_scored_twice_and_told(linear, tmp_path, caplog):
    path = write_articles(
        tmp_path / "a.jsonl", [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}, {"id": 1, "text": "z"}]
    )
    records = scored(linear, [path], tmp_path / "out.jsonl")
    assert [(record["id"], record["status"]) for record in records] == [("a", "ok"), ("a", "ok"), ("1", "ok")]
    assert caplog.messages == [f"{path}, line 2: the id 'a' was there before; both rows are scored"]


def test_many_duplicates_are_counted(linear, tmp_path, caplog):
    path = write_articles(tmp_path / "a.jsonl", [{"id": "a", "text": "x"}] * 100)
    assert len(scored(linear, [path], tmp_path / "out.jsonl")) == 100
    assert len(caplog.messages) == 6
    assert caplog.messages[-1] == "99 rows in all have an id that was there before"


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
def test_no_rows_make_a_valid_output(linear, tmp_path, output):
    assert scored(linear, [write_articles(tmp_path / "a.jsonl", [])], tmp_path / output) == []


def test_nothing_is_scored_when_any_file_is_wrong(linear, news, tmp_path, monkeypatch):
    monkeypatch.setattr(type(linear), "predict", lambda *_, **__: pytest.fail("an article was scored"))
    (tmp_path / "a.txt").write_text("")
    for inputs, output, message in (
        ([news, "nowhere.jsonl"], "out.jsonl", "nowhere.jsonl: no such file"),
        ([news, str(tmp_path / "a.txt")], "out.jsonl", "found the ending '.txt'"),
        ([news], "out.csv", "expected one of .jsonl, .parquet"),
        ([news], "nowhere/out.jsonl", "cannot be written"),
        ([news], "news.jsonl", "news.jsonl: is also an input"),
        ([str(tmp_path)], "news.jsonl", "news.jsonl: is also an input"),
        ([str(tmp_path / "*.jsonl")], "news.jsonl", "news.jsonl: is also an input"),
        ([str(tmp_path / "*.csv")], "out.jsonl", "no file matches"),
    ):
        with pytest.raises(InputError, match=message):
            predict_files(linear, inputs, str(tmp_path / output))


def test_a_file_that_breaks_later_leaves_no_output(linear, news, tmp_path):
    (tmp_path / "b.csv").write_text("id,body\n")
    with pytest.raises(InputError, match=r"b.csv, line 1: no column `text`; found id, body"):
        predict_files(linear, [news, str(tmp_path / "b.csv")], str(tmp_path / "out.jsonl"))
    assert {path.name for path in tmp_path.iterdir()} == {"news.jsonl", "b.csv"}


KEPT = [
    {"id": "a", "text": "Russia praised Iran.", "date": "2016-08-02", "outlet": {"name": "x"}, "words": 3},
    {"id": "b", "text": ""},
    {"id": "c", "text": 5, "date": "2016-08-03\ud83d", "words": 2**70},
]


@pytest.mark.parametrize("output", ["out.jsonl", "out.parquet"])
def test_columns_that_are_kept_stand_in_every_record(linear: Predictor, tmp_path: Path, output: str):
    news = tmp_path / "news.jsonl"
    news.write_text("".join(json.dumps(row) + "\n" for row in KEPT), "utf-8")
    predict_files(linear, [str(news)], str(tmp_path / output), ["words", "date", "outlet"])
    records = records_of(tmp_path / output)
    assert [record["date"] for record in records] == ["2016-08-02", None, "2016-08-03?"]
    text = output.endswith(".parquet")
    assert [record["words"] for record in records] == (["3", None, str(2**70)] if text else [3, None, 2**70])
    assert records[0]["outlet"] == ('{"name": "x"}' if text else {"name": "x"})
    assert [record["status"] for record in records] == ["ok", "empty", "error"]


def test_a_date_is_kept_as_it_reads_and_no_number_as_null(linear: Predictor, tmp_path: Path):
    news = tmp_path / "news.parquet"
    table = {"text": ["Iran"], "date": [date(2016, 8, 22)], "share": [float("nan")], "all": [[1.0, float("inf")]]}
    pq.write_table(pa.table(table), news)
    for output in ("out.jsonl", "out.parquet"):
        predict_files(linear, [str(news)], str(tmp_path / output), ["date", "share", "all"])
        (record,) = records_of(tmp_path / output)
        text = output.endswith(".parquet")
        assert record["date"] == "2016-08-22"
        assert record["share"] == ("null" if text else None)
        assert record["all"] == ("[1.0, null]" if text else [1.0, None])


def test_an_output_that_cannot_be_is_refused_before_anything_is_read(linear: Predictor, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("inference.batch.identify", lambda path: pytest.fail("was read"))
    news = write_articles(tmp_path / "news.jsonl", [{"text": "Iran"}])
    with pytest.raises(InputError, match="cannot be written: there is no directory"):
        predict_files(linear, [news], str(tmp_path / "nowhere" / "out.jsonl"))


def test_a_column_that_no_row_has_is_told(linear: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    news = write_articles(tmp_path / "news.jsonl", [{"text": "Iran", "date": "2016"}])
    predict_files(linear, [news], str(tmp_path / "out.parquet"), ["dtae", "date"])
    assert "no row has dtae to keep" in caplog.text
    assert records_of(tmp_path / "out.parquet")[0]["dtae"] is None


def test_a_column_that_no_row_has_is_told_of_those_since_the_run_went_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    news = write_articles(tmp_path / "news.jsonl", [{"text": "x", "date": "2016"}, {"text": "x"}])
    with pytest.raises(KeyboardInterrupt):
        scored(Quick(partial(interrupt, "2")), [news], tmp_path / "out.jsonl", keep=["date"], workers=1, part_rows=1)
    scored(Quick(), [news], tmp_path / "out.jsonl", keep=["date"], part_rows=1, resume=True)
    assert caplog.messages == ["no row since the run went on has date to keep"]


def test_a_field_of_the_record_is_not_replaced(linear: Predictor, tmp_path: Path):
    with pytest.raises(InputError, match="--keep topics: the record has a field of this name"):
        predict_files(linear, [write_articles(tmp_path / "a.jsonl", [])], str(tmp_path / "out.jsonl"), ["topics"])


# What records do not depend on


def many(articles: Sequence[Article], number: int) -> list[dict[str, str]]:
    """Articles of several lengths: those of the fixture, one to four together."""
    return [
        {
            "id": str(row),
            "text": " ".join(articles[(row * 7 + more) % len(articles)].text for more in range(row % 4 + 1)),
        }
        for row in range(number)
    ]


def test_the_same_bytes_come_from_any_number_of_workers(bundle: Path, tmp_path: Path, articles):
    assert_same_bytes(bundle, tmp_path, articles, [(1, 1), (2, None)])


def test_the_same_bytes_come_from_any_number_of_threads(encoder_bundle: Path, tmp_path: Path, articles):
    assert_same_bytes(encoder_bundle, tmp_path, articles, [(1, None), (1, 1), (1, 3)])


def assert_same_bytes(
    bundle: Path, folder: Path, articles: Sequence[Article], ways: list[tuple[int, int | None]]
) -> None:
    """Equal outputs of some numbers of workers and threads."""
    news, outputs = write_articles(folder / "news.jsonl", many(articles, 200)), []
    for workers, threads in ways:
        options: dict[str, Any] = {"workers": workers, "part_rows": 70}
        predict_files(Predictor.load(bundle, threads), [news], str(folder / "out.jsonl"), **options)
        outputs.append((folder / "out.jsonl").read_bytes())
    assert len(set(outputs)) == 1
    assert outputs[0].count(b"\n") == 200


def test_records_do_not_depend_on_parts_and_neighbours(predictor: Predictor, tmp_path: Path, articles):
    rows = many(articles, 40)
    news, alone = write_articles(tmp_path / "a.jsonl", rows), write_articles(tmp_path / "b.jsonl", rows[7:8])
    options = [{"part_rows": number, "workers": 1} for number in (1, 3, 1000)]
    first, *others = (scored(predictor, [news], tmp_path / "out.jsonl", **each) for each in options)
    for records in others:
        for ours, theirs in zip(records, first, strict=True):
            assert_like(ours, theirs)
    assert_like(scored(predictor, [alone], tmp_path / "out.jsonl")[0], first[7])


def assert_like(ours: Any, theirs: Any) -> None:
    """Equal, but for the last digits of scores."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_like(ours[key], theirs[key])
    elif isinstance(ours, list):
        for one, other in zip(ours, theirs, strict=True):
            assert_like(one, other)
    else:
        assert ours == (pytest.approx(theirs, abs=1e-5) if isinstance(ours, float) else theirs)


def test_huge_rows_and_deep_ones_are_rows_like_others(tmp_path: Path):
    deep = "[" * 400 + "]" * 400
    news = tmp_path / "news.jsonl"
    lines = ['{"text": "x"}', f'{{"text": "{"x" * 5_000_000}"}}', f'{{"text": "x", "more": {deep}}}', '{"text": "x"}']
    news.write_text("\n".join(lines) + "\n")
    for workers in (1, 2):
        records = scored(Quick(), [news], tmp_path / "out.jsonl", workers=workers, part_rows=1)
        assert [(record["id"], record["status"]) for record in records] == [
            ("1", "ok"), ("2", "ok"), ("3", "ok"), ("4", "ok"),
        ]  # fmt: skip


# Inputs that go wrong


def interrupt(at: str, id: str) -> None:
    if id == at:
        raise KeyboardInterrupt


@pytest.mark.parametrize("change", ["append", "touch", "replace", "remove"])
def test_an_input_that_changes_while_it_is_read_is_told(tmp_path: Path, change: str):
    news = Path(write_articles(tmp_path / "news.jsonl", [{"id": str(row), "text": "x"} for row in range(600)]))

    def changed(id: str) -> None:
        if id != "5":
            return
        if change == "append":
            with news.open("a") as file:
                file.write('{"text": "x"}\n')
        elif change == "touch":
            os.utime(news, ns=(0, 0))
        elif change == "replace":
            write_articles(tmp_path / "other", [{"text": "x"}])
            (tmp_path / "other").replace(news)
        else:
            news.unlink()

    with pytest.raises(InputError, match=r"news.jsonl: (changed while it was read|no such file)"):
        scored(Quick(changed), [news], tmp_path / "out.jsonl", workers=1)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("b.csv", b'text\nx\n"x', r"b.csv: broken CSV in the row that begins on line 3"),
        ("b.parquet", b"PAR1 no more", r"b.parquet: not a whole Parquet file"),
        ("b.jsonl.gz", b"\x1f\x8b\x08\x00", r"b.jsonl.gz: not a whole gzip file"),
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_input_among_many_leaves_no_output_but_parts(
    tmp_path: Path, name: str, content: bytes, message: str, workers: int
):
    rows = [{"text": "x"} for _ in range(30)]
    inputs: list[object] = [write_articles(tmp_path / each, rows) for each in ("a.jsonl", "c.jsonl")]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        scored(Quick(), [inputs[0], tmp_path / name, inputs[1]], tmp_path / "out.jsonl", workers=workers, part_rows=1)
    assert not (tmp_path / "out.jsonl").exists()
    if workers == 1:
        assert len(list((tmp_path / ".out.jsonl.parts").glob("part-*"))) >= 30


def test_failures_are_told_by_name_up_to_five_and_then_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    news = write_articles(tmp_path / "news.jsonl", [{"id": f"a{row}", "text": 5} for row in range(9)])
    scored(Quick(), [news], tmp_path / "out.jsonl", part_rows=2, workers=1)
    told = [f"id a{row}: `text` is int (5), expected a string" for row in range(5)]
    assert caplog.messages == [*told, "9 rows in all failed; the records say why"]


@pytest.mark.parametrize(("inputs", "output"), [("-", "out.jsonl"), ("news.jsonl", "-")])
def test_what_comes_through_a_pipe_does_not_go_on(tmp_path: Path, monkeypatch, inputs: str, output: str):
    monkeypatch.chdir(tmp_path)
    write_articles(tmp_path / "news.jsonl", [])
    with pytest.raises(InputError, match="--resume: what comes through a pipe is gone"):
        predict_files(Quick(), [inputs], output, resume=True)


# The file of figures


def figures(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_figures_are_finished_when_the_output_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "_FILE_SECONDS", 0.0)
    news = write_articles(tmp_path / "news.jsonl", [{"text": "x"}] * 9)
    metrics, seen = tmp_path / "metrics.json", []

    def look(_: str) -> None:
        seen.append((figures(metrics)["articles"], figures(metrics)["finished"]))

    scored(Quick(look), [news], tmp_path / "out.jsonl", workers=1, part_rows=2, metrics=str(metrics))
    assert seen == [(row - row % 2, False) for row in range(9)]
    last = figures(metrics)
    assert (last["articles"], last["expected"], last["finished"], last["model"]) == (9, 9, True, "quick")


def test_figures_are_not_finished_where_the_output_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    news = write_articles(tmp_path / "news.jsonl", [{"text": "x"}] * 9)
    metrics = tmp_path / "metrics.json"
    options: dict[str, Any] = {"workers": 1, "part_rows": 2, "metrics": str(metrics)}
    with pytest.raises(KeyboardInterrupt):
        scored(Quick(partial(interrupt, "6")), [news], tmp_path / "out.jsonl", **options)
    assert (figures(metrics)["articles"], figures(metrics)["finished"]) == (4, False)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="No space left"):
        patch.setattr("inference.writing.JsonLines.join", full)
        scored(Quick(), [news], tmp_path / "out.jsonl", resume=True, **options)
    assert (figures(metrics)["articles"], figures(metrics)["finished"]) == (9, False)
    scored(Quick(), [news], tmp_path / "out.jsonl", resume=True, **options)
    last = figures(metrics)
    assert (last["articles"], last["articles_before"], last["finished"]) == (9, 9, True)


def test_figures_replace_neither_input_nor_output(tmp_path: Path):
    news, output = write_articles(tmp_path / "news.jsonl", [{"text": "x"}]), tmp_path / "out.jsonl"
    for metrics, message in ((news, "is also an input"), (str(output), "is also the output")):
        with pytest.raises(InputError, match=message):
            predict_files(Quick(), [news], str(output), metrics=metrics)
    assert [path.name for path in tmp_path.iterdir()] == ["news.jsonl"]
