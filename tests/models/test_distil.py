from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from inference.actors import ActorFinder
from inference.bundle import Bundle
from inference.decode import Floats
from inference.document import Document
from inference.heads import STANCES, TOPICS, Head
from inference.predictor import Predictor
from inference.schema import Article
from inference.scorer import Scores
from inference.windows import Window, Windower
from models import distil
from models.base import UNLABELLED, Example
from models.distil import TeacherError, soft_loss, soft_scores, taught
from models.loss import MaskedLoss
from models.network import WindowNetwork, tensors
from models.settings import Trainer
from models.windowed import window_scorer

from .samples import DEEDS, FILLER, FINDER, HEADS, RANK, TONE, document, example, examples, manifest, sentences

TOPIC_HEAD, STANCE_HEAD = HEADS
TEXT = "Russia praised Iran. France condemned Japan and Iran."


class Teacher:
    """A model whose scores tell its number, the document's length, and the item's place."""

    def __init__(self, number: float, heads: Sequence[Head] = HEADS, finder: ActorFinder = FINDER) -> None:
        windows = manifest("linear", None, heads)
        self.bundle = Bundle(Path(f"build/teacher-{number:g}"), windows, "0" * 64)
        self._number = number
        self._finder = finder
        self.batches: list[int] = []

    def document(self, article: Article) -> Document:
        return Document.build(article, self._finder.find(article))

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        self.batches.append(len(documents))
        return [self._scores(document) for document in documents]

    def _scores(self, document: Document) -> Scores:
        found = {head.name: self.scores(head, document) for head in self.bundle.manifest.heads}
        topics, stances = found.pop(TOPICS, np.zeros(0)), found.pop(STANCES, np.zeros((0, 3)))
        return Scores(topics, stances, found)

    def scores(self, head: Head, document: Document) -> Floats:
        shape = (len(document.pairs), head.outputs) if head.kind == "pairs" else (head.outputs,)
        return self._number * (np.arange(np.prod(shape), dtype=float).reshape(shape) + len(document.article.text))


def test_the_scores_of_two_teachers_are_their_mean():
    rows = examples(5)
    for row, found in zip(rows, _taught(rows, [Teacher(1), Teacher(4)], HEADS), strict=True):
        assert set(found.soft) == {TOPICS, STANCES}
        for head in HEADS:
            np.testing.assert_allclose(found.soft[head.name], Teacher(2.5).scores(head, row.document))
        assert replace(found, soft={}) == row


def test_a_head_that_one_teacher_lacks_is_taught_by_the_other():
    (row,) = examples(1)
    teachers = [Teacher(1, HEADS), Teacher(3, [TOPIC_HEAD, TONE])]
    (found,) = _taught([row], teachers, [*HEADS, TONE, RANK])
    assert set(found.soft) == {TOPICS, STANCES, TONE.name}
    np.testing.assert_allclose(found.soft[TOPICS], Teacher(2).scores(TOPIC_HEAD, row.document))
    np.testing.assert_allclose(found.soft[STANCES], Teacher(1).scores(STANCE_HEAD, row.document))
    np.testing.assert_allclose(found.soft[TONE.name], Teacher(3).scores(TONE, row.document))


def test_only_the_heads_that_are_named_are_taught():
    (found,) = _taught(examples(1), [Teacher(1, [*HEADS, TONE])], [*HEADS, TONE], own=[STANCES])
    assert set(found.soft) == {STANCES}


def test_tags_are_not_taught():
    (found,) = _taught(sentences(1), [Teacher(1, [TONE, DEEDS])], [TONE, DEEDS])
    assert set(found.soft) == {TONE.name}
    with pytest.raises(TeacherError, match="there is nothing to teach"):
        _taught(sentences(1), [Teacher(1, [DEEDS])], [DEEDS])


