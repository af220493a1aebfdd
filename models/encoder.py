"""The encoder family: a transformer fine-tuned with a topic head and a stance head at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed
from torch import nn

from inference.bundle import ONNX, TOKENIZER
from inference.document import Document
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import WindowSettings

from .base import Epoch, Example
from .checkpoint import Checkpoint
from .finetune import Finetuner
from .network import PairHead, WindowNetwork, export_onnx, torch_run
from .settings import EncoderModel, Trainer
from .sources import encoder_facts, load_encoder


class EncoderFamily:
    """Fine-tunes an encoder on all labels at hand.

    Args:
        settings: the recipe's model section.
        trainer: the recipe's trainer section.
        topics: the topic labels.
        seed: seed of weights, dropout and order.
        checkpoint: where the state after each epoch is kept and a fit goes on from, None for nowhere.

    Raises:
        EncoderError: the encoder cannot be loaded.
    """

    def __init__(
        self,
        settings: EncoderModel,
        trainer: Trainer,
        topics: Sequence[str],
        seed: int,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        set_seed(seed)
        encoder, self._windower = load_encoder(settings.encoder, settings.max_tokens)
        encoder.get_input_embeddings().requires_grad_(not settings.freeze_embeddings)
        width = encoder.config.hidden_size
        heads = nn.Linear(width, len(topics)), PairHead(width, settings.dropout)
        self._network = WindowNetwork(encoder, *heads, settings.dropout)
        self._settings = settings
        self._finetuner = Finetuner(self._network, self._windower, trainer, seed, checkpoint)

    @property
    def windows(self) -> WindowSettings:
        """See `Family.windows`."""
        return self._windower.settings

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`."""
        self._finetuner.fit(train, validation, on_epoch)

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
