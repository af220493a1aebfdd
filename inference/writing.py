"""Records to JSON lines or Parquet; a file appears whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import InputError

Write = Callable[[dict[str, Any]], None]

_ROWS = 1024
_SPAN = pa.struct([("field", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("quote", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("topics", pa.list_(pa.struct([("label", pa.string()), ("score", pa.float64()), ("assigned", pa.bool_())]))),
        ("actors", pa.list_(pa.struct([("name", pa.string()), ("mentions", pa.list_(_SPAN))]))),
        (
            "stances",
            pa.list_(
                pa.struct(
                    [
                        ("source", pa.string()),
                        ("target", pa.string()),
                        ("label", pa.string()),
                        ("score", pa.float64()),
                        ("evidence", pa.list_(pa.struct([("span", _SPAN), ("score", pa.float64())]))),
                    ]
                )
            ),
        ),
        ("model", pa.struct([("digest", pa.string()), ("name", pa.string()), ("version", pa.string())])),
    ]
)
"""The record in Arrow's types."""


@contextmanager
def writer(path: str) -> Iterator[Write]:
    """Open an output; the file takes its name only when all is written.

    Args:
        path: a `.jsonl` or `.parquet` file, or `-` for JSON lines on standard output.

    Yields:
        A function that takes one record.

    Raises:
        InputError: the ending is another, or the file cannot be written.
    """
    if path == "-":
        yield _json_line(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    target = Path(path)
    if target.suffix.lower() not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: found the ending {target.suffix!r}, expected .jsonl or .parquet")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if target.is_dir():
            raise InputError(f"{path}: cannot be written: it is a directory")
        with (_json_file if target.suffix.lower() == ".jsonl" else _parquet_file)(partial) as write:
            yield write
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it may have its name by now, or never have been
            partial.unlink()


def write_text(path: str, text: str) -> None:
    """Write a file in UTF-8; it appears whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, "utf-8", newline="")
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def _json_line(file: Any) -> Write:
    def write(record: dict[str, Any]) -> None:
        file.write(json.dumps(record, ensure_ascii=False, default=str).encode() + b"\n")

    return write


@contextmanager
def _json_file(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield _json_line(file)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _parquet_file(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        with _Parquet(file) as parquet:
            yield parquet.write
        file.flush()
        os.fsync(file.fileno())


class _Parquet:
    """Writes records in groups; what they carry beyond the record has the types of the first group.

    Args:
        file: open for writing.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._rows: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and (self._rows or self._writer is None):
            self._flush()
        if self._writer is not None:
            self._writer.close()

    def write(self, record: dict[str, Any]) -> None:
        """Take in a record."""
        self._rows.append(record)
        if len(self._rows) >= _ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, _schema(self._rows))
        try:
            self._writer.write_table(pa.Table.from_pylist(self._rows, self._writer.schema))
        except (pa.ArrowException, TypeError) as error:
            raise InputError(f"a kept column changes its type: {error}; write .jsonl, or keep fewer columns") from error
        self._rows.clear()


def _schema(rows: Sequence[dict[str, Any]]) -> pa.Schema:
    """The record's schema with the columns that rows carry besides; text where nothing tells their type."""
    schema = SCHEMA
    for name in (name for name in rows[0] if name not in SCHEMA.names) if rows else ():
        try:
            kind = pa.array([row[name] for row in rows]).type
        except (pa.ArrowException, TypeError) as error:
            raise InputError(f"column {name}: values of several types: {error}; write .jsonl instead") from error
        schema = schema.append(pa.field(name, pa.string() if pa.types.is_null(kind) else kind))
    return schema
