from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import InputError
from inference.schema import Actor, Evidence, ModelInfo, Prediction, Span, Stance, Topic
from inference.writing import SCHEMA, writer

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


def write(path, records) -> None:
    with writer(str(path)) as one:
        for record in records:
            one(record)


def read(path: Path) -> list[Any]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path).to_pylist())
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


@given(st.lists(PREDICTION, max_size=4))
def test_both_formats_hold_the_same_records(tmp_path_factory, predictions):
    folder = tmp_path_factory.mktemp("out")
    records = [prediction.to_dict() for prediction in predictions]
    for name in ("a.jsonl", "a.parquet"):
        write(folder / name, records)
    expected = json.loads(json.dumps(records))
    assert read(folder / "a.jsonl") == read(folder / "a.parquet") == expected


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet", "A.JSONL"])
def test_no_records_make_a_valid_file(tmp_path, name):
    write(tmp_path / name, [])
    if name == "a.parquet":
        assert pq.read_schema(tmp_path / name) == SCHEMA
    assert read(tmp_path / name) == []


def test_more_rows_than_a_group_keep_their_order(tmp_path):
    records = [Prediction(str(number), "ok", None, (), (), (), ModelInfo("d")).to_dict() for number in range(2500)]
    write(tmp_path / "a.parquet", records)
    assert [record["id"] for record in read(tmp_path / "a.parquet")] == [str(number) for number in range(2500)]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_not_finished_leaves_the_old_file(tmp_path, name, error):
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(error), writer(str(path)) as one:
        one(Prediction("1", "ok", None, (), (), (), ModelInfo("d")).to_dict())
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [name]


def test_an_output_that_cannot_be_written_is_refused_before_any_row(tmp_path):
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "file").write_text("")
    refused = {
        "folder.jsonl": "it is a directory",
        "nowhere/a.jsonl": "No such file",
        "file/a.jsonl": "Not a directory",
        "a.csv": "expected .jsonl or .parquet",
        "a": "expected .jsonl or .parquet",
        f"{'a' * 300}.jsonl": "name too long",
    }
    for name, message in refused.items():
        with pytest.raises(InputError, match=message), writer(str(tmp_path / name)):
            pytest.fail("a row was asked for")


def test_standard_output(capfdbinary):
    write("-", [{"id": "é"}])
    assert capfdbinary.readouterr().out == '{"id": "é"}\n'.encode()
