"""Trains recipes under several seeds and prints a row of figures each: `python -m tests.benchmarks.quality`.

With `--corpus allsides --split test` the bundles are also measured on a public corpus, by `--files` and `--labels` on
files of yours. A bundle that is there already is not trained again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from inference.bundle import MANIFEST, Bundle
from training.evaluate import Metrics
from training.fit import run
from training.judge import judge
from training.recipe import Corpus, load_recipe
from training.report import Report, field_figures

_FOLDER = Path("build/quality")
_HEAD = (
    "recipe", "topics", "stances", "wrong way", "topics, unseen", "stances, unseen", "wrong way, unseen", "fit s",
    "parameters", "bundle MB",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Quality of recipes, mean and spread over seeds.")
    parser.add_argument("--recipes", nargs="+", default=["linear", "embedding", "default"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    parser.add_argument("--corpus", default="unseen", help="measure on it, too")
    parser.add_argument("--split", default="all")
    parser.add_argument("--files", nargs="+", type=Path)
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args(arguments)
    unseen = None
    if options.files or options.corpus != "unseen":
        files = options.files and tuple(options.files)
        unseen = Corpus(name=options.corpus, files=files, labels=options.labels)
    print(f"| {' | '.join(_HEAD)} |\n|{' --- |' * len(_HEAD)}")
    further = []
    for name in options.recipes:
        bundles = [bundle(name, seed) for seed in options.seeds]
        reports = [Report.of(each) for each in bundles]
        seen = [report.metrics["test"] for report in reports]
        also = (
            [judge(str(each.path), unseen, options.split, skip_bad_rows=True)[1] for each in bundles] if unseen else []
        )
        cells = [spread(metrics, read) for metrics in (seen, also) for read in (topics, stances, _wrong_way)]
        cells.append(f"{statistics.mean(report.seconds['fit'] for report in reports):.0f}")
        cells.append(f"{reports[0].encoder['parameters'] / 1e6:.1f} M" if reports[0].encoder else "–")
        cells.append(f"{sum(file.stat().st_size for file in bundles[0].path.iterdir()) / 1e6:.0f}")
        print(f"| `{name}` | {' | '.join(cells)} |", flush=True)
        further += _further(name, [report.metrics["validation"] for report in reports])
    if further:
        print("\n| recipe | head | figures on validation |\n| --- | --- | --- |", *further, sep="\n")
    return 0


def bundle(recipe: str, seed: int, overrides: Sequence[str] = ()) -> Bundle:
    """The bundle of a shipped recipe under a seed, trained where it is not there yet."""
    path = _FOLDER / "-".join((recipe, str(seed), *(each.replace("=", "") for each in overrides)))
    if not (path / MANIFEST).is_file():
        run(load_recipe(Path("configs") / f"{recipe}.yaml", [f"seed={seed}", *overrides]), path)
    return Bundle.open(path)


def spread(metrics: Sequence[Metrics], read: Callable[[Metrics], float | None]) -> str:
    """Mean and standard deviation over seeds of what they have been measured on."""
    values = [value for value in map(read, metrics) if value is not None]
    if not values:
        return "–"
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {deviation:.3f}"


def topics(metrics: Metrics) -> float | None:
    """Macro-F1 of topics."""
    return _figure(metrics, "topics", "macro_f1")


def stances(metrics: Metrics) -> float | None:
    """Macro-F1 of stances."""
    return _figure(metrics, "stances", "macro_f1")


def _wrong_way(metrics: Metrics) -> float | None:
    return _figure(metrics, "stances", "direction_errors")


def _figure(metrics: Metrics, head: str, key: str) -> float | None:
    value: Any = metrics.get(head, {}).get(key)
    return None if value is None else float(value)


def _further(name: str, measured: Sequence[Metrics]) -> list[str]:
    """A row for each head besides topics and stances."""
    rows = []
    for head, _, _ in field_figures(measured[0]):
        keys = [key for key, value in measured[0][head].items() if isinstance(value, float)]
        figures = [f"{key} {spread(measured, partial(_figure, head=head, key=key))}" for key in keys]
        rows.append(f"| `{name}` | {head} | {', '.join(figures)} |")
    return rows


if __name__ == "__main__":
    sys.exit(main())
