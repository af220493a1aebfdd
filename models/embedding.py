"""The embedding family: a frozen encoder with logistic heads on its mean states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from inference.decode import Floats
from inference.document import Document
from inference.schema import STANCE_LABELS
from inference.window_scorer import WindowScorer

from .base import UNLABELLED, Epoch, Example
from .network import WindowNetwork, torch_run
from .settings import EmbeddingModel
from .sources import load_encoder
from .windowed import WindowedModel


class EmbeddingFamily(WindowedModel):
    """Fits logistic regressions on the states of a frozen encoder.

    Args:
        settings: the recipe's model section.
        topics: the topic labels.
        seed: seed of the solver.

    Raises:
        EncoderError: the encoder cannot be loaded.
    """

    def __init__(self, settings: EmbeddingModel, topics: Sequence[str], seed: int) -> None:
        self._settings = settings
        self._seed = seed
        encoder, windower = load_encoder(settings.encoder, settings.max_tokens)
        width = encoder.config.hidden_size
        self._topic_head = nn.Linear(width, len(topics))
        self._stance_head = nn.Linear(3 * width, len(STANCE_LABELS))
        super().__init__(WindowNetwork(encoder, self._topic_head, self._stance_head), windower, settings.encoder)
        if torch.cuda.is_available():
            self._network.cuda()

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; there is nothing to stop early."""
        articles, pairs = self._states([example.document for example in train])
        labelled = [(row, example.topics) for row, example in enumerate(train) if example.topics is not None]
        if labelled:
            topics = np.stack([labels for _, labels in labelled]).astype(int)
            self._fit_topics(articles[[row for row, _ in labelled]], topics)
        stances = np.concatenate([example.stances for example in train])
        if (stances != UNLABELLED).any():
            self._fit_stances(pairs[stances != UNLABELLED], stances[stances != UNLABELLED])

    def _states(self, documents: Sequence[Document]) -> tuple[Floats, Floats]:
        """Mean states of articles, (documents, H), and joined states of all their pairs, (pairs, 3 H)."""
        width = self._topic_head.in_features
        scorer = WindowScorer(self._windower, width, torch_run(self._network, self._network.states), [0.0] * 3 * width)
        states = scorer.score(documents)
        return np.stack([state.topics for state in states]), np.concatenate([state.stances for state in states])

    def _fit_topics(self, states: Floats, labels: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        scaled = scaler.transform(states)
        fitted = [self._regression(self._settings.topic_c).fit(scaled, column) for column in labels.T]
        weights = np.concatenate([model.coef_ for model in fitted])
        _copy(self._topic_head, scaler, weights, np.concatenate([model.intercept_ for model in fitted]))

    def _fit_stances(self, states: Floats, classes: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        model = self._regression(self._settings.stance_c).fit(scaler.transform(states), classes)
        _copy(self._stance_head, scaler, model.coef_, model.intercept_)

    def _regression(self, c: float) -> LogisticRegression:
        weights = "balanced" if self._settings.class_weights == "balanced" else None
        return LogisticRegression(C=c, class_weight=weights, max_iter=2000, random_state=self._seed)


def _copy(head: nn.Linear, scaler: StandardScaler, weights: Floats, intercepts: Floats) -> None:
    """Give a linear head the weights of a regression on standardised states."""
    folded = weights / scaler.scale_
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(folded))
        head.bias.copy_(torch.from_numpy(intercepts - folded @ scaler.mean_))
