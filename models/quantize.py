"""An encoder with its matrix products in 8-bit integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from inference.windows import Window, collate

Floats = npt.NDArray[np.float32]

_WIDEST = 4
"""Channels that stay in fp32 at most, of what has more of them than its product gives: the inner states of a layer,
which stray most. More channels, or some of the others, make an encoder hardly more exact."""

_WIDE = 4.0
"""How many times as wide as most a channel is that does."""

_SMOOTHING = 0.8
"""How much of its width a channel hands to the weights; more or less errs more, by a little."""

_LEAST = 1e-5

_MASK = 4
"""Place of the mask of tokens among the inputs of attention, after queries, keys, values and their biases."""


def quantize(source: Path, target: Path, windows: Sequence[Window]) -> None:
    """Write an encoder whose products with weights, and word embeddings, are of 8-bit integers, for ONNX Runtime.

    It reads windows one by one and looks at no mask. Weights have a scale for each output, what they multiply has one
    for each window, found as it is read. A few channels of a transformer are ten times as wide as the others and would
    leave these a handful of integers; so the widest stay in fp32 (Dettmers et al. 2022), and the others are evened out,
    which the weights take back (SmoothQuant, Xiao et al. 2023).

    Args:
        source: an encoder in fp32, as `export_onnx` writes it.
        target: where the other one is written.
        windows: such as will be read, a hundred or more, to tell how wide channels are.
    """
    model = onnx.load(source)
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    products, biases = _products(model, weights), _biases(model, weights)
    numbers: dict[str, npt.NDArray[Any]] = {}
    nodes: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in weights and node.input[1] == "input_ids":
            words = node.input[0]
            numbers[f"{words}_whole"], numbers[f"{words}_step"] = _integers(weights[words])
            nodes[node.output[0]] = _word_nodes(words, node.output[0])
    for name, width in _widths(model, list(products), windows).items():
        matrices = [weights[node.input[1]] for node in products[name]]
        widest = np.argsort(-width)[: _WIDEST if len(width) > matrices[0].shape[1] else 0]
        widest = widest[width[widest] > _WIDE * np.median(width)]
        factors = _factors(width, matrices)
        evened = 1 / factors
        evened[widest] = 0
        numbers |= {f"{name}_evened_by": evened, f"{name}_widest": widest}
        first = _shared_nodes(name, wide=len(widest) > 0)
        for node, matrix in zip(products[name], matrices, strict=True):
            rest = matrix * factors[:, None]
            rest[widest] = 0
            own = node.input[1]
            numbers[f"{own}_whole"], numbers[f"{own}_step"] = _integers(rest)
            numbers[f"{own}_wide"] = matrix[widest]
            bias, product = biases.get(node.output[0], ("", node.output[0]))
            nodes[product] = []  # what added the bias
            nodes[node.output[0]] = first + _product_nodes(name, own, bias, product, wide=len(widest) > 0)
            first = []
    _replace(model, nodes, numbers)
    _unmask(model)
    onnx.save(model, target)


def _word_nodes(words: str, output: str) -> list[NodeProto]:
    """Word embeddings of integers, with a step for each channel: they are most of an encoder's size."""
    return [
        helper.make_node("Gather", [f"{words}_whole", "input_ids"], [f"{words}_read"]),
        helper.make_node("Cast", [f"{words}_read"], [f"{words}_rounded"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{words}_rounded", f"{words}_step"], [output]),
    ]


def _shared_nodes(name: str, wide: bool) -> list[NodeProto]:
    """What is done once with what several weights multiply: integers made of it, and its widest channels picked."""
    whole = [f"{name}_{part}" for part in ("whole", "step", "zero")]
    nodes = [
        helper.make_node("Mul", [name, f"{name}_evened_by"], [f"{name}_evened"]),
        helper.make_node("DynamicQuantizeLinear", [f"{name}_evened"], whole),
    ]
    picked = helper.make_node("Gather", [name, f"{name}_widest"], [f"{name}_wide"], axis=-1)
    return [*nodes, picked] if wide else nodes


def _product_nodes(name: str, own: str, bias: str, product: str, wide: bool) -> list[NodeProto]:
    """A product of integers with its bias, and that of the widest channels added to it where there are some.

    Args:
        name: of what is multiplied.
        own: of the weights.
        bias: of the bias, empty for none.
        product: of what comes out.
        wide: whether there are widest channels.
    """
    inputs = [f"{name}_whole", f"{own}_whole", f"{name}_step", f"{own}_step", f"{name}_zero", "", bias]
    output = f"{product}_rest" if wide else product
    whole = helper.make_node("MatMulIntegerToFloat", inputs, [output], domain="com.microsoft")
    if not wide:
        return [whole]
    return [
        whole,
        helper.make_node("MatMul", [f"{name}_wide", f"{own}_wide"], [f"{product}_wide"]),
        helper.make_node("Add", [output, f"{product}_wide"], [product]),
    ]


def _products(model: ModelProto, weights: dict[str, Floats]) -> dict[str, list[NodeProto]]:
    """The products with weights, by the name of what is multiplied."""
    found: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            found.setdefault(node.input[0], []).append(node)
    return found


def _biases(model: ModelProto, weights: dict[str, Floats]) -> dict[str, tuple[str, str]]:
    """The names of a bias and of its sum with a product, by the name of the product, where nothing else reads that."""
    read = Counter(name for node in model.graph.node for name in node.input)
    read.update(output.name for output in model.graph.output)
    vectors = {name for name, values in weights.items() if values.ndim == 1}
    sums = [node for node in model.graph.node if node.op_type == "Add" and node.input[1] in vectors]
    return {node.input[0]: (node.input[1], node.output[0]) for node in sums if read[node.input[0]] == 1}


def _widths(model: ModelProto, names: list[str], windows: Sequence[Window]) -> dict[str, Floats]:
    """The largest magnitude in each channel of everything that weights multiply, (inputs,)."""
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = ort.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    found: dict[str, Floats] = {}
    for window in windows:
        batch = collate([window], pad=0)  # alone: what stands in padding is wider than words
        inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        for name, values in zip(names, session.run(names, inputs), strict=True):
            largest = np.abs(values).max(axis=(0, 1))
            found[name] = np.maximum(found.get(name, largest), largest)
    return found


def _factors(width: Floats, matrices: Sequence[Floats]) -> Floats:
    """What each channel is divided by and the weights' rows are multiplied by, (inputs,)."""
    rows = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
    factors = np.maximum(width, _LEAST) ** _SMOOTHING / np.maximum(rows, _LEAST) ** (1 - _SMOOTHING)
    return np.asarray(factors / np.exp(np.log(factors).mean()), dtype=np.float32)


def _integers(matrix: Floats) -> tuple[npt.NDArray[np.int8], Floats]:
    """Weights as integers from -127 to 127, (inputs, outputs), and the step of each output, (outputs,)."""
    steps = np.maximum(np.abs(matrix).max(axis=0), _LEAST) / 127
    return np.round(matrix / steps).astype(np.int8), np.asarray(steps, dtype=np.float32)


def _replace(model: ModelProto, nodes: dict[str, list[NodeProto]], numbers: dict[str, npt.NDArray[Any]]) -> None:
    """Put nodes in the place of those that give some outputs, and drop numbers that nothing reads any more."""
    every = [each for node in model.graph.node for each in nodes.get(node.output[0], [node])]
    read = {name for node in every for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in read]
    tensors += [numpy_helper.from_array(value, name) for name, value in numbers.items() if name in read]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(every)
    model.graph.initializer.extend(tensors)
    if not any(opset.domain == "com.microsoft" for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _unmask(model: ModelProto) -> None:
    """Attend to every token: what is read alone is all words."""
    for node in model.graph.node:
        if node.op_type == "MultiHeadAttention":
            del node.input[_MASK:]
