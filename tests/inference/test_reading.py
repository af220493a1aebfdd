from __future__ import annotations

import csv
import datetime
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ArticleError, InputError
from inference.reading import read_article, read_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(st.fixed_dictionaries({"id": TEXT, "title": TEXT, "text": TEXT}), max_size=5)


def contents(path: Path, **options: str) -> list[dict[str, Any] | ArticleError]:
    return [row.content for row in read_rows(str(path), **options)]


def reasons(path: Path) -> list[str | None]:
    return [str(row) if isinstance(row, ArticleError) else None for row in contents(path)]


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@given(ROWS)
def test_all_formats_give_the_same_rows(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "a.jsonl").write_text(lines, "utf-8")
    pq.write_table(
        pa.Table.from_pylist(rows, pa.schema([(key, pa.string()) for key in ("id", "title", "text")])),
        folder / "a.parquet",
    )
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["id", "title", "text"], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    assert contents(folder / "a.jsonl") == contents(folder / "a.parquet") == rows
    # An empty cell of CSV is an absent value; but for that the rows are the same.
    assert contents(folder / "a.csv") == [
        {key: value for key, value in row.items() if value or key == "text"} for row in rows
    ]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_an_empty_file_has_no_rows(tmp_path, name):
    assert contents(file(tmp_path, name, b"")) == []


def test_a_table_without_rows_has_none(tmp_path):
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "a.parquet")
    assert contents(tmp_path / "a.parquet") == contents(file(tmp_path, "a.csv", b"id,text\n")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "x"', "line 2: broken JSON: Expecting ',' delimiter"),
        (b"[1]", "line 2: found list, expected an object"),
        (b"null", "line 2: found NoneType, expected an object"),
        (b'{"text": "\xff"}', "line 2: not valid UTF-8 at byte 10"),
        (b"[" * 200_000, "line 2: broken JSON"),
        (b'{"text": ' + b"9" * 5000 + b"}", "line 2: broken JSON: Exceeds the limit"),
    ],
)
def test_a_broken_line_does_not_stop_the_others(tmp_path, line, reason):
    path = file(tmp_path, "a.jsonl", b'{"text": "one"}\n' + line + b'\n\n{"text": "two"}')
    first, bad, last = contents(path)
    assert (first, last) == ({"text": "one"}, {"text": "two"})
    assert str(bad).startswith(f"{path}, {reason}")


def test_json_lines_of_windows(tmp_path):
    assert contents(file(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"text": "a"}\r\n{"text": "b"}\r\n')) == [
        {"text": "a"},
        {"text": "b"},
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", b'{"body": "x", "id": 1}'), ("a.csv", b"body,id\nx,1\n"), ("b.csv", "\ufeffbody,id\n".encode())],
)
def test_without_the_column_the_file_is_refused(tmp_path, name, content):
    path = file(tmp_path, name, content)
    with pytest.raises(InputError, match="no column `text`; found body, id") as error:
        contents(path)
    assert str(path) in str(error.value)


