"""What each step of an epoch reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .base import Example


def epoch_steps(examples: Sequence[Example], lengths: Sequence[int], tokens: int, epoch: int = 0) -> list[list[int]]:
    """Part an epoch into steps of one corpus each, in an order that numpy's global generator decides.

    An example stands in it `weight` times; of 0.5, by chance, once or not at all.

    Args:
        examples: what is learned from.
        lengths: tokens of each.
        tokens: of a step at most, unless a single example has more.
        epoch: its number, from 0.
    """
    corpora: dict[str, list[int]] = {}
    for number, example in enumerate(examples):
        if example.epochs is None or epoch < example.epochs:
            corpora.setdefault(example.corpus, []).append(number)
    steps = [step for members in corpora.values() for step in _corpus_steps(members, examples, lengths, tokens)]
    return [steps[number] for number in np.random.permutation(len(steps))]


def _corpus_steps(
    members: Sequence[int], examples: Sequence[Example], lengths: Sequence[int], tokens: int
) -> Iterator[list[int]]:
    """The steps of a corpus, examples of one length together within stretches of about eight steps."""
    times = np.array([examples[number].weight for number in members])
    drawn = np.repeat(members, np.floor(times + np.random.random(len(members))).astype(int))
    order = [int(number) for number in np.random.permutation(drawn)]
    mean = max(1.0, float(np.mean([lengths[number] for number in members])))
    stretch = 8 * max(1, round(tokens / mean))
    for first in range(0, len(order), stretch):
        yield from _filled(sorted(order[first : first + stretch], key=lengths.__getitem__), lengths, tokens)


def _filled(order: Sequence[int], lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    step: list[int] = []
    size = 0
    for number in order:
        if step and size + lengths[number] > tokens:
            yield step
            step, size = [], 0
        step.append(number)
        size += lengths[number]
    if step:
        yield step


def shared(steps: Sequence[list[int]], process: int, processes: int) -> list[list[int]]:
    """The steps that one of several processes takes; the first are repeated so that all take as many."""
    even = -(-len(steps) // processes) * processes
    return [steps[number % len(steps)] for number in range(even)][process::processes]
