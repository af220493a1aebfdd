from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from inference.windows import Window, Windower
from models.base import UNLABELLED, Example, tag_classes
from models.loss import MaskedLoss
from models.settings import Trainer

from .samples import (
    DEEDS,
    HEADS,
    OTHERS,
    RANK,
    TONE,
    TOPICS,
    example,
    examples,
    sentences,
    without_stances,
    without_topics,
)

PLAIN = Trainer(class_weights="none")


def test_unlabelled_topics_add_nothing(windower: Windower):
    rows = [examples(1)[0], *without_topics(examples(2, first=1))]
    topics, stances = _gradients(rows, windower, PLAIN)
    assert topics[0].abs().sum() > 0
    assert topics[1:].abs().sum() == 0
    assert (stances.abs().sum(dim=1) > 0).all()


def test_unlabelled_pairs_add_nothing(windower: Windower):
    row = examples(1)[0]
    half = Example(row.document, row.topics, np.array([row.stances[0], UNLABELLED]))
    topics, stances = _gradients([half], windower, PLAIN)
    assert stances[0].abs().sum() > 0
    assert stances[1].abs().sum() == 0
    assert topics.abs().sum() > 0


def test_a_step_without_labels_of_a_head_has_a_finite_loss(windower: Windower):
    for strip in (without_topics, without_stances, lambda rows: without_topics(without_stances(rows))):
        topics, stances = _gradients(strip(examples(3)), windower, PLAIN)
        assert torch.isfinite(topics).all()
        assert torch.isfinite(stances).all()


def test_a_step_without_any_pair_learns_its_topics(windower: Windower):
    topics, stances = _gradients([example("The team won the cup.", ["sport"], {})], windower, PLAIN)
    assert topics.abs().sum() > 0
    assert stances.abs().sum() == 0


def test_the_loss_is_the_sum_of_both_heads_by_their_weights(windower: Windower):
    row = examples(1)[0]
    windows = [windower.windows(row.document)]
    scores = _logits(windows)
    topics, stances = scores.values()
    trainer = Trainer(class_weights="none", head_weights={"topics": 2.0, "stances": 0.5})
    expected = 2.0 * binary_cross_entropy_with_logits(topics[0], torch.tensor(row.topics))
    expected = expected + 0.5 * cross_entropy(stances, torch.tensor(row.stances))
    assert MaskedLoss(trainer, HEADS, [row])([row], windows, scores).item() == pytest.approx(expected.item())


def test_topics_of_an_article_are_the_mean_of_its_windows_by_length():
    row = example("The team won the cup.", ["sport"], {})
    windows = [[Window([0] * 30), Window([0] * 10)]]
    topics = torch.tensor([[1.0, -1.0, 2.0], [-3.0, 3.0, 0.0]])
    expected = binary_cross_entropy_with_logits(torch.tensor([0.0, 0.0, 1.5]), torch.tensor(row.topics))
    found = MaskedLoss(PLAIN, HEADS, [row])([row], windows, {"topics": topics, "stances": torch.zeros(0, 3)})
    assert found.item() == pytest.approx(expected.item())


def test_class_weights_count_rare_labels_for_more():
    rows = [*(example("Russia met Iran.", ["trade"], {}) for _ in range(9)), *examples(3)]
    weights = {
        kind: MaskedLoss(Trainer.model_validate({"class_weights": kind}), HEADS, rows)
        for kind in ("none", "sqrt", "balanced")
    }
    assert weights["none"].weights("topics").tolist() == [1.0] * len(TOPICS)
    assert weights["none"].weights("stances").tolist() == [1.0] * 3
    # 1 of 12 articles is about conflict, 10 are about trade.
    assert weights["balanced"].weights("topics")[:2].tolist() == pytest.approx([11.0, 0.2])
    assert weights["sqrt"].weights("topics")[:2].tolist() == pytest.approx([11.0**0.5, 0.2**0.5])
    neutral, support, _ = weights["balanced"].weights("stances").tolist()
    assert neutral < 1 < support


def test_a_topic_that_never_occurs_has_a_finite_weight():
    loss = MaskedLoss(Trainer(class_weights="balanced"), HEADS, [example("Russia met Iran.", [], {})])
    assert torch.isfinite(loss.weights("topics")).all()


def test_a_text_has_one_class_by_the_mean_of_its_windows(windower: Windower):
    rows = [*sentences(2), examples(1)[0]]
    windows = [[Window([0] * 30), Window([0] * 10)], [Window([0] * 8)], [Window([0] * 8)]]
    scores = _random(4, TONE.outputs)
    mean = torch.stack([0.75 * scores[0] + 0.25 * scores[1], scores[2]])
    truth = torch.tensor([int(row.others[TONE.name]) for row in rows[:2]])
    value = MaskedLoss(PLAIN, [TONE], rows)(rows, windows, {TONE.name: scores})
    assert value.item() == pytest.approx(cross_entropy(mean, truth).item())
    value.backward()
    assert scores.grad is not None
    assert scores.grad[3].abs().sum() == 0, "what has no label adds nothing"


