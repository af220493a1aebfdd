"""Makes the family that a recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inference.heads import Head

from .base import Family
from .settings import EmbeddingModel, LinearModel, Model, Trainer

if TYPE_CHECKING:
    from .checkpoint import Checkpoint


def make_family(
    model: Model, trainer: Trainer | None, heads: Sequence[Head], seed: int, checkpoint: Checkpoint | None = None
) -> Family:
    """An unfitted model; torch is imported only where the family needs it.

    Raises:
        EncoderError: its encoder cannot be loaded.
    """
    if isinstance(model, LinearModel):
        from .linear import LinearFamily

        return LinearFamily(model, heads, seed)
    if isinstance(model, EmbeddingModel):
        from .embedding import EmbeddingFamily

        return EmbeddingFamily(model, heads, seed)
    from .encoder import EncoderFamily

    return EncoderFamily(model, trainer or Trainer(), heads, seed, checkpoint)
