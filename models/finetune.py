"""The training loop of the encoder family.

A loop of our own over accelerate, not transformers' Trainer: a step takes whole articles with a
varying number of windows, rows and pairs, two heads with labels missing in places, and an article's
loss over several windows, all of which a Trainer would need to be taught by overriding its collator,
loss, sampler and evaluation. Under `torchrun` each process takes its share of every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import Tensor
from torch.optim import AdamW, Optimizer
from tqdm import tqdm

from inference.window_scorer import WindowScorer
from inference.windows import Window, Windower, collate

from .base import Epoch, Example
from .checkpoint import Checkpoint, Progress, State
from .loss import MaskedLoss
from .network import WindowNetwork, tensors, torch_run
from .objective import ranking_quality
from .settings import Trainer


def finetune(
    network: WindowNetwork,
    windower: Windower,
    trainer: Trainer,
    train: Sequence[Example],
    validation: Sequence[Example],
    on_epoch: Epoch,
    seed: int,
    checkpoint: Checkpoint | None,
) -> None:
    """Fit a network in place; it ends with the weights of the epoch that ranks validation best.

    Args:
        network: what is trained.
        windower: cuts the documents.
        trainer: the recipe's trainer section.
        train: examples to learn from.
        validation: examples that decide when to stop.
        on_epoch: told of every epoch.
        seed: seed of dropout and order; each epoch derives its own.
        checkpoint: kept after every epoch and continued where it is there, None for neither.
    """
    mixed = "bf16" if _computes_bf16(trainer.precision) else "no"
    accelerator = Accelerator(mixed_precision=mixed, cpu=not torch.cuda.is_available())
    network.to(accelerator.device)
    loss = MaskedLoss(trainer, train).to(accelerator.device)
    optimizer = _optimizer(network, trainer)
    progress, best = Progress(), _copied(network)
    if checkpoint and (saved := checkpoint.load(network, optimizer)):
        progress, best = saved
    parallel, stepper = accelerator.prepare(network, optimizer)
    windows = [windower.windows(example.document) for example in train]
    scorer = WindowScorer(windower, network.topic_head.out_features, torch_run(network))

    while progress.epoch < trainer.epochs and progress.stale < trainer.patience:
        started, total = monotonic(), 0.0
        set_seed(seed * 1000 + progress.epoch)
        steps = _steps(windows, trainer, accelerator)
        parallel.train()
        title = f"epoch {progress.epoch + 1}/{trainer.epochs}"
        for done, step in enumerate(_bar(steps, title, accelerator)):
            _set_rate(optimizer, trainer, progress.epoch * len(steps) + done, trainer.epochs * len(steps))
            chosen = [_drawn(windows[number], trainer.windows_per_article) for number in step]
            batch = collate([window for article in chosen for window in article], windower.settings.pad)
            topics, stances = parallel(**tensors(batch, accelerator.device))
            value = loss([train[number] for number in step], chosen, topics, stances)
            accelerator.backward(value)
            accelerator.clip_grad_norm_(parallel.parameters(), trainer.clip_norm)
            stepper.step()
            stepper.zero_grad()
            total += value.item()
        quality = ranking_quality(validation, scorer.score([example.document for example in validation]))
        progress = progress.after(quality)
        if progress.stale == 0:
            best = _copied(network)
        if accelerator.is_main_process:
            measured = {"train_loss": total / len(steps), "validation_quality": quality}
            on_epoch(progress.epoch, measured | {"epoch_seconds": monotonic() - started})
            if checkpoint:
                checkpoint.save(progress, network, best, optimizer)
        accelerator.wait_for_everyone()
    accelerator.unwrap_model(parallel, keep_fp32_wrapper=False)
    network.load_state_dict(best)


def _steps(windows: Sequence[Sequence[Window]], trainer: Trainer, accelerator: Accelerator) -> list[list[int]]:
    """The articles of each step of an epoch that this process takes, articles of one length together."""
    order = np.random.permutation(len(windows))
    pool = trainer.batch_articles * 8
    steps: list[list[int]] = []
    for first in range(0, len(order), pool):
        alike = sorted(order[first : first + pool], key=lambda number: sum(len(w.ids) for w in windows[number]))
        steps += [
            [int(n) for n in alike[at : at + trainer.batch_articles]]
            for at in range(0, len(alike), trainer.batch_articles)
        ]
    steps = [steps[number] for number in np.random.permutation(len(steps))]
    even = -(-len(steps) // accelerator.num_processes) * accelerator.num_processes
    return [steps[n % len(steps)] for n in range(even)][accelerator.process_index :: accelerator.num_processes]


def _drawn(windows: list[Window], most: int) -> list[Window]:
    """An article's windows, or a draw of them where it is so long that it would fill a step alone."""
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


def _set_rate(optimizer: Optimizer, trainer: Trainer, step: int, steps: int) -> None:
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
