"""The training loop of the encoder family.

A loop of our own over accelerate, not transformers' Trainer: a step takes whole articles with a
varying number of windows, rows and pairs, several heads with labels missing in places, and an article's
loss over several windows, all of which a Trainer would need to be taught by overriding its collator,
loss, sampler and evaluation. Under `torchrun` each process takes its share of every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from inference.windows import Window, Windower, collate

from .base import Epoch, Example
from .checkpoint import Checkpoint, Progress, State
from .loss import MaskedLoss
from .network import WindowNetwork, tensors
from .objective import ranking_quality
from .settings import Trainer
from .steps import epoch_steps, shared
from .windowed import window_scorer


class Finetuner:
    """Fits a network in place.

    Args:
        network: what is trained.
        windower: cuts the documents.
        trainer: the recipe's trainer section.
        seed: seed of dropout and order; each epoch derives its own.
        checkpoint: kept after every epoch and continued where it is there, None for neither.
    """

    def __init__(
        self,
        network: WindowNetwork,
        windower: Windower,
        trainer: Trainer,
        seed: int,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self._network = network
        self._windower = windower
        self._trainer = trainer
        self._seed = seed
        self._checkpoint = checkpoint

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """Learn from `train`; the network ends with the weights of the epoch that ranks `validation` best.

        Args:
            train: examples to learn from.
            validation: examples that decide when to stop.
            on_epoch: told of every epoch, on the main process alone; after an interruption of those before it too.
        """
        heads = list(self._network.specs.values())
        train = [example for example in train if any(example.has(head) for head in heads)]
        mixed = "bf16" if _computes_bf16(self._trainer.precision) else "no"
        # An encoder may have weights that no head reads, such as BERT's pooler: they get no gradient.
        unread = DistributedDataParallelKwargs(find_unused_parameters=True)
        accelerator = Accelerator(mixed_precision=mixed, cpu=not torch.cuda.is_available(), kwargs_handlers=[unread])
        self._network.to(accelerator.device)
        loss = MaskedLoss(self._trainer, heads, train).to(accelerator.device)
        optimizer = _optimizer(self._network, self._trainer)
        progress, best = Progress(), _copied(self._network)
        if self._checkpoint and (saved := self._checkpoint.load(self._network, optimizer)):
            progress, best = saved
            for number, measured in enumerate(progress.history, start=1):
                if accelerator.is_main_process:
                    on_epoch(number, measured)
        parallel, stepper = accelerator.prepare(self._network, optimizer)
        windows = [self._windower.windows(example.document) for example in train]
        documents = [example.document for example in validation]

        while progress.epoch < self._trainer.epochs and progress.stale < self._trainer.patience:
            started = monotonic()
            train_loss = self._epoch(progress.epoch, train, windows, parallel, stepper, loss, accelerator)
            scores = window_scorer(self._network, self._windower).score(documents, others=True)
            quality = ranking_quality(validation, scores, heads)
            measured = {"train_loss": train_loss, "validation_quality": quality, "epoch_seconds": monotonic() - started}
            progress = progress.after(quality, measured)
            if progress.stale == 0:
                best = _copied(self._network)
            if accelerator.is_main_process:
                if self._checkpoint:
                    self._checkpoint.save(progress, self._network, best, optimizer)
                on_epoch(progress.epoch, measured)
            accelerator.wait_for_everyone()
        accelerator.unwrap_model(parallel, keep_fp32_wrapper=False)
        self._network.load_state_dict(best)

    def _epoch(
        self,
        epoch: int,
        train: Sequence[Example],
        windows: Sequence[list[Window]],
        parallel: nn.Module,
        stepper: AcceleratedOptimizer,
        loss: MaskedLoss,
        accelerator: Accelerator,
    ) -> float:
        """One pass over the training articles; returns the mean loss of its steps."""
        set_seed(self._seed * 1000 + epoch)
        most = self._trainer.windows_per_article
        lengths = [sum(len(window.ids) for window in article[:most]) for article in windows]
        steps = epoch_steps(train, lengths, self._trainer.batch_tokens)
        steps = shared(steps, accelerator.process_index, accelerator.num_processes)
        parallel.train()
        total = 0.0
        for done, step in enumerate(_bar(steps, f"epoch {epoch + 1}/{self._trainer.epochs}", accelerator)):
            _set_rate(stepper, self._trainer, epoch * len(steps) + done, self._trainer.epochs * len(steps))
            read = [self._read(windows[number]) for number in step]
            batch = collate([window for article in read for window in article], self._windower.settings.pad)
            examples = [train[number] for number in step]
            heads = [name for name, head in self._network.specs.items() if any(each.has(head) for each in examples)]
            value = loss(examples, read, parallel(tensors(batch, accelerator.device), heads))
            accelerator.backward(value)
            accelerator.clip_grad_norm_(parallel.parameters(), self._trainer.clip_norm)
            stepper.step()
            stepper.zero_grad()
            total += value.item()
        return total / len(steps)

    def _read(self, windows: list[Window]) -> list[Window]:
        """What a step reads of an article: a draw of its windows if they are many."""
        most = self._trainer.windows_per_article
        if len(windows) <= most:
            return windows
        return [windows[number] for number in sorted(np.random.choice(len(windows), most, replace=False))]


def _bar(steps: list[list[int]], title: str, accelerator: Accelerator) -> tqdm[list[int]]:
    return tqdm(steps, title, unit="step", leave=False, disable=None if accelerator.is_main_process else True)


def _optimizer(network: WindowNetwork, trainer: Trainer) -> Optimizer:
    """Fused AdamW with a rate of their own for the heads; biases and norms do not decay."""
    groups: dict[tuple[bool, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("encoder."), parameter.ndim > 1), []).append(parameter)
    return AdamW(
        [
            {
                "params": parameters,
                "peak": trainer.learning_rate if encoder else trainer.head_learning_rate,
                "weight_decay": trainer.weight_decay if matrix else 0.0,
            }
            for (encoder, matrix), parameters in groups.items()
        ],
        lr=trainer.learning_rate,
        fused=True,
    )


def _set_rate(optimizer: AcceleratedOptimizer, trainer: Trainer, step: int, steps: int) -> None:
    """Linear warm-up, then linear decay to zero; a function of the step alone, so that nothing is kept."""
    warm = trainer.warmup * steps
    share = (step + 1) / warm if step < warm else (steps - step) / max(1.0, steps - warm)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def _computes_bf16(precision: str) -> bool:
    """Whether to train in bfloat16: asked for, or `auto` on a processor that is faster in it.

    Among CPUs those are the ones with AMX. AVX512-BF16 alone multiplies matrices at half the speed of
    fp32 in today's oneDNN.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_amx_tile_supported())


def _copied(network: WindowNetwork) -> State:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
