"""Rows of JSON lines, CSV and Parquet files, compressed or not, one at a time."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from .errors import ArticleError, InputError
from .schema import Article

_PARQUET_ROWS = 512
_ROWS_WITHOUT = 1000
"""Rows of JSON lines that may lack the required column at the beginning: what writes JSON often leaves out nulls."""
_CSV_CELL = 2**31 - 1
_INVALID = re.compile("[\udc80-\udcff]")
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_DECOMPRESSED_BYTES = 2**18
SUFFIXES = (".jsonl", ".csv", ".parquet", ".jsonl.gz", ".jsonl.zst", ".csv.gz", ".csv.zst")
ARTICLE_SUFFIXES = (".txt", ".json", *SUFFIXES)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file, or why it cannot be read.

    Args:
        place: file and line (or row), for messages.
        content: the row, or an error in its place.
    """

    place: str
    content: dict[str, Any] | ArticleError


def read_rows(
    path: str, required: str = "text", skip: int = 0, columns: Collection[str] | None = None
) -> Iterator[Row]:
    """Read a file row by row; a row that cannot be read does not stop the others.

    Args:
        path: a file with one of the endings of `SUFFIXES`, or `-` for JSON lines from standard input.
        required: the column without which the file is of no use.
        skip: rows at the beginning that are left out unread; one that cannot be read counts as well.
        columns: those that are read, the required one among them; None reads all.

    Raises:
        InputError: the file as a whole cannot be read, or has no such column.
    """
    check_input(path)
    form, compression = (".jsonl", None) if path == "-" else kind(path)
    try:
        if path == "-":
            yield from _json_lines(sys.stdin.buffer, "standard input", required, skip, columns)
        elif form == ".parquet":
            yield from _parquet(path, required, skip, columns)
        else:
            with _opened(path, compression) as file:
                yield from (_json_lines if form == ".jsonl" else _csv)(file, path, required, skip, columns)
    except OSError as error:
        # What the system refuses has a number; what the decompression refuses has none.
        if compression and error.errno is None:
            raise InputError(f"{path}: not a whole {compression} file: {error}") from error
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def check_input(path: str, suffixes: Sequence[str] = SUFFIXES) -> None:
    """Make sure that a file is there and of a known kind, without reading it.

    Args:
        path: the file, or `-`, which is always there.
        suffixes: the endings of the kinds that are known.

    Raises:
        InputError: it is not.
    """
    if path == "-":
        return
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    kind(path, suffixes)


def kind(path: str, suffixes: Sequence[str] = SUFFIXES) -> tuple[str, str | None]:
    """What a file is, by its name.

    Args:
        path: the file, which need not be there.
        suffixes: the endings of the kinds that are known.

    Returns:
        The ending without that of the compression, such as `.jsonl`, and the compression: `gzip`, `zstd` or None.

    Raises:
        InputError: it is of no known kind.
    """
    found = ending(path)
    if found not in suffixes:
        raise InputError(f"{path}: found the ending {found or '(none)'!r}, expected one of {', '.join(suffixes)}")
    compressed = Path(found).suffix if found.count(".") > 1 else ""
    return found.removesuffix(compressed), _COMPRESSIONS.get(compressed)


def ending(path: str) -> str:
    """The ending of a name in small letters, that of a compression with the one before it: `.jsonl.gz`."""
    endings = [suffix.lower() for suffix in Path(path).suffixes]
    compressed = bool(endings) and endings[-1] in _COMPRESSIONS
    return "".join(endings[-2:] if compressed else endings[-1:])