def test_a_teacher_without_any_head_of_the_student_is_refused():
    with pytest.raises(TeacherError) as raised:
        _taught(examples(1), [Teacher(1), Teacher(2, [TONE])], HEADS)
    assert str(raised.value) == (
        "teacher build/teacher-2: its heads are tone, the student's topics, stances: there is nothing to teach"
    )


def test_a_teacher_with_other_labels_is_refused():
    other = Head(TONE.name, "class", ("warm", "plain", "harsh"))
    with pytest.raises(TeacherError) as raised:
        _taught(sentences(1), [Teacher(2, [*HEADS, other])], [*HEADS, TONE])
    assert str(raised.value) == (
        "teacher build/teacher-2: labels of the head tone are warm, plain, harsh, the student's plain, warm, harsh"
    )


def test_an_article_that_nobody_labelled_is_read_with_the_teachers_lexicon():
    bare = _bare(TEXT)
    (found,) = _taught([bare], [Teacher(1), Teacher(1, finder=ActorFinder({}))], HEADS)
    assert found.document == document(TEXT)
    assert found.stances.tolist() == [UNLABELLED] * len(found.document.pairs)
    assert found.soft[STANCES].shape == (len(found.document.pairs), 3)
    assert found.topics is None


@pytest.mark.parametrize("labelled", ["topics", "class", "actors"])
def test_an_article_with_any_label_is_read_as_it_is_labelled(labelled: str):
    changes = {
        "topics": {"topics": np.zeros(3, dtype=np.float32)},
        "class": {"others": {TONE.name: np.array(1)}},
        "actors": {"document": Document.build(Article("a", TEXT), document("Russia praised Iran.").mentions)},
    }
    row = replace(_bare(TEXT), **changes[labelled])  # type: ignore[arg-type]
    row = replace(row, stances=np.full(len(row.document.pairs), UNLABELLED))
    (found,) = _taught([row], [Teacher(1)], HEADS)
    assert found.document == row.document
    assert len(found.soft[STANCES]) == len(row.document.pairs)


def test_teachers_score_a_bounded_number_of_documents_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(distil, "_BATCH", 4)
    teacher = Teacher(1)
    rows = examples(10)
    found = _taught(rows, [teacher], HEADS)
    assert teacher.batches == [4, 4, 2]
    for row, each in zip(rows, found, strict=True):
        np.testing.assert_array_equal(each.soft[TOPICS], teacher.scores(TOPIC_HEAD, row.document))


# Soft scores


def test_scores_of_pairs_stand_in_the_order_of_the_windows(windower: Windower):
    rows = _taught([example(TEXT + " " + FILLER * 4 + TEXT), *examples(2)], [Teacher(1)], HEADS)
    read = [(row, windower.windows(row.document)[::-1]) for row in rows]
    expected = [row.soft[STANCES][pair] for row, windows in read for window in windows for pair, *_ in window.pairs]
    assert len(read[0][1]) > 1
    assert len(expected) == 20
    np.testing.assert_array_equal(soft_scores(STANCE_HEAD, read), expected)


def test_what_no_teacher_has_scored_is_missing(windower: Windower):
    first, second = examples(2)
    (first,) = _taught([first], [Teacher(1)], HEADS)
    read = [(row, windower.windows(row.document)) for row in (first, second)]
    found = soft_scores(STANCE_HEAD, read)
    assert np.isnan(found).all(axis=1).tolist() == [False, False, True, True]
    found = soft_scores(TOPIC_HEAD, read)
    assert found.shape == (2, 3)
    assert np.isnan(found).all(axis=1).tolist() == [False, True]
    assert soft_scores(RANK, read).shape == (4, 2)
    assert soft_scores(STANCE_HEAD, []).shape == (0, 3)


