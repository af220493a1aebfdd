"""How quality grows with the number of labelled articles: `python -m tests.benchmarks.curve --corpus allsides`.

Each recipe is trained on ever more of its articles, drawn by the seed, and measured on a corpus that none of them has
seen. A bundle that is there already is not trained again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from training.judge import judge
from training.recipe import Corpus
from training.report import Report

from .quality import bundle, spread, stances, topics


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is missing, measure, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Quality by number of labelled articles.")
    parser.add_argument("--recipes", nargs="+", default=["linear", "embedding", "default"])
    parser.add_argument("--articles", nargs="+", type=int, default=[100, 200, 400, 800])
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    parser.add_argument("--corpus", required=True, help="a public corpus with topics and stances")
    parser.add_argument("--split", default="test")
    options = parser.parse_args(arguments)
    print("| recipe | articles | for training | topics | stances |")
    print("| --- | ---: | ---: | --- | --- |")
    for recipe in options.recipes:
        for number in options.articles:
            bundles = [bundle(recipe, seed, [f"articles={number}", "min_positives=1"]) for seed in options.seeds]
            measured = [judge(str(each.path), Corpus(name=options.corpus), options.split)[1] for each in bundles]
            trained = len(Report.of(bundles[0]).split["train"])
            print(
                f"| `{recipe}` | {number} | {trained} | {spread(measured, topics)} | {spread(measured, stances)} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
