from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ArticleError, InputError
from inference.reading import kind, read_article, read_rows
from inference.schema import Article

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ROWS = st.lists(st.fixed_dictionaries({"id": TEXT, "title": TEXT, "text": TEXT}), max_size=5)
COMPRESSED = ["a.jsonl.gz", "a.jsonl.zst", "a.csv.gz", "a.csv.zst"]
NOISE = [str(random.Random(number).random()) for number in range(2000)]
ROWS_OF = {
    ".jsonl": "".join(f'{{"text": "{text}"}}\n' for text in NOISE).encode(),
    ".csv": "".join(f"{text}\n" for text in ["text", *NOISE]).encode(),
}


def contents(path: Path, **options: Any) -> list[dict[str, Any] | ArticleError]:
    return [row.content for row in read_rows(str(path), **options)]


def compressed(name: str, content: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(content, 1)
    if not name.endswith(".zst"):
        return content
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        stream.write(content)
    whole: bytes = out.getvalue().to_pybytes()
    return whole


def told(path: Path, **options: Any) -> list[tuple[str, str]]:
    """Rows that can be compared: an error is equal to none but itself."""
    return [(row.place, repr(row.content)) for row in read_rows(str(path), **options)]


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


def test_two_columns_of_texts_are_refused(tmp_path: Path):
    path = tmp_path / "news.csv"
    path.write_text("id,text,text\n1,Iran,Russia\n", "utf-8")
    with pytest.raises(InputError, match="line 1: 2 columns `text`, expected one"):
        list(read_rows(str(path)))


def test_keys_of_lines_without_a_text_are_told_whatever_columns_are_read(tmp_path: Path):
    path = tmp_path / "news.jsonl"
    path.write_text('{"body": "Iran"}\n', "utf-8")
    with pytest.raises(InputError, match="no column `text`; found body"):
        list(read_rows(str(path), columns=["id", "text"]))


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


@pytest.mark.parametrize("name", ["a.txt", "a", ".csv", "a.gz", "a.parquet.gz", "a.gz.csvx", "a.jsonl.bz2", "a.CSVX"])
def test_unknown_ending(tmp_path, name):
    with pytest.raises(InputError, match=r"expected one of .jsonl, .csv, .parquet"):
        contents(file(tmp_path, name, b""))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", (".jsonl", None)),
        ("2020.01.31.JSONL.GZ", (".jsonl", "gzip")),
        ("a.csv.zst", (".csv", "zstd")),
        ("part-0.c000.gz.parquet", (".parquet", None)),
    ],
)
def test_kind(name, expected):
    assert kind(name) == expected


def test_of_an_unknown_kind_both_endings_are_told():
    with pytest.raises(
        InputError, match=r"a\.b\.Parquet\.gz: found the ending '\.parquet\.gz', expected one of \.jsonl"
    ):
        kind("a.b.Parquet.gz")


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("parts", [1, 3, 500])
def test_a_compressed_file_is_read_whole_whatever_its_members(tmp_path, name, parts):
    plain = ROWS_OF[".jsonl" if ".jsonl" in name else ".csv"]
    size = len(plain) // parts
    cuts = [plain[start : start + size] for start in range(0, len(plain), size)]
    whole = b"".join(compressed(name, cut) + compressed(name, b"") for cut in cuts)
    expected = contents(file(tmp_path, name.rpartition(".")[0], plain))
    assert contents(file(tmp_path, name, whole)) == expected
    assert len(expected) == 2000


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_file_without_rows(tmp_path, name):
    assert contents(file(tmp_path, name, compressed(name, b""))) == []


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("members", [1, 2])
def test_a_compressed_file_cut_short_is_refused(tmp_path, name, members):
    whole = compressed(name, ROWS_OF[".jsonl" if ".jsonl" in name else ".csv"][:400])
    start = len(whole) * (members - 1)
    # Where one member ends and nothing follows, the file is whole.
    for keep in range(start + (members > 1), start + len(whole)):
        path = file(tmp_path, name, (whole * members)[:keep])
        with pytest.raises(InputError, match=rf"{name}: not a whole (gzip|zstd) file: "):
            contents(path)


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("garbage", [b"{", b'{"text": "not compressed"}\n', b"\0" * 100, b"PAR1" * 1000])
def test_garbage_with_the_ending_of_a_compression_is_refused(tmp_path, name, garbage):
    for content in (garbage, compressed(name, b'{"text": "x"}\n') + garbage):
        with pytest.raises(InputError, match=rf"{name}: not a whole (gzip|zstd) file: "):
            contents(file(tmp_path, name, content))


