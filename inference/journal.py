"""What a run is and what it has finished, on disk, so that it can go on after a crash."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import InputError
from .tasks import Place
from .totals import Totals
from .writing import sync_folder


@dataclass(frozen=True, slots=True)
class Part:
    """What a finished part holds.

    Args:
        totals: how many records, of which kind.
        end: where reading stood after it.
    """

    totals: Totals
    end: Place


class Journal:
    """A file of JSON lines: first what the run is, then what each finished part holds.

    Args:
        path: of the file.
        run: what the run is; read back, it must be the same.
        parts: the finished ones.
    """

    def __init__(self, path: Path, run: Mapping[str, Any], parts: list[Part]) -> None:
        self.parts = parts
        self._path = path
        self._run = run

    @classmethod
    def read(cls, path: Path, run: Mapping[str, Any]) -> Journal:
        """The journal of a run that goes on; an empty one where nothing was noted yet.

        A line that a crash has cut short was never finished, and goes.

        Raises:
            InputError: it is of a run of something else, or no journal.
        """
        content = path.read_bytes() if path.exists() else b""
        lines = content.split(b"\n")[:-1]
        if len(lines) < 2:  # the first part is noted together with what the run is
            path.unlink(missing_ok=True)
            return cls(path, run, [])
        try:
            began, *noted = map(json.loads, lines)
            parts = [Part(Totals.from_dict(each["totals"]), tuple(each["end"])) for each in noted]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: is broken; remove {path.parent} to begin anew") from error
        for key, value in json.loads(json.dumps(run)).items():
            if began.get(key) != value:
                raise InputError(
                    f"{path}: this run cannot go on: {key} is {_short(value)}, when it began it was "
                    f"{_short(began.get(key))}; remove {path.parent} to begin anew"
                )
        os.truncate(path, content.rfind(b"\n") + 1)
        return cls(path, run, parts)

    def add(self, part: Part) -> None:
        """Note that a part is finished; when this returns it is on the disk."""
        entries: list[Mapping[str, Any]] = [{"totals": part.totals.to_dict(), "end": part.end}]
        if not self.parts:
            entries.insert(0, self._run)
        with self._path.open("ab") as file:
            file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))
            file.flush()
            os.fsync(file.fileno())
        if not self.parts:
            sync_folder(self._path.parent)
        self.parts.append(part)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
