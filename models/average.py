"""An exponential moving average of weights, which generalises better than the last ones (Polyak and Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from .checkpoint import State


class Average:
    """The average of a network's trained weights over the steps of its training.

    Args:
        network: what is averaged, as it is now.
        decay: share of the average that a step keeps; 0 makes it the network itself. Early on it is less, so that
            the first weights are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network = network
        self._decay = decay
        trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
        self.state: State = {
            name: tensor.detach().clone() for name, tensor in network.state_dict().items() if decay and name in trained
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 0."""
        if not self.state:
            return
        decay = min(self._decay, step / (step + 10))
        now = self._network.state_dict()
        names = list(self.state)
        torch._foreach_lerp_([self.state[name] for name in names], [now[name] for name in names], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network with the averaged weights inside the block, with its own again after it."""
        own = {
            name: tensor.detach().clone() for name, tensor in self._network.state_dict().items() if name in self.state
        }
        self._network.load_state_dict(self.state, strict=False)
        try:
            yield
        finally:
            self._network.load_state_dict(own, strict=False)
