"""Rows of JSON lines, CSV and Parquet files, one at a time."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ArticleError, InputError

_PARQUET_ROWS = 512
_CSV_CELL = 2**31 - 1
SUFFIXES = (".jsonl", ".csv", ".parquet")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file, or why it cannot be read.

    Args:
        place: file and line (or row), for messages.
        content: the row, or an error in its place.
    """

    place: str
    content: dict[str, Any] | ArticleError


def read_rows(path: str, required: str = "text") -> Iterator[Row]:
    """Read a file row by row; a row that cannot be read does not stop the others.

    Args:
        path: a `.jsonl`, `.csv` or `.parquet` file, or `-` for JSON lines from standard input.
        required: the column without which the file is of no use.

    Raises:
        InputError: the file as a whole cannot be read.
    """
    if path == "-":
        yield from _json_lines(sys.stdin.buffer, "standard input", required)
        return
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: found the ending {suffix or '(none)'!r}, expected one of {', '.join(SUFFIXES)}")
    try:
        if suffix == ".parquet":
            yield from _parquet(path, required)
        else:
            with open(path, "rb") as file:
                yield from (_json_lines if suffix == ".jsonl" else _csv)(file, path, required)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _json_lines(file: BinaryIO, name: str, required: str) -> Iterator[Row]:
    missing = True
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        row = _json_row(line, f"{name}, line {number}")
        if missing and isinstance(row.content, dict):
            _require(required, row.content, row.place)
            missing = False
        yield row


def _json_row(line: bytes, place: str) -> Row:
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Row(place, ArticleError(f"{place}: not valid UTF-8 at byte {error.start}"))
    except (json.JSONDecodeError, RecursionError) as error:
        return Row(place, ArticleError(f"{place}: broken JSON: {error}"))
    if not isinstance(content, dict):
        return Row(place, ArticleError(f"{place}: found {type(content).__name__}, expected an object"))
    return Row(place, content)


def _csv(file: BinaryIO, name: str, required: str) -> Iterator[Row]:
    # Invalid bytes come through as lone surrogates, so that the row they stand in can be named.
    lines = (line.decode("utf-8", "surrogateescape") for line in file)
    previous = csv.field_size_limit(_CSV_CELL)
    try:
        reader = csv.reader(lines, strict=True)
        header = [column.removeprefix("\ufeff") for column in next(reader, [])]
        if not header:
            return
        _require(required, header, f"{name}, line 1")
        for cells in reader:
            if cells:
                yield _csv_row(header, cells, f"{name}, line {reader.line_num}")
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: broken CSV: {error}") from error
    finally:
        csv.field_size_limit(previous)


def _csv_row(header: list[str], cells: list[str], place: str) -> Row:
    if len(cells) != len(header):
        return Row(place, ArticleError(f"{place}: found {len(cells)} cells, expected {len(header)}"))
    content = dict(zip(header, cells, strict=True))
    for column, cell in content.items():
        if any("\udc80" <= character <= "\udcff" for character in cell):
            id = content.get("id")
            return Row(place, ArticleError(f"{place}: column {column!r} is not valid UTF-8", id))
    return Row(place, {column: cell for column, cell in content.items() if cell or column == required})


def _parquet(path: str, required: str) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _require(required, file.schema_arrow.names, path)
            number = 0
            for batch in file.iter_batches(_PARQUET_ROWS):
                for content in batch.to_pylist():
                    number += 1
                    yield Row(f"{path}, row {number}", content)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error


def _require(required: str, columns: Iterable[str], place: str) -> None:
    found = list(columns)
    if required not in found:
        raise InputError(f"{place}: no column `{required}`; found {', '.join(map(str, found)) or 'none'}")
