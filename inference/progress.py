"""How far a run is: a bar on a terminal, a line a minute elsewhere, figures in a file where asked for."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from time import monotonic
from types import TracebackType
from typing import Any

from tqdm import tqdm

from .errors import InputError
from .totals import Totals
from .writing import write_text

LOG = logging.getLogger(__name__)

_LINE_SECONDS = 60.0
_FILE_SECONDS = 5.0


class Progress:
    """Told of every record that is written.

    Args:
        before: what was written before the run was interrupted.
        rows: about how many there will be in all, None where nobody knows.
        facts: what the file of figures says of the run besides.
        metrics: that file, None for none.
    """

    def __init__(self, before: Totals, rows: int | None, facts: Mapping[str, Any], metrics: str | None = None) -> None:
        self.totals = Totals()
        self.totals.add(before)
        self._before, self._rows, self._facts, self._metrics = before.rows, rows, facts, metrics
        self._began = self._told = self._noted = monotonic()
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=rows, initial=before.rows, unit=" articles", dynamic_ncols=True)

    def add(self, totals: Totals) -> None:
        """Count records, and tell of them when it is time."""
        self.totals.add(totals)
        if self._bar is not None:
            self._bar.update(totals.rows)
        elif monotonic() - self._told >= _LINE_SECONDS:
            self._told = monotonic()
            LOG.info(self._line())
        if monotonic() - self._noted >= _FILE_SECONDS:
            self._note(finished=False)

    def __enter__(self) -> Progress:
        self._note(finished=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        with suppress(InputError) if kind else nullcontext():  # the first error is the one to tell
            self._note(finished=False)

    def finish(self) -> None:
        """Note that the output is whole."""
        self._note(finished=True)

    def _rate(self) -> float:
        """Articles a second of this run."""
        return (self.totals.rows - self._before) / max(monotonic() - self._began, 1e-9)

    def _line(self) -> str:
        done, rate = self.totals.rows, self._rate()
        if not self._rows or not rate:
            return f"{done} articles, {rate:.1f} a second"
        left = max(0, self._rows - done) / rate
        return f"{done} of about {self._rows} articles, {rate:.1f} a second, about {left / 60:.0f} minutes left"

    def _note(self, finished: bool) -> None:
        if self._metrics is None:
            return
        self._noted = monotonic()
        figures = {
            "articles": self.totals.rows,
            **self.totals.to_dict(),
            "articles_before": self._before,
            "expected": self._rows,
            "seconds": round(monotonic() - self._began, 3),
            "articles_per_second": round(self._rate(), 3),
            "finished": finished,
            **self._facts,
        }
        write_text(self._metrics, json.dumps(figures) + "\n")
