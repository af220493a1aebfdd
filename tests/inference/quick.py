"""A predictor that needs no bundle, for runs that are made again and again, and ways to end them."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from multiprocessing import parent_process
from time import monotonic, sleep
from typing import Any

import psutil  # type: ignore[import-untyped]

from inference.errors import ArticleError
from inference.predictor import Input, Predictor, Wanted
from inference.schema import Article, ModelInfo, Prediction
from inference.tasks import Content, Place

STEPS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate"}


class Quick(Predictor):
    """Finds nothing in any article.

    Args:
        watch: called with the id of each.
        digest: of the bundle that it has not.
    """

    def __init__(self, watch: Callable[[str], object] = str, digest: str = "quick") -> None:
        self.model = ModelInfo(digest)
        self.threads = None
        self.device = "cpu"
        self.wanted = Wanted()
        self._watch = watch

    def __reduce__(self) -> tuple[Any, ...]:
        return Quick, (self._watch, self.model.digest)

    def with_threads(self, threads: int) -> Predictor:
        return self

    def ready(self) -> Predictor:
        return self

    def predict(self, articles: Iterable[Input], first: int = 1) -> Iterator[Prediction]:
        for row, item in enumerate(articles, start=first):
            try:
                if isinstance(item, ArticleError):
                    raise item
                article = item if isinstance(item, Article) else Article.from_mapping(item, str(row))
            except ArticleError as error:
                yield Prediction(error.id or str(row), "error", error.reason, (), (), (), self.model)
                continue
            self._watch(article.id)
            yield Prediction(article.id, "ok", None, (), (), (), self.model)


def rows(number: int, text: Any = "x") -> Iterator[tuple[Place, Content]]:
    """So many articles, each with the place after it."""
    return (((0, row), {"id": str(row), "text": text}) for row in range(1, number + 1))


def killed_at(fatal: str, id: str) -> None:
    """The system kills the worker that comes to an article."""
    if id == fatal and parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)


def out_of_memory_at(fatal: str, id: str) -> None:
    """A worker gets no more memory at an article."""
    if id == fatal and parent_process() is not None:
        raise MemoryError


def crashed(run: Callable[[], object], at: int) -> bool:
    """Run in a process that is gone just before its so-manieth step on files; whether it came that far."""
    child = os.fork()
    if not child:
        steps = count(1)

        def step(event: str, _: object) -> None:
            if event in STEPS and next(steps) == at:
                os._exit(9)

        try:
            sys.addaudithook(step)
            run()
            os._exit(0)
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9)
    return code == 9


def workers(of: int | None = None) -> list[psutil.Process]:
    """The processes that score for a process, by default for this one."""
    try:
        children = psutil.Process(of).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [each for each in children if _runs(each) and "spawn_main" in " ".join(each.cmdline())]


def alive(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """The processes that have not ended after so many seconds."""
    until, left = monotonic() + seconds, list(processes)
    while (left := [each for each in left if _runs(each)]) and monotonic() < until:
        sleep(0.02)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
