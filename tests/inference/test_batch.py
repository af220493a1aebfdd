from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference.batch import predict_files
from inference.errors import InputError
from inference.predictor import Predictor

from .conftest import write_articles


def scored(predictor: Predictor, inputs: Sequence[object], output: Path) -> list[Any]:
    predict_files(predictor, [str(path) for path in inputs], str(output))
    return records_of(output)


def records_of(output: Path) -> list[Any]:
    if output.suffix == ".parquet":
        return list(pq.read_table(output).to_pylist())
    return [json.loads(line) for line in output.read_text("utf-8").splitlines()]


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
    counts = predict_files(linear, [str(path)], str(tmp_path / "out.jsonl"))
    assert counts == {"ok": 1, "empty": 1, "error": 3}
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
    monkeypatch.setattr(type(linear), "predict", lambda *_: pytest.fail("an article was scored"))
    (tmp_path / "a.txt").write_text("")
    for inputs, output, message in (
        ([news, "nowhere.jsonl"], "out.jsonl", "nowhere.jsonl: no such file"),
        ([news, str(tmp_path / "a.txt")], "out.jsonl", "found the ending '.txt'"),
        ([news], "out.csv", "expected .jsonl or .parquet"),
        ([news], "nowhere/out.jsonl", "cannot be written"),
        ([news], "news.jsonl", "is also an input"),
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


def test_a_column_that_no_row_has_is_told(linear: Predictor, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    news = write_articles(tmp_path / "news.jsonl", [{"text": "Iran", "date": "2016"}])
    predict_files(linear, [news], str(tmp_path / "out.parquet"), ["dtae", "date"])
    assert "no row has dtae to keep" in caplog.text
    assert records_of(tmp_path / "out.parquet")[0]["dtae"] is None


def test_a_field_of_the_record_is_not_replaced(linear: Predictor, tmp_path: Path):
    with pytest.raises(InputError, match="--keep topics: the record has a field of this name"):
        predict_files(linear, [write_articles(tmp_path / "a.jsonl", [])], str(tmp_path / "out.jsonl"), ["topics"])
