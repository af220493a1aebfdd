from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.base import Example
from models.steps import epoch_steps, shared

from .samples import examples

ONE = examples(1)[0]


def rows(**counts: int) -> list[Example]:
    """So many examples of each corpus, in turn."""
    return [replace(ONE, corpus=corpus) for corpus, count in counts.items() for _ in range(count)]


def lengths(count: int, seed: int = 0) -> list[int]:
    return [int(length) for length in np.random.default_rng(seed).integers(5, 60, count)]


def epoch(read: list[Example], tokens: int = 100, seed: int = 0) -> list[list[int]]:
    np.random.seed(seed)
    return epoch_steps(read, lengths(len(read)), tokens)


def times(steps: list[list[int]]) -> Counter[int]:
    return Counter(number for step in steps for number in step)


def test_an_epoch_reads_every_example_once():
    assert times(epoch(rows(a=70, b=30))) == Counter(range(100))


@pytest.mark.parametrize("weight", [2.0, 3.0])
def test_a_whole_weight_is_how_often_an_epoch_reads_an_example(weight: float):
    read = [*rows(a=20), *(replace(row, weight=weight) for row in rows(b=10))]
    assert times(epoch(read)) == Counter({number: 1 if number < 20 else int(weight) for number in range(30)})


def test_a_broken_weight_is_how_often_epochs_read_an_example_on_average():
    read = [*(replace(row, weight=0.25) for row in rows(a=40)), *(replace(row, weight=1.5) for row in rows(b=40))]
    epochs = [times(epoch(read, seed=seed)) for seed in range(50)]
    assert {each[number] for each in epochs for number in range(40)} == {0, 1}
    assert {each[number] for each in epochs for number in range(40, 80)} == {1, 2}
    total = sum(epochs, Counter[int]())
    assert sum(total[number] for number in range(40)) / (50 * 40) == pytest.approx(0.25, abs=0.04)
    assert sum(total[number] for number in range(40, 80)) / (50 * 40) == pytest.approx(1.5, abs=0.04)


def test_an_auxiliary_example_is_read_in_its_first_epochs_alone():
    read = [*rows(a=4), *(replace(row, epochs=2) for row in rows(b=3))]
    counted = [times(epoch_steps(read, lengths(len(read)), 100, number)) for number in range(4)]
    assert counted == [Counter(range(7))] * 2 + [Counter(range(4))] * 2
    assert epoch_steps(read[4:], lengths(3), 100, 2) == []


def test_a_step_reads_one_corpus():
    read = rows(a=40, b=25, c=3)
    np.random.default_rng(1).shuffle(read)
    steps = epoch(read)
    assert all(len({read[number].corpus for number in step}) == 1 for step in steps)
    order = [read[step[0]].corpus for step in steps]
    assert order != sorted(order), "the corpora take turns"


def test_a_step_keeps_to_its_tokens_unless_one_example_has_more():
    sizes = [*lengths(80), 130, 400]
    steps = epoch_steps(rows(a=82), sizes, 100)
    for step in steps:
        assert sum(sizes[number] for number in step) <= 100 or len(step) == 1
    assert {80, 81} <= {step[0] for step in steps if len(step) == 1}
    assert len(steps) < 1.5 * sum(sizes) / 100, "steps are well filled"


def test_a_step_reads_examples_of_about_one_length():
    read = rows(a=200)
    sizes = lengths(200)
    spreads = [max(sizes[n] for n in step) - min(sizes[n] for n in step) for step in epoch(read)]
    assert np.mean(spreads) < 10
    assert max(sizes) - min(sizes) > 50


def test_chance_decides_anew_each_epoch():
    read = rows(a=40, b=20)
    assert epoch(read, seed=1) == epoch(read, seed=1)
    assert epoch(read, seed=1) != epoch(read, seed=2)


def test_nothing_to_read_has_no_steps():
    assert epoch_steps([], [], 100) == []


@pytest.mark.parametrize(("count", "processes"), [(7, 2), (8, 2), (8, 3), (1, 3), (5, 1)])
def test_processes_share_the_steps_and_take_as_many_each(count: int, processes: int):
    steps = [[number] for number in range(count)]
    taken = [shared(steps, process, processes) for process in range(processes)]
    assert {len(part) for part in taken} == {-(-count // processes)}
    read = Counter(step[0] for part in taken for step in part)
    assert set(read) == set(range(count))
    assert read.total() - count < processes
    assert sorted(read, key=lambda number: (-read[number], number)) == list(range(count)), "the first are repeated"


def test_processes_read_different_steps_at_one_time():
    first, second = (shared([[0], [1], [2], [3]], process, 2) for process in (0, 1))
    assert (first, second) == ([[0], [2]], [[1], [3]])
