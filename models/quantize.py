"""An encoder with its matrix products in 8-bit integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, helper, numpy_helper

from inference.windows import Window, collate

Floats = npt.NDArray[np.float32]

_SMOOTHINGS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_ROWS = 512
"""Tokens on which scales are compared."""

_LEAST = 1e-5


@dataclass(frozen=True, slots=True)
class Scale:
    """How what is multiplied becomes integers from 0 to 255.

    Args:
        factors: what each channel is divided by first, (inputs,); rows of the weights are multiplied by them.
        step: between two integers.
        zero: the integer that stands for nought.
        error: of products, as a share of them, squares summed.
    """

    factors: Floats
    step: Floats
    zero: npt.NDArray[np.uint8]
    error: float = 0.0

    def rounded(self, values: Floats) -> Floats:
        """Values as they are after integers were made of them, channels divided, (rows, inputs)."""
        whole = np.clip(np.round(values / self.factors / self.step) + self.zero, 0, 255)
        return np.asarray((whole - self.zero) * self.step, dtype=np.float32)


def quantize(source: Path, target: Path, windows: Sequence[Window], spared: int = 0) -> None:
    """Write an encoder whose products with weights are of 8-bit integers, as ONNX Runtime runs them.

    Weights have a scale for each output. What they multiply has one, fixed here from real windows, so that a window's
    states do not depend on what it is read with. A few channels of a transformer are ten times as wide as the others
    and would leave these a handful of integers; so channels are first evened out, as far as errs least on the windows,
    and the weights take that back (SmoothQuant, Xiao et al. 2023).

    Args:
        source: an encoder in fp32, as `export_onnx` writes it.
        target: where the other one is written.
        windows: such as will be read, a hundred or more. Each is read alone: what stands in padding would stretch the
            scales.
        spared: how many products stay in fp32, those that would err most.
    """
    model = onnx.load(source)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    products = _products(model, weights)
    values = _values(model, list(products), windows)
    found = {
        name: _best_scale(*values[name], [weights[node.input[1]] for node in nodes]) for name, nodes in products.items()
    }
    scales = dict(sorted(found.items(), key=lambda item: item[1].error)[: len(found) - spared])
    _rewrite(model, products, weights, scales)
    onnx.save(model, target)


def _products(model: ModelProto, weights: dict[str, Floats]) -> dict[str, list[NodeProto]]:
    """The products with weights, by the name of what is multiplied."""
    found: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            found.setdefault(node.input[0], []).append(node)
    return found


def _values(model: ModelProto, names: list[str], windows: Sequence[Window]) -> dict[str, tuple[Floats, Floats]]:
    """Of everything that is multiplied some rows, (rows, inputs), and the lowest and highest of all, (2, inputs)."""
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    rows: dict[str, list[Floats]] = {name: [] for name in names}
    ends: dict[str, list[Floats]] = {name: [] for name in names}
    every = max(1, sum(len(window.ids) for window in windows) // _ROWS)
    for window in windows:
        batch = collate([window], pad=0)
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        for name, (found,) in zip(names, session.run(names, inputs), strict=True):
            rows[name].append(found[::every])
            ends[name].append(_ends(found))
    return {name: (np.concatenate(rows[name]), _ends(np.concatenate(ends[name]))) for name in names}


def _ends(values: Floats) -> Floats:
    """The lowest and the highest of columns, (2, columns)."""
    return np.stack([values.min(axis=0), values.max(axis=0)])


def _best_scale(rows: Floats, ends: Floats, matrices: Sequence[Floats]) -> Scale:
    """The scale by which products with some rows come out closest to what they are.

    Args:
        rows: (rows, inputs).
        ends: the lowest and the highest in each channel, (2, inputs).
        matrices: what they are multiplied with, each (inputs, outputs).
    """
    wide = np.maximum(np.abs(ends).max(axis=0), _LEAST)
    strong = np.maximum(np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0), _LEAST)
    exact = [rows @ matrix for matrix in matrices]
    size = sum(float(np.square(each).sum()) for each in exact)

    def tried(smoothing: float) -> Scale:
        factors = wide**smoothing / strong ** (1 - smoothing)
        factors = (factors / np.exp(np.log(factors).mean())).astype(np.float32)
        low, high = min(0.0, float((ends[0] / factors).min())), max(0.0, float((ends[1] / factors).max()))
        step = max((high - low) / 255, _LEAST)
        scale = Scale(factors, np.array(step, np.float32), np.array(round(-low / step), np.uint8))
        left = scale.rounded(rows)
        gaps = (left @ _rounded(matrix, scale) - right for matrix, right in zip(matrices, exact, strict=True))
        return replace(scale, error=sum(float(np.square(gap).sum()) for gap in gaps) / max(size, _LEAST))

    return min(map(tried, _SMOOTHINGS), key=lambda scale: scale.error)


def _integers(matrix: Floats, scale: Scale) -> tuple[npt.NDArray[np.int8], Floats]:
    """Weights as integers from -127 to 127, (inputs, outputs), and the step of each output, (outputs,)."""
    scaled = matrix * scale.factors[:, None]
    steps = np.maximum(np.abs(scaled).max(axis=0) / 127, _LEAST / 127).astype(np.float32)
    return np.round(scaled / steps).astype(np.int8), steps


def _rounded(matrix: Floats, scale: Scale) -> Floats:
    whole, steps = _integers(matrix, scale)
    return np.asarray(whole * steps, dtype=np.float32)


def _rewrite(
    model: ModelProto, products: dict[str, list[NodeProto]], weights: dict[str, Floats], scales: dict[str, Scale]
) -> None:
    """Put integers between what is multiplied and its products, which ONNX Runtime then makes of integers."""
    replaced = {node.input[1] for name in scales for node in products[name]}
    kept = [tensor for tensor in model.graph.initializer if tensor.name not in replaced]
    new: dict[str, npt.NDArray[Any]] = {}
    before: dict[str, list[NodeProto]] = {}
    for name, scale in scales.items():
        nodes = products[name]
        new |= {f"{name}_factors": 1 / scale.factors, f"{name}_step": scale.step, f"{name}_zero": scale.zero}
        numbers = [f"{name}_step", f"{name}_zero"]
        before[nodes[0].output[0]] = [
            helper.make_node("Mul", [name, f"{name}_factors"], [f"{name}_even"]),
            helper.make_node("QuantizeLinear", [f"{name}_even", *numbers], [f"{name}_whole"]),
            helper.make_node("DequantizeLinear", [f"{name}_whole", *numbers], [f"{name}_rounded"]),
        ]
        for node in nodes:
            own = node.input[1]
            new[f"{own}_whole"], new[f"{own}_step"] = _integers(weights[own], scale)
            before.setdefault(node.output[0], []).append(
                helper.make_node("DequantizeLinear", [f"{own}_whole", f"{own}_step"], [f"{own}_rounded"], axis=1)
            )
            node.input[:] = [f"{name}_rounded", f"{own}_rounded"]
    nodes_now = [each for node in model.graph.node for each in (*before.get(node.output[0], ()), node)]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes_now)
    model.graph.initializer.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in new.items())
