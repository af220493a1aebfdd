"""Measures a bundle on a labelled corpus."""

from __future__ import annotations

from typing import Any

from inference.actors import ActorFinder
from inference.predictor import Predictor

from .corpora import load_corpora
from .evaluate import Metrics, evaluate
from .examples import to_examples
from .recipe import Corpus
from .report import Report


def judge(model: str, corpus: Corpus, split: str = "test", skip_bad_rows: bool = False) -> Metrics:
    """Score a corpus with a bundle and measure topics and same-sentence stances given the labelled actors.

    Args:
        model: a bundle's directory or an MLflow URI.
        corpus: what to measure on.
        split: part of a corpus that the bundle was trained on, as its run parted it; `all` for all of
            it. A corpus that it was not trained on is always measured whole.
        skip_bad_rows: whether bad rows are left out instead of stopping the measurement.

    Raises:
        DetenteError: the bundle or the corpus cannot be read.
    """
    predictor = Predictor.load(model)
    manifest = predictor.bundle.manifest
    finder = ActorFinder(predictor.bundle.forms())
    known = load_catalogue(catalogue) if corpus.public else None
    dataset = load_corpora([corpus], manifest.topics, finder, skip_bad_rows, known, (split,))
    report = Report.of(predictor.bundle)
    if split in report.split and not known and corpus.name in {each["name"] for each in report.corpora}:
        chosen = set(report.split[split])
        dataset = dataset.select([row for row, id in enumerate(dataset["id"]) if id in chosen])
    examples = to_examples(dataset, all_heads(manifest.topics))
    scores = predictor.score([example.document for example in examples], others=True)
    return evaluate(examples, scores, manifest.heads, manifest.decisions)


def table(metrics: Metrics) -> str:
    """The figures as text, a line a label."""
    lines = [f"{metrics['articles']} articles"]
    for head in ("topics", "stances"):
        if head in metrics:
            lines += ["", *_head(head, metrics[head])]
    return "\n".join(lines)


def _head(name: str, head: dict[str, Any]) -> list[str]:
    lines = [f"{name:24}{'precision':>10}{'recall':>10}{'F1':>10}{'AP':>10}{'support':>10}"]
    for label, row in head["labels"].items():
        figures = "".join(f"{row[key]:10.3f}" for key in ("precision", "recall", "f1", "average_precision"))
        lines.append(f"{label:24}{figures}{row['support']:>10}")
    totals = f"macro-F1 {head['macro_f1']:.3f}, micro-F1 {head['micro_f1']:.3f}"
    totals += f", calibration error {head['ece_before']:.3f} raw, {head['ece']:.3f} calibrated"
    if "direction_errors" in head:
        totals += f", {head['direction_errors']:.1%} of predicted stances in the wrong direction"
    return [*lines, totals]
