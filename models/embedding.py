"""The embedding family: a frozen encoder with logistic heads on its mean states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from inference.decode import Floats
from inference.document import Document
from inference.heads import STANCES, TOPICS, Head, Heads
from inference.window_scorer import WindowScorer

from .base import UNLABELLED, Epoch, Example
from .network import WindowNetwork, torch_encode
from .settings import EmbeddingModel
from .sources import load_encoder
from .windowed import WindowedModel


class EmbeddingFamily(WindowedModel):
    """Fits logistic regressions on the states of a frozen encoder.

    Args:
        settings: the recipe's model section.
        heads: what is learned: topics, stances or both.
        seed: seed of the solver.

    Raises:
        EncoderError: the encoder cannot be loaded.
    """

    def __init__(self, settings: EmbeddingModel, heads: Sequence[Head], seed: int) -> None:
        self._settings = settings
        self._seed = seed
        encoder, windower = load_encoder(settings.encoder, settings.max_tokens)
        super().__init__(WindowNetwork(encoder, heads, hidden=False), windower, settings.encoder)
        if torch.cuda.is_available():
            self._network.cuda()

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; there is nothing to stop early."""
        articles, pairs = self._states([example.document for example in train])
        if TOPICS in self._network.specs:
            labelled = [(row, example.topics) for row, example in enumerate(train) if example.topics is not None]
            topics = np.stack([labels for _, labels in labelled]).astype(int)
            self._fit_topics(articles[[row for row, _ in labelled]], topics)
        if STANCES in self._network.specs:
            stances = np.concatenate([example.stances for example in train])
            known = stances != UNLABELLED
            self._fit_stances(pairs[known], stances[known])
        self.fit_words(train, self._settings.topic_words, self._seed)

    def _states(self, documents: Sequence[Document]) -> tuple[Floats, Floats]:
        """Mean states of articles, (documents, H), and joined states of all their pairs, (pairs, 3 H)."""
        width = self._network.encoder.config.hidden_size
        axes = [tuple(map(str, range(size))) for size in (width, 3 * width)]
        weights = {f"{TOPICS}.weight": np.eye(width), f"{STANCES}.weight": np.eye(3 * width)}
        weights |= {f"{TOPICS}.bias": np.zeros(width), f"{STANCES}.bias": np.zeros(3 * width)}
        same = Heads([Head(TOPICS, "topics", axes[0]), Head(STANCES, "pairs", axes[1])], weights)
        states = WindowScorer(self._windower, same, torch_encode(self._network.encoder)).score(documents)
        return np.stack([state.topics for state in states]), np.concatenate([state.stances for state in states])

    def _fit_topics(self, states: Floats, labels: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        scaled = scaler.transform(states)
        fitted = [self._regression(self._settings.topic_c).fit(scaled, column) for column in labels.T]
        weights = np.concatenate([model.coef_ for model in fitted])
        _copy(self._output(TOPICS), scaler, weights, np.concatenate([model.intercept_ for model in fitted]))

    def _fit_stances(self, states: Floats, classes: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        model = self._regression(self._settings.stance_c).fit(scaler.transform(states), classes)
        _copy(self._output(STANCES), scaler, model.coef_, model.intercept_)

    def _output(self, head: str) -> nn.Linear:
        return cast("nn.Linear", self._network.heads.get_submodule(head).output)

    def _regression(self, c: float) -> LogisticRegression:
        weights = "balanced" if self._settings.class_weights == "balanced" else None
        return LogisticRegression(C=c, class_weight=weights, max_iter=2000, random_state=self._seed)


def _copy(head: nn.Linear, scaler: StandardScaler, weights: Floats, intercepts: Floats) -> None:
    """Give a linear head the weights of a regression on standardised states."""
    folded = weights / scaler.scale_
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(folded))
        head.bias.copy_(torch.from_numpy(intercepts - folded @ scaler.mean_))
