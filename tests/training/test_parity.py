from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from inference.document import Document
from inference.scorer import Scores
from models.base import Example
from tests.models.samples import HEADS, TOPICS, examples
from training.parity import _macro_f1, _standard_error, lightest


class Fitted:
    """A model that knows the answers, but for a share of them; its lighter form errs more."""

    def __init__(self, rows: Sequence[Example], wrong: float, lighter: Fitted | None = None) -> None:
        self._rows = {example.document.article.text: example for example in rows}
        self._wrong = wrong
        self._lighter = lighter
        self.given: list[Document] = []

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

    def quantized(self, documents: Sequence[Document]) -> Fitted | None:
        self.given = list(documents)
        return self._lighter


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
    assert facts["chosen"] == "int8"
    assert facts["heads"]["topics"] == {"agreement": 1.0, "error": 0.0, "fp32": 1.0, "int8": 1.0}
    assert "stances 100.0% of decisions the same, macro-F1 1.000 after 1.000: kept" in caplog.text


def test_a_model_that_decides_otherwise_is_not(rows: list[Example], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    full = Fitted(rows, 0, Fitted(rows, 0.1))
    judged, facts = judge(rows, full)
    assert judged.model is full
    assert facts["chosen"] == "fp32"
    assert facts["heads"]["topics"]["agreement"] < 0.99
    assert facts["heads"]["topics"]["int8"] < facts["heads"]["topics"]["fp32"]
    assert "too far off, fp32 is kept" in caplog.text


def test_fp32_is_not_compared(rows: list[Example]):
    full = Fitted(rows, 0, Fitted(rows, 0))
    judged, facts = judge(rows, full, "fp32")
    assert judged.model is full
    assert facts == {"chosen": "fp32"}
    assert full.given == []


def test_a_family_without_a_lighter_form_stays(rows: list[Example]):
    assert judge(rows, Fitted(rows, 0))[1] == {"chosen": "fp32"}


def test_widths_come_from_training_documents_alone(rows: list[Example]):
    full = Fitted(rows, 0, Fitted(rows, 0))
    lightest(full, "auto", rows[:40], rows[40:], TOPICS, HEADS)  # type: ignore[arg-type]
    assert full.given == [example.document for example in rows[:40]]


def test_macro_f1_is_that_of_scikit_learn(rows: list[Example]):
    generator = np.random.default_rng(1)
    truth, decided = generator.random((2, 50, 4)) < 0.4
    assert _macro_f1(truth, decided) == pytest.approx(f1_score(truth, decided, average="macro"))


def test_the_standard_error_is_that_of_many_samples():
    """Of a hundred articles of one label, one wrong more: F1 falls by about a hundredth, give or take as much."""
    truth = np.ones((100, 1), dtype=bool)
    decided = truth.copy()
    decided[0] = False
    assert _standard_error(truth, truth, decided) == pytest.approx(0.005, rel=0.15)
    assert _standard_error(truth, truth, truth) == 0
