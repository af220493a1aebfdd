"""Heads: small layers that read labels off the token states of an encoder.

The encoder reads a window once; a head is a matrix product or two on what it gives. So heads run in numpy,
only those that are asked for, on no more pairs than there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from .errors import BundleError
from .schema import STANCE_LABELS

TOPICS, STANCES, ACTORS = "topics", "stances", "actors"
"""The three heads that records are made of."""

COUNTRY = "country"
"""What the head of actors calls words that stand for a country, be they a capital's or a president's name."""

Kind = Literal["topics", "class", "pairs", "tags"]
States = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """What is read off.

    Args:
        name: what corpora and metrics call it.
        kind: `topics`: any of the labels for an article; `class`: one label for a text; `pairs`: one label for
            each ordered pair of actors; `tags`: spans of tokens, each with a label.
        labels: in the order of the scores.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """Scores of one item. A token's are: outside, then beginning and inside of each label."""
        return 1 + 2 * len(self.labels) if self.kind == "tags" else len(self.labels)


def stance_head() -> Head:
    """The head of the codebook's stances."""
    return Head(STANCES, "pairs", STANCE_LABELS)


def actor_head() -> Head:
    """The head of the words that name an actor: a country, by whatever stands for it there, or another."""
    return Head(ACTORS, "tags", (COUNTRY, "other"))


class Heads:
    """Heads with their weights.

    Args:
        heads: what they are.
        weights: `NAME.weight`, (outputs, in), and `NAME.bias`, (outputs,), in float32. A head of pairs reads the
            joined states of source, target and sentence, 3 H wide, a head of tags a state and a word shape, H + 12
            wide; where there are `NAME.hidden.weight` and `NAME.hidden.bias`, through a hidden layer with GELU.
    """

    def __init__(self, heads: Sequence[Head], weights: Mapping[str, npt.NDArray[Any]]) -> None:
        self.heads = tuple(heads)
        self._weights = weights

    @classmethod
    def from_file(cls, path: Path, heads: Sequence[Head]) -> Heads:
        """Read a safetensors file.

        Raises:
            BundleError: it is damaged, or lacks a head.
        """
        try:
            weights = load_file(path)
        except (OSError, SafetensorError) as error:
            raise BundleError(f"{path}: cannot be read: {error}") from error
        for head in heads:
            rows = {f"{head.name}.weight": head.outputs, f"{head.name}.bias": head.outputs}
            if hidden := weights.get(f"{head.name}.hidden.weight", np.zeros(0)).shape[:1]:
                rows[f"{head.name}.hidden.bias"] = hidden[0]
            for name, expected in rows.items():
                found = weights.get(name, np.zeros(0)).shape
                if found[:1] != (expected,):
                    raise BundleError(f"{path}: {name} of the head {head.name} is {found}, expected {expected} rows")
        return cls(heads, weights)

    def linear(self, head: Head, states: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Scores, (…, outputs), of states, (…, H)."""
        return np.asarray(states @ self._weights[f"{head.name}.weight"].T + self._weights[f"{head.name}.bias"])

    def tags(self, head: Head, states: States, shapes: States) -> States:
        """Scores of tokens, (T, outputs).

        Args:
            head: of tags.
            states: (T, H).
            shapes: word shapes, (T, 12).
        """
        of_states, of_shapes = np.split(self._weights[f"{self._first_layer(head)}.weight"], [states.shape[1]], axis=1)
        return self._after(head, states @ of_states.T + shapes @ of_shapes.T)

    def pairs(self, head: Head, rows: States, pairs: npt.NDArray[np.int64]) -> States:
        """Scores of pairs, (P, outputs).

        Args:
            head: of pairs.
            rows: pooled states, (R, H).
            pairs: rows of source, target and sentence, (P, 3).
        """
        # A row is multiplied once for each role it may play, not once for each pair it stands in.
        roles = np.split(self._weights[f"{self._first_layer(head)}.weight"], 3, axis=1)
        parts = [(rows @ role.T)[chosen] for role, chosen in zip(roles, pairs.T, strict=True)]
        return self._after(head, np.asarray(sum(parts)))

    def _first_layer(self, head: Head) -> str:
        return f"{head.name}.hidden" if f"{head.name}.hidden.weight" in self._weights else head.name

    def _after(self, head: Head, product: States) -> States:
        """The rest of a head after the product of its first layer."""
        layer = self._first_layer(head)
        values = product + self._weights[f"{layer}.bias"]
        return values if layer == head.name else self.linear(head, gelu(values))


def gelu(values: States) -> States:
    """GELU by its tanh form (Hendrycks and Gimpel 2016)."""
    inner = values * values  # numpy's own cube takes ten times as long
    inner *= np.float32(0.044715)
    inner += 1
    inner *= values
    inner *= np.float32(np.sqrt(2 / np.pi))
    np.tanh(inner, out=inner)
    inner += 1
    inner *= values
    inner *= np.float32(0.5)
    return inner
