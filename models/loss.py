"""The encoder's loss over partly labelled articles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from inference.schema import STANCE_LABELS
from inference.windows import Window

from .base import UNLABELLED, Example
from .settings import Trainer


class MaskedLoss(nn.Module):
    """Binary cross-entropy over topics plus cross-entropy over stances; what is not labelled adds nothing.

    Args:
        trainer: weights of heads and of classes.
        train: the examples whose label frequencies weigh the classes.
    """

    topic_weights: Tensor
    stance_weights: Tensor

    def __init__(self, trainer: Trainer, train: Sequence[Example]) -> None:
        super().__init__()
        self._trainer = trainer
        power = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}[trainer.class_weights]
        topics = [example.topics for example in train if example.topics is not None]
        frequency = np.mean(topics, axis=0) if topics else np.full(1, 0.5)
        odds = (1 - frequency) / np.maximum(frequency, 1e-6)
        classes = np.concatenate([example.stances for example in train])
        counts = np.bincount(classes[classes != UNLABELLED], minlength=len(STANCE_LABELS)) + 1.0
        self.register_buffer("topic_weights", torch.tensor(odds**power, dtype=torch.float32))
        self.register_buffer("stance_weights", torch.tensor((counts.mean() / counts) ** power, dtype=torch.float32))

    def forward(
        self, examples: Sequence[Example], windows: Sequence[Sequence[Window]], topics: Tensor, stances: Tensor
    ) -> Tensor:
        """The loss of a step.

        Args:
            examples: its articles.
            windows: the windows read of each, in the order in which they were collated.
            topics: logits, (windows, topics).
            stances: logits, (pairs, 3).
        """
        value = 0.0 * (topics.sum() + stances.sum())  # every weight takes part, whatever is labelled
        labels = [example.topics for example in examples]
        labelled = [number for number, label in enumerate(labels) if label is not None]
        if labelled:
            truth = torch.from_numpy(np.stack([label for label in labels if label is not None])).to(topics)
            articles = _article_logits(topics, windows)[labelled]
            value = value + self._trainer.topic_weight * binary_cross_entropy_with_logits(
                articles, truth, pos_weight=self.topic_weights
            )
        classes = [
            int(example.stances[pair])
            for example, article in zip(examples, windows, strict=True)
            for window in article
            for pair, *_ in window.pairs
        ]
        if any(number != UNLABELLED for number in classes):
            value = value + self._trainer.stance_weight * cross_entropy(
                stances, torch.tensor(classes, device=stances.device), self.stance_weights, ignore_index=UNLABELLED
            )
        return value


def _article_logits(topics: Tensor, windows: Sequence[Sequence[Window]]) -> Tensor:
    """Mean of window logits by length, (articles, topics), as `WindowScorer` takes it."""
    lengths = [torch.tensor([float(len(window.ids)) for window in article]) for article in windows]
    parts = torch.split(topics, [len(article) for article in windows])
    shares = [(length / length.sum()).to(topics).unsqueeze(1) for length in lengths]
    return torch.stack([(part * share).sum(0) for part, share in zip(parts, shares, strict=True)])
