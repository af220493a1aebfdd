from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from inference.errors import InputError
from inference.journal import Journal, Part
from inference.totals import Totals

RUN = {"schema": 1, "model": "m", "inputs": [{"size": 5, "sha256": "a"}], "keep": [], "part_rows": 3}
PARTS = [
    Part(Totals(Counter(ok=2, error=1), Counter({"broken JSON": 1})), (0, 3)),
    Part(Totals(Counter(ok=3)), (1, 1)),
    Part(Totals(Counter(empty=1)), (1, 2)),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three parts."""
    journal = Journal.read(tmp_path / "journal", RUN)
    for part in PARTS:
        journal.add(part)
    return tmp_path / "journal"


def test_what_is_noted_is_read_back(path: Path):
    assert Journal.read(path, RUN).parts == PARTS


def test_nothing_is_noted_yet(tmp_path: Path):
    assert Journal.read(tmp_path / "journal", RUN).parts == []
    assert list(tmp_path.iterdir()) == []


def test_wherever_a_crash_cuts_it_short_it_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whole lines hold, and what is noted after them makes the same journal as if nothing had been."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # which takes most of the time
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        journal = Journal.read(path, RUN)
        assert journal.parts == PARTS[: max(0, whole[:length].count(b"\n") - 1)]
        for part in PARTS[len(journal.parts) :]:
            journal.add(part)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema", 2), ("model", "n"), ("inputs", [{"size": 5, "sha256": "b"}]), ("keep", ["date"]), ("part_rows", 4)],
)
def test_another_run_is_refused_by_what_differs(path: Path, key: str, value: object):
    before = path.read_bytes()
    with pytest.raises(InputError) as error:
        Journal.read(path, RUN | {key: value})
    told = f"{key} is {json.dumps(value)}, when it began it was {json.dumps(RUN[key])}; remove {path.parent} to"
    assert told in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("line", [b"\0\0\0", b"{", b"{}", b'{"totals": {}, "end": [0, 1]}', b"5", b"\xff"])
def test_a_journal_that_is_none_is_refused(path: Path, line: bytes):
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="is broken; remove"):
        Journal.read(path, RUN)


def test_a_journal_that_begins_with_no_object_is_refused(path: Path):
    path.write_bytes(b"5\n" + path.read_bytes())
    with pytest.raises(InputError, match="is broken; remove"):
        Journal.read(path, RUN)


def test_long_values_are_cut(path: Path):
    with pytest.raises(InputError, match="xxx…, when it began"):
        Journal.read(path, RUN | {"model": "x" * 500})
