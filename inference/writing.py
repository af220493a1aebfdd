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
from .schema import printable

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
def writer(path: str, keep: Sequence[str] = ()) -> Iterator[Write]:
    """Open an output; the file takes its name only when all is written.

    Args:
        path: a `.jsonl` or `.parquet` file, or `-` for JSON lines on standard output.
        keep: what records have beyond their own fields; in Parquet these are columns of text, in JSON where they are
            none.

    Yields:
        A function that takes one record.

    Raises:
        InputError: the ending is another, or the file cannot be written.
    """
    if path == "-":
        yield _json_line(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    suffix = Path(path).suffix
    if suffix.lower() not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: found the ending {suffix!r}, expected .jsonl or .parquet")
    with (
        _appearing(path) as partial,
        _json_file(partial) if suffix.lower() == ".jsonl" else _parquet_file(partial, keep) as write,
    ):
        yield write


def write_text(path: str, text: str) -> None:
    """Write a file in UTF-8; it appears whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with _appearing(path) as partial:
        partial.write_text(text, "utf-8", newline="")


@contextmanager
def _appearing(path: str) -> Iterator[Path]:
    """Where a file is written until it is whole; then it takes its name.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if target.is_dir():
            raise InputError(f"{path}: cannot be written: it is a directory")
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it may have its name by now, or never have been
            partial.unlink()


def _json_line(file: Any) -> Write:
    def write(record: dict[str, Any]) -> None:
        file.write(printable(_json(record)).encode() + b"\n")

    return write


@contextmanager
def _json_file(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield _json_line(file)


@contextmanager
def _parquet_file(path: Path, keep: Sequence[str]) -> Iterator[Write]:
    schema = pa.schema([*SCHEMA, *((column, pa.string()) for column in keep)])
    rows: list[dict[str, Any]] = []
    with path.open("wb") as file, pq.ParquetWriter(file, schema) as parquet:

        def write(record: dict[str, Any]) -> None:
            rows.append(record | {column: _as_text(record.get(column)) for column in keep})
            if len(rows) >= _ROWS:
                flush()

        def flush() -> None:
            parquet.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        yield write
        if rows:
            flush()


def _as_text(value: Any) -> str | None:
    """A kept value in a Parquet column, which has one type: text as it is, anything else in JSON."""
    if value is None or isinstance(value, str):
        return None if value is None else printable(value)
    return printable(_json(value))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
