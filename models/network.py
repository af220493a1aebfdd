"""The network of the encoder and embedding families: a transformer with heads on its token states."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.export import Dim

from inference.schema import STANCE_LABELS
from inference.window_scorer import Run
from inference.windows import Batch


class PairHead(nn.Sequential):
    """Stance scores of ordered pairs from the states of source, target and sentence.

    One set of weights reads the two actors in the order asked for, so that exchanging them exchanges
    the two answers by construction (span-pair classification as in Wen et al. 2024).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__(
            nn.Dropout(dropout),
            nn.Linear(3 * width, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, len(STANCE_LABELS)),
        )


class WindowNetwork(nn.Module):
    """Reads windows once and scores their topics and their pairs.

    Args:
        encoder: a transformer whose output has `last_hidden_state`.
        topic_head: (…, H) → (…, topics); linear, so that a mean of its scores over an article's
            windows is its score of the article's mean state.
        stance_head: (…, 3 H) → (…, 3).
        dropout: dropout before the topic head.
    """

    def __init__(self, encoder: nn.Module, topic_head: nn.Linear, stance_head: nn.Module, dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.topic_head = topic_head
        self.stance_head = stance_head

    def states(self, input_ids: Tensor, attention_mask: Tensor, pool: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Mean states of windows, (B, H), and joined states of pairs, (P, 3 H); for the arguments see `Batch`."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        rows = torch.bmm(pool.to(states.dtype), states).flatten(0, 1)
        joined = rows[pairs.flatten()].reshape(-1, 3 * states.shape[-1])
        return (states * mask).sum(1) / mask.sum(1), joined

    def forward(self, input_ids: Tensor, attention_mask: Tensor, pool: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Topic logits of windows, (B, topics), and stance logits of pairs, (P, 3)."""
        windows, joined = self.states(input_ids, attention_mask, pool, pairs)
        topics, stances = self.topic_head(self.dropout(windows)), self.stance_head(joined)
        return topics, stances


def tensors(batch: Batch, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """A batch as the network's keyword arguments."""
    return {name: torch.from_numpy(array).to(device) for name, array in batch.arrays().items()}


def torch_run(network: WindowNetwork, method: Callable[..., tuple[Tensor, Tensor]] | None = None) -> Run:
    """The network, or one of its methods, as `WindowScorer` runs it: without dropout and gradients."""
    device = next(network.parameters()).device

    @torch.inference_mode()
    def run(batch: Batch) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        network.eval()
        topics, stances = (method or network)(**tensors(batch, device))
        return topics.float().cpu().numpy(), stances.float().cpu().numpy()

    return run


def export_onnx(network: WindowNetwork, path: Path) -> None:
    """Write the network as one ONNX file with every size but the widths free."""
    network = network.eval().cpu()
    config: Any = network.encoder.config
    longest = int(config.max_position_embeddings)
    windows, tokens = Dim("windows"), Dim("tokens", max=longest)
    example = (
        torch.ones(3, 17, dtype=torch.long),
        torch.ones(3, 17, dtype=torch.long),
        torch.full((3, 4, 17), 1 / 17),
        torch.zeros(5, 3, dtype=torch.long),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own use of deprecated torch
        torch.onnx.export(
            network,
            example,
            path,
            input_names=["input_ids", "attention_mask", "pool", "pairs"],
            output_names=["topics", "stances"],
            dynamic_shapes={
                "input_ids": {0: windows, 1: tokens},
                "attention_mask": {0: windows, 1: tokens},
                "pool": {0: windows, 1: Dim("rows"), 2: tokens},
                "pairs": {0: Dim("pairs")},
            },
            dynamo=True,
            external_data=False,
            verbose=False,
        )