def read_article(path: str, id: str | None = None) -> Article:
    """Read one article for a person to look at.

    Args:
        path: a `.txt` file, whose first line is the title where an empty line follows; a `.json` file with an
            article or a list of them; a file with rows; or `-` for text from standard input.
        id: which one; None takes the first.

    Raises:
        InputError: the file cannot be read, or no article has this id.
        ArticleError: the article cannot be read.
    """
    check_input(path, ARTICLE_SUFFIXES)
    found = ending(path)
    if path == "-" or found == ".txt":
        if id is not None:
            raise InputError(f"{path}: is one article, without an id")
        return _plain_article(path)
    rows = _json_articles(path) if found == ".json" else read_rows(path)
    unread: ArticleError | None = None
    for number, row in enumerate(rows, start=1):
        try:
            article = _article(row.content, str(number))
        except ArticleError as error:
            if id in (None, error.id):
                raise
            if id == str(number):
                unread = error  # its record has this id, unless another row names it
            continue
        if id in (None, article.id):
            return article
    if unread:
        raise unread
    raise InputError(f"{path}: holds no article" if id is None else f"{path}: holds no article with the id {id!r}")


def _article(content: dict[str, Any] | ArticleError, default_id: str) -> Article:
    if isinstance(content, ArticleError):
        raise content
    return Article.from_mapping(content, default_id)


def _plain_article(path: str) -> Article:
    id = "stdin" if path == "-" else Path(path).stem
    text = _decoded(path)
    title, _, rest = text.partition("\n")
    if rest.strip() and not rest.partition("\n")[0].strip():
        return Article(id, rest.strip("\r\n"), title.strip())
    return Article(id, text)


