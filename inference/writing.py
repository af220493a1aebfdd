"""Records to JSON lines or Parquet; a file appears whole or not at all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
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
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")

    return write


@contextmanager
def _json_file(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield _json_line(file)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _parquet_file(path: Path) -> Iterator[Write]:
    rows: list[dict[str, Any]] = []
    with path.open("wb") as file:
        with pq.ParquetWriter(file, SCHEMA) as parquet:

            def write(record: dict[str, Any]) -> None:
                rows.append(record)
                if len(rows) >= _ROWS:
                    flush()

            def flush() -> None:
                parquet.write_table(pa.Table.from_pylist(rows, SCHEMA))
                rows.clear()

            yield write
            if rows:
                flush()
        file.flush()
        os.fsync(file.fileno())
