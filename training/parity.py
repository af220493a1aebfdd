"""Whether a model may be scored in 8-bit integers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.decode import Decisions
from inference.heads import ACTORS, STANCES, TOPICS, Head
from inference.scorer import Scores
from models.base import Example, Family, Model, class_arrays, labelled_heads, stance_arrays, topic_arrays
from models.calibration import fit_decisions

from .evaluate import Metrics

LOG = logging.getLogger(__name__)

Masks = npt.NDArray[np.bool_]

_AGREEMENT = 0.99
"""Least share of decisions on validation that are the same."""

_LOSS = 0.005
"""Largest loss of macro-F1 beyond its standard error: of two hundred articles, three decisions can be more."""

_SAMPLES = 500
"""Samples of validation with replacement that the standard error is found from."""

_DOCUMENTS = 150
"""Training documents that widths of channels are found from."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model with its scores of the validation part and what was fitted on them."""

    model: Model
    scores: list[Scores]
    decisions: Decisions

    @classmethod
    def of(cls, model: Model, validation: Sequence[Example], topics: Sequence[str]) -> Judged:
        """Score the validation part, and fit calibration and thresholds."""
        scores = _scores(model, validation)
        rows = validation, scores
        return cls(model, scores, fit_decisions(topics, *topic_arrays(*rows), *stance_arrays(*rows)))


def _scores(model: Model, examples: Sequence[Example]) -> list[Scores]:
    return model.score([example.document for example in examples], others=True)


def lightest(
    family: Family,
    wanted: str,
    train: Sequence[Example],
    validation: Sequence[Example],
    topics: Sequence[str],
    heads: Sequence[Head],
) -> tuple[Judged, Metrics]:
    """A fitted model in 8-bit integers where it decides as before, by the same thresholds; else as it was fitted.

    Args:
        family: fitted.
        wanted: `auto`; `fp32` does not try.
        train: what it has learned from; widths of channels are found from a part of it.
        validation: what it is compared on.
        topics: the topic labels.
        heads: those that it has; where records are made of some, these are compared.

    Returns:
        The one to export; and what was `chosen`, by what agreement and macro-F1 of both, by head.
    """
    full = Judged.of(family, validation, topics)
    some = [train[place].document for place in np.linspace(0, len(train) - 1, min(len(train), _DOCUMENTS)).astype(int)]
    model = family.quantized(some) if wanted == "auto" else None
    if model is None:
        return full, {"chosen": "fp32"}
    light = Judged(model, _scores(model, validation), full.decisions)
    records = [head for head in heads if head.name in (TOPICS, STANCES, ACTORS)]
    compared = _compared(full, light, validation, labelled_heads(validation, records or heads))
    holds = bool(compared) and all(
        row["agreement"] >= _AGREEMENT and row["fp32"] - row["int8"] - row["error"] <= _LOSS
        for row in compared.values()
    )
    LOG.info("%s", _told(compared, holds))
    return (light if holds else full), {"chosen": "int8" if holds else "fp32", "heads": compared}


def _compared(one: Judged, other: Judged, validation: Sequence[Example], heads: Sequence[Head]) -> Metrics:
    """Share of equal decisions, macro-F1 of both, and the standard error of its difference, by head."""
    rows = {}
    for head in heads:
        truth, full = _decided(head, one, validation)
        _, light = _decided(head, other, validation)
        if len(truth):
            found = _macro_f1(truth, full), _macro_f1(truth, light)
            error = _standard_error(truth, full, light)
            rows[head.name] = {"agreement": _agreement(head, full, light), "error": error} | dict(
                zip(("fp32", "int8"), found, strict=True)
            )
    return rows


def _decided(head: Head, judged: Judged, validation: Sequence[Example]) -> tuple[Masks, Masks]:
    """What is right and what is decided, each (articles, pairs, texts or tokens; labels)."""
    decisions = judged.decisions
    if head.name == TOPICS:
        logits, labels = topic_arrays(validation, judged.scores)
        return labels.astype(bool), decisions.assigned(decisions.topic_probabilities(logits))
    if head.name == STANCES:
        logits, classes = stance_arrays(validation, judged.scores)
        decided = decisions.stance_classes(decisions.stance_probabilities(logits))
    else:
        logits, classes = class_arrays(validation, judged.scores, head)
        decided = logits.argmax(axis=1)
    return np.eye(head.outputs, dtype=bool)[classes], np.eye(head.outputs, dtype=bool)[decided]


def _agreement(head: Head, one: Masks, other: Masks) -> float:
    """Share of equal decisions: of each topic of an article, of each pair, text or token."""
    return float((one == other).mean() if head.name == TOPICS else (one == other).all(axis=1).mean())


def _macro_f1(truth: Masks, decided: Masks) -> float:
    right, said, true = (each.sum(axis=0) for each in (truth & decided, decided, truth))
    return float((2 * right / np.maximum(said + true, 1)).mean())


def _standard_error(truth: Masks, one: Masks, other: Masks) -> float:
    """Of the difference in macro-F1, by the paired bootstrap (Efron and Tibshirani 1993)."""
    chance = np.random.default_rng(0)
    rows = (chance.integers(len(truth), size=len(truth)) for _ in range(_SAMPLES))
    return float(np.std([_macro_f1(truth[row], one[row]) - _macro_f1(truth[row], other[row]) for row in rows]))


def _told(compared: Metrics, holds: bool) -> str:
    rows = [
        f"{head} {row['agreement']:.1%} of decisions the same, macro-F1 {row['int8']:.3f} after {row['fp32']:.3f}"
        for head, row in compared.items()
    ]
    return f"in 8-bit integers: {'; '.join(rows)}: {'kept' if holds else 'too far off, fp32 is kept'}"
