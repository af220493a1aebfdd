from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from models import attention
from models.attention import attention_in_fp32, fused_attention
from models.network import export_onnx
from models.settings import EncoderSource
from models.sources import load_encoder

from .conftest import WINDOW

IDS = torch.tensor([[2, 7, 8, 9, 10, 3], [2, 11, 12, 3, 0, 0]])
MASK = (IDS != 0).long()


@pytest.fixture
def encoder(encoder_folder: Path) -> Any:
    return load_encoder(EncoderSource(path=encoder_folder), WINDOW)[0].eval()


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> list[torch.dtype]:
    """The formats in which attention is computed."""
    seen: list[torch.dtype] = []

    def noted(module: Any, query: Tensor, *rest: Any, **options: Any) -> Any:
        seen.append(query.dtype)
        return sdpa_attention_forward(module, query, *rest, **options)

    monkeypatch.setattr(attention, "sdpa_attention_forward", noted)
    return seen


def test_attention_in_fp32_gives_the_states_of_sdpa(encoder: Any, kinds: list[torch.dtype]):
    expected = _states(encoder)
    with attention_in_fp32(encoder, True):
        torch.testing.assert_close(_states(encoder), expected, rtol=0, atol=1e-6)
    assert kinds == [torch.float32] * 2, "once a layer"


def test_attention_is_in_fp32_under_autocast_and_the_rest_is_not(encoder: Any, kinds: list[torch.dtype]):
    expected = _states(encoder)
    with attention_in_fp32(encoder, True), torch.autocast("cpu", torch.bfloat16):
        found = _states(encoder)
        assert encoder(input_ids=IDS).last_hidden_state.requires_grad
    assert set(kinds) == {torch.float32}
    assert 1e-6 < (found - expected).abs().max() < 0.2


def test_gradients_go_through_attention_in_fp32(encoder: Any):
    plain, full = (_gradient(encoder, needed) for needed in (False, True))
    torch.testing.assert_close(full, plain, rtol=0, atol=1e-5)
    assert plain.abs().max() > 1e-3


def test_the_implementation_is_restored(encoder: Any, kinds: list[torch.dtype]):
    with attention_in_fp32(encoder, True):
        assert encoder.config._attn_implementation != "sdpa"
    assert encoder.config._attn_implementation == "sdpa"
    with pytest.raises(ZeroDivisionError), attention_in_fp32(encoder, True):
        raise ZeroDivisionError
    assert encoder.config._attn_implementation == "sdpa"
    _states(encoder)
    assert kinds == []


def test_what_needs_no_change_gets_none(encoder: Any):
    with attention_in_fp32(encoder, False):
        assert encoder.config._attn_implementation == "sdpa"
    encoder.set_attn_implementation("eager")
    with attention_in_fp32(encoder, True):
        assert encoder.config._attn_implementation == "eager"


def test_an_export_has_one_operation_for_the_attention_of_a_layer(encoder: Any, tmp_path: Path):
    export_onnx(encoder, tmp_path / "model.onnx")
    nodes = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert nodes.count("MultiHeadAttention") == encoder.config.num_hidden_layers
    assert "Softmax" not in nodes
    assert encoder.config._attn_implementation == "sdpa"


def test_an_encoder_of_an_unknown_kind_is_exported_as_it_is(encoder: Any):
    encoder.config.model_type = "modernbert"
    with fused_attention(encoder):
        assert encoder.config._attn_implementation == "sdpa"


@torch.no_grad()
def _states(encoder: Any) -> Tensor:
    states: Tensor = encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state
    return states[MASK.bool()]


def _gradient(encoder: Any, needed: bool) -> Tensor:
    """Of the lowest layer's queries."""
    encoder.zero_grad()
    with attention_in_fp32(encoder, needed):
        encoder(input_ids=IDS, attention_mask=MASK).last_hidden_state[:, 0, 0].sum().backward()
    gradient: Tensor = encoder.encoder.layer[0].attention.self.query.weight.grad
    return gradient.clone()
