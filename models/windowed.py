"""What the embedding and encoder families share: a network that reads windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file
from transformers import AutoTokenizer

from inference.bundle import HEADS, ONNX, TOKENIZER
from inference.document import Document
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import Windower, WindowSettings

from .network import WindowNetwork, export_onnx, torch_encode
from .settings import EncoderSource
from .sources import check_source, encoder_facts


class WindowedModel:
    """Scores and exports a network; how it is fitted is the family's own.

    Args:
        network: the encoder with its heads.
        windower: cuts documents as the network was trained to read them.
        source: where the encoder came from.
    """

    def __init__(self, network: WindowNetwork, windower: Windower, source: EncoderSource) -> None:
        self._network = network
        self._windower = windower
        self._source = source

    @property
    def windows(self) -> WindowSettings:
        """See `Family.windows`."""
        return self._windower.settings

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        """See `Family.score`."""
        return window_scorer(self._network, self._windower).score(documents, others)

    def encoder_facts(self) -> dict[str, Any]:
        """See `Family.encoder_facts`."""
        return encoder_facts(self._source, self._network.encoder)

    def save_encoder(self, directory: Path) -> None:
        """See `Family.save_encoder`."""
        self._network.encoder.save_pretrained(directory)
        AutoTokenizer.from_pretrained(check_source(self._source)).save_pretrained(directory)

    def export(self, directory: Path) -> None:
        """See `Family.export`."""
        export_onnx(self._network.encoder, directory / ONNX)
        save_file(self._network.head_weights(), directory / HEADS)
        self._windower.save(directory / TOKENIZER)


def window_scorer(network: WindowNetwork, windower: Windower) -> WindowScorer:
    """Scores by the network's weights of now."""
    return WindowScorer(windower, network.numpy_heads(), torch_encode(network.encoder))
