"""Kills batch predictions and lets them go on: `python -m tests.benchmarks.kill MODEL [--articles 20000] [--kills 50]`.

What comes of a run that is killed
again and again must be what comes of one that nobody disturbs, byte for byte, and nothing may be left of it besides:
else the exit code is 1. A run that ends before its kill is compared, and another begun.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil  # type: ignore[import-untyped]

from .articles import starter, write

_ROOT = Path(__file__).parents[2]
_PARTS = 40
_EARLY = 0.2
"""Share of the kills that come before a run has begun to write."""

_END_SECONDS = 30
"""How long a worker may outlive the process that it works for."""


@dataclass(frozen=True, slots=True)
class Run:
    """A prediction in a process of its own.

    Args:
        model: a bundle's directory or an MLflow URI.
        news: the articles.
        rows: how many they are.
        output: where the records go, in a folder of its own.
    """

    model: str
    news: Path
    rows: int
    output: Path

    def start(self, resume: bool) -> subprocess.Popen[bytes]:
        """Begin, or go on."""
        command = [sys.executable, "-m", "inference", "predict", str(self.news), "--model", self.model]
        command += ["-o", str(self.output), "--workers", "2", "--part-rows", str(max(1, self.rows // _PARTS))]
        more = ["--resume"] if resume else []
        return subprocess.Popen([*command, *more], cwd=_ROOT, stderr=subprocess.DEVNULL if resume else None)

    def parts(self) -> int:
        """How many parts are finished."""
        try:
            return sum(1 for path in self.output.with_name(f".{self.output.name}.parts").iterdir() if "-" in path.name)
        except FileNotFoundError:
            return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Predict undisturbed, then kill, resume and compare; returns the exit code."""
    parser = argparse.ArgumentParser(description="Batch predictions that are killed and go on.")
    parser.add_argument("model", metavar="MODEL", help="a bundle's directory or an MLflow URI")
    parser.add_argument("--articles", type=int, default=20_000, metavar="N", help="by default 20000")
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="by default 50")
    parser.add_argument("--seed", type=int, default=13, metavar="N", help="by default 13")
    options = parser.parse_args(arguments)
    drawn = random.Random(options.seed)
    model = str(Path(options.model).resolve()) if Path(options.model).exists() else options.model
    with tempfile.TemporaryDirectory() as temporary:
        news = write(starter(options.articles), Path(temporary) / "news.jsonl")
        runs = [Run(model, news, options.articles, Path(temporary) / each / "out.jsonl") for each in ("a", "b")]
        for run in runs:
            run.output.parent.mkdir()
        times = _undisturbed(runs[0])
        if times is None:
            print("error: the prediction fails undisturbed", file=sys.stderr)
            return 2
        began = monotonic()
        whole, met, wrong = _killed(runs[1], runs[0].output.read_bytes(), options.kills, times, drawn)
        kills = f"{len(met)} kills at {min(met, default=0)} to {max(met, default=0)} of {_PARTS} parts"
        print(
            f"{options.articles} articles in {sum(times):.1f} s undisturbed; {kills} and {whole} whole runs "
            f"in {monotonic() - began:.1f} s: {'; '.join(wrong) or 'the same bytes each time, and nothing left over'}"
        )
        return 1 if wrong else 0


def _undisturbed(run: Run) -> tuple[float, float] | None:
    """Seconds to the first part, and from there to the end; None where it fails."""
    began = monotonic()
    process, first = run.start(resume=False), None
    while process.poll() is None:
        if first is None and run.parts():
            first = monotonic() - began
        sleep(0.01)
    end = monotonic() - began
    return None if process.returncode else (first or end, end - (first or end))


def _killed(
    run: Run, expected: bytes, kills: int, times: tuple[float, float], drawn: random.Random
) -> tuple[int, list[int], list[str]]:
    """Kill so many times, at moments that are spread over the run, then let it end.

    Returns:
        How many runs came to their end, how many parts there were at each kill, and what was wrong.
    """
    whole, met, wrong = 0, [], []
    for left in range(kills, 0, -1):
        while True:
            before = run.parts()
            process = run.start(resume=True)
            early = drawn.random() < _EARLY
            parts = 0 if early else before + round(drawn.uniform(0, 2) * (_PARTS - before) / left)
            while process.poll() is None and run.parts() < min(parts, _PARTS):
                sleep(0.002)
            with suppress(subprocess.TimeoutExpired):
                process.wait(drawn.uniform(0, times[0] if early else 2 * times[1] / _PARTS))
            if process.poll() is None:
                break
            whole += 1
            wrong += _compared(run, process, expected)
        wrong += _kill(process)
        met.append(run.parts())
    process = run.start(resume=True)
    process.wait()
    return whole + 1, met, wrong + _compared(run, process, expected)


def _kill(process: subprocess.Popen[bytes]) -> list[str]:
    """Kill a process, and see whether its workers end by themselves."""
    workers = []
    with suppress(psutil.NoSuchProcess):
        workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    until = monotonic() + _END_SECONDS
    while running := [each.pid for each in workers if _runs(each)]:
        if monotonic() > until:
            return [f"a worker outlives its run: {running}"]
        sleep(0.02)
    return []


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _compared(run: Run, process: subprocess.Popen[bytes], expected: bytes) -> list[str]:
    """What is wrong with a run that came to its end; its output is removed."""
    if process.returncode:
        return [f"a run ended with {process.returncode}"]
    found = {path.name: path.read_bytes() for path in run.output.parent.iterdir()}
    run.output.unlink()
    if found.keys() != {run.output.name}:
        return [f"left over: {', '.join(found.keys() - {run.output.name})}"]
    return [] if found[run.output.name] == expected else ["other bytes"]


if __name__ == "__main__":
    sys.exit(main())
