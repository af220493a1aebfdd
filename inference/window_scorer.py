"""Scores documents by an encoder, each window read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from .document import Document
from .errors import BundleError, InputError
from .scorer import Scores
from .windows import Batch, Windower, batches, collate

Run = Callable[[Batch], tuple[npt.NDArray[Any], npt.NDArray[Any]]]
"""Topic logits of a batch's windows, (B, topics), and stance logits of its pairs, (P, 3)."""

BATCH_TOKENS = 4096
"""Tokens of a batch, padding included: enough to fill the cores, little enough for their caches."""

_UNREAD = (0.0, -30.0, -30.0)


class WindowScorer:
    """Cuts documents into windows, runs an encoder on batches of them, and puts the scores together.

    Args:
        windower: cuts documents.
        topics: number of topic labels.
        run: the encoder with its heads, in ONNX Runtime or torch.
        unread: scores of a pair that no window holds together; neutral as it stands.
    """

    def __init__(self, windower: Windower, topics: int, run: Run, unread: Sequence[float] = _UNREAD) -> None:
        self._windower = windower
        self._topics = topics
        self._run = run
        self._unread = unread

    def score(self, documents: Sequence[Document]) -> list[Scores]:
        """See `Scorer.score`."""
        windows = [(number, window) for number, doc in enumerate(documents) for window in self._windower.windows(doc)]
        scores = [
            Scores(np.zeros(self._topics), np.tile(self._unread, (len(document.pairs), 1))) for document in documents
        ]
        tokens = np.zeros(len(documents))
        for batch in batches([len(window.ids) for _, window in windows], BATCH_TOKENS):
            chosen = [windows[index] for index in batch]
            topics, stances = self._run(collate([window for _, window in chosen], self._windower.settings.pad))
            row = 0
            for (number, window), logits in zip(chosen, topics.astype(np.float64), strict=True):
                # The topic head is linear in mean states: this mean is the answer for the whole article.
                scores[number].topics[:] += len(window.ids) * logits
                tokens[number] += len(window.ids)
                for pair, *_ in window.pairs:
                    scores[number].stances[pair] = stances[row]
                    row += 1
        for score, count in zip(scores, tokens, strict=True):
            score.topics[:] /= count
        return scores


def onnx_run(model: Path, threads: int | None = None, device: str = "cpu") -> Run:
    """An encoder in ONNX.

    Args:
        model: path of the model.
        threads: threads of ONNX Runtime; None leaves the choice to it.
        device: "cpu" or "cuda".

    Raises:
        InputError: this ONNX Runtime cannot use the device.
        BundleError: it cannot load the model.
    """
    providers = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
    if providers.get(device) not in ort.get_available_providers():
        raise InputError(f"device {device}: this onnxruntime has none; `pip install onnxruntime-gpu` has it")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    try:
        session = ort.InferenceSession(str(model), options, providers=[providers[device]])
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise BundleError(f"{model}: onnxruntime {ort.__version__} cannot load it: {error}") from error

    def run(batch: Batch) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        topics, stances = session.run(["topics", "stances"], batch.arrays())
        return topics, stances

    return run
