"""Trains each family under several seeds and prints the README's table: `python -m tests.benchmarks.quality`.

With `--files` and `--labels` the bundles are also measured on a corpus that none of them has seen.
A bundle that is there already is not trained again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from inference.bundle import MANIFEST, Bundle
from training.evaluate import Metrics
from training.fit import run
from training.judge import judge
from training.recipe import Corpus, load_recipe
from training.report import Report

_FOLDER = Path("build/quality")
_RECIPES = ("linear", "embedding", "default")


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Quality of the families, mean and spread over seeds.")
    parser.add_argument("--recipes", nargs="+", default=_RECIPES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    parser.add_argument("--files", nargs="+", type=Path)
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args(arguments)
    print("| recipe | topics | stances | wrong way | topics, unseen | stances, unseen | wrong way, unseen | fit s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.recipes:
        bundles = [_bundle(name, seed) for seed in options.seeds]
        reports = [Report.of(bundle) for bundle in bundles]
        seen = [report.metrics["test"] for report in reports]
        unseen: list[Metrics] = []
        if options.files:
            corpus = Corpus(name="unseen", files=tuple(options.files), labels=options.labels)
            unseen = [judge(str(bundle.path), corpus, "all", skip_bad_rows=True) for bundle in bundles]
        cells = [_spread(metrics, read) for metrics in (seen, unseen) for read in (_topics, _stances, _wrong_way)]
        seconds = statistics.mean(report.seconds["fit"] for report in reports)
        print(f"| `{name}` | {' | '.join(cells)} | {seconds:.0f} |", flush=True)
    return 0


def _bundle(name: str, seed: int) -> Bundle:
    path = _FOLDER / f"{name}-{seed}"
    if not (path / MANIFEST).is_file():
        run(load_recipe(Path("configs") / f"{name}.yaml", [f"seed={seed}"]), path)
    return Bundle.open(path)


def _spread(metrics: Sequence[Metrics], read: Callable[[Metrics], float]) -> str:
    """Mean and standard deviation over seeds."""
    if not metrics:
        return "–"
    values = [read(figures) for figures in metrics]
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


def _topics(metrics: Metrics) -> float:
    return float(metrics["topics"]["macro_f1"])


def _stances(metrics: Metrics) -> float:
    return float(metrics["stances"]["macro_f1"])


def _wrong_way(metrics: Metrics) -> float:
    return float(metrics["stances"]["direction_errors"])


if __name__ == "__main__":
    sys.exit(main())