def test_parquet_without_the_column_is_refused(tmp_path):
    pq.write_table(pa.table({"body": ["x"], "id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no column `text`; found body, id"):
        contents(tmp_path / "a.parquet")


def test_another_column_can_be_the_required_one(tmp_path):
    assert contents(file(tmp_path, "a.csv", b"id,topic\n1,\n"), required="id") == [{"id": "1"}]


def test_csv_rows_that_cannot_be_read(tmp_path):
    path = file(tmp_path, "a.csv", b'id,text\n1,fine\n2,caf\xe9\n3,too,many\n4\n\n5,"two\nlines"\n')
    assert reasons(path) == [
        None,
        f"{path}, line 3: column 'text' is not valid UTF-8",
        f"{path}, line 4: found 3 cells, expected 2",
        f"{path}, line 5: found 1 cells, expected 2",
        None,
    ]
    bad = contents(path)[1]
    assert isinstance(bad, ArticleError)
    assert bad.id == "2"


@pytest.mark.parametrize("cell", [b'"never closed\nand on\n', b'"closed" too early\n'])
def test_csv_with_a_broken_quote_is_refused(tmp_path, cell):
    path = file(tmp_path, "a.csv", b"id,text\n1,fine\n2," + cell)
    with pytest.raises(InputError, match="broken CSV in the row that begins on line 3"):
        contents(path)


def test_csv_with_a_large_cell_and_a_nul(tmp_path):
    limit = csv.field_size_limit()
    rows = read_rows(str(file(tmp_path, "a.csv", b"text\n" + b"x" * 300_000 + b"\na\x00b\n")))
    assert next(rows).content == {"text": "x" * 300_000}
    assert csv.field_size_limit() == limit, "the limit is the process's own"
    assert next(rows).content == {"text": "a\x00b"}


def test_parquet_keeps_types(tmp_path):
    day = datetime.date(2020, 1, 2)
    table = pa.table(
        {"text": ["x"], "id": [7], "date": [day], "actors": [["Iran"]], "more": [{"deep": [1, None]}], "none": [None]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    assert contents(tmp_path / "a.parquet") == [
        {"text": "x", "id": 7, "date": day, "actors": ["Iran"], "more": {"deep": [1, None]}, "none": None}
    ]


def test_parquet_row_that_cannot_be_read_does_not_stop_the_others(tmp_path):
    offsets, data = pa.py_buffer(b"\x00\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0"), pa.py_buffer(b"a\xffb")
    text = pa.StringArray.from_buffers(3, offsets, data)
    pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
    first, bad, last = contents(tmp_path / "a.parquet")
    assert (first, last) == ({"text": "a"}, {"text": "b"})
    assert "row 2: cannot be read" in str(bad)


@pytest.mark.parametrize("keep", [0, 3, 200, -1])
def test_parquet_cut_short_is_refused(tmp_path, keep):
    pq.write_table(pa.table({"text": ["x" * 50] * 100}), tmp_path / "whole.parquet")
    path = file(tmp_path, "a.parquet", (tmp_path / "whole.parquet").read_bytes()[:keep])
    with pytest.raises(InputError, match=r"a.parquet: "):
        contents(path)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.jsonl.gz", "a.CSVX"])
def test_unknown_ending(tmp_path, name):
    with pytest.raises(InputError, match=r"expected one of .jsonl, .csv, .parquet"):
        contents(file(tmp_path, name, b""))


def test_capital_ending(tmp_path):
    assert contents(file(tmp_path, "A.JSONL", b'{"text": "x"}')) == [{"text": "x"}]


def test_missing_input(tmp_path):
    for path in (tmp_path / "a.csv", tmp_path):
        with pytest.raises(InputError, match="no such file"):
            contents(path)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "x"}\n{')))
    first, bad = read_rows("-")
    assert first.content == {"text": "x"}
    assert str(bad.content).startswith("standard input, line 2: broken JSON")


@pytest.mark.parametrize(
    ("content", "title", "text"),
    [
        ("Headline\n\nBody\nmore\n", "Headline", "Body\nmore"),
        ("Headline\r\n\r\nBody", "Headline", "Body"),
        ("First line\nsecond line", "", "First line\nsecond line"),
        ("Only a line\n\n", "", "Only a line\n\n"),
        ("\ufeffHeadline\n\nBody", "Headline", "Body"),
        ("", "", ""),
    ],
)
def test_a_text_file_is_an_article(tmp_path, content, title, text):
    article = read_article(str(file(tmp_path, "news.txt", content.encode())))
    assert (article.id, article.title, article.text) == ("news", title, text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'[{"id": 1, "text": "x"}, {"id": 2, "text": "y"}]'),
        ("a.jsonl", b'{"id": 1, "text": "x"}\n{\n{"id": 2, "text": "y"}\n'),
        ("a.csv", b"id,text\n1,x\n2,y\n"),
    ],
)
def test_one_of_several_articles(tmp_path, name, content):
    path = str(file(tmp_path, name, content))
    assert read_article(path).text == "x"
    assert read_article(path, "2").text == "y"
    with pytest.raises(InputError, match="no article with the id '3'"):
        read_article(path, "3")


def test_a_single_object_is_an_article(tmp_path):
    assert read_article(str(file(tmp_path, "a.json", b'{"text": "x"}'))).id == "1"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b"{", "broken JSON"),
        ("a.json", b"[]", "holds no article"),
        ("a.json", b"3", "found int"),
        ("a.json", b'{"body": "x"}', "no `text`: found body"),
        ("a.txt", b"caf\xe9", "not valid UTF-8 at byte 3"),
        ("a.doc", b"", "expected one of .txt, .json, .jsonl, .csv, .parquet"),
        ("a.jsonl", b"{", "line 1: broken JSON"),
    ],
)
def test_no_article_there(tmp_path, name, content, message):
    with pytest.raises((InputError, ArticleError), match=message):
        read_article(str(file(tmp_path, name, content)))
