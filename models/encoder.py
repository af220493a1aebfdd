"""The encoder family: a transformer fine-tuned with all heads at once."""

from __future__ import annotations

from collections.abc import Sequence

from accelerate.utils import set_seed

from inference.heads import Head

from .base import Epoch, Example
from .checkpoint import Checkpoint
from .finetune import Finetuner
from .network import WindowNetwork
from .settings import EncoderModel, Trainer
from .sources import freeze_layers, load_encoder, mask_token, renew_layers
from .windowed import WindowedModel


class EncoderFamily(WindowedModel):
    """Fine-tunes an encoder on all labels at hand.

    Args:
        settings: the recipe's model section.
        trainer: the recipe's trainer section.
        heads: what is learned.
        seed: seed of weights, dropout and order.
        checkpoint: where the state after each epoch is kept and a fit goes on from, None for nowhere.

    Raises:
        EncoderError: the encoder cannot be loaded, has fewer layers than are to be fresh or frozen, or no mask token
            where actors are to be hidden.
    """

    def __init__(
        self,
        settings: EncoderModel,
        trainer: Trainer,
        heads: Sequence[Head],
        seed: int,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        set_seed(seed)
        encoder, windower = load_encoder(settings.encoder, settings.max_tokens, settings.encoder_dropout)
        renew_layers(encoder, settings.fresh_layers)
        freeze_layers(encoder, settings.frozen_layers)
        if settings.freeze_embeddings:
            encoder.get_input_embeddings().requires_grad_(False)
        super().__init__(WindowNetwork(encoder, heads, settings.dropout), windower, settings.encoder)
        mask = mask_token(settings.encoder) if trainer.hidden_actors else None
        self._finetuner = Finetuner(self._network, windower, trainer, seed, checkpoint, mask)
        self._topic_words = settings.topic_words
        self._seed = seed

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """See `Family.fit`; the best epoch is the encoder's own, words come after it."""
        self._finetuner.fit(train, validation, on_epoch)
        self.fit_words(train, self._topic_words, self._seed)
