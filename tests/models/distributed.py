"""What each process of the two-process test runs: fits the tiny encoder and writes down what it scores then."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch.distributed

from models.checkpoint import Checkpoint
from models.encoder import EncoderFamily
from models.settings import EncoderModel, EncoderSource, Trainer
from tests.models.samples import HEADS, documents, examples


def main(encoder: Path, out: Path) -> None:
    """Fit for two epochs of several steps; every article of the second half lacks topics."""
    rank = os.environ["RANK"]
    model = EncoderModel(family="encoder", encoder=EncoderSource(path=encoder), max_tokens=32)
    trainer = Trainer(epochs=2, batch_tokens=90, learning_rate=3e-3, head_learning_rate=1e-2, precision="fp32")
    family = EncoderFamily(model, trainer, HEADS, 7, Checkpoint(out / "state.safetensors", "run"))
    told: list[str] = []
    family.fit(examples(20), examples(8, first=20), lambda number, measured: told.append(str(number)))
    (out / f"epochs-{rank}.txt").write_text(" ".join(told))
    scores = family.score(documents(examples(8, first=20)))
    topics, stances = (np.concatenate([getattr(s, head).ravel() for s in scores]) for head in ("topics", "stances"))
    np.savez(out / f"scores-{rank}.npz", topics=topics, stances=stances)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