def test_an_altered_byte_of_gzip_is_refused(tmp_path):
    whole = bytearray(compressed("a.gz", ROWS_OF[".jsonl"]))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(InputError, match="not a whole gzip file"):
        contents(file(tmp_path, "a.jsonl.gz", bytes(whole)))


def test_rows_before_the_cut_are_read(tmp_path):
    whole = compressed("a.gz", ROWS_OF[".jsonl"] * 30)
    rows = read_rows(str(file(tmp_path, "a.jsonl.gz", whole[: len(whole) // 2])), skip=10)
    assert next(rows).place.endswith(", line 11")
    with pytest.raises(InputError, match="not a whole gzip file"):
        list(rows)


def test_what_the_system_refuses_is_not_blamed_on_the_compression(tmp_path, monkeypatch):
    def refuse(path: Path, *_: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    path = file(tmp_path, "a.csv.gz", b"x")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"a\.csv\.gz: cannot be read: Permission denied"):
        contents(path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv.zst"])
def test_a_row_of_fifty_megabytes(tmp_path, name):
    text = "é" + "x" * 50_000_000
    rows = f'{{"text": "{text}"}}\n{{"text": "y"}}\n' if ".jsonl" in name else f'text\n"{text}"\ny\n'
    path = file(tmp_path, name, compressed(name, rows.encode()))
    assert contents(path) == [{"text": text}, {"text": "y"}]


def test_encodings_mixed_in_one_file(tmp_path):
    cells = ["né".encode(), "né".encode("latin-1"), "né".encode("utf-16-le"), "né".encode("cp437"), b"ok"]
    lines = b"".join(b'{"text": "' + cell + b'"}\n' for cell in cells)
    path = file(tmp_path, "a.jsonl", lines)
    assert [row if isinstance(row, dict) else str(row).partition(", ")[2] for row in contents(path)] == [
        {"text": "né"},
        "line 2: not valid UTF-8 at byte 11",
        "line 3: not valid UTF-8 at byte 12",
        "line 4: not valid UTF-8 at byte 11",
        {"text": "ok"},
    ]
    path = file(tmp_path, "a.csv", b"text\n" + b"\n".join(cells) + b"\n")
    refused = "column 'text' is not valid UTF-8"
    assert reasons(path) == [None, *(f"{path}, line {line}: {refused}" for line in (3, 4, 5)), None]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_is_refused(tmp_path, encoding):
    with pytest.raises(InputError, match="no column `text`"):
        contents(file(tmp_path, "a.csv", "id,text\n1,x\n".encode(encoding)))
    rows = contents(file(tmp_path, "a.jsonl", '{"text": "x"}\n'.encode(encoding)))
    assert rows
    assert all(isinstance(row, ArticleError) for row in rows)


@pytest.mark.parametrize("values", [[1], [2.5], [True], [b"x"], [["x"]], [datetime.date(2020, 1, 2)]])
def test_text_of_another_type_is_an_error_of_its_row(tmp_path, values):
    pq.write_table(pa.table({"text": pa.array(values), "id": ["a"]}), tmp_path / "a.parquet")
    (row,) = contents(tmp_path / "a.parquet")
    assert isinstance(row, dict)
    with pytest.raises(ArticleError, match="text") as error:
        Article.from_mapping(row, "1")
    assert error.value.id == "a"


def test_csv_begins_after_empty_lines_and_a_mark_before_a_quote(tmp_path):
    path = file(tmp_path, "a.csv", b'\xef\xbb\xbf"id","text"\n1,x\n')
    assert contents(path) == [{"id": "1", "text": "x"}]
    path = file(tmp_path, "a.csv", b"\n\r\nid,text\n1,x\n")
    assert told(path) == [(f"{path}, line 4", "{'id': '1', 'text': 'x'}")]


PIECES = {
    ".jsonl": [b'{"text": "x"}\n', b"\n", b" \t\r\n", b"{\n", b"[]\n", b'{"text": "\xff"}\n'],
    ".csv": [b"1,x\n", b"\n", b"\r\n", b"1\n", b'2,"two\n\nlines"\n', b"3,\xff\n", b" \n", b",\n"],
}


@given(st.data(), st.integers(0, 12))
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", *COMPRESSED])
def test_skipped_rows_are_those_at_the_beginning(tmp_path_factory, name, data, skip):
    form, _ = kind(name)
    pieces = data.draw(st.lists(st.sampled_from(PIECES[form]), max_size=12))
    head = b'{"text": "x"}\n' if form == ".jsonl" else b"id,text\n"
    path = file(tmp_path_factory.mktemp("skip"), name, compressed(name, head + b"".join(pieces)))
    assert told(path, skip=skip) == told(path)[skip:]


@pytest.mark.parametrize("group", [1, 7, 512, 600, 5000])
def test_skipped_rows_of_parquet(tmp_path, group):
    table = pa.table({"text": [f"x{number}" for number in range(1300)]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=group)
    rows = told(tmp_path / "a.parquet")
    for skip in (0, 1, 6, 7, 8, 511, 512, 513, 600, 1299, 1300, 1301, 10**12):
        assert told(tmp_path / "a.parquet", skip=skip) == rows[skip:]


def test_skipped_row_groups_are_not_read(tmp_path):
    texts = [[str(random.Random(part * 100 + number).random()) for number in range(100)] for part in range(2)]
    with pq.ParquetWriter(tmp_path / "whole.parquet", pa.schema([("text", pa.string())]), compression="snappy") as out:
        for part in texts:
            out.write_table(pa.table({"text": part}))
    broken = (tmp_path / "whole.parquet").read_bytes()
    path = file(tmp_path, "a.parquet", broken[:4] + b"\xff" * 200 + broken[204:])
    with pytest.raises(InputError):
        contents(path)
    assert contents(path, skip=100) == [{"text": text} for text in texts[1]]


def test_skipped_json_is_not_parsed_and_no_column_is_looked_for_after_it(tmp_path):
    path = file(tmp_path, "a.jsonl", b'{"body":\n{"text": "y"}\n{"body": "x"}\n')
    assert contents(path, skip=1) == [{"text": "y"}, {"body": "x"}]
    assert contents(path, skip=2) == [{"body": "x"}]


def test_first_rows_of_json_may_lack_the_column_as_later_ones_may(tmp_path):
    lines = b'{"id": "a"}\n' * 3 + b'{"text": "y"}\n' + b'{"id": "b"}\n'
    assert contents(file(tmp_path, "a.jsonl", lines)) == [*[{"id": "a"}] * 3, {"text": "y"}, {"id": "b"}]
    with pytest.raises(InputError, match="line 1: no column `text`; found id"):
        contents(file(tmp_path, "b.jsonl", b'{"id": "a"}\n' * 1500))


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_columns_that_nobody_asked_for_are_not_read(tmp_path, name):
    path = tmp_path / name
    if name == "a.parquet":
        never = pa.array([4 * 10**17], pa.timestamp("us"))  # beyond what Python has dates for
        pq.write_table(pa.table({"text": ["x"], "expires": never}), path)
    else:
        path.write_bytes(b"text,html\nx,\xff\n" if name == "a.csv" else b'{"text": "x", "html": "<p>"}\n')
    (row,) = contents(path, columns={"text", "title"})
    assert row == {"text": "x"}


def test_a_row_that_cannot_be_read_has_the_id_that_its_record_has(tmp_path):
    path = str(file(tmp_path, "a.jsonl", b'{"text": "x"}\n{\n'))
    with pytest.raises(ArticleError, match="line 2: broken JSON"):
        read_article(path, "2")


def test_plain_text_has_no_id(tmp_path):
    with pytest.raises(InputError, match=r"a\.txt: is one article, without an id"):
        read_article(str(file(tmp_path, "a.txt", b"x")), "1")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_broken_quote_is_found_among_skipped_rows(tmp_path, name):
    path = file(tmp_path, name, compressed(name, b'id,text\n1,fine\n2,"closed" too early\n'))
    with pytest.raises(InputError, match="broken CSV in the row that begins on line 3"):
        contents(path, skip=9)


def test_a_name_that_is_not_utf8(tmp_path):
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "a.parquet")
    content = {"jsonl.gz": compressed("a.gz", b'{"text": "x"}'), "parquet": (tmp_path / "a.parquet").read_bytes()}
    for suffix, whole in content.items():
        assert contents(file(tmp_path, os.fsdecode(b"caf\xe9.") + suffix, whole)) == [{"text": "x"}]


def test_skipped_rows_of_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "x"}\n\n{"text": "y"}')))
    (row,) = read_rows("-", skip=1)
    assert (row.place, row.content) == ("standard input, line 3", {"text": "y"})


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
        ("a.jsonl.zst", compressed("a.zst", b'{"id": 1, "text": "x"}\n{"id": 2, "text": "y"}\n')),
        ("a.csv.gz", compressed("a.gz", b"id,text\n1,x\n2,y\n")),
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
