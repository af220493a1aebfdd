"""What the embedding and encoder families share: a network that reads windows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import skops.io
from safetensors.numpy import save_file
from transformers import AutoTokenizer

from inference.bundle import HEADS, ONNX, SKOPS, TOKENIZER
from inference.document import Document
from inference.heads import TOPICS
from inference.linear_scorer import LinearScorer
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import Windower, WindowSettings

from .base import Example
from .linear import topics_by_words
from .network import WindowNetwork, export_onnx, torch_encode
from .settings import EncoderSource
from .sources import check_source, encoder_facts


class WindowedModel:
    """Scores and exports a network; how it is fitted is the family's own.

    Args:
        network: the encoder with its heads.
        windower: cuts documents as the network was trained to read them.
        source: where the encoder came from.
        words: scores topics by words, see `models.linear.topics_by_words`; None for none.
    """

    def __init__(
        self, network: WindowNetwork, windower: Windower, source: EncoderSource, words: LinearScorer | None = None
    ) -> None:
        self._network = network
        self._windower = windower
        self._source = source
        self._words = words

    @property
    def windows(self) -> WindowSettings:
        """See `Model.windows`."""
        return self._windower.settings

    def fit_words(self, train: Sequence[Example], weight: float, seed: int) -> None:
        """Learn topics by words as well, which are added to what the encoder says; a weight of 0 learns nothing."""
        if weight and (head := self._network.specs.get(TOPICS)):
            self._words = topics_by_words(train, head, weight, seed)

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Model.score`."""
        return window_scorer(self._network, self._windower, self._words).score(documents, others)

    def encoder_facts(self) -> dict[str, Any]:
        """See `Model.encoder_facts`."""
        return encoder_facts(self._source, self._network.encoder)

    def save_encoder(self, directory: Path) -> None:
        """See `Model.save_encoder`."""
        self._network.encoder.save_pretrained(directory)
        AutoTokenizer.from_pretrained(check_source(self._source), **self._source.options).save_pretrained(directory)

    def quantized(self, documents: Sequence[Document]) -> QuantizedModel:
        """See `Family.quantized`."""
        return QuantizedModel(self._network, self._windower, self._source, self._words, documents)

    def export(self, directory: Path) -> None:
        """See `Model.export`."""
        self._export_encoder(directory / ONNX)
        save_file(self._network.head_weights(), directory / HEADS)
        if self._words is not None:
            skops.io.dump(self._words.to_arrays(), directory / SKOPS)
        self._windower.save(directory / TOKENIZER)

    def _export_encoder(self, path: Path) -> None:
        export_onnx(self._network.encoder, path)


class QuantizedModel(WindowedModel):
    """The same with its encoder in 8-bit integers, see `models.quantize`.

    Args:
        network: fitted; its heads stay in fp32.
        windower: cuts documents.
        source: where the encoder came from.
        words: see `WindowedModel`.
        documents: whose windows, the first of each, tell how wide channels are.
    """

    def __init__(
        self,
        network: WindowNetwork,
        windower: Windower,
        source: EncoderSource,
        words: LinearScorer | None,
        documents: Sequence[Document],
    ) -> None:
        from .quantize import quantize

        super().__init__(network, windower, source, words)
        self._folder = TemporaryDirectory()
        self._path = Path(self._folder.name) / ONNX
        full = self._path.with_name("full.onnx")
        export_onnx(network.encoder, full)
        quantize(full, self._path, [windower.cut(document)[0] for document in documents])
        full.unlink()
        self._scorer = WindowScorer.of_onnx(windower, network.numpy_heads(), self._path, words=words)

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Model.score`."""
        return self._scorer.score(documents, others)

    def _export_encoder(self, path: Path) -> None:
        shutil.copyfile(self._path, path)


def window_scorer(network: WindowNetwork, windower: Windower, words: LinearScorer | None = None) -> WindowScorer:
    """Scores by the network's weights of now."""
    return WindowScorer(windower, network.numpy_heads(), torch_encode(network.encoder), words=words)