def _json_articles(path: str) -> Iterator[Row]:
    try:
        content = json.loads(_decoded(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: broken JSON: {error}") from error
    for number, item in enumerate(content if isinstance(content, list) else [content], start=1):
        yield Row(f"{path}, article {number}", item)


def _decoded(path: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not valid UTF-8 at byte {error.start}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _opened(path: str, compression: str | None) -> Iterator[BinaryIO]:
    with Path(path).open("rb") as file:
        if compression is None:
            yield file
            return
        import pyarrow as pa

        if not Path(path).stat().st_size:
            raise InputError(f"{path}: not a whole {compression} file: it is empty")
        # pyarrow reads on where a member or frame ends and another begins, and refuses one without an end.
        with pa.input_stream(file, compression=compression) as stream:
            yield io.BufferedReader(stream, _DECOMPRESSED_BYTES)


def _json_lines(file: BinaryIO, name: str, required: str, skip: int, columns: Collection[str] | None) -> Iterator[Row]:
    lines = ((number, line) for number, line in enumerate(file, start=1) if not line.isspace())
    rows = (_json_row(line, f"{name}, line {number}") for number, line in islice(lines, skip, None))
    for row in rows if skip else _with_column(rows, required):
        yield Row(row.place, _of_columns(row.content, columns)) if isinstance(row.content, dict) else row


def _with_column(rows: Iterator[Row], required: str) -> Iterator[Row]:
    """Rows of which one of the first has a column; the others are for their reader to refuse one by one."""
    head: list[Row] = []
    for row in islice(rows, _ROWS_WITHOUT):
        head.append(row)
        if isinstance(row.content, dict) and required in row.content:
            break
    else:
        for row in head:
            if isinstance(row.content, dict):
                _require(required, row.content, row.place)
    return chain(head, rows)


def _json_row(line: bytes, place: str) -> Row:
    try:
        content = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return Row(place, ArticleError(f"{place}: not valid UTF-8 at byte {error.start}"))
    except (ValueError, RecursionError) as error:  # ValueError: bad JSON, or a number of thousands of digits
        return Row(place, ArticleError(f"{place}: broken JSON: {error}"))
    if not isinstance(content, dict):
        return Row(place, ArticleError(f"{place}: found {type(content).__name__}, expected an object"))
    return Row(place, content)


def _csv(file: BinaryIO, name: str, required: str, skip: int, columns: Collection[str] | None) -> Iterator[Row]:
    # Invalid bytes come through as lone surrogates, so that the row they stand in can be named.
    lines = (line.decode("utf-8" if before else "utf-8-sig", "surrogateescape") for before, line in enumerate(file))
    reader = csv.reader(lines, strict=True)
    rows = (cells for cells in iter(lambda: _cells(reader, name), None) if cells)
    header = next(rows, None)
    if header is None:
        return
    _require(required, header, f"{name}, line {reader.line_num}")
    for cells in islice(rows, skip, None):
        yield _csv_row(header, cells, f"{name}, line {reader.line_num}", required, columns)


def _cells(reader: Any, name: str) -> list[str] | None:
    """The next row, None at the end. The limit of a cell belongs to the whole process: it is put back at once."""
    line = reader.line_num + 1
    limit = csv.field_size_limit(_CSV_CELL)
    try:
        cells: list[str] | None = next(reader, None)
    except csv.Error as error:
        # Where a quote goes wrong nobody knows which rows follow, so that the file as a whole is refused.
        raise InputError(f"{name}: broken CSV in the row that begins on line {line}: {error}") from error
    finally:
        csv.field_size_limit(limit)
    return cells


def _csv_row(header: list[str], cells: list[str], place: str, required: str, columns: Collection[str] | None) -> Row:
    if len(cells) != len(header):
        return Row(place, ArticleError(f"{place}: found {len(cells)} cells, expected {len(header)}"))
    content = _of_columns(dict(zip(header, cells, strict=True)), columns)
    for column, cell in content.items():
        if _INVALID.search(cell):
            id = content.get("id")
            return Row(place, ArticleError(f"{place}: column {column!r} is not valid UTF-8", id))
    return Row(place, {column: cell for column, cell in content.items() if cell or column == required})


def parquet_rows(path: str) -> int | None:
    """Rows of a Parquet file by what it says of itself; None of any other file, or of one that is broken."""
    if ending(path) != ".parquet":
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with Path(path).open("rb") as file:
            return int(pq.ParquetFile(file).metadata.num_rows)
    except (OSError, pa.ArrowException):
        return None


def _parquet(path: str, required: str, skip: int, columns: Collection[str] | None) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened here, since pyarrow takes no name that is not UTF-8.
        with Path(path).open("rb") as opened, pq.ParquetFile(opened) as file:
            names = file.schema_arrow.names
            _require(required, names, path)
            groups, number = _groups(file.metadata, skip)
            wanted = None if columns is None else [name for name in names if name in columns]
            for batch in file.iter_batches(_PARQUET_ROWS, groups, wanted):
                for index in range(batch.num_rows):
                    number += 1
                    if number > skip:
                        yield _parquet_row(batch.slice(index, 1), f"{path}, row {number}")
    except pa.ArrowException as error:
        raise InputError(f"{path}: not a whole Parquet file: {error}") from error


def _groups(metadata: Any, skip: int) -> tuple[list[int], int]:
    """The row groups that are left when those are gone that `skip` covers whole, and the rows that are gone."""
    gone = first = 0
    while first < metadata.num_row_groups and gone + metadata.row_group(first).num_rows <= skip:
        gone += metadata.row_group(first).num_rows
        first += 1
    return list(range(first, metadata.num_row_groups)), gone


def _parquet_row(row: Any, place: str) -> Row:
    try:
        return Row(place, row.to_pylist()[0])
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a date that Python has not
        return Row(place, ArticleError(f"{place}: cannot be read: {error}"))


def _of_columns(content: dict[str, Any], columns: Collection[str] | None) -> dict[str, Any]:
    if columns is None:
        return content
    return {column: value for column, value in content.items() if column in columns}


def _require(required: str, columns: Iterable[str], place: str) -> None:
    found = list(columns)
    if found.count(required) > 1:
        raise InputError(f"{place}: {found.count(required)} columns `{required}`, expected one")
    if required not in found:
        raise InputError(f"{place}: no column `{required}`; found {', '.join(map(str, found)) or 'none'}")
