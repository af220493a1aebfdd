"""Draws wrong stances for a person to read: `python -m tests.benchmarks.errors MODEL --corpus allsides --split train`.

JSON lines with the sentence, the pair, what the labels say, what the model says and how sure it is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from inference.decode import Decisions
from inference.predictor import Predictor
from inference.schema import STANCE_LABELS
from inference.scorer import Scores
from models.base import UNLABELLED, Example
from training.judge import scored
from training.recipe import Corpus


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a sample; returns the exit code."""
    parser = argparse.ArgumentParser(description="A sample of wrong stances.")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args(arguments)
    predictor = Predictor.load(options.model)
    examples, scores = scored(predictor, Corpus(name=options.corpus), options.split)
    found = [
        row
        for example, score in zip(examples, scores, strict=True)
        for row in _wrong(example, score, predictor.bundle.manifest.decisions)
    ]
    chosen = np.random.default_rng(options.seed).permutation(len(found))[: options.number]
    print(f"{len(found)} wrong stances, {len(chosen)} of them below", file=sys.stderr)
    for number in sorted(chosen):
        print(json.dumps(found[number], ensure_ascii=False))
    return 0


def _wrong(example: Example, score: Scores, decisions: Decisions) -> Iterator[dict[str, Any]]:
    """The pairs of an article whose label is another than the labelled one."""
    document = example.document
    probabilities = decisions.stance_probabilities(score.stances)
    classes = decisions.stance_classes(probabilities)
    for pair, truth, found, row in zip(document.pairs, example.stances, classes, probabilities, strict=True):
        if truth not in (UNLABELLED, found):
            yield {
                "id": document.article.id,
                "sentence": document.text_of(document.sentences[pair.sentence]),
                "source": pair.source,
                "target": pair.target,
                "truth": STANCE_LABELS[truth],
                "found": STANCE_LABELS[found],
                "score": round(float(row[found]), 3),
            }


if __name__ == "__main__":
    sys.exit(main())
