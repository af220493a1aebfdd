from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from inference.decode import ArticleDecision, Decisions, StanceDecision
from inference.document import Document
from inference.heads import ACTORS
from inference.naming import Lexicon
from inference.scorer import Scores
from models.base import UNLABELLED, Example
from tests.models.samples import LEXICON, example
from training.articles import fit_records

CERTAIN = {"praised": 0.6, "thanked": 0.45, "met": 0.3}
"""How sure the model is that the first actor supports the second, by the verb."""


class Reader:
    """A model that goes by verbs, and takes a pair for neutral the other way round."""

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        return [Scores(np.zeros(0), np.log([_row(document, number) for number in range(len(document.pairs))]))
                if document.pairs else Scores(np.zeros(0), np.zeros((0, 3))) for document in documents]  # fmt: skip


def _row(document: Document, number: int) -> tuple[float, float, float]:
    verb = document.article.text.split()[1]
    support = CERTAIN[verb] if number == 0 else 0.01
    return (0.99 - support, support, 0.01)


def articles(verb: str, count: int, whole: bool = True) -> list[Example]:
    """Articles in which Moscow supports Iran, with all of their actors labelled, or with these two alone."""
    made = [example(f"Moscow {verb} Iran on Monday.", stances={("Russia", "Iran"): "support"}) for _ in range(count)]
    return [replace(each, others={ACTORS: np.zeros((0, 4), dtype=np.int64)}) if whole else each for each in made]


def fit(rows: list[Example], lexicon: Lexicon = LEXICON) -> ArticleDecision:
    model = Reader()
    scores = model.score([row.document for row in rows])
    return fit_records(model, rows, scores, Decisions({}, StanceDecision()), lexicon)  # type: ignore[arg-type]


def test_a_stance_between_actors_of_other_names_is_wrong():
    """What the lexicon calls otherwise than the labels do is said of nobody, and keeps the threshold up."""
    renamed = [_renamed(row) for row in articles("thanked", 20)]
    assert fit(articles("praised", 20) + articles("thanked", 20)).support < 0.45
    assert 0.45 < fit(articles("praised", 20) + renamed).support <= 0.6


def test_what_is_between_actors_that_are_not_found_is_missed():
    unnamed = [_renamed(row) for row in articles("met", 10)]
    assert fit(articles("praised", 30)).support_points[-1].coverage == 1
    assert fit(articles("praised", 30) + unnamed).support_points[-1].coverage == pytest.approx(0.75)


def test_labelled_actors_count_where_not_all_are_labelled():
    unknown = Lexicon({"Iran": "Iran"})
    assert fit(articles("praised", 20, whole=False), unknown).support_points[-1].coverage == 1


def test_pairs_without_a_label_tell_nothing():
    rows = articles("praised", 20, whole=False)
    blank = [
        replace(row, stances=np.full(len(row.stances), UNLABELLED)) for row in articles("thanked", 20, whole=False)
    ]
    assert fit(rows + blank) == fit(rows)


def test_nothing_labelled_leaves_the_decision_as_it_is():
    assert fit([]) == ArticleDecision()


def _renamed(row: Example) -> Example:
    """The same article, whose labels call the first actor by a name that no lexicon knows."""
    document = row.document
    pairs = tuple(replace(pair, source=_other(pair.source), target=_other(pair.target)) for pair in document.pairs)
    return replace(row, document=replace(document, pairs=pairs))


def _other(name: str) -> str:
    return "Soviet Union" if name == "Russia" else name
