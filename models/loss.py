"""The encoder's loss over partly labelled articles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from inference.heads import Head
from inference.windows import Window

from .base import UNLABELLED, Example, Labels, tag_classes
from .distil import soft_loss, soft_scores
from .settings import Trainer

_POWERS = {"none": 0.0, "sqrt": 0.5, "balanced": 1.0}


class MaskedLoss(nn.Module):
    """Binary cross-entropy over topics plus cross-entropy over the other heads; what is not labelled adds nothing.

    Args:
        trainer: weights of heads, of classes and of teachers.
        heads: what is learned.
        train: the examples whose label frequencies weigh the classes.
    """

    def __init__(self, trainer: Trainer, heads: Sequence[Head], train: Sequence[Example]) -> None:
        super().__init__()
        self._trainer = trainer
        self._heads = {head.name: head for head in heads}
        power = _POWERS[trainer.class_weights]
        for head in heads:
            self.register_buffer(f"{head.name}_weights", class_weights(head, train, power))

    def weights(self, head: str) -> Tensor:
        """Weight of each of a head's outputs; of a topic's positives."""
        return self.get_buffer(f"{head}_weights")

    def forward(
        self, examples: Sequence[Example], windows: Sequence[Sequence[Window]], scores: Mapping[str, Tensor]
    ) -> Tensor:
        """The loss of a step.

        Args:
            examples: its articles.
            windows: the windows read of each, in the order in which they were collated.
            scores: by head, as `WindowNetwork` gives them.
        """
        value = sum((0.0 * each.sum() for each in scores.values()), torch.zeros(()))  # every weight takes part
        read = list(zip(examples, windows, strict=True))
        for name, found in scores.items():
            head = self._heads[name]
            logits = found if head.kind in ("pairs", "tags") else article_scores(found, windows)
            share = self._trainer.head_weights.get(name, 1.0)
            value = value.to(logits) + share * self._head(head, read, logits)
        return value

    def _head(self, head: Head, read: Sequence[tuple[Example, Sequence[Window]]], logits: Tensor) -> Tensor:
        """The loss of one head: of its labels, of its teachers' scores, or of both."""
        hard = (self._topics if head.kind == "topics" else self._classes)(head, read, logits)
        if head.kind == "tags":
            return hard
        soft = soft_loss(head, logits, soft_scores(head, read), self._trainer.temperature)
        if soft is None:
            return hard
        return (1 - self._trainer.teacher_weight) * hard + self._trainer.teacher_weight * soft

    def _topics(self, head: Head, read: Sequence[tuple[Example, Sequence[Window]]], scores: Tensor) -> Tensor:
        labels = [example.topics for example, _ in read]
        known = [number for number, label in enumerate(labels) if label is not None]
        if not known:
            return scores.new_zeros(())
        truth = torch.from_numpy(np.stack([label for label in labels if label is not None])).to(scores)
        return binary_cross_entropy_with_logits(scores[known], truth, pos_weight=self.weights(head.name))

    def _classes(self, head: Head, read: Sequence[tuple[Example, Sequence[Window]]], logits: Tensor) -> Tensor:
        classes = step_classes(head, read, logits.shape[1])
        if not (classes != UNLABELLED).any():
            return logits.new_zeros(())
        return cross_entropy(
            logits.reshape(-1, head.outputs),
            torch.from_numpy(classes.ravel()).to(logits.device),
            self.weights(head.name),
            ignore_index=UNLABELLED,
            label_smoothing=self._trainer.label_smoothing,
        )


def step_classes(head: Head, read: Sequence[tuple[Example, Sequence[Window]]], longest: int) -> Labels:
    """The class of whatever a head scores in a step: texts, pairs in the order of windows, or tokens.

    Args:
        head: any but topics.
        read: the examples and the windows read of each.
        longest: tokens that windows are padded to, where the head is for tags.
    """
    if head.kind == "class":
        return np.array([int(example.others.get(head.name, UNLABELLED)) for example, _ in read], dtype=np.int64)
    if head.kind == "pairs":
        pairs = ((example.classes(head), window) for example, windows in read for window in windows)
        return np.array([classes[pair] for classes, window in pairs for pair, *_ in window.pairs], dtype=np.int64)
    classes = np.full((sum(len(windows) for _, windows in read), longest), UNLABELLED, dtype=np.int64)
    rows = iter(classes)
    for example, windows in read:
        for window in windows:
            row = next(rows)
            if head.name in example.others:
                row[1 : len(window.ids) - 1] = tag_classes(window.offsets(), example.others[head.name])
    return classes


def class_weights(head: Head, train: Sequence[Example], power: float) -> Tensor:
    """The inverse of each label's frequency to a power; tags are not weighed."""
    if head.kind == "tags":
        return torch.ones(head.outputs)
    if head.kind == "topics":
        topics = [example.topics for example in train if example.topics is not None]
        frequency = np.mean(topics, axis=0) if topics else np.full(head.outputs, 0.5)
        odds = (1 - frequency) / np.maximum(frequency, 1e-6)
        return torch.tensor(odds**power, dtype=torch.float32)
    classes = (
        step_classes(head, [(example, ()) for example in train], 0) if head.kind == "class" else _pairs(head, train)
    )
    counts = np.bincount(classes[classes != UNLABELLED], minlength=head.outputs) + 1.0
    return torch.tensor((counts.mean() / counts) ** power, dtype=torch.float32)


def _pairs(head: Head, train: Sequence[Example]) -> Labels:
    return np.concatenate([example.classes(head) for example in train] or [np.zeros(0, dtype=np.int64)])


def article_scores(scores: Tensor, windows: Sequence[Sequence[Window]]) -> Tensor:
    """Mean of window scores by length, (articles, outputs): the score of the article's mean state."""
    lengths = [torch.tensor([float(len(window.ids)) for window in article]) for article in windows]
    parts = torch.split(scores, [len(article) for article in windows])
    shares = [(length / length.sum()).to(scores).unsqueeze(1) for length in lengths]
    return torch.stack([(part * share).sum(0) for part, share in zip(parts, shares, strict=True)])
