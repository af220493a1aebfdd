"""Tasks scored by processes side by side, and given back in order.

Each process has a pipe of its own, so that whatever ends it, in the middle of a result too, closes that pipe and is
seen at once. The standard library's pool has one pipe for the results of all: half a result has its reader wait for
ever.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from traceback import format_exc

from .errors import DetenteError
from .predictor import Predictor
from .tasks import Scored, Task, score
from .threads import cores
from .writing import Format

_HELD = 3
"""Tasks of a worker at most: one that it works on, and two so that it never waits for the reader."""

_KILLED = "a process that scores was killed or ran out of memory; a run from files to files goes on with --resume"


class WorkerError(DetenteError):
    """A process that scores has ended before its work."""


@dataclass(slots=True)
class _Job:
    """A task and, when it is done, what came of it."""

    task: Task
    outcome: Scored | Exception | None = None


class _Worker:
    """A process that scores what it is given, in order, with a predictor that it loads for itself."""

    def __init__(self, predictor: Predictor, format: Format) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.jobs: deque[_Job] = deque()
        self._process = context.Process(target=_serve, args=(predictor, format, theirs), daemon=True)
        resource_tracker.ensure_running()  # it would be begun now, and unblock the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            self._process.start()  # an interrupt never reaches it: who began the run ends it
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, job: _Job) -> None:
        """Have it done after what was given before.

        Raises:
            RecursionError: its rows are nested too deep to be sent.
        """
        with suppress(OSError):  # it has ended: `take` finds out, after what it did before
            self.pipe.send(job.task)
        self.jobs.append(job)

    def take(self) -> None:
        """Wait for what comes of its first job; of all that are left if it has ended."""
        try:
            self.jobs[0].outcome = self.pipe.recv()
            self.jobs.popleft()
        except (EOFError, OSError):
            for job in self.jobs:
                job.outcome = WorkerError(_KILLED)
            self.jobs.clear()

    def end(self) -> None:
        """Whatever it is at."""
        self.pipe.close()
        self._process.join()
        self._process.close()


def scored(work: Iterable[Task], predictor: Predictor, format: Format, workers: int) -> Generator[Scored, None, None]:
    """The records of tasks, in order; what is a single task is scored in this process.

    Closed early, or at an error, it ends its workers at once.

    Args:
        work: the tasks; at most three for each worker are held at a time.
        predictor: each worker loads its bundle for itself.
        format: of the output.
        workers: processes to score with.

    Raises:
        WorkerError: a process was killed, by lack of memory or otherwise.
        Exception: whatever else stopped one, with a note of where.
    """
    left = iter(work)
    head = list(islice(left, 2))
    left = chain(head, left)
    if workers == 1 or len(head) < 2:
        predictor.ready()
        yield from (score(predictor, format, task) for task in left)
        return
    theirs = predictor.with_threads(predictor.threads or max(1, cores() // workers))
    with ExitStack() as ends:
        crew: list[_Worker] = []
        held: deque[_Job] = deque()
        for task in left:
            if len(crew) < workers and all(worker.jobs for worker in crew):
                crew.append(_Worker(theirs, format))
                ends.callback(crew[-1].end)
            held.append(_given(task, crew, predictor, format))
            _collect(crew, 0)
            while held and (held[0].outcome is not None or len(held) >= workers * _HELD):
                yield _result(held.popleft(), crew)
        for job in held:
            yield _result(job, crew)


def _given(task: Task, crew: Sequence[_Worker], predictor: Predictor, format: Format) -> _Job:
    """The job of a task, given to the worker that has least to do."""
    job = _Job(task)
    try:
        min(crew, key=lambda worker: len(worker.jobs)).give(job)
    except RecursionError:  # JSON can be nested deeper than what is sent to another process
        job.outcome = score(predictor.ready(), format, task)
    return job


def _result(job: _Job, crew: Sequence[_Worker]) -> Scored:
    while job.outcome is None:
        _collect(crew, None)
    if isinstance(job.outcome, Exception):
        raise job.outcome
    return job.outcome


def _collect(crew: Sequence[_Worker], seconds: float | None) -> None:
    """Take what has come of jobs, or wait so long for something to come."""
    pipes = {worker.pipe: worker for worker in crew if worker.jobs}
    for pipe in wait(pipes, seconds):
        pipes[pipe].take()  # type: ignore[index]  # `wait` gives back what it was given


def _serve(predictor: Predictor, format: Format, pipe: Connection) -> None:
    """What a worker process does until the other end of its pipe is closed."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a thread for each core would be begun in each process
    given: SimpleQueue[Task] = SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, given), daemon=True).start()
    while True:
        pipe.send(_outcome(predictor, format, given.get()))


def _listen(pipe: Connection, given: SimpleQueue[Task]) -> None:
    """Take tasks while others are scored, so that neither side ever waits to send while the other does."""
    try:
        while True:
            given.put(pipe.recv())
    finally:
        os._exit(1)  # who wanted results is gone: nothing is left to do, or to tidy


def _outcome(predictor: Predictor, format: Format, task: Task) -> Scored | Exception:
    try:
        return score(predictor.ready(), format, task)
    except MemoryError:
        os._exit(1)  # there may be none to tell of it
    except Exception as error:  # noqa: BLE001  # raised in the process that wants the result
        error.add_note(format_exc())
        return error
