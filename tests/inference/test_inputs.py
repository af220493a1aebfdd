from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference.errors import InputError
from inference.inputs import InputFile, expand, identify, state, unchanged
from inference.reading import read_rows


@pytest.fixture
def news(tmp_path, monkeypatch):
    """A folder as Spark and people leave it; the paths of the tests are relative to the one above."""
    monkeypatch.chdir(tmp_path)
    names = [
        "news/b.jsonl",
        "news/a.csv.gz",
        "news/notes.txt",
        "news/.hidden.jsonl",
        "news/2020/c.PARQUET",
        "news/_temporary/0/d.jsonl",
        "news/.cache/e.jsonl",
        "news/_SUCCESS",
        "other/f.jsonl",
        "empty/notes.txt",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["-"], ["-"]),
        (["news/b.jsonl", "absent.csv", "news/notes.txt"], ["news/b.jsonl", "absent.csv", "news/notes.txt"]),
        (["news"], ["news/2020/c.PARQUET", "news/a.csv.gz", "news/b.jsonl"]),
        (["*/*.jsonl"], ["news/b.jsonl", "other/f.jsonl"]),
        (["other/?.jsonl", "news/[ab].*"], ["other/f.jsonl", "news/a.csv.gz", "news/b.jsonl"]),
        (["**/c.PARQUET"], ["news/2020/c.PARQUET"]),
        (["news/20*"], ["news/2020/c.PARQUET"]),
        (["*/b.jsonl", "-", "./news", "-"], ["news/b.jsonl", "-", "news/2020/c.PARQUET", "news/a.csv.gz"]),
        ([], []),
    ],
)
def test_expand(news, inputs, expected):
    assert expand(inputs) == expected


def test_a_link_to_a_file_that_is_there_already_is_the_same_file(news):
    Path("other/again.jsonl").symlink_to(Path("news/b.jsonl").resolve())
    assert expand(["news/b.jsonl", "other"]) == ["news/b.jsonl", "other/f.jsonl"]


def test_a_file_is_not_a_pattern(news):
    assert expand(["other/[f].jsonl"]) == ["other/f.jsonl"]
    Path("other/[f].jsonl").write_bytes(b"")
    assert expand(["other/[f].jsonl"]) == ["other/[f].jsonl"]
    Path("other/gone*.jsonl").symlink_to("nowhere")
    assert expand(["other/gone*.jsonl"]) == ["other/gone*.jsonl"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("news/*.xlsx", r"^news/\*\.xlsx: no file matches"),
        ("empty", r"^empty: no file in it ends in one of \.jsonl, \.csv, \.parquet"),
        ("emp*", r"^empty: no file in it ends in one of"),
    ],
)
def test_nothing_there(news, given, message):
    with pytest.raises(InputError, match=message):
        expand(["news", given])


def test_a_directory_that_cannot_be_listed(news, monkeypatch):
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match=r"^news: cannot be listed: Permission denied"):
        expand(["news"])


def test_a_directory_that_spark_wrote(tmp_path):
    folder = tmp_path / "out.parquet"
    folder.mkdir()
    for part in range(3):
        name = f"part-0000{part}-5b1c-c000.snappy.parquet"
        pq.write_table(pa.table({"text": [f"x{part}"]}), folder / name)
        (folder / f".{name}.crc").write_bytes(b"crc\0")
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / "._SUCCESS.crc").write_bytes(b"crc\0")
    rows = [row.content for path in expand([str(folder)]) for row in read_rows(path)]
    assert rows == [{"text": "x0"}, {"text": "x1"}, {"text": "x2"}]


def test_identify(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"old\nnews\n")
    sha256 = hashlib.sha256(b"old\nnews\n").hexdigest()
    assert identify(str(path)) == InputFile(str(path), 9, sha256, 2, state(str(path)))


def test_rows_are_estimated_where_a_file_need_not_be_unpacked(tmp_path):
    pq.write_table(pa.table({"text": ["x"] * 7}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_bytes(b"text\nx\n")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no more")
    (tmp_path / "d.jsonl.gz").write_bytes(b"")
    assert [identify(str(path)).rows for path in sorted(tmp_path.iterdir())] == [7, 2, None, None]


def test_identify_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        identify(str(tmp_path / "a.jsonl"))
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        identify(str(tmp_path))


@pytest.mark.parametrize("change", ["append", "touch", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "x"}\n' * 3)
    old = path.stat()
    told = "no such file" if change == "remove" else r"changed while it was read: it has \d+ bytes, it had 42"
    with pytest.raises(InputError, match=rf"a\.jsonl: {told}"), unchanged(str(path), state(str(path))):
        for _ in read_rows(str(path)):
            if change == "append":
                path.write_bytes(b'{"text": "x"}\n' * 4)
            elif change == "touch":
                os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns + 1))
            elif change == "replace":
                (tmp_path / "new").write_bytes(path.read_bytes())
                os.utime(tmp_path / "new", ns=(old.st_atime_ns, old.st_mtime_ns))
                (tmp_path / "new").replace(path)
            else:
                path.unlink(missing_ok=True)


def test_a_file_that_stays_is_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "x"}\n')
    with unchanged(str(path), state(str(path))):
        assert len(list(read_rows(str(path)))) == 1


def test_a_file_that_has_changed_before_it_is_read_is_refused(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x")
    before = state(str(path))
    path.write_bytes(b"xyz")
    with pytest.raises(InputError, match="it has 3 bytes, it had 1"), unchanged(str(path), before):
        pytest.fail("it was read")


def test_an_error_of_the_reading_goes_first(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match="own"), unchanged(str(path), state(str(path))):
        path.unlink()
        raise InputError("own")


def test_there_is_no_state_of_nothing(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        state(str(tmp_path / "a.jsonl"))
