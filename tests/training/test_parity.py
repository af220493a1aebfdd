from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from inference.document import Document
from inference.scorer import Scores
from models.base import Example
from tests.models.samples import HEADS, TOPICS, examples
from training.parity import lightest


class Fitted:
    """A model that knows the answers, but for a share of them; its lighter form errs more."""

    def __init__(self, rows: Sequence[Example], wrong: float, *lighter: Fitted) -> None:
        self._rows = {example.document.article.text: example for example in rows}
        self._wrong = wrong
        self._lighter = lighter
        self.given: list[Document] = []
        self.spared: list[int] = []

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        generator = np.random.default_rng(0)
        found = []
        for document in documents:
            example = self._rows[document.article.text]
            sign = 1.0 if generator.random() >= self._wrong else -1.0
            assert example.topics is not None
            stances = 4.0 * np.eye(3, dtype=np.float64)[np.maximum(example.stances, 0)]
            found.append(Scores(sign * 4.0 * (2.0 * example.topics.astype(np.float64) - 1.0), sign * stances))
        return found

    def quantized(self, documents: Sequence[Document], spared: int = 0) -> Fitted | None:
        self.given = list(documents)
        self.spared.append(spared)
        return self._lighter[min(spared, len(self._lighter) - 1)] if self._lighter else None


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return examples(60)


def judge(rows: list[Example], family: Any, wanted: str = "auto") -> Any:
    return lightest(family, wanted, rows, rows, TOPICS, HEADS)


def test_a_model_that_decides_the_same_is_exported_light(rows: list[Example], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    light = Fitted(rows, 0)
    judged, facts = judge(rows, Fitted(rows, 0, light))
    assert judged.model is light
    assert (facts["chosen"], facts["spared"]) == ("int8", 0)
    assert facts["heads"]["topics"] == {"agreement": 1.0, "fp32": 1.0, "int8": 1.0}
    assert "stances 100.0% of decisions the same, macro-F1 1.000 after 1.000: kept" in caplog.text


def test_a_model_that_decides_otherwise_is_not(rows: list[Example], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    full = Fitted(rows, 0, Fitted(rows, 0.1))
    judged, facts = judge(rows, full)
    assert judged.model is full
    assert facts["chosen"] == "fp32"
    assert facts["heads"]["topics"]["agreement"] < 0.99
    assert facts["heads"]["topics"]["int8"] < facts["heads"]["topics"]["fp32"]
    assert full.spared == [0, 1, 2, 4]
    assert caplog.text.count("too far off") == 4


def test_no_more_products_are_spared_than_need_be(rows: list[Example], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    full = Fitted(rows, 0, Fitted(rows, 0.1), Fitted(rows, 0))
    assert judge(rows, full)[1]["spared"] == 1
    assert full.spared == [0, 1]
    assert "in 8-bit integers but for 1 products" in caplog.text


def test_fp32_is_not_compared(rows: list[Example]):
    full = Fitted(rows, 0, Fitted(rows, 0))
    judged, facts = judge(rows, full, "fp32")
    assert judged.model is full
    assert facts == {"chosen": "fp32"}
    assert full.given == []


def test_a_family_without_a_lighter_form_stays(rows: list[Example]):
    assert judge(rows, Fitted(rows, 0))[1] == {"chosen": "fp32"}


def test_scales_come_from_training_documents_alone(rows: list[Example]):
    full = Fitted(rows, 0, Fitted(rows, 0))
    lightest(full, "auto", rows[:40], rows[40:], TOPICS, HEADS)  # type: ignore[arg-type]
    assert full.given == [example.document for example in rows[:40]]
