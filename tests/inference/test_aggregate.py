from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.actors import ActorFinder
from inference.aggregate import article_stances
from inference.decode import ArticleDecision, Decisions, Floats, StanceDecision
from inference.document import Document
from inference.schema import STANCE_LABELS, Article

from .conftest import FORMS

DECISIONS = Decisions({}, StanceDecision(support=0.4, oppose=0.4), ArticleDecision(support=0.4, oppose=0.4))


def document(sentences: int) -> Document:
    article = Article("1", "Russia met Iran. " * sentences)
    return Document.build(article, ActorFinder(FORMS).find(article))


def forward(rows: list[tuple[float, float]]) -> Floats:
    """Probabilities of a document whose sentences say this from Russia to Iran, and nothing back."""
    filled = [row for support, oppose in rows for row in ((1 - support - oppose, support, oppose), (1.0, 0.0, 0.0))]
    return np.array(filled).reshape(-1, 3)


def test_by_default_the_surest_sentence_counts():
    (stance,) = article_stances(document(3), forward([(0.5, 0.1), (0.0, 0.3), (0.6, 0.0)]), DECISIONS)
    assert (stance.source, stance.target, stance.label) == ("Russia", "Iran", "support")
    assert stance.score == pytest.approx(0.6)
    assert [evidence.score for evidence in stance.evidence] == [0.6, 0.5]


def test_sentences_and_mentions_are_weighed():
    decisions = replace(DECISIONS, articles=ArticleDecision(-1.0, (0.5, 0.5, 0.25, 0.5), 0.25, 0.9))
    (stance,) = article_stances(document(3), forward([(0.3, 0.0), (0.35, 0.0), (0.25, 0.1)]), decisions)
    assert stance.label == "support"
    odds = -1 + 0.5 * np.log(0.35 / 0.65) + 0.5 * np.log(0.3 / 0.7) + 0.75 * np.log(3)
    assert stance.score == pytest.approx(1 / (1 + np.exp(-odds)))
    assert [evidence.score for evidence in stance.evidence] == [0.35], "the sentence that shows most of it"


def test_a_mixed_pair_has_both_stances_the_likelier_first():
    stances = article_stances(document(2), forward([(0.5, 0.1), (0.0, 0.9)]), DECISIONS)
    assert [stance.label for stance in stances] == ["oppose", "support"]
    assert [stance.score for stance in stances] == pytest.approx([0.9, 0.5])
    assert [[evidence.score for evidence in stance.evidence] for stance in stances] == [[0.9], [0.5]]


def test_nothing_shown_nothing_said():
    assert article_stances(document(2), forward([(0.1, 0.1), (0.2, 0.3)]), DECISIONS) == ()
    assert article_stances(document(0), np.zeros((0, 3)), DECISIONS) == ()


@given(st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=2, max_size=8).filter(lambda rows: len(rows) % 2 == 0))
def test_stances_are_sorted_and_their_evidence_is_in_the_text(rows):
    probabilities = np.array(rows) / np.array(rows).sum(axis=1, keepdims=True)
    doc = document(len(rows) // 2)
    stances = article_stances(doc, probabilities, DECISIONS)
    assert [stance.score for stance in stances] == sorted((stance.score for stance in stances), reverse=True)
    for stance in stances:
        assert stance.label in STANCE_LABELS[1:]
        assert stance.evidence[0].score == max(evidence.score for evidence in stance.evidence)
        assert stance.score == pytest.approx(stance.evidence[0].score, abs=1.1e-4)
        for evidence in stance.evidence:
            span = evidence.span
            assert doc.article.field(span.field)[span.start : span.end] == span.quote


@given(st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=2, max_size=2))
def test_exchanging_the_rows_of_a_pair_exchanges_its_stances(rows):
    probabilities = np.array(rows) / np.array(rows).sum(axis=1, keepdims=True)
    doc = document(1)

    def found(values: Floats) -> set[tuple[str, str, str]]:
        return {(stance.source, stance.target, stance.label) for stance in article_stances(doc, values, DECISIONS)}

    assert found(probabilities[::-1]) == {(b, a, label) for a, b, label in found(probabilities)}


def test_rows_must_match_the_pairs():
    with pytest.raises(ValueError, match="argument 2"):
        article_stances(document(1), np.zeros((3, 3)), DECISIONS)
