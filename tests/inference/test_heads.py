from __future__ import annotations

from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from inference.errors import BundleError
from inference.heads import STANCES, Head, Heads, gelu, stance_head
from inference.shapes import SHAPES
from models.network import WindowNetwork

WIDTH = 8
TOPIC_HEAD = Head("topics", "topics", ("war", "trade"))
CLASS_HEAD = Head("event", "class", ("a", "b", "c", "d"))
TAG_HEAD = Head("names", "tags", ("person", "place"))
HEADS = (TOPIC_HEAD, stance_head(), CLASS_HEAD, TAG_HEAD)


class Encoder(nn.Module):
    """All that heads ask of an encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.config = type("Config", (), {"hidden_size": WIDTH})()


def network(hidden: bool = True) -> WindowNetwork:
    torch.manual_seed(3)
    return WindowNetwork(Encoder(), HEADS, 0.3, hidden).eval()


def states(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "heads.safetensors"
    save_file(network().head_weights(), path)
    return path


def test_outputs_of_each_kind():
    assert [head.outputs for head in HEADS] == [2, 3, 4, 5]


@pytest.mark.parametrize(("head", "shape"), [(TOPIC_HEAD, (6,)), (CLASS_HEAD, (4, 6))])
def test_states_are_scored_as_in_torch(file: Path, head: Head, shape: tuple[int, ...]):
    given = states(*shape, WIDTH)
    with torch.inference_mode():
        expected = network().heads[head.name](given).numpy()
    found = Heads.from_file(file, HEADS).linear(head, given.numpy())
    assert found.shape == (*shape, head.outputs)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("hidden", [True, False])
def test_pairs_are_scored_as_in_torch(tmp_path: Path, hidden: bool):
    made, rows = network(hidden), states(5, WIDTH)
    pairs = np.array([(0, 1, 2), (1, 0, 2), (3, 4, 2), (4, 4, 4)])
    with torch.inference_mode():
        expected = made.heads[STANCES](rows[torch.from_numpy(pairs).flatten()].reshape(-1, 3 * WIDTH)).numpy()
    save_file(made.head_weights(), tmp_path / "heads.safetensors")
    found = Heads.from_file(tmp_path / "heads.safetensors", HEADS).pairs(stance_head(), rows.numpy(), pairs)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found[0] - found[1]).max() > 1e-3, "source and target are told apart"


@pytest.mark.parametrize("hidden", [True, False])
def test_tags_are_scored_as_in_torch(tmp_path: Path, hidden: bool):
    made, given = network(hidden), states(6, WIDTH)
    shapes = np.eye(6, SHAPES, dtype=np.float32)
    with torch.inference_mode():
        expected = made.heads[TAG_HEAD.name](torch.cat([given, torch.from_numpy(shapes)], dim=1)).numpy()
    save_file(made.head_weights(), tmp_path / "heads.safetensors")
    found = Heads.from_file(tmp_path / "heads.safetensors", HEADS).tags(TAG_HEAD, given.numpy(), shapes)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_pairs_have_no_scores(file: Path):
    none = np.zeros((0, 3), dtype=np.int64)
    assert Heads.from_file(file, HEADS).pairs(stance_head(), states(2, WIDTH).numpy(), none).shape == (0, 3)


def test_a_file_may_hold_more_heads_than_are_asked_for(file: Path):
    assert Heads.from_file(file, [TAG_HEAD]).heads == (TAG_HEAD,)


@pytest.mark.parametrize("content", [b"", b"PK", None])
def test_a_file_that_is_none_is_named(file: Path, content: bytes | None):
    file.write_bytes(file.read_bytes()[:-3] if content is None else content)
    with pytest.raises(BundleError, match=rf"^{file}: cannot be read: "):
        Heads.from_file(file, HEADS)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(BundleError, match=rf"^{tmp_path / 'heads.safetensors'}: cannot be read: "):
        Heads.from_file(tmp_path / "heads.safetensors", HEADS)


def test_a_head_without_weights_is_named(file: Path):
    with pytest.raises(
        BundleError, match=r"heads\.safetensors: mood\.weight of the head mood is \(0,\), expected 2 rows"
    ):
        Heads.from_file(file, [*HEADS, Head("mood", "class", ("good", "bad"))])


def test_a_head_with_weights_of_other_labels_is_named(file: Path):
    with pytest.raises(BundleError, match=rf"event\.weight of the head event is \(4, {WIDTH}\), expected 3 rows"):
        Heads.from_file(file, [Head("event", "class", ("a", "b", "c"))])


def test_gelu_is_that_of_torch_and_near_the_exact_one():
    values = np.linspace(-6, 6, 121, dtype=np.float32)
    expected = nn.functional.gelu(torch.from_numpy(values), approximate="tanh").numpy()
    exact = [value * (1 + erf(value / sqrt(2))) / 2 for value in values.tolist()]
    found = gelu(values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found, exact, atol=1e-3)
    assert gelu(np.zeros(1, np.float32)) == 0
