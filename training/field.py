"""The figures that a field publishes, for heads of actors and of public corpora."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.heads import ACTORS, Head
from inference.scorer import Scores
from inference.tags import Span, Tags, tagged_spans
from models.base import UNLABELLED, Example, Labels, class_arrays

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
        return tag_metrics([found_spans(*row, head) for row in rows], [true_spans(row[0], head) for row in rows])
    logits, classes = class_arrays(examples, scores, head)
    if head == PLOVER:
        return root_metrics(logits, classes, _quads(rows, classes), QUAD_OF_ROOT)
    return class_metrics(logits, classes)


def _quads(rows: Sequence[tuple[Example, Scores]], roots: Labels) -> Labels:
    """Quad codes as the corpus gives them, else as the root codes imply them."""
    labelled = [example.classes(PLOVER) != UNLABELLED for example, _ in rows]
    given = np.concatenate(
        [example.classes(PLOVER_QUAD)[known] for (example, _), known in zip(rows, labelled, strict=True)]
    )
    return np.where(given == UNLABELLED, np.array(QUAD_OF_ROOT)[roots], given)


def found_spans(example: Example, score: Scores, head: Head) -> list[Span]:
    """The spans that a head of tags finds; the first token of a word speaks for it.

    The words of public corpora, and so their spans, end where a space is.
    """
    if head.name == ACTORS:
        return Tags.of(example.document, head, score.tokens, score.others[head.name]).spans()
    text = example.document.article.text
    words, first = [], []
    for number, (place, begin, end) in enumerate(score.tokens.tolist()):
        start = end - len(text[begin:end].lstrip())  # some tokenizers count the space before a word as its own
        if start < end and (start == 0 or text[start - 1].isspace()):
            words.append((place, start, start + len(text[start:].split(maxsplit=1)[0])))
            first.append(number)
    tokens = np.array(words, dtype=np.int64).reshape(-1, 3)
    return tagged_spans(tokens, score.others[head.name][first], head)


def true_spans(example: Example, head: Head) -> list[Span]:
    """The labelled spans of a document."""
    rows = example.others[head.name].tolist()
    return [(place, start, end, head.labels[label]) for place, start, end, label in rows]
