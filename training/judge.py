"""Measures a bundle on a labelled corpus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset

from inference.actors import ActorFinder
from inference.bundle import Bundle
from inference.heads import ACTORS, STANCES, TOPICS
from inference.predictor import Predictor
from inference.scorer import Scores
from models.base import Example

from .catalogue import CATALOGUE, entry, load_catalogue
from .corpora import LEARNED, CorpusError, load_corpora
from .evaluate import Metrics, evaluate
from .examples import to_examples
from .heads import all_heads
from .recipe import Corpus
from .records import record_metrics, record_table
from .report import RECORDS, Report, field_figures

LOG = logging.getLogger(__name__)


def judge(
    model: str, corpus: Corpus, split: str = "test", skip_bad_rows: bool = False, catalogue: Path = CATALOGUE
) -> tuple[Bundle, Metrics]:
    """Score a corpus with a bundle and measure every head that both know, given the labelled actors.

    Args:
        model: a bundle's directory or an MLflow URI.
        corpus: what to measure on.
        split: a split of a public corpus; part of a corpus that the bundle was trained on, as its run parted it; `all`
            for all of it. Files that it was not trained on are always measured whole.
        skip_bad_rows: whether bad rows are left out instead of stopping the measurement.
        catalogue: where the public corpora are.

    Returns:
        The bundle, and its metrics.

    Raises:
        DetenteError: the bundle or the corpus cannot be read, or nothing that both know is labelled.
    """
    predictor = Predictor.load(model)
    bundle, manifest = predictor.bundle, predictor.bundle.manifest
    examples, scores = scored(predictor, corpus, split, skip_bad_rows, catalogue)
    metrics = evaluate(examples, scores, manifest.heads, manifest.decisions)
    if set(metrics) == {"articles"}:
        heads = ", ".join(head.name for head in manifest.heads)
        raise CorpusError(f"corpus {corpus.name}: none of its labels is of a head of {model}, which has {heads}")
    whole = [example for example in examples if ACTORS in example.others]
    if whole and manifest.has(STANCES):
        found = predictor.predict(example.document.article for example in whole)
        metrics[RECORDS] = record_metrics(whole, list(found))
    return bundle, metrics


def scored(
    predictor: Predictor,
    corpus: Corpus,
    split: str = "test",
    skip_bad_rows: bool = False,
    catalogue: Path = CATALOGUE,
) -> tuple[list[Example], list[Scores]]:
    """The examples of a corpus and a model's scores of them; see `judge`."""
    manifest = predictor.bundle.manifest
    known = load_catalogue(catalogue) if corpus.public else {}
    if corpus.public:
        heads = (*(head.name for head in manifest.heads), ACTORS)
        corpus = corpus.model_copy(update={"heads": heads})
    finder = ActorFinder(predictor.bundle.lexicon().forms)

    def read(splits: Sequence[str]) -> Dataset:
        return load_corpora([corpus], manifest.topics, finder, skip_bad_rows, known, splits)

    files = entry(known, corpus.name).files if corpus.public else {}
    rows = _part(corpus, split, Report.of(predictor.bundle), list(files), read)
    examples = to_examples(rows, all_heads(manifest.topics), predictor.bundle.lexicon().countries)
    return examples, predictor.score([example.document for example in examples], others=True)


def _part(
    corpus: Corpus, split: str, report: Report, given: Sequence[str], read: Callable[[Sequence[str]], Dataset]
) -> Dataset:
    """The rows of a split that a corpus gives, or of a part of it that the bundle's run has drawn.

    Args:
        corpus: what is measured on.
        split: what is wanted.
        report: of the bundle.
        given: the splits of a public corpus, none of files.
        read: reads those.

    Raises:
        CorpusError: the corpus has no such split, or no row in it.
    """
    name = corpus.name
    if split == "all":
        return read(given)
    if split in given or (not corpus.files and name not in {corpus["name"] for corpus in report.corpora}):
        return read((split,))
    if split not in report.split:
        raise CorpusError(
            f"corpus {name}: no split {split!r}; it has {', '.join(dict.fromkeys((*given, *report.split, 'all')))}"
        )
    rows, drawn = read(LEARNED), set(report.split[split])
    if corpus.files:
        run = {id for ids in report.split.values() for id in ids}
        known = sum(id in run for id in rows["id"])
        if not known:
            _warn_of_learned(rows["id"], report)
            return rows
        if known < len(rows):
            LOG.warning("%d of %d rows are in no part of the model's run: left out", len(rows) - known, len(rows))
    chosen = [row for row, id in enumerate(rows["id"]) if id in drawn]
    if not chosen:
        raise CorpusError(f"corpus {name}: none of its {len(rows)} rows is in the part {split!r} of the model's run")
    return rows.select(chosen)


def _warn_of_learned(ids: Sequence[str], report: Report) -> None:
    """Say so where articles seem to be those that a model learned from, under another corpus' name."""
    learned = {id.partition("/")[2] for id in report.split["train"]}
    count = sum(id.partition("/")[2] in learned for id in ids)
    if count:
        LOG.warning("%d of %d articles have ids of articles that the model learned from: if they are the same, "
                    "the figures flatter it", count, len(ids))  # fmt: skip


def table(metrics: Metrics) -> str:
    """The figures as text: a line a label of topics, stances and tags, a line for each further head."""
    lines = [f"{metrics['articles']} articles"]
    for name in (TOPICS, STANCES):
        if name in metrics:
            lines += ["", *_head(name, metrics[name])]
    for name, figures, support in field_figures(metrics):
        lines += ["", f"{name:24}{figures}, support {support}"]
        for label, row in metrics[name].get("labels", {}).items():
            lines.append(f"  {label:22}F1 {row['micro_f1']:.3f}, support {row['support']}")
    if RECORDS in metrics:
        lines += ["", record_table(metrics[RECORDS])]
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
