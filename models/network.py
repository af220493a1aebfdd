"""The network of the encoder and embedding families: a transformer with heads on its token states."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.export import Dim

from inference.heads import Head, Heads
from inference.onnx_encoder import Encode
from inference.shapes import SHAPES
from inference.windows import Batch, Window, collate

from .attention import fused_attention

_NARROWEST = 32
"""Units of a hidden layer at least."""


class HeadLayers(nn.Module):
    """The layers of a head.

    Of ordered pairs one set of weights reads the two actors in the order asked for, so that exchanging them exchanges
    the two answers by construction (span-pair classification as in Wen et al. 2024).

    Args:
        inputs: width of what it reads: a state, joined states, or a state and a word shape.
        hidden: width of a hidden layer, 0 for none.
        outputs: scores of an item.
        dropout: dropout before each layer.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(inputs, hidden) if hidden else None
        self.output = nn.Linear(hidden or inputs, outputs)

    def forward(self, values: Tensor) -> Tensor:
        """(…, inputs) → (…, outputs)."""
        values = self.dropout(values)
        if self.hidden is not None:
            values = self.dropout(nn.functional.gelu(self.hidden(values), approximate="tanh"))
        scores: Tensor = self.output(values)
        return scores


class WindowNetwork(nn.Module):
    """Reads windows once and reads its heads off their states.

    Args:
        encoder: a transformer whose output has `last_hidden_state`.
        heads: what is read off.
        dropout: dropout before the heads.
        hidden: whether heads of pairs and tags have a hidden layer: that of tags, which read every token, is a third
            as wide as a state, or `_NARROWEST`.
    """

    def __init__(self, encoder: Any, heads: Sequence[Head], dropout: float = 0.0, hidden: bool = True) -> None:
        super().__init__()
        self.encoder = encoder
        self.specs = {head.name: head for head in heads}
        width = encoder.config.hidden_size
        inputs = {"topics": width, "class": width, "pairs": 3 * width, "tags": width + SHAPES}
        deep = {"pairs": width, "tags": max(_NARROWEST, width // 3)} if hidden else {}
        self.heads = nn.ModuleDict(
            {head.name: HeadLayers(inputs[head.kind], deep.get(head.kind, 0), head.outputs, dropout) for head in heads}
        )

    def forward(self, batch: dict[str, Tensor], heads: Collection[str]) -> dict[str, Tensor]:
        """Scores by head: of windows, (B, outputs), of pairs, (P, outputs), of tokens, (B, T, outputs).

        Args:
            batch: as `tensors` makes it.
            heads: names of those to read off.
        """
        mask = batch["attention_mask"]
        states = self.encoder(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        rows = torch.bmm(batch["pool"].to(states.dtype), states).flatten(0, 1)
        read = {
            "pairs": rows[batch["pairs"].flatten()].reshape(-1, 3 * states.shape[-1]),
            "topics": (states * weights).sum(1) / weights.sum(1),
        }
        read["class"] = read["topics"]
        if any(self.specs[name].kind == "tags" for name in heads):
            read["tags"] = torch.cat([states, batch["shapes"].to(states.dtype)], dim=-1)
        return {name: self.heads[name](read[self.specs[name].kind]) for name in heads}

    def keep(self, heads: Collection[str]) -> None:
        """Drop all heads but these."""
        for name in [name for name in self.specs if name not in heads]:
            del self.specs[name], self.heads[name]

    def numpy_heads(self) -> Heads:
        """The heads with copies of their weights, as scoring uses them."""
        return Heads(list(self.specs.values()), self.head_weights())

    def head_weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Weights by the names that `inference.heads.Heads` knows."""
        named = ((name.replace(".output.", "."), tensor) for name, tensor in self.heads.state_dict().items())
        return {name: tensor.detach().float().cpu().numpy().copy() for name, tensor in named}


def tensors(windows: Sequence[Window], pad: int, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Windows as the network takes them: the arrays of `Batch`, and `shapes`, word shapes of all tokens, (B, T, 12)."""
    batch = collate(windows, pad)
    arrays = {name: getattr(batch, name) for name in Batch.__slots__}
    arrays["shapes"] = np.zeros((*batch.input_ids.shape, SHAPES), dtype=np.float32)
    for row, window in zip(arrays["shapes"], windows, strict=True):
        row[1 : len(window.ids) - 1] = window.shapes()
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def torch_encode(encoder: nn.Module) -> Encode:
    """An encoder as `WindowScorer` runs it: without dropout and gradients."""
    device = next(encoder.parameters()).device

    @torch.inference_mode()
    def encode(batch: Batch) -> npt.NDArray[np.float32]:
        encoder.eval()
        ids, mask = (torch.from_numpy(array).to(device) for array in (batch.input_ids, batch.attention_mask))
        states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return np.asarray(states.float().cpu().numpy(), dtype=np.float32)

    return encode


class _States(nn.Module):
    """The encoder alone, with a plain tensor as its output."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        states: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return states


def export_onnx(encoder: Any, path: Path) -> None:
    """Write an encoder as one ONNX file whose batches have any number of windows and tokens."""
    network = _States(encoder).eval().cpu()
    windows, tokens = Dim("windows"), Dim("tokens", max=int(encoder.config.max_position_embeddings))
    with warnings.catch_warnings(), fused_attention(encoder):
        warnings.simplefilter("ignore")  # the exporter warns about its own use of deprecated torch
        torch.onnx.export(
            network,
            (torch.ones(3, 17, dtype=torch.long), torch.ones(3, 17, dtype=torch.long)),
            path,
            input_names=["input_ids", "attention_mask"],
            output_names=["states"],
            dynamic_shapes={name: {0: windows, 1: tokens} for name in ("input_ids", "attention_mask")},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
