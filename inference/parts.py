"""The output of a run: in parts until it is whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from .errors import InputError
from .journal import Journal, Part
from .tasks import Place, Scored
from .totals import Totals
from .writing import Append, Format, settle, sync_folder

_JOURNAL, _LOCK = "_journal.jsonl", "_lock"
"""Readers of a directory of files pass over names that begin with `_`."""


class Sink(Protocol):
    """What takes the records of a run in order.

    Args:
        before: counts of what was written before it was interrupted.
        start: where reading goes on.
    """

    before: Totals
    start: Place

    def write(self, scored: Scored) -> None:
        """Take the records of a task."""
        ...


@contextmanager
def output(path: str, format: Format, run: Mapping[str, Any], part_rows: int, resume: bool) -> Iterator[Sink]:
    """Open the output of a run. Left without an error, it is whole; else it is not there, and its parts may be.

    Args:
        path: a file; a directory of parts, where it ends in `/`; or `-` for standard output.
        format: of its records.
        run: what decides what the output holds, in what JSON knows.
        part_rows: rows of a part.
        resume: whether to go on where an earlier run was interrupted.

    Raises:
        InputError: it cannot be written; another run writes it; an interrupted run is there and `resume` is false, or
            it was a run of something else.
    """
    if path == "-":
        yield _Stream()
        sys.stdout.buffer.flush()
        return
    target = Path(path).resolve() if Path(path).is_symlink() else Path(path)
    folder = target.with_name(f".{target.name}.parts")
    check_output(path, resume)  # once more: hashing the inputs may have taken hours
    try:
        if resume and path.endswith("/") and (target / _JOURNAL).exists():  # it had its name, and was not done yet
            with _locked(target):
                target.replace(folder)
        with _locked(folder):
            parts = _Parts(folder, format, run, part_rows, resume)
            with parts.open():
                yield parts
            parts.finish(target, whole=not path.endswith("/"))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_output(path: str, resume: bool) -> None:
    """Find what would keep an output from getting its name, before any work.

    Args:
        path: see `output`.
        resume: whether a directory of parts may be there that had its name and was not done yet.

    Raises:
        InputError: it cannot be written, or would take the place of something else.
    """
    if path == "-":
        return
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"{path}: cannot be written: there is no directory {target.parent}")
    if not path.endswith("/"):
        if target.is_dir():
            raise InputError(f"{path}: cannot be written: it is a directory; {path}/ makes it one of parts")
        if target.exists() and not target.is_file():
            raise InputError(f"{path}: cannot be written: it is no file")
        return
    if os.path.lexists(target) and (target.is_symlink() or not target.is_dir()):
        raise InputError(f"{path}: cannot be written: it is no directory")
    if target.is_dir() and any(target.iterdir()) and not (resume and (target / _JOURNAL).exists()):
        raise InputError(f"{path}: is there already and is not empty")


class _Stream:
    """Standard output."""

    def __init__(self) -> None:
        self.before = Totals()
        self.start = (0, 0)

    def write(self, scored: Scored) -> None:
        """See `Sink.write`."""
        sys.stdout.buffer.write(scored.encoded)


class _Parts:
    """Files of so many rows each in a folder of their own, which appear when they are whole.

    Args:
        folder: theirs, which is locked.
        format: of the output.
        run: what the run is.
        part_rows: rows of a part.
        resume: whether there may be parts already.
    """

    def __init__(self, folder: Path, format: Format, run: Mapping[str, Any], part_rows: int, resume: bool) -> None:
        self._folder, self._format, self._part_rows = folder, format, part_rows
        self._metadata = {"detente.schema": str(run["schema"]), "detente.model": str(run["model"]["digest"])}
        self._journal = Journal.read(folder / _JOURNAL, run)
        self.before = Totals()
        for part in self._journal.parts:
            self.before.add(part.totals)
        self.start = self._end = self._journal.parts[-1].end if self._journal.parts else (0, 0)
        if self.before.rows and not resume:
            raise InputError(
                f"{folder}: holds {self.before.rows} articles of a run that was interrupted; "
                "--resume goes on with it, unless it read a pipe; or remove the folder to begin anew"
            )
        finished = {_JOURNAL, _LOCK, *(self._part(number).name for number in range(len(self._journal.parts)))}
        for path in folder.iterdir():
            if path.name not in finished:
                path.unlink()
        missing = finished - {path.name for path in folder.iterdir()} - {_JOURNAL}
        if missing:
            raise InputError(f"{folder}: {min(missing)} is missing, which the journal names; remove the folder")
        self._now = Totals()
        self._file = ExitStack()
        self._append: Append | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Take records inside the block; what they come to is whole after it."""
        try:
            with self._file:
                yield
                self._end_part()
                if not self._journal.parts:
                    self._begin_part()
                    self._end_part()
        except BaseException:
            if not self._journal.parts:
                shutil.rmtree(self._folder)
            raise

    def write(self, scored: Scored) -> None:
        """See `Sink.write`."""
        append = self._append or self._begin_part()
        append(scored.encoded)
        self._now.add(scored.totals)
        self._end = scored.end
        if self._now.rows >= self._part_rows:
            self._end_part()

    def finish(self, target: Path, whole: bool) -> None:
        """Give the output its name.

        Args:
            target: the name.
            whole: whether parts are joined into one file, else their folder is the output.
        """
        parts = [self._part(number) for number in range(len(self._journal.parts))]
        if not whole:
            self._folder.replace(target)
            sync_folder(target.parent)
            for name in (_LOCK, _JOURNAL):
                (target / name).unlink()
            return
        joined = self._folder / f"joined{self._format.ending}"
        self._format.join(parts, joined)
        settle(joined, target)
        (self._folder / _JOURNAL).unlink()  # first: parts are never fewer than it names
        shutil.rmtree(self._folder)

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}{self._format.ending}"

    def _partial(self) -> Path:
        return self._folder / f"part{self._format.ending}.partial"

    def _begin_part(self) -> Append:
        append: Append = self._file.enter_context(self._format.open(self._partial(), self._metadata))
        self._append = append
        return append

    def _end_part(self) -> None:
        if self._append is None:
            return
        self._file.close()
        settle(self._partial(), self._part(len(self._journal.parts)))
        self._journal.add(Part(self._now, self._end))
        self._now, self._append = Totals(), None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Make a folder that no other process uses; the system frees it when this one ends, however it ends."""
    folder.mkdir(exist_ok=True)
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another run is writing there") from None
        if not (folder / _LOCK).exists():
            raise InputError(f"{folder}: another run has just finished there")
        yield
