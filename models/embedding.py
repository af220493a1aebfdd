"""The embedding family: a frozen encoder with logistic heads on its mean states."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from inference.bundle import ONNX, TOKENIZER
from inference.decode import Floats
from inference.document import Document
from inference.schema import STANCE_LABELS
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import WindowSettings, batches, collate

from .base import UNLABELLED, Epoch, Example
from .network import WindowNetwork, export_onnx, tensors, torch_run
from .settings import EmbeddingModel
from .sources import encoder_facts, load_encoder

_BATCH_TOKENS = 8192


class EmbeddingFamily:
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
        encoder, self._windower = load_encoder(settings.encoder, settings.max_tokens)
        width = encoder.config.hidden_size
        self._network = WindowNetwork(encoder, nn.Linear(width, len(topics)), nn.Linear(3 * width, len(STANCE_LABELS)))
        if torch.cuda.is_available():
            self._network.cuda()

    @property
    def windows(self) -> WindowSettings:
        """See `Family.windows`."""
        return self._windower.settings

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; there is nothing to stop early."""
        articles, pairs = self._states([example.document for example in train])
        labelled = [number for number, example in enumerate(train) if example.topics is not None]
        if labelled:
            topics = np.stack([train[number].topics for number in labelled]).astype(int)  # type: ignore[arg-type]
            self._fit_topics(articles[labelled], topics)
        stances = np.concatenate([example.stances for example in train])
        if (stances != UNLABELLED).any():
            self._fit_stances(pairs[stances != UNLABELLED], stances[stances != UNLABELLED])

    def score(self, documents: Sequence[Document]) -> list[Scores]:
        """See `Family.score`."""
        topics = self._network.topic_head.out_features
        return WindowScorer(self._windower, topics, torch_run(self._network)).score(documents)

    def encoder_facts(self) -> dict[str, Any]:
        """See `Family.encoder_facts`."""
        return encoder_facts(self._settings.encoder, self._network.encoder)

    def export(self, directory: Path) -> None:
        """See `Family.export`."""
        export_onnx(self._network, directory / ONNX)
        self._windower.save(directory / TOKENIZER)

    @torch.inference_mode()
    def _states(self, documents: Sequence[Document]) -> tuple[Floats, Floats]:
        """Mean states of articles, (documents, H), and joined states of all their pairs, (pairs, 3 H)."""
        self._network.eval()
        device = next(self._network.parameters()).device
        width = self._network.topic_head.in_features
        first = np.concatenate([[0], np.cumsum([len(document.pairs) for document in documents])])
        articles, pairs = np.zeros((len(documents), width)), np.zeros((int(first[-1]), 3 * width))
        weights = np.zeros(len(documents))
        windows = [(number, window) for number, doc in enumerate(documents) for window in self._windower.windows(doc)]
        for batch in batches([len(window.ids) for _, window in windows], _BATCH_TOKENS):
            chosen = [windows[index] for index in batch]
            states, joined = self._network.states(
                **tensors(collate([window for _, window in chosen], self.windows.pad), device)
            )
            row = 0
            for (number, window), state in zip(chosen, states.double().cpu().numpy(), strict=True):
                articles[number] += len(window.ids) * state
                weights[number] += len(window.ids)
                for pair, *_ in window.pairs:
                    pairs[first[number] + pair] = joined[row].double().cpu().numpy()
                    row += 1
        return articles / weights[:, None], pairs

    def _fit_topics(self, states: Floats, labels: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        scaled = scaler.transform(states)
        fitted = [self._regression(self._settings.topic_c).fit(scaled, column) for column in labels.T]
        weights = np.concatenate([model.coef_ for model in fitted])
        _copy(self._network.topic_head, scaler, weights, np.concatenate([model.intercept_ for model in fitted]))

    def _fit_stances(self, states: Floats, classes: np.ndarray) -> None:
        scaler = StandardScaler().fit(states)
        model = self._regression(self._settings.stance_c).fit(scaler.transform(states), classes)
        _copy(self._network.stance_head, scaler, model.coef_, model.intercept_)

    def _regression(self, c: float) -> LogisticRegression:
        weights = "balanced" if self._settings.class_weights == "balanced" else None
        return LogisticRegression(C=c, class_weight=weights, max_iter=2000, random_state=self._seed)


def _copy(head: nn.Module, scaler: StandardScaler, weights: Floats, intercepts: Floats) -> None:
    """Give a linear head the weights of a regression on standardised states."""
    assert isinstance(head, nn.Linear)
    folded = weights / scaler.scale_
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(folded))
        head.bias.copy_(torch.from_numpy(intercepts - folded @ scaler.mean_))
