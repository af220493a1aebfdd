from __future__ import annotations

import pytest
import torch
from torch import nn

from models.average import Average


@pytest.fixture
def network() -> nn.Linear:
    made = nn.Linear(1, 1, bias=False)
    _set(made, 8.0)
    return made


def test_the_average_of_known_weights(network: nn.Linear):
    average = Average(network, 0.5)
    assert _mean(average) == 8
    for step, weight, expected in (
        (0, 3.0, 3.0),  # nothing is kept of the weights before the first step
        (1, 14.0, 3.0 / 11 + 14.0 * 10 / 11),
        (10, 1.0, (3.0 / 11 + 14.0 * 10 / 11) / 2 + 0.5),
    ):
        _set(network, weight)
        average.update(step)
        assert _mean(average) == pytest.approx(expected)


def test_the_decay_is_reached_in_time_and_not_passed(network: nn.Linear):
    for step, kept in ((90, 0.9), (10_000, 0.9), (10, 0.5)):
        _set(network, 1.0)
        average = Average(network, 0.9)
        _set(network, 0.0)
        average.update(step)
        assert _mean(average) == pytest.approx(kept)


def test_the_network_has_the_average_inside_and_its_own_weights_after(network: nn.Linear):
    average = Average(network, 0.9)
    _set(network, 2.0)
    with average.applied():
        assert network.weight.item() == 8
    assert network.weight.item() == 2
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert network.weight.item() == 2
    assert _mean(average) == 8


def test_the_weights_go_on_to_be_trained_after_the_average_was_applied(network: nn.Linear):
    average = Average(network, 0.9)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    with average.applied():
        pass
    network(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    assert network.weight.item() == 7.5
    assert _mean(average) == 8


def test_without_a_decay_it_is_the_network_itself(network: nn.Linear):
    average = Average(network, 0.0)
    _set(network, 2.0)
    average.update(50)
    assert average.state == {}
    with average.applied():
        assert network.weight.item() == 2
        _set(network, 5.0)
    assert network.weight.item() == 5


def test_only_what_is_trained_is_averaged():
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    network[0].requires_grad_(False)
    assert set(Average(network, 0.9).state) == {"1.weight", "1.bias"}


def _set(network: nn.Linear, weight: float) -> None:
    with torch.no_grad():
        network.weight.fill_(weight)


def _mean(average: Average) -> float:
    return average.state["weight"].item()
