"""Times the command `predict` with the bundles in build/, in turn: `make bench`.

Every figure is of the whole command, start of its processes included, but for the rate, from which the time of one
article is taken off. Memory is the sum over the command's processes, of what each has for itself and its share of what
they have together, sampled ten times a second.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

import psutil  # type: ignore[import-untyped]

from inference.bundle import MANIFEST
from inference.threads import cores

from .articles import starter, write

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the command took.

    Args:
        seconds: wall time.
        cpu: seconds of all its processes.
        memory: largest in megabytes, 0 where it was too short to be sampled.
    """

    seconds: float
    cpu: float
    memory: float


def main() -> int:
    """Print one line for each bundle and number of articles; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scoring")
    parser.add_argument("bundles", nargs="*", type=Path, help="default: all of build/")
    parser.add_argument("--articles", type=int, nargs="+", default=[1000], help="default: 1000")
    options = parser.parse_args()
    bundles = options.bundles or sorted(path.parent for path in Path("build").glob(f"*/{MANIFEST}"))
    if not bundles:
        print("error: no bundle in build/; `make train` makes one", file=sys.stderr)
        return 2
    print(f"{cores()} cores")
    print(f"{'bundle':20}{'kind':>16}{'size MB':>9}{'articles':>10}{'cold start s':>14}{'articles/s':>12}"
          f"{'CPU ms each':>13}{'peak MB':>9}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        one = write(starter(1), Path(folder) / "one.jsonl")
        for number in options.articles:
            many = write(starter(number), Path(folder) / "many.jsonl")
            for bundle in bundles:
                cold = min((predicted(bundle, one, memory=False) for _ in range(_ROUNDS)), key=lambda run: run.seconds)
                run = predicted(bundle, many)
                rate = number / (run.seconds - cold.seconds)
                print(f"{bundle.name:20}{_kind(bundle):>16}{_size(bundle):9.1f}{number:10}{cold.seconds:14.2f}{rate:12.1f}"
                      f"{1000 * (run.cpu - cold.cpu) / number:13.2f}{run.memory:9.0f}", flush=True)  # fmt: skip
    return 0


def predicted(bundle: Path, articles: Path, memory: bool = True) -> Run:
    """Run the command once."""
    output = articles.with_suffix(".parquet")
    command = [sys.executable, "-m", "inference", "predict", str(articles), "--model", str(bundle), "-o", str(output)]
    before, started, peak = _cpu(), perf_counter(), 0.0
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while memory and process.poll() is None:
            peak = max(peak, _memory(process.pid))
            sleep(0.1)
        process.wait()
    if process.returncode:
        raise SystemExit(f"error: {' '.join(command)} ended with {process.returncode}")
    return Run(perf_counter() - started, _cpu() - before, peak)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: int) -> float:
    total = 0
    try:
        for process in (parent := psutil.Process(pid), *parent.children(recursive=True)):
            total += process.memory_full_info().pss
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0
    return total / 1e6


def _kind(bundle: Path) -> str:
    manifest = json.loads((bundle / MANIFEST).read_text())
    return f"{manifest['family']} {manifest['precision']}"


def _size(bundle: Path) -> float:
    return sum(file.stat().st_size for file in bundle.iterdir()) / 1e6


if __name__ == "__main__":
    sys.exit(main())
