"""Other ways to compute an encoder's attention than its own, for as long as it pays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

_SEES_ALL = ("bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta")
"""Kinds of encoder in which every token sees every other; some newer ones see a stretch around it in most layers."""


def attention_in_fp32(encoder: Any, needed: bool) -> AbstractContextManager[None]:
    """Have an encoder's attention computed in fp32, whatever autocast says.

    On CPUs the backward pass of attention in bfloat16 takes seven times as long as in fp32, which would use up all that
    bfloat16 wins elsewhere.

    Args:
        encoder: a transformer.
        needed: False leaves it as it is.
    """
    if not needed or encoder.config._attn_implementation != "sdpa":
        return nullcontext()
    return _exchanged(encoder, "sdpa_in_fp32", _in_fp32, sdpa_mask)


def fused_attention(encoder: Any) -> AbstractContextManager[None]:
    """Have an encoder exported with ONNX Runtime's MultiHeadAttention instead of a dozen operations a layer.

    On two cores an encoder so exported is 1.15 times as fast, in fp32, and gives the same states. One of an unknown
    kind is exported as it is.
    """
    if encoder.config.model_type not in _SEES_ALL:
        return nullcontext()
    return _exchanged(encoder, "onnxruntime", _in_onnxruntime, _mask_as_given)


@contextmanager
def _exchanged(
    encoder: Any, name: str, attention: Callable[..., Any], mask: Callable[..., Tensor | None]
) -> Iterator[None]:
    """Have an encoder use an attention function of ours inside the block."""
    before = encoder.config._attn_implementation
    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)
    encoder.set_attn_implementation(name)
    try:
        yield
    finally:
        encoder.set_attn_implementation(before)


def _in_fp32(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    with torch.autocast(query.device.type, enabled=False):
        states, _ = sdpa_attention_forward(module, query.float(), key.float(), value.float(), attention_mask, **options)
    return states.to(query.dtype), None


def _in_onnxruntime(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor, **options: Any
) -> tuple[Tensor, None]:
    """Queries, keys and values, (B, heads, T, D), and a mask of tokens, (B, T) → (B, T, heads, D)."""
    windows, heads, tokens, width = query.shape
    flat = [part.transpose(1, 2).reshape(windows, -1, heads * width) for part in (query, key, value)]
    states = torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        (*flat, None, attention_mask.to(torch.int32)),
        attrs={"num_heads": heads, "scale": float(options.get("scaling") or width**-0.5)},
        dtype=query.dtype,
        shape=(windows, tokens, heads * width),
        version=1,
    )
    return states.reshape(windows, tokens, heads, width), None


def _mask_as_given(*_: Any, attention_mask: Tensor, **__: Any) -> Tensor:
    """The mask of tokens; other functions need one of pairs of tokens."""
    return attention_mask
