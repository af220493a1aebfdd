"""What is needed to go on after an interruption, in safetensors: nothing in it can run code."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import Module
from torch.optim import Optimizer

from inference.errors import DetenteError

State = dict[str, Tensor]


class CheckpointError(DetenteError):
    """A checkpoint cannot be continued."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fit has come.

    Args:
        epoch: epochs done.
        best: highest validation quality so far.
        stale: epochs since then.
        history: what was measured in each epoch.
    """

    epoch: int = 0
    best: float = -1.0
    stale: int = 0
    history: tuple[dict[str, float], ...] = ()

    def after(self, quality: float, measured: dict[str, float]) -> Progress:
        """The progress after one more epoch of this validation quality."""
        stale = 0 if quality > self.best else self.stale + 1
        return Progress(self.epoch + 1, max(quality, self.best), stale, (*self.history, measured))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state after the last whole epoch; every epoch seeds itself, so no generator need be kept.

    Args:
        path: the file; it need not be there.
        fingerprint: what the run is made of; the checkpoint of another run is refused.
    """

    path: Path
    fingerprint: str

    def save(self, progress: Progress, network: Module, best: State, average: State, optimizer: Optimizer) -> None:
        """Replace the checkpoint in one step."""
        moments = optimizer.state_dict()["state"]
        states = {"now": network.state_dict(), "best": best, "average": average}
        tensors = {f"{kind}.{name}": tensor for kind, state in states.items() for name, tensor in state.items()}
        tensors |= {f"adam.{index}.{key}": value for index, state in moments.items() for key, value in state.items()}
        metadata = {"fingerprint": self.fingerprint, "progress": json.dumps(asdict(progress))}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".partial")
        save_file({name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, fresh, metadata)
        fresh.replace(self.path)

    def load(self, network: Module, optimizer: Optimizer) -> tuple[Progress, State, State] | None:
        """Put a network and its optimiser back to where they were.

        Returns:
            The progress, the best weights and the average, None where there is no checkpoint.

        Raises:
            CheckpointError: the file is damaged or of another run.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata()
                tensors: State = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise CheckpointError(f"{self.path}: damaged ({error}); delete it to start anew") from error
        if (metadata or {}).get("fingerprint") != self.fingerprint:
            raise CheckpointError(
                f"{self.path}: of a run with another recipe or corpus; run without --resume to start anew"
            )
        network.load_state_dict(_part(tensors, "now."))
        moments: dict[int, State] = {}
        for name, tensor in _part(tensors, "adam.").items():
            index, key = name.split(".")
            moments.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
        progress = json.loads(metadata["progress"])
        history = tuple(progress.pop("history"))
        return Progress(**progress, history=history), _part(tensors, "best."), _part(tensors, "average.")


def _part(tensors: State, prefix: str) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
