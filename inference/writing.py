"""Records to JSON lines or Parquet."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import InputError
from .reading import ending
from .schema import printable

Append = Callable[[bytes], None]

SCHEMA_VERSION = 1
"""Raise it when a field of the record changes its name, type or meaning."""

_GROUP_ROWS = 4096
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


@dataclass(frozen=True, slots=True)
class Format(ABC):
    """How records lie in a file. Encoding them is apart from writing, so that many processes can do it for one.

    Args:
        ending: of its files.
        keep: what records have beyond their own fields.
    """

    ending: str
    keep: tuple[str, ...] = ()

    @abstractmethod
    def encode(self, records: Sequence[Mapping[str, Any]]) -> bytes:
        """Records as `open` takes them."""

    @abstractmethod
    def open(self, path: Path, metadata: Mapping[str, str]) -> Any:
        """A context that takes encoded records, in order, and leaves a whole file.

        Args:
            path: the file.
            metadata: what the file says of itself, where its kind can.
        """

    @abstractmethod
    def join(self, parts: Sequence[Path], target: Path) -> None:
        """Write the records of one or more files into one."""


class JsonLines(Format):
    """JSON lines, as they are or compressed; kept values are what JSON has them as."""

    def encode(self, records: Sequence[Mapping[str, Any]]) -> bytes:
        """See `Format.encode`; compressed, they are a gzip member or a zstd frame, which can follow one another."""
        lines = b"".join(printable(_json(record)).encode() + b"\n" for record in records)
        if self.ending == ".jsonl.gz":
            return gzip.compress(lines, compresslevel=6, mtime=0)
        return bytes(pa.compress(lines, "zstd", asbytes=True)) if self.ending == ".jsonl.zst" else lines

    @contextmanager
    def open(self, path: Path, metadata: Mapping[str, str]) -> Iterator[Append]:
        """See `Format.open`; JSON lines say nothing of themselves."""
        with path.open("wb") as file:
            yield file.write  # type: ignore[misc]
            if not file.tell():
                file.write(self.encode([]))  # an empty file is none that gzip and zstd can read

    def join(self, parts: Sequence[Path], target: Path) -> None:
        """See `Format.join`."""
        with target.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file, 1 << 20)


class Parquet(Format):
    """Parquet; kept columns have one type, text, with JSON where a value is none."""

    def encode(self, records: Sequence[Mapping[str, Any]]) -> bytes:
        """See `Format.encode`; a stream of Arrow's."""
        rows = [{**record, **{column: _as_text(record.get(column)) for column in self.keep}} for record in records]
        table = pa.Table.from_pylist(rows, self._schema())
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return bytes(sink.getvalue())

    @contextmanager
    def open(self, path: Path, metadata: Mapping[str, str]) -> Iterator[Append]:
        """See `Format.open`."""
        schema = self._schema().with_metadata(dict(metadata))
        waiting: list[pa.Table] = []
        with path.open("wb") as file, pq.ParquetWriter(file, schema) as parquet:

            def flush() -> None:
                parquet.write_table(pa.concat_tables(waiting).replace_schema_metadata(schema.metadata), _GROUP_ROWS)
                waiting.clear()

            def append(encoded: bytes) -> None:
                waiting.append(pa.ipc.open_stream(encoded).read_all())
                if sum(table.num_rows for table in waiting) >= _GROUP_ROWS:
                    flush()

            yield append
            if waiting:
                flush()

    def join(self, parts: Sequence[Path], target: Path) -> None:
        """See `Format.join`."""
        with target.open("wb") as file, pq.ParquetWriter(file, pq.read_schema(parts[0])) as parquet:
            for part in parts:
                with pq.ParquetFile(part) as source:
                    for group in range(source.num_row_groups):
                        parquet.write_table(source.read_row_group(group))

    def _schema(self) -> pa.Schema:
        return pa.schema([*SCHEMA, *((column, pa.string()) for column in self.keep)])


_FORMATS: Mapping[str, type[Format]] = {
    ".jsonl": JsonLines,
    ".parquet": Parquet,
    ".jsonl.gz": JsonLines,
    ".jsonl.zst": JsonLines,
}
OUTPUTS = tuple(_FORMATS)


def format_of(path: str, keep: Sequence[str] = ()) -> Format:
    """The format that an output's name asks for.

    Args:
        path: a file, a directory of parts where it ends in `/`, or `-` for JSON lines.
        keep: what records have beyond their own fields.

    Raises:
        InputError: it has another ending, or what is to be kept has the name of a field of the record.
    """
    taken = [column for column in keep if column in SCHEMA.names]
    if taken:
        raise InputError(f"--keep {taken[0]}: the record has a field of this name")
    found = ".jsonl" if path == "-" else ending(path.rstrip("/"))
    if found not in _FORMATS:
        raise InputError(f"{path}: found the ending {found!r}, expected one of {', '.join(OUTPUTS)}")
    return _FORMATS[found](found, tuple(dict.fromkeys(keep)))


def write_text(path: str, text: str) -> None:
    """Write a file in UTF-8; it appears whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    target = Path(path).resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: cannot be written: it is {'a directory' if target.is_dir() else 'no file'}")
        partial.write_text(text, "utf-8", newline="")
        settle(partial, target)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        with suppress(OSError):  # it may have its name by now, or never have been
            partial.unlink()


def settle(partial: Path, target: Path) -> None:
    """Give a written file its name, once it is on the disk and so that it stays there."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _as_text(value: Any) -> str | None:
    """A kept value in a Parquet column, which has one type: text as it is, anything else in JSON."""
    if value is None:
        return None
    as_json = isinstance(value, dict | list | tuple | bool | int | float)
    return printable(_json(value) if as_json else str(value))


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # a kept value that no JSON knows
        return json.dumps(_finite(value), ensure_ascii=False, default=str)


def _finite(value: Any) -> Any:
    """A value with null for every number that is none or infinite."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