def test_a_student_that_scores_as_its_teacher_has_nothing_to_learn(network: WindowNetwork, windower: Windower):
    """Whatever the order of windows and pairs: the network's own scores are the teacher's."""
    rows = [example(TEXT + " " + FILLER * 4 + TEXT), *examples(3), *sentences(2)]
    heads = [*HEADS, TONE, RANK]
    given = window_scorer(network, windower).score([row.document for row in rows], others=True)
    rows = [
        replace(row, soft={TOPICS: each.topics, STANCES: each.stances, **each.others})
        for row, each in zip(rows, given, strict=True)
    ]
    windows = [windower.windows(row.document) for row in rows]
    batch = tensors([window for article in windows for window in article], windower.settings.pad)
    with torch.no_grad():
        scores = network(batch, [head.name for head in heads])
    scores = {name: each.clone().requires_grad_() for name, each in scores.items()}
    MaskedLoss(Trainer(teacher_weight=1), heads, rows)(rows, windows, scores).backward()
    for name, each in scores.items():
        assert each.grad is not None
        assert each.grad.abs().max() < 1e-6, name


# Soft loss


@pytest.mark.parametrize("head", [TOPIC_HEAD, STANCE_HEAD, TONE], ids=lambda head: head.name)
def test_the_gradient_is_zero_at_the_teachers_scores_and_leads_there(head: Head):
    theirs = np.random.default_rng(1).normal(size=(4, 3)) * 2
    logits = torch.tensor(theirs, requires_grad=True)
    assert _gradient(_loss(head, logits, theirs, 2.0), logits).abs().max() < 1e-12
    far = torch.zeros(4, 3, dtype=torch.float64)
    steps = [_loss(head, far + share * (torch.tensor(theirs) - far), theirs, 2.0).item() for share in (0, 0.3, 0.6, 1)]
    assert steps == sorted(steps, reverse=True)
    assert steps[0] > steps[-1] + 0.1


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_loss_is_that_of_divided_scores_times_the_square_of_the_temperature(temperature: float):
    own, theirs = np.random.default_rng(2).normal(size=(2, 5, 3))
    p, q = (
        np.exp(each / temperature) / np.exp(each / temperature).sum(axis=1, keepdims=True) for each in (theirs, own)
    )
    expected = temperature**2 * (p * np.log(p / q)).sum(axis=1).mean()
    assert _loss(STANCE_HEAD, torch.tensor(own), theirs, temperature).item() == pytest.approx(expected)
    p, q = (1 / (1 + np.exp(-each / temperature)) for each in (theirs, own))
    expected = -(temperature**2) * (p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
    assert _loss(TOPIC_HEAD, torch.tensor(own), theirs, temperature).item() == pytest.approx(expected)


@pytest.mark.parametrize("head", [TOPIC_HEAD, STANCE_HEAD], ids=lambda head: head.name)
def test_a_high_temperature_leaves_gradients_as_large(head: Head):
    own, theirs = np.random.default_rng(3).normal(size=(2, 5, 3))
    norms = []
    for temperature in (50.0, 500.0):
        logits = torch.tensor(own, requires_grad=True)
        norms.append(_gradient(_loss(head, logits, theirs, temperature), logits).norm().item())
    assert norms[0] > 0.05
    assert norms[0] == pytest.approx(norms[1], rel=0.05)


def test_items_without_a_teachers_scores_add_nothing():
    theirs = np.array([[1.0, 2.0, 3.0], [np.nan] * 3, [0.0, 1.0, 0.0]])
    logits = torch.randn(3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    value = _loss(STANCE_HEAD, logits, theirs, 2.0)
    assert (_gradient(value, logits).abs().sum(dim=1) > 0).tolist() == [True, False, True]
    assert value.item() == pytest.approx(_loss(STANCE_HEAD, logits[[0, 2]], theirs[[0, 2]], 2.0).item())
    assert soft_loss(STANCE_HEAD, logits, np.full((3, 3), np.nan), 2.0) is None
    assert soft_loss(STANCE_HEAD, logits[:0], np.zeros((0, 3)), 2.0) is None


# Both parts


def test_a_teacher_without_weight_changes_no_loss(windower: Windower):
    rows = [*examples(2), *sentences(2)]
    assert _total(_scored(rows), windower, 0.0) == pytest.approx(_total(rows, windower, 0.0), abs=1e-6)
    assert _total(_scored(rows), windower, 0.5) != pytest.approx(_total(rows, windower, 0.0), abs=1e-3)


def test_a_teacher_with_all_weight_makes_labels_count_for_nothing(windower: Windower):
    rows = _scored(examples(3))
    turned = [replace(row, topics=1 - _topics(row), stances=(row.stances + 1) % 3) for row in rows]
    assert _total(rows, windower, 1.0) == pytest.approx(_total(turned, windower, 1.0))
    assert _total(rows, windower, 0.7) != pytest.approx(_total(turned, windower, 0.7), abs=1e-3)


def test_the_loss_is_the_mean_of_both_parts_by_their_weights(windower: Windower):
    rows = _scored(examples(3))
    hard, mixed, soft = (_total(rows, windower, weight) for weight in (0.0, 0.3, 1.0))
    assert mixed == pytest.approx(0.7 * hard + 0.3 * soft)


def test_without_a_teacher_the_weight_changes_nothing(windower: Windower):
    rows = examples(3)
    assert _total(rows, windower, 0.9) == pytest.approx(_total(rows, windower, 0.0))


def test_unlabelled_articles_are_learned_from_a_teacher_alone(windower: Windower):
    rows = _taught([_bare(TEXT)], [Teacher(0.1)], HEADS)
    windows = [windower.windows(row.document) for row in rows]
    scores = _logits(windows)
    MaskedLoss(Trainer(teacher_weight=0.7), HEADS, rows)(rows, windows, scores).backward()
    for head in HEADS:
        gradient = scores[head.name].grad
        assert gradient is not None
        assert (gradient.abs().sum(dim=1) > 0).all()
    assert all(row.teaches(head) and not row.has(head) for row in rows for head in HEADS)


def _taught(
    rows: Sequence[Example], teachers: Sequence[Teacher], heads: Sequence[Head], own: Sequence[str] = ()
) -> list[Example]:
    return taught(rows, [cast("Predictor", teacher) for teacher in teachers], heads, own)


def _bare(text: str) -> Example:
    """An article that nobody labelled."""
    article = Article("a", text)
    return Example(Document.build(article, ()), None, np.zeros(0, dtype=np.int64))


def _scored(rows: Sequence[Example]) -> list[Example]:
    """The examples with scores of a teacher."""
    return _taught(rows, [Teacher(0.02, [*HEADS, TONE, RANK])], [*HEADS, TONE, RANK])


def _topics(row: Example) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert row.topics is not None
    return row.topics


def _loss(head: Head, logits: Tensor, scores: Floats, temperature: float) -> Tensor:
    value = soft_loss(head, logits, scores, temperature)
    assert value is not None
    return value


def _gradient(value: Tensor, logits: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(value, logits, retain_graph=True)
    return gradient


def _logits(windows: Sequence[Sequence[Window]], heads: Sequence[Head] = HEADS) -> dict[str, Tensor]:
    """Random scores of heads of topics, classes and pairs."""
    random = torch.Generator().manual_seed(5)
    count = {"topics": sum(map(len, windows)), "class": sum(map(len, windows))}
    count["pairs"] = sum(len(window.pairs) for article in windows for window in article)
    return {head.name: torch.randn(count[head.kind], head.outputs, generator=random).requires_grad_() for head in heads}


def _total(rows: Sequence[Example], windower: Windower, weight: float) -> float:
    """The loss of the same random scores, however the rows are labelled and taught."""
    windows = [windower.windows(row.document) for row in rows]
    heads = [*HEADS, TONE, RANK]
    trainer = Trainer(teacher_weight=weight, class_weights="none")
    value: Tensor = MaskedLoss(trainer, heads, rows)(rows, windows, _logits(windows, heads))
    return value.item()
