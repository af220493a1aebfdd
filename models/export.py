"""A fitted model into a bundle that is known to score the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from inference.bundle import ACTORS, Bundle, Manifest, write_bundle
from inference.document import Document
from inference.errors import DetenteError
from inference.naming import Lexicon
from inference.predictor import Predictor
from inference.scorer import Scores

from .base import Model

TOLERANCE = 1e-4
"""Largest difference of a score in fp32 between a model and its bundle."""


class ParityError(DetenteError):
    """An exported model does not score as the fitted one."""


def export_bundle(
    model: Model,
    directory: Path,
    manifest: Manifest,
    lexicon: Lexicon,
    extra: Mapping[str, str],
    documents: Sequence[Document],
) -> Bundle:
    """Export a model, check that the export scores the same, then put it in its place.

    Args:
        model: fitted.
        directory: where the bundle will lie; an older one there is replaced in one step.
        manifest: what the bundle says of itself.
        lexicon: the actors that are known by name.
        extra: further files by name, such as the model card.
        documents: of mixed lengths; both models score them.

    Raises:
        ParityError: a score differs by more than `TOLERANCE`; the older bundle is left as it is.
    """
    with tempfile.TemporaryDirectory() as temporary:
        files = Path(temporary)
        model.export(files)
        (files / ACTORS).write_text(json.dumps(lexicon.to_dict(), ensure_ascii=False, sort_keys=True), "utf-8")
        for name, content in extra.items():
            (files / name).write_text(content, "utf-8")
        expected = model.score(documents, others=True)
        return write_bundle(
            directory,
            manifest,
            files,
            lambda bundle: check_parity(expected, Predictor(bundle).score(documents, others=True)),
        )


def check_parity(expected: Sequence[Scores], found: Sequence[Scores]) -> float:
    """The largest difference between two lists of scores.

    Raises:
        ParityError: it is above `TOLERANCE`.
    """
    gap = 0.0
    for one, other in zip(expected, found, strict=True):
        left_heads, right_heads = (
            {"topics": each.topics, "stances": each.stances, **each.others} for each in (one, other)
        )
        for head, left in left_heads.items():
            right = right_heads.get(head, np.zeros(0))
            if left.shape != right.shape:
                raise ParityError(f"the exported model gives {head} of shape {right.shape}, expected {left.shape}")
            gap = float(np.maximum(gap, np.abs(left - right).max(initial=0.0)))  # keeps NaN, as max() does not
    if not gap <= TOLERANCE:
        raise ParityError(f"the exported model's scores differ by {gap:.2g}, at most {TOLERANCE:g} is allowed")
    return gap
