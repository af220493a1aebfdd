"""The metrics that the authors of public corpora publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax
from sklearn.metrics import f1_score

from inference.decode import Floats
from inference.tags import Span

Labels = npt.NDArray[np.int64]
_ALLOWED = np.array([(0, 0), (1, 0), (0, 1), (2, 0), (0, 2)])
"""DSE's five classes as (class of p → q, class of q → p): one at most is not neutral."""


def dse_metrics(forward: Floats, backward: Floats, truth: Labels) -> dict[str, Any]:
    """Micro- and macro-F1 over DSE's five classes (Park, Pan and Joo 2021), one decision a sentence.

    Args:
        forward: logits of p → q, (sentences, 3), in the order neutral, support, oppose.
        backward: the same of q → p.
        truth: classes of both, (sentences, 2).

    Returns:
        `micro_f1`, `macro_f1`, and `direction_errors`: the share of found leanings that are right the other way round.
    """
    one, other = log_softmax(forward, axis=1), log_softmax(backward, axis=1)
    found = (one[:, _ALLOWED[:, 0]] + other[:, _ALLOWED[:, 1]]).argmax(axis=1)
    right = (truth[:, None, :] == _ALLOWED).all(axis=2).argmax(axis=1)
    turned = np.array([0, 2, 1, 4, 3])
    return {
        **_f1(right, found),
        "direction_errors": float((turned[found] == right)[found > 0].mean()) if (found > 0).any() else 0.0,
    }


def class_metrics(scores: Floats, truth: Labels) -> dict[str, Any]:
    """Micro- and macro-F1 of the likeliest classes.

    Args:
        scores: logits, (items, classes).
        truth: classes, (items,).
    """
    return _f1(truth, scores.argmax(axis=1))


def root_metrics(scores: Floats, roots: Labels, quads: Labels, quad_of: Sequence[int]) -> dict[str, Any]:
    """Macro-F1 over root codes, quad codes, and cooperation against conflict of PLOVER (Hu et al. 2024).

    A quad code is as likely as its root codes together, which did better than a head of its own (docs/experiments.md).

    Args:
        scores: logits of root codes, (items, roots).
        roots: root codes, (items,).
        quads: quad codes from 0, (items,), which a corpus may give apart from the roots.
        quad_of: quad code of every root code.
    """
    likely = softmax(scores, axis=1) @ np.eye(4)[list(quad_of)]
    conflict = likely[:, 2:].sum(axis=1) > likely[:, :2].sum(axis=1)
    return {
        **_f1(roots, scores.argmax(axis=1)),
        "quad_macro_f1": _f1(quads, likely.argmax(axis=1))["macro_f1"],
        "binary_macro_f1": _f1((quads >= 2).astype(np.int64), conflict.astype(np.int64))["macro_f1"],
    }


def tag_metrics(found: Sequence[Sequence[Span]], truth: Sequence[Sequence[Span]]) -> dict[str, Any]:
    """Precision, recall and F1 over exact spans with their labels, as seqeval reports them.

    Args:
        found: field, start, end and label of the spans of each document.
        truth: the same, as labelled.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for one, other in zip(found, truth, strict=True):
        counts.update(("found", label) for *_, label in one)
        counts.update(("true", label) for *_, label in other)
        counts.update(("right", label) for *_, label in set(one) & set(other))
    labels = sorted({label for _, label in counts})
    return {**_span_f1(counts, labels), "labels": {label: _span_f1(counts, [label]) for label in labels}}


def _f1(truth: Labels, found: Labels) -> dict[str, Any]:
    return {
        "micro_f1": float(f1_score(truth, found, average="micro", zero_division=0)),
        "macro_f1": float(f1_score(truth, found, average="macro", zero_division=0)),
        "support": len(truth),
    }


def _span_f1(counts: Counter[tuple[str, str]], labels: Sequence[str]) -> dict[str, Any]:
    found, true, right = (sum(counts[kind, label] for label in labels) for kind in ("found", "true", "right"))
    precision, recall, f1 = precision_recall_f1(right, found, true)
    return {"precision": precision, "recall": recall, "micro_f1": f1, "support": true}


def precision_recall_f1(right: int, found: int, true: int) -> tuple[float, float, float]:
    """Precision, recall and F1 from the numbers of right, found and true things; 0 where there are none."""
    precision, recall = right / max(1, found), right / max(1, true)
    return precision, recall, 2 * precision * recall / max(1e-12, precision + recall)
