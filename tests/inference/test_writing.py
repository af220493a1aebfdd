from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import InputError
from inference.schema import Actor, Evidence, ModelInfo, Prediction, Span, Stance, Topic
from inference.writing import OUTPUTS, SCHEMA, format_of, write_text

from .conftest import records_of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
SCORE = st.floats(0, 1)
SPAN = st.builds(Span, st.sampled_from(["title", "text"]), st.integers(0, 9), st.integers(0, 9), TEXT)
PREDICTION = st.builds(
    Prediction,
    id=TEXT,
    status=st.sampled_from(["ok", "empty", "error"]),
    error=st.none() | TEXT,
    topics=st.lists(st.builds(Topic, TEXT, SCORE, st.booleans()), max_size=2).map(tuple),
    actors=st.lists(st.builds(Actor, TEXT, st.lists(SPAN, max_size=2).map(tuple)), max_size=2).map(tuple),
    stances=st.lists(
        st.builds(Stance, TEXT, TEXT, TEXT, SCORE, st.lists(st.builds(Evidence, SPAN, SCORE), max_size=2).map(tuple)),
        max_size=2,
    ).map(tuple),
    model=st.builds(ModelInfo, TEXT, st.none() | TEXT, st.none() | TEXT),
)


def write(path: Path, records: Sequence[Mapping[str, Any]], keep: Sequence[str] = (), parts: int = 1) -> None:
    """Write records in so many parts, each of which is encoded in two pieces, and join them."""
    format, size = format_of(str(path), keep), max(1, -(-len(records) // parts))
    files = [path.with_name(f"part-{number}{format.ending}") for number in range(parts)]
    for number, file in enumerate(files):
        part = records[number * size : (number + 1) * size]
        with format.open(file, {"detente.schema": "1"}) as append:
            for piece in (part[: len(part) // 2], part[len(part) // 2 :]):
                if piece:
                    append(format.encode(piece))
    format.join(files, path)


@given(st.lists(PREDICTION, max_size=4), st.integers(1, 3))
def test_all_formats_hold_the_same_records(tmp_path_factory, predictions, parts):
    folder = tmp_path_factory.mktemp("out")
    records = [prediction.to_dict() for prediction in predictions]
    for ending in OUTPUTS:
        write(folder / f"a{ending}", records, parts=parts)
        assert records_of(folder / f"a{ending}") == json.loads(json.dumps(records))


@pytest.mark.parametrize("name", [*(f"a{ending}" for ending in OUTPUTS), "A.JSONL", "a.jsonl.GZ"])
def test_no_records_make_a_valid_file(tmp_path, name):
    write(tmp_path / name, [])
    if name == "a.parquet":
        assert pq.read_schema(tmp_path / name) == SCHEMA
    assert records_of(tmp_path / name) == []


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_others_read_what_is_joined(tmp_path, name):
    write(tmp_path / name, [{"id": str(number)} for number in range(9)], parts=3)
    table = ds.dataset(tmp_path / name, format="json").to_table()
    assert table.column("id").to_pylist() == [str(number) for number in range(9)]


def test_more_rows_than_a_group_keep_their_order(tmp_path):
    records = [Prediction(str(number), "ok", None, (), (), (), ModelInfo("d")).to_dict() for number in range(9000)]
    write(tmp_path / "a.parquet", records, parts=2)
    assert [record["id"] for record in records_of(tmp_path / "a.parquet")] == [str(number) for number in range(9000)]
    assert pq.read_metadata(tmp_path / "a.parquet").num_row_groups == 4


def test_a_parquet_file_says_what_it_is(tmp_path):
    write(tmp_path / "a.parquet", [], parts=2)
    assert pq.read_schema(tmp_path / "a.parquet").metadata[b"detente.schema"] == b"1"


def test_a_column_to_keep_that_is_named_twice_is_kept_once(tmp_path):
    record = Prediction("1", "ok", None, (), (), (), ModelInfo("d")).to_dict() | {"date": "2016"}
    for name in ("a.jsonl", "a.parquet"):
        write(tmp_path / name, [record], ["date", "date"])
        assert records_of(tmp_path / name)[0]["date"] == "2016"


@pytest.mark.parametrize("path", ["a.csv", "a", "a.gz", ".jsonl", "a.csv.gz", "a.parquet.gz", "out/", "a.jsonl/b"])
def test_an_ending_that_no_format_has_is_refused(path):
    with pytest.raises(InputError, match=r"expected one of \.jsonl, \.parquet, \.jsonl\.gz, \.jsonl\.zst"):
        format_of(path)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_text_that_is_not_finished_leaves_the_old_file(tmp_path, monkeypatch, error):
    (tmp_path / "a.json").write_text("old")

    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("inference.writing.settle", interrupted)
    with pytest.raises(error):
        write_text(str(tmp_path / "a.json"), "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.json": "old"}


def test_a_text_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    refused = {
        "folder": "it is a directory",
        "nowhere/a.json": "No such file",
        "file/a.json": "Not a directory",
        "a" * 300: "name too long",
    }
    for name, message in refused.items():
        with pytest.raises(InputError, match=message):
            write_text(str(tmp_path / name), "new")
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "file"}
