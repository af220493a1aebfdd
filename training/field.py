"""The figures that a field publishes, for heads of actors and of public corpora."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.heads import ACTORS, Head
from inference.scorer import Scores
from inference.tags import Span
from models.base import UNLABELLED, Example, Labels, class_arrays
from models.spans import found_spans, true_spans

from .benchmarks import class_metrics, dse_metrics, root_metrics, tag_metrics
from .heads import DSE, PLOVER, PLOVER_QUAD
from .public.plover import ROOT_QUADS

QUAD_OF_ROOT = [int(code) - 1 for code in ROOT_QUADS.values()]
"""Quad code of every root code, from 0."""


def field_metrics(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> dict[str, Any]:
    """Measure one of the heads that no record is made of, as its corpus' authors do.

    Args:
        examples: labelled documents; those without a label of the head do not count.
        scores: uncalibrated scores of each.
        head: any but topics and stances.
    """
    rows = [(example, score) for example, score in zip(examples, scores, strict=True) if example.has(head)]
    if head.name == DSE.name:
        # A sentence of DSE has two pairs: its actors in both orders.
        logits = np.stack([score.others[head.name] for _, score in rows])
        return dse_metrics(logits[:, 0], logits[:, 1], np.stack([example.classes(head) for example, _ in rows]))
    if head.kind == "tags":
        found, true = [found_spans(*row, head) for row in rows], [true_spans(row[0], head) for row in rows]
        metrics = tag_metrics(found, true)
        # A mention is found whatever it is taken to stand for.
        return metrics | _mention_metrics(found, true) if head.name == ACTORS else metrics
    logits, classes = class_arrays(examples, scores, head)
    if head == PLOVER:
        return root_metrics(logits, classes, _quads(rows, classes), QUAD_OF_ROOT)
    return class_metrics(logits, classes)


def _mention_metrics(found: Sequence[Sequence[Span]], true: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Precision, recall and F1 over spans without their labels."""
    metrics = tag_metrics(_places(found), _places(true))
    return {key: metrics[key] for key in ("precision", "recall", "micro_f1")}


def _places(documents: Sequence[Sequence[Span]]) -> list[list[Span]]:
    return [[(field, start, end, "") for field, start, end, _ in spans] for spans in documents]


def _quads(rows: Sequence[tuple[Example, Scores]], roots: Labels) -> Labels:
    """Quad codes as the corpus gives them, else as the root codes imply them."""
    labelled = [example.classes(PLOVER) != UNLABELLED for example, _ in rows]
    given = np.concatenate(
        [example.classes(PLOVER_QUAD)[known] for (example, _), known in zip(rows, labelled, strict=True)]
    )
    return np.where(given == UNLABELLED, np.array(QUAD_OF_ROOT)[roots], given)
