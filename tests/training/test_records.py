from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.actors import Mention
from inference.document import Document
from inference.schema import (
    NEUTRAL,
    OPPOSE,
    STANCE_LABELS,
    SUPPORT,
    Actor,
    Article,
    ModelInfo,
    Prediction,
    Span,
    Stance,
)
from models.base import UNLABELLED, Example
from training.records import record_metrics, record_table, true_triples

TEXT = "Iran hit Iraq. Iran hit Iraq. Iran fed Iraq."


def example(*labels: str | None) -> Example:
    """Three sentences, whose stances of Iran towards Iraq are given; the other way round all is neutral."""
    places = [(name, at) for name in ("Iran", "Iraq") for at in range(len(TEXT)) if TEXT.startswith(name, at)]
    mentions = [Mention(name, "text", at, at + 4) for name, at in sorted(places, key=lambda place: place[1])]
    document = Document.build(Article("1", TEXT), mentions)
    given = iter(labels)
    classes = [
        (STANCE_LABELS.index(label) if (label := next(given)) else UNLABELLED)
        if pair.source == "Iran"
        else STANCE_LABELS.index(NEUTRAL)
        for pair in document.pairs
    ]
    return Example(document, None, np.array(classes))


def prediction(stances: list[tuple[str, str, str]], mentions: dict[str, list[int]]) -> Prediction:
    actors = tuple(
        Actor(name, tuple(Span("text", at, at + 4, TEXT[at : at + 4]) for at in places))
        for name, places in mentions.items()
    )
    found = tuple(Stance(source, target, label, 0.9, ()) for source, target, label in stances)
    return Prediction("1", "ok", None, (), actors, found, ModelInfo("0" * 64))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((OPPOSE, OPPOSE, SUPPORT), {("Iran", "Iraq", OPPOSE)}),
        ((OPPOSE, NEUTRAL, NEUTRAL), {("Iran", "Iraq", OPPOSE)}),
        ((SUPPORT, None, NEUTRAL), {("Iran", "Iraq", SUPPORT)}),
        ((OPPOSE, SUPPORT, NEUTRAL), set()),
        ((NEUTRAL, NEUTRAL, None), set()),
    ],
)
def test_the_leaning_that_prevails_is_that_of_the_article(labels: tuple[str | None, ...], expected: set[object]):
    assert true_triples(example(*labels)) == expected


def test_figures_by_hand():
    rows = [example(OPPOSE, OPPOSE, NEUTRAL), example(SUPPORT, None, None)]
    found = [
        prediction([("Iran", "Iraq", OPPOSE), ("Iraq", "Iran", OPPOSE)], {"Iran": [0, 15, 30], "Persia": [9]}),
        prediction([("Iran", "Iraq", OPPOSE)], {"Iraq": [9, 24], "Nobody": [4]}),
    ]
    metrics = record_metrics(rows, found)
    assert metrics["mentions"] == pytest.approx(
        {"precision": 6 / 7, "recall": 6 / 12, "f1": 2 * 6 / (7 + 12), "support": 12}
    )
    assert metrics["names"] == pytest.approx(5 / 6)
    assert metrics["triples"] == pytest.approx(
        {"precision": 1 / 3, "recall": 1 / 2, "f1": 2 / 5, "support": 2, "direction_errors": 1 / 3}
    )
    assert record_table(metrics).splitlines()[-1].startswith("83.3% of right mentions rightly named, 33.3% of triples")


def test_nothing_found_is_no_error():
    bare = replace(prediction([], {}), actors=(), stances=())
    metrics = record_metrics([example(None, None, None)], [bare])
    assert metrics["triples"]["f1"] == metrics["mentions"]["f1"] == metrics["names"] == 0
