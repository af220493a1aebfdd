"""Which files an input names, and whether they stay what they are."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .reading import SUFFIXES, ending, parquet_rows

State = tuple[int, int, int]

_BLOCK = 1 << 20
_HIDDEN = (".", "_")
"""How names begin that Spark and others keep for themselves: `_SUCCESS`, `_temporary`, `.part-0.parquet.crc`."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file as it was when it was looked at.

    Args:
        path: as the caller names it.
        size: in bytes.
        sha256: of its bytes, in hexadecimal.
        rows: about how many rows it has, None where that cannot be told without unpacking it.
        state: size, time of change in nanoseconds, and inode.
    """

    path: str
    size: int
    sha256: str
    rows: int | None
    state: State


def expand(inputs: Sequence[str], endings: Sequence[str] = SUFFIXES) -> list[str]:
    """The files that inputs name, each once, in order of first appearance.

    Args:
        inputs: files, which are taken as they are, there or not; `-`; patterns such as `news/**/*.jsonl`; and
            directories, of which every file with one of the endings is taken, at any depth, but for names that begin
            with `.` or `_`. Links to directories are not followed inside a directory.
        endings: of the files to take of a directory.

    Raises:
        InputError: a pattern matches nothing, or a directory holds no such file or cannot be listed.
    """
    files: dict[str, str] = {}
    for given in inputs:
        for path in _files(given, endings):
            files.setdefault(path if path == "-" else os.path.realpath(path), path)
    return list(files.values())


def identify(path: str) -> InputFile:
    """Read a file through for its size and hash.

    Raises:
        InputError: it cannot be read, or changed meanwhile.
    """
    digest, lines, before = hashlib.sha256(), 0, state(path)
    try:
        with unchanged(path, before), Path(path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                lines += block.count(b"\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    rows = lines if ending(path) in (".jsonl", ".csv") else parquet_rows(path)
    return InputFile(path, before[0], digest.hexdigest(), rows, before)


@contextmanager
def unchanged(path: str, before: State) -> Iterator[None]:
    """Make sure that a file is what it was, and stays it while the block reads it; the block's own errors go first.

    Args:
        path: the file.
        before: what it was.

    Raises:
        InputError: it is gone, another, or written to.
    """
    _same(path, before)
    yield
    _same(path, before)


def state(path: str) -> State:
    """What tells whether a file has changed.

    Raises:
        InputError: it is not there.
    """
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"{path}: no such file") from error
    return found.st_size, found.st_mtime_ns, found.st_ino


def _same(path: str, before: State) -> None:
    now = state(path)
    if now != before:
        raise InputError(f"{path}: changed while it was read: it has {now[0]} bytes, it had {before[0]}")


def _files(given: str, endings: Sequence[str]) -> list[str]:
    if Path(given).is_dir():
        return _inside(given, endings)
    if given == "-" or os.path.lexists(given) or not glob.has_magic(given):
        return [given]
    matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207 — Path.glob takes no absolute one
    if not matches:
        raise InputError(f"{given}: no file matches")
    return [path for match in matches for path in (_inside(match, endings) if Path(match).is_dir() else [match])]


def _inside(folder: str, endings: Sequence[str]) -> list[str]:
    found: list[str] = []
    try:
        for parent, folders, names in os.walk(folder, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
            known = (name for name in names if not name.startswith(_HIDDEN) and ending(name) in endings)
            found.extend(str(Path(parent) / name) for name in known)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    if not found:
        raise InputError(f"{folder}: no file in it ends in one of {', '.join(endings)}")
    return sorted(found)


def _refuse(error: OSError) -> None:
    raise error
