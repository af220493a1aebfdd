"""Files in, one output of records out."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path

from .errors import InputError
from .inputs import InputFile, State, expand, identify, state, unchanged
from .parts import check_output
from .parts import output as opened
from .predictor import Predictor
from .progress import Progress
from .reading import check_input, read_rows
from .schema import ARTICLE_COLUMNS
from .tasks import Content, Place, tasks
from .threads import cores
from .totals import Totals
from .workers import scored
from .writing import SCHEMA_VERSION, format_of

LOG = logging.getLogger(__name__)

PART_ROWS = 10_000
"""Rows of a part: what a crash costs at most, besides what is being scored."""

_REMEMBERED_IDS = 1_000_000
"""Ids that are checked for duplicates; more would cost memory without bound."""

_TOLD = 5
"""Duplicates, and failures, that are named one by one; the others are counted."""


def predict_files(
    predictor: Predictor,
    inputs: Sequence[str],
    output: str,
    keep: Sequence[str] = (),
    *,
    workers: int | None = None,
    part_rows: int = PART_ROWS,
    resume: bool = False,
    metrics: str | None = None,
) -> Totals:
    """Score the rows of files into one output, each exactly once and in order.

    Args:
        predictor: what scores; of more than a few rows, it does so in processes of its own.
        inputs: files, directories and patterns of files, see `inputs.expand`; or `-` for JSON lines.
        output: a file, a directory of parts where it ends in `/`, or `-`; see `writing.format_of`.
        keep: columns of the inputs that are carried into the records; null where a row has none or cannot be read. One
            that no row has is warned of.
        workers: processes to score with; None takes one for each core, or for a GPU.
        part_rows: rows of a part.
        resume: whether to go on with a run that was interrupted; then input, model and options must be the same.
        metrics: a file that tells how far the run is, in JSON.

    Returns:
        How many records there are of each kind, those of before an interruption included.

    Raises:
        InputError: an input as a whole cannot be read or changes while it is, or the output cannot be written; then no
            output is left, but finished parts are, to go on with.
        WorkerError: a process that scores was killed; the same.
    """
    format = format_of(output, keep)
    paths = expand(inputs)
    for path in paths:
        check_input(path)
        for written in (output, metrics or "-"):
            if "-" not in (path, written) and Path(path).resolve() == Path(written).resolve():
                raise InputError(f"{written}: is also an input")
    if metrics and Path(metrics).resolve() == Path(output).resolve():
        raise InputError(f"--metrics {metrics}: is also the output")
    if resume and "-" in (*paths, output):
        raise InputError("--resume: what comes through a pipe is gone and cannot be read or written again")
    check_output(output, resume)
    files = {path: identify(path) for path in paths if "-" not in (path, output)}
    states = {path: files[path].state if path in files else state(path) for path in paths if path != "-"}
    run = _run(predictor, list(files.values()), part_rows, keep)
    missing = set(keep)
    seen = _Seen()
    expected = _expected(list(files.values()), paths)
    with (
        opened(output, format, run, part_rows, resume) as sink,
        Progress(sink.before, expected, {"model": predictor.model.digest}, metrics) as progress,
    ):
        rows = _rows(paths, states, {*ARTICLE_COLUMNS, *keep}, sink.start, seen)
        work = tasks(rows, sink.before.rows + 1, part_rows)
        with closing(scored(work, predictor, format, workers or _workers(predictor))) as ready:
            for done in ready:
                sink.write(done)
                progress.add(done.totals)
                seen.tell(done.failures)
                missing -= done.kept
    progress.finish()
    seen.sum_up()
    if missing and progress.totals.rows > sink.before.rows:
        since = " since the run went on" if sink.before.rows else ""
        LOG.warning("no row%s has %s to keep", since, ", ".join(sorted(missing)))
    return progress.totals


def _workers(predictor: Predictor) -> int:
    """As many as there are processors to score with."""
    return cores() if predictor.device == "cpu" else 1


def _run(predictor: Predictor, files: Sequence[InputFile], part_rows: int, keep: Sequence[str]) -> dict[str, object]:
    """What decides what the output holds."""
    return {
        "schema": SCHEMA_VERSION,
        "model": asdict(predictor.model),
        "device": predictor.device,
        "inputs": [{"size": file.size, "sha256": file.sha256} for file in files],
        "keep": list(keep),
        "wanted": asdict(predictor.wanted),
        "part_rows": part_rows,
    }


def _expected(files: Sequence[InputFile], paths: Sequence[str]) -> int | None:
    """About how many rows there are."""
    counts = [file.rows for file in files if file.rows is not None]
    return sum(counts) if len(counts) == len(paths) else None


def _rows(
    paths: Sequence[str], states: Mapping[str, State], columns: Collection[str], start: Place, seen: _Seen
) -> Iterator[tuple[Place, Content]]:
    """All rows from a place on, each with the place after it.

    Raises:
        InputError: a file cannot be read, or changes while it is.
    """
    first, skip = start
    for number, path in enumerate(paths[first:], start=first):
        with unchanged(path, states[path]) if path in states else nullcontext():
            for count, row in enumerate(read_rows(path, skip=skip, columns=columns), start=skip + 1):
                seen.note(row.place, row.content)
                yield (number, count), row.content
        skip = 0


class _Seen:
    """Tells of ids that come again, since a join on them will not be one to one, and of rows that fail."""

    def __init__(self) -> None:
        self._ids: set[int] = set()
        self._again = 0
        self._failed = 0

    def note(self, place: str, content: Content) -> None:
        """Look at a row that is read."""
        id = content.get("id") if isinstance(content, dict) else content.id
        if id is None:
            return
        key = hash(str(id))
        if key in self._ids:
            self._again += 1
            if self._again <= _TOLD:
                LOG.warning("%s: the id %r was there before; both rows are scored", place, str(id))
        elif len(self._ids) < _REMEMBERED_IDS:
            self._ids.add(key)

    def tell(self, failures: Sequence[tuple[str, str]]) -> None:
        """Tell of rows that failed."""
        for id, reason in failures[: max(0, _TOLD - self._failed)]:
            LOG.warning("id %s: %s", id, reason)
        self._failed += len(failures)

    def sum_up(self) -> None:
        """Tell of those that were too many to be named."""
        if self._again > _TOLD:
            LOG.warning("%d rows in all have an id that was there before", self._again)
        if self._failed > _TOLD:
            LOG.warning("%d rows in all failed; the records say why", self._failed)
