from __future__ import annotations

import json
import logging
import os
import pty
import re
import select
import sys
import termios
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inference import progress as module
from inference.errors import InputError
from inference.progress import Progress
from inference.totals import Totals


def ok(number: int) -> Totals:
    return Totals(Counter(ok=number))


def test_a_line_tells_how_far_the_run_is(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    with Progress(ok(40), 100, {}) as progress:
        progress.add(ok(10))
    (line,) = caplog.messages
    assert re.fullmatch(r"50 of about 100 articles, [\d.]+ a second, about 0 minutes left", line)


def test_a_line_tells_no_end_that_nobody_knows(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    with Progress(Totals(), None, {}) as progress:
        progress.add(ok(10))
    assert re.fullmatch(r"10 articles, [\d.]+ a second", caplog.messages[0])


def test_lines_are_few(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    with Progress(Totals(), 100, {}) as progress:
        for _ in range(100):
            progress.add(ok(1))
    assert caplog.messages == []


def test_a_terminal_shows_a_bar_with_a_rate(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    caplog.set_level(logging.INFO)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        with Progress(ok(40), 100, {}) as progress:
            progress.add(ok(60))
        shown = ""
        while "100/100" not in shown and select.select([ours], [], [], 10)[0]:
            shown += os.read(ours, 65536).decode()
    os.close(ours)
    assert "100/100" in shown
    assert "articles/s" in shown
    assert caplog.messages == []


def test_the_file_of_figures_is_whole_whenever_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_FILE_SECONDS", 0.0)
    path = tmp_path / "metrics.json"

    def figures() -> dict[str, Any]:
        assert [each.name for each in tmp_path.iterdir()] == ["metrics.json"]
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return content

    with Progress(ok(40), 100, {"model": "m"}, str(path)) as progress:
        assert (figures()["articles"], figures()["finished"]) == (40, False)
        progress.add(Totals(Counter(ok=1, error=2), Counter({"broken JSON": 2})))
        assert (figures()["articles"], figures()["finished"]) == (43, False)
    assert figures()["finished"] is False, "what is scored may not have its name yet"
    progress.finish()
    last = figures()
    assert last.pop("seconds") >= 0
    assert last.pop("articles_per_second") > 0
    assert last == {
        "articles": 43,
        "statuses": {"ok": 41, "error": 2},
        "reasons": {"broken JSON": 2},
        "articles_before": 40,
        "expected": 100,
        "finished": True,
        "model": "m",
    }


def test_an_error_is_told_though_the_figures_cannot_be_written(tmp_path: Path):
    path = tmp_path / "folder" / "metrics.json"
    path.parent.mkdir()
    with pytest.raises(ValueError, match="the first"), Progress(Totals(), None, {}, str(path)):
        path.unlink()
        path.parent.rmdir()
        raise ValueError("the first")


def test_figures_that_cannot_be_written_are_refused_at_once(tmp_path: Path):
    with (
        pytest.raises(InputError, match="cannot be written"),
        Progress(Totals(), None, {}, str(tmp_path / "nowhere" / "a")),
    ):
        pytest.fail("the run has begun")
