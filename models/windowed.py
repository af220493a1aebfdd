"""What the embedding and encoder families share: a network that reads windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.bundle import ONNX, TOKENIZER
from inference.document import Document
from inference.scorer import Scores
from inference.window_scorer import WindowScorer
from inference.windows import Windower, WindowSettings

from .network import WindowNetwork, export_onnx, torch_run
from .settings import EncoderSource
from .sources import encoder_facts


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

    def score(self, documents: Sequence[Document]) -> list[Scores]:
        """See `Family.score`."""
        topics = self._network.topic_head.out_features
        return WindowScorer(self._windower, topics, torch_run(self._network)).score(documents)

    def encoder_facts(self) -> dict[str, Any]:
        """See `Family.encoder_facts`."""
        return encoder_facts(self._source, self._network.encoder)

    def export(self, directory: Path) -> None:
        """See `Family.export`."""
        export_onnx(self._network, directory / ONNX)
        self._windower.save(directory / TOKENIZER)
