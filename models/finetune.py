"""The training loop of the encoder family.

A loop of our own over accelerate, not transformers' Trainer: a step takes whole articles with a
varying number of windows, rows and pairs, several heads with labels missing in places, and an article's
loss over several windows, all of which a Trainer would need to be taught by overriding its collator,
loss, sampler and evaluation. Under `torchrun` each process takes its share of every step.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from time import monotonic

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from inference.heads import Head
from inference.windows import Window, Windower

from .attention import attention_in_fp32
from .average import Average
from .base import Epoch, Example, kept_heads
from .checkpoint import Checkpoint, Progress, State
from .loss import MaskedLoss
from .masking import masked
from .network import WindowNetwork, tensors
from .objective import stopping_quality
from .precision import computes_bf16
from .settings import Trainer
from .steps import epoch_steps, shared
from .windowed import window_scorer

LOG = logging.getLogger(__name__)

_LINE_SECONDS = 60.0


class Finetuner:
    """Fits a network in place.

    Args:
        network: what is trained.
        windower: cuts the documents.
        trainer: the recipe's trainer section.
        seed: seed of dropout and order; each epoch derives its own.
        checkpoint: kept after every epoch and continued where it is there, None for neither.
        mask: id of the token that hides actors, needed where the trainer hides some.
    """

    def __init__(
        self,
        network: WindowNetwork,
        windower: Windower,
        trainer: Trainer,
        seed: int,
        checkpoint: Checkpoint | None = None,
        mask: int | None = None,
    ) -> None:
        self._network = network
        self._windower = windower
        self._trainer = trainer
        self._seed = seed
        self._checkpoint = checkpoint
        self._mask = mask

    def fit(self, train: Sequence[Example], validation: Sequence[Example], on_epoch: Epoch) -> None:
        """Learn from `train`; the network ends with the weights of the epoch that `stopping_quality` finds best.

        Heads that examples teach in first epochs alone are dropped after it, and do not decide which epoch that is.

        Args:
            train: examples to learn from.
            validation: examples that decide when to stop.
            on_epoch: told of every epoch, on the main process alone; after an interruption of those before it too.
        """
        heads = list(self._network.specs.values())
        train = [example for example in train if any(example.teaches(head) for head in heads)]
        kept = kept_heads(train, heads)
        bf16 = computes_bf16(self._trainer.precision)
        accelerator = _accelerator(bf16)
        self._network.to(accelerator.device)
        LOG.info("learning on %s in %s", accelerator.device.type, "bfloat16" if bf16 else "fp32")
        with attention_in_fp32(self._network.encoder, bf16 and accelerator.device.type == "cpu"):
            self._epochs(train, validation, kept, on_epoch, MaskedLoss(self._trainer, heads, train), accelerator)
        self._network.keep({head.name for head in kept})

    def _epochs(
        self,
        train: Sequence[Example],
        validation: Sequence[Example],
        judged: Sequence[Head],
        on_epoch: Epoch,
        loss: MaskedLoss,
        accelerator: Accelerator,
    ) -> None:
        """Every epoch that is left; the network ends with the best weights."""
        loss.to(accelerator.device)
        optimizer = _optimizer(self._network, self._trainer)
        average = Average(self._network, self._trainer.average)
        progress, best = Progress(), _copied(self._network)
        if self._checkpoint and (saved := self._checkpoint.load(self._network, optimizer)):
            progress, best, state = saved
            average.state = {name: tensor.to(accelerator.device) for name, tensor in state.items()}
            for number, measured in enumerate(progress.history, start=1):
                if accelerator.is_main_process:
                    on_epoch(number, measured)
        parallel, stepper = accelerator.prepare(self._network, optimizer)
        windows = [self._windower.windows(example.document) for example in train]
        documents = [example.document for example in validation]

        while progress.epoch < self._trainer.epochs and progress.stale < self._trainer.patience:
            started = monotonic()
            train_loss = self._epoch(progress.epoch, train, windows, parallel, stepper, loss, average, accelerator)
            with average.applied():
                scores = window_scorer(self._network, self._windower).score(documents, others=True)
                quality = stopping_quality(validation, scores, judged)
                measured = {
                    "train_loss": train_loss,
                    "validation_quality": quality,
                    "epoch_seconds": monotonic() - started,
                }
                progress = progress.after(quality, measured)
                if progress.stale == 0:
                    best = _copied(self._network)
            if accelerator.is_main_process:
                if self._checkpoint:
                    self._checkpoint.save(progress, self._network, best, average.state, optimizer)
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
        average: Average,
        accelerator: Accelerator,
    ) -> float:
        """One pass over the training articles; returns the mean loss of its steps."""
        set_seed((self._seed * 1000 + epoch) % 2**32)  # numpy takes no larger one
        most = self._trainer.windows_per_article
        lengths = [sum(len(window.ids) for window in article[:most]) for article in windows]
        steps = epoch_steps(train, lengths, self._trainer.batch_tokens, epoch)
        if not steps:
            return 0.0  # low weights may leave a small corpus out of an epoch
        steps = shared(steps, accelerator.process_index, accelerator.num_processes)
        parallel.train()
        total = 0.0
        title = f"epoch {epoch + 1}/{self._trainer.epochs}"
        for done, step in enumerate(_watched(steps, title, accelerator.is_main_process)):
            step_number = epoch * len(steps) + done
            _set_rate(stepper, self._trainer, step_number, self._trainer.epochs * len(steps))
            read = [self._read(windows[number]) for number in step]
            flat = [window for article in read for window in article]
            batch = tensors(flat, self._windower.settings.pad, accelerator.device)
            examples = [train[number] for number in step]
            heads = [name for name, head in self._network.specs.items() if any(each.teaches(head) for each in examples)]
            value = loss(examples, read, parallel(batch, heads))
            accelerator.backward(value)
            accelerator.clip_grad_norm_(parallel.parameters(), self._trainer.clip_norm)
            stepper.step()
            stepper.zero_grad()
            average.update(step_number)
            total += value.item()
        return total / len(steps)

    def _read(self, windows: list[Window]) -> list[Window]:
        """What a step reads of an article: a draw of its windows if they are many, some actors hidden."""
        most = self._trainer.windows_per_article
        if len(windows) > most:
            windows = [windows[number] for number in sorted(np.random.choice(len(windows), most, replace=False))]
        if self._mask is None:
            return windows
        return [masked(window, self._trainer.hidden_actors, self._mask) for window in windows]


def _watched(steps: list[list[int]], title: str, told: bool) -> Iterator[list[int]]:
    """The steps of an epoch, where told with a bar on a terminal and a line a minute elsewhere."""
    began = last = monotonic()
    bar = tqdm(steps, title, unit="step", leave=False, disable=None if told else True)
    for done, step in enumerate(bar):
        if told and done and bar.disable and monotonic() - last >= _LINE_SECONDS:
            last = monotonic()
            left = (last - began) / done * (len(steps) - done)
            LOG.info("%s: %d of %d steps, about %.0f minutes left", title, done, len(steps), left / 60)
        yield step


def _accelerator(bf16: bool) -> Accelerator:
    # An encoder may have weights that no head reads, such as BERT's pooler: they get no gradient.
    unread = DistributedDataParallelKwargs(find_unused_parameters=True)
    mixed = "bf16" if bf16 else "no"
    return Accelerator(mixed_precision=mixed, cpu=not torch.cuda.is_available(), kwargs_handlers=[unread])


def _optimizer(network: WindowNetwork, trainer: Trainer) -> Optimizer:
    """Fused AdamW; heads have a rate of their own, lower layers a lower one, biases and norms no decay."""
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((_peak(name, network, trainer), parameter.ndim > 1), []).append(parameter)
    return AdamW(
        [
            {"params": parameters, "peak": peak, "weight_decay": trainer.weight_decay if matrix else 0.0}
            for (peak, matrix), parameters in groups.items()
        ],
        lr=trainer.learning_rate,
        fused=True,
    )


def _peak(name: str, network: WindowNetwork, trainer: Trainer) -> float:
    """The highest rate of a parameter."""
    if not name.startswith("encoder."):
        return trainer.head_learning_rate
    layers = network.encoder.config.num_hidden_layers
    layer = re.search(r"\.layers?\.(\d+)\.", name)
    above = layers if "embedding" in name else 0  # what belongs to no layer stands below them all, or above
    if layer:
        above = layers - 1 - int(layer[1])
    return float(trainer.learning_rate * trainer.layer_decay**above)


def _set_rate(optimizer: AcceleratedOptimizer, trainer: Trainer, step: int, steps: int) -> None:
    """Linear warm-up, then linear decay to zero; a function of the step alone, so that nothing is kept."""
    warm = trainer.warmup * steps
    share = (step + 1) / warm if step < warm else (steps - step) / max(1.0, steps - warm)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def _copied(network: WindowNetwork) -> State:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
