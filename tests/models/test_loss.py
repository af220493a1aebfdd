from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from inference.windows import Window, Windower
from models.base import UNLABELLED, Example
from models.loss import MaskedLoss
from models.settings import Trainer

from .samples import TOPICS, example, examples, without_stances, without_topics

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
    topics, stances = _logits(windows)
    trainer = Trainer(class_weights="none", topic_weight=2.0, stance_weight=0.5)
    expected = 2.0 * binary_cross_entropy_with_logits(topics[0], torch.tensor(row.topics))
    expected = expected + 0.5 * cross_entropy(stances, torch.tensor(row.stances))
    assert MaskedLoss(trainer, [row])([row], windows, topics, stances).item() == pytest.approx(expected.item())


def test_topics_of_an_article_are_the_mean_of_its_windows_by_length():
    row = example("The team won the cup.", ["sport"], {})
    windows = [[Window([0] * 30), Window([0] * 10)]]
    topics = torch.tensor([[1.0, -1.0, 2.0], [-3.0, 3.0, 0.0]])
    expected = binary_cross_entropy_with_logits(torch.tensor([0.0, 0.0, 1.5]), torch.tensor(row.topics))
    found = MaskedLoss(PLAIN, [row])([row], windows, topics, torch.zeros(1, 3))
    assert found.item() == pytest.approx(expected.item())


def test_class_weights_count_rare_labels_for_more():
    rows = [*(example("Russia met Iran.", ["trade"], {}) for _ in range(9)), *examples(3)]
    weights = {
        kind: MaskedLoss(Trainer.model_validate({"class_weights": kind}), rows) for kind in ("none", "sqrt", "balanced")
    }
    assert weights["none"].topic_weights.tolist() == [1.0] * len(TOPICS)
    assert weights["none"].stance_weights.tolist() == [1.0] * 3
    # 1 of 12 articles is about conflict, 10 are about trade.
    assert weights["balanced"].topic_weights[:2].tolist() == pytest.approx([11.0, 0.2])
    assert weights["sqrt"].topic_weights[:2].tolist() == pytest.approx([11.0**0.5, 0.2**0.5])
    neutral, support, _ = weights["balanced"].stance_weights.tolist()
    assert neutral < 1 < support


def test_a_topic_that_never_occurs_has_a_finite_weight():
    loss = MaskedLoss(Trainer(class_weights="balanced"), [example("Russia met Iran.", [], {})])
    assert torch.isfinite(loss.topic_weights).all()


def _gradients(rows: list[Example], windower: Windower, trainer: Trainer) -> tuple[Tensor, Tensor]:
    """Gradients of the loss in the logits of windows and pairs; every article is one window."""
    windows = [windower.windows(row.document)[:1] for row in rows]
    topics, stances = _logits(windows)
    MaskedLoss(trainer, rows)(rows, windows, topics, stances).backward()
    assert topics.grad is not None
    assert stances.grad is not None
    return topics.grad, stances.grad


def _logits(windows: list[list[Window]]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pairs = max(1, sum(len(window.pairs) for article in windows for window in article))
    topics = torch.randn(sum(map(len, windows)), len(TOPICS), generator=generator, requires_grad=True)
    return topics, torch.randn(pairs, 3, generator=generator, requires_grad=True)
