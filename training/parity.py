"""Whether a model may be scored in 8-bit integers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.decode import Decisions
from inference.heads import STANCES, TOPICS, Head
from inference.scorer import Scores
from models.base import Example, Family, Model, article_pairs, stance_arrays, topic_arrays
from models.calibration import fit_decisions

from .evaluate import Metrics, evaluate

LOG = logging.getLogger(__name__)

_AGREEMENT = 0.99
"""Least share of decisions on validation that are the same."""

_LOSS = 0.005
"""Largest loss of macro-F1."""

_DOCUMENTS = 150
"""Training documents that scales are found from."""

_SPARED = (0, 1, 2, 4)
"""Matrix products that stay in fp32, of which each makes an encoder of six layers up to a tenth slower."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model with its scores of the validation part and what was fitted on them."""

    model: Model
    scores: list[Scores]
    decisions: Decisions

    @classmethod
    def of(cls, model: Model, validation: Sequence[Example], topics: Sequence[str]) -> Judged:
        """Score the validation part, and fit calibration and thresholds."""
        scores = model.score([example.document for example in validation], others=True)
        rows = validation, scores
        return cls(
            model, scores, fit_decisions(topics, *topic_arrays(*rows), *stance_arrays(*rows), article_pairs(*rows))
        )


def lightest(
    family: Family,
    wanted: str,
    train: Sequence[Example],
    validation: Sequence[Example],
    topics: Sequence[str],
    heads: Sequence[Head],
) -> tuple[Judged, Metrics]:
    """A fitted model in 8-bit integers where it decides as before, else as it was fitted.

    Args:
        family: fitted.
        wanted: `auto`; `fp32` does not try.
        train: what it has learned from; scales are found from a part of it.
        validation: what it is compared on.
        topics: the topic labels.
        heads: those that it has.

    Returns:
        The one to export; and what was `chosen`, with how many products `spared`, and by what agreement and macro-F1 of
        both, by head.
    """
    full = Judged.of(family, validation, topics)
    some = [train[place].document for place in np.linspace(0, len(train) - 1, min(len(train), _DOCUMENTS)).astype(int)]
    facts: Metrics = {"chosen": "fp32"}
    for spared in _SPARED if wanted == "auto" else ():
        model = family.quantized(some, spared)
        if model is None:
            break
        light = Judged.of(model, validation, topics)
        compared = _compared(full, light, validation, [head for head in heads if head.name in (TOPICS, STANCES)])
        holds = all(row["agreement"] >= _AGREEMENT and row["int8"] >= row["fp32"] - _LOSS for row in compared.values())
        LOG.info("%s", _told(compared, spared, holds))
        facts = {"chosen": "int8" if holds else "fp32", "spared": spared, "heads": compared}
        if holds:
            return light, facts
    return full, facts


def _compared(one: Judged, other: Judged, validation: Sequence[Example], heads: Sequence[Head]) -> Metrics:
    """Share of equal decisions, and macro-F1 of both, by head."""
    measured = [evaluate(validation, each.scores, heads, each.decisions) for each in (one, other)]
    rows = {}
    for head in heads:
        if head.name in measured[0]:
            left, right = (_decided(head, each, validation) for each in (one, other))
            full, light = (metrics[head.name]["macro_f1"] for metrics in measured)
            rows[head.name] = {"agreement": float((left == right).mean()), "fp32": full, "int8": light}
    return rows


def _decided(head: Head, judged: Judged, validation: Sequence[Example]) -> npt.NDArray[np.generic]:
    """The labels of all that is labelled."""
    decisions = judged.decisions
    if head.name == TOPICS:
        logits, _ = topic_arrays(validation, judged.scores)
        return decisions.assigned(decisions.topic_probabilities(logits))
    logits, _ = stance_arrays(validation, judged.scores)
    return decisions.stance_classes(decisions.stance_probabilities(logits))


def _told(compared: Metrics, spared: int, holds: bool) -> str:
    rows = [
        f"{head} {row['agreement']:.1%} of decisions the same, macro-F1 {row['int8']:.3f} after {row['fp32']:.3f}"
        for head, row in compared.items()
    ]
    kind = f"in 8-bit integers but for {spared} products" if spared else "in 8-bit integers"
    return f"{kind}: {'; '.join(rows)}: {'kept' if holds else 'too far off'}"