def test_tags_are_learned_from_the_tokens_of_labelled_texts(windower: Windower):
    rows = [sentences(1)[0], examples(1)[0]]
    windows = [windower.windows(row.document)[:1] for row in rows]
    longest = max(len(article[0].ids) for article in windows)
    scores = _random(2, longest, DEEDS.outputs)
    # [CLS] russia praised iran on monday . [SEP]
    truth = torch.tensor([0, 1, 0, 3, 4, 0])
    assert len(windows[0][0].ids) == len(truth) + 2 < longest
    value = MaskedLoss(PLAIN, [DEEDS], rows)(rows, windows, {DEEDS.name: scores})
    assert value.item() == pytest.approx(cross_entropy(scores[0, 1:7], truth).item())
    value.backward()
    assert scores.grad is not None
    assert scores.grad[0, [0, *range(7, longest)]].abs().sum() == 0, "special tokens and padding have no tag"
    assert scores.grad[1].abs().sum() == 0


def test_another_head_of_pairs_has_its_own_labels(windower: Windower):
    rows = [examples(1)[0], sentences(2)[1]]
    windows = [windower.windows(row.document)[:1] for row in rows]
    scores = _random(4, RANK.outputs)
    value = MaskedLoss(PLAIN, [RANK], rows)(rows, windows, {RANK.name: scores})
    assert value.item() == pytest.approx(cross_entropy(scores[2:], torch.tensor([0, 1])).item())


def test_rare_classes_count_for_more_and_tags_all_the_same():
    rows = [*sentences(4), *examples(3)]
    loss = MaskedLoss(Trainer(class_weights="balanced"), OTHERS, rows)
    # All four sound warm; every count is one more than what was seen, so that no weight is without bound.
    assert [int(row.others[TONE.name]) for row in rows[:4]] == [1, 1, 1, 1]
    assert loss.weights(TONE.name).tolist() == pytest.approx([7 / 3, 7 / 15, 7 / 3])
    assert loss.weights(RANK.name).tolist() == pytest.approx([1.0, 1.0])
    assert loss.weights(DEEDS.name).tolist() == [1.0] * DEEDS.outputs


def test_a_probability_is_spread_over_all_labels_where_asked_for(windower: Windower):
    row = examples(1)[0]
    windows = [windower.windows(row.document)]
    scores = _logits(windows)
    topics, stances = scores.values()
    trainer = Trainer(class_weights="none", label_smoothing=0.2)
    expected = binary_cross_entropy_with_logits(topics[0], torch.tensor(row.topics))
    expected = expected + cross_entropy(stances, torch.tensor(row.stances), label_smoothing=0.2)
    assert MaskedLoss(trainer, HEADS, [row])([row], windows, scores).item() == pytest.approx(expected.item())


def test_only_the_heads_that_were_read_are_learned(windower: Windower):
    row = examples(1)[0]
    windows = [windower.windows(row.document)]
    scores = {"stances": _logits(windows)["stances"]}
    expected = cross_entropy(scores["stances"], torch.tensor(row.stances))
    assert MaskedLoss(PLAIN, HEADS, [row])([row], windows, scores).item() == pytest.approx(expected.item())


def test_the_classes_of_tokens():
    tokens = np.array([(0, 0, 4), (1, 0, 4), (1, 4, 6), (1, 7, 9), (1, 10, 12)])
    spans = np.array([(1, 0, 6, 1), (1, 8, 9, 0), (0, 2, 3, 0)])
    assert tag_classes(tokens, spans).tolist() == [1, 3, 4, 1, 0]
    assert tag_classes(tokens, np.zeros((0, 4), dtype=np.int64)).tolist() == [0] * 5


def _gradients(rows: list[Example], windower: Windower, trainer: Trainer) -> tuple[Tensor, Tensor]:
    """Gradients of the loss in the logits of windows and pairs; every article is one window."""
    windows = [windower.windows(row.document)[:1] for row in rows]
    scores = _logits(windows)
    MaskedLoss(trainer, HEADS, rows)(rows, windows, scores).backward()
    topics, stances = (logits.grad for logits in scores.values())
    assert topics is not None
    assert stances is not None
    return topics, stances


def _logits(windows: list[list[Window]]) -> dict[str, Tensor]:
    """Scores of topics and stances, as a network gives them."""
    generator = torch.Generator().manual_seed(0)
    pairs = sum(len(window.pairs) for article in windows for window in article)
    topics = torch.randn(sum(map(len, windows)), len(TOPICS), generator=generator, requires_grad=True)
    return {"topics": topics, "stances": torch.randn(pairs, 3, generator=generator, requires_grad=True)}


def _random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), requires_grad=True)
