from __future__ import annotations

import pytest
import torch

from models import precision
from models.precision import computes_bf16


@pytest.mark.parametrize("slow", [torch.bfloat16, torch.float32])
def test_an_explicit_choice_is_honoured(monkeypatch: pytest.MonkeyPatch, slow: torch.dtype):
    _timed(monkeypatch, {torch.bfloat16: 1.0, torch.float32: 1.0} | {slow: 9.0})
    assert computes_bf16("bf16") is True
    assert computes_bf16("fp32") is False


@pytest.mark.parametrize(("seconds", "expected"), [(0.1, True), (0.79, True), (0.85, False), (3.0, False)])
def test_auto_takes_bf16_where_it_is_worth_it(monkeypatch: pytest.MonkeyPatch, seconds: float, expected: bool):
    _timed(monkeypatch, {torch.bfloat16: seconds, torch.float32: 1.0})
    assert computes_bf16("auto") is expected


@pytest.mark.parametrize("supported", [True, False])
def test_auto_asks_a_gpu(monkeypatch: pytest.MonkeyPatch, supported: bool):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: supported)
    assert computes_bf16("auto") is supported
    assert computes_bf16("fp32") is False


def test_a_product_takes_time():
    assert 0 < precision._product_seconds(torch.float32, tries=1) < 10


def _timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[torch.dtype, float]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(precision, "_product_seconds", seconds.__getitem__)
