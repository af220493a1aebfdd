from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference.bundle import HEADS as HEAD_FILE
from inference.bundle import ONNX, Bundle
from inference.document import Document
from inference.onnx_encoder import onnx_encode
from inference.predictor import Predictor
from inference.windows import Window, collate
from models.base import Example, Family
from models.encoder import EncoderFamily
from models.export import export_bundle
from models.linear import LinearFamily
from models.quantize import quantize
from models.settings import LinearModel
from models.windowed import QuantizedModel

from .samples import FILLER, HEADS, LEXICON, OTHERS, document, documents, manifest


@pytest.fixture(scope="module")
def light(exported: tuple[EncoderFamily, Bundle], train: list[Example]) -> QuantizedModel:
    return exported[0].quantized(documents(train))


@pytest.fixture(scope="module")
def mixed() -> list[Document]:
    texts = ["Russia praised Iran.", "Iran condemned Russia and France." + FILLER * 4, "The team won the cup.", FILLER]
    return [document(text, id=str(number)) for number, text in enumerate(texts)]


def test_every_product_with_weights_is_of_integers(light: QuantizedModel, tmp_path: Path):
    light.export(tmp_path)
    model = onnx.load(tmp_path / ONNX)
    nodes = Counter(node.op_type for node in model.graph.node)
    assert nodes["MatMulIntegerToFloat"] == 2 * 6
    assert nodes["DynamicQuantizeLinear"] == 2 * 4, "what queries, keys and values are made of is read once"
    assert all(node.input[6] for node in model.graph.node if node.op_type == "MatMulIntegerToFloat"), "with its bias"
    words = [tensor for tensor in model.graph.initializer if "word_embeddings" in tensor.name and len(tensor.dims) == 2]
    assert [tensor.data_type for tensor in words] == [TensorProto.INT8]
    sizes = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    wide = [sizes[node.input[1]][0] for node in model.graph.node if node.op_type == "MatMul"]
    assert all(channels <= 4 for channels in wide)
    assert (tmp_path / HEAD_FILE).is_file()


def test_scores_are_close_to_those_in_fp32(
    light: QuantizedModel, exported: tuple[EncoderFamily, Bundle], mixed: list[Document]
):
    full = exported[0].score(mixed)
    gaps = [np.abs(one.topics - other.topics).max() for one, other in zip(full, light.score(mixed), strict=True)]
    assert 0 < max(gaps) < 0.1


def test_a_score_does_not_depend_on_neighbours(light: QuantizedModel, mixed: list[Document]):
    together = light.score(mixed, others=True)
    for one, beside in zip(mixed, together, strict=True):
        alone = light.score([one], others=True)[0]
        # Heads in fp32 round by how many rows they take; the encoder's own error would be a thousand times that.
        np.testing.assert_allclose(alone.topics, beside.topics, atol=1e-6)
        np.testing.assert_allclose(alone.stances, beside.stances, atol=1e-6)
        for name, scores in beside.others.items():
            np.testing.assert_allclose(alone.others[name], scores, atol=1e-6)


def test_its_bundle_scores_as_it_does(light: QuantizedModel, mixed: list[Document], tmp_path: Path):
    facts = manifest("encoder", light.windows, [*HEADS, *OTHERS])
    bundle = export_bundle(light, tmp_path / "bundle", facts, LEXICON, {}, mixed)
    for one, other in zip(Predictor(bundle).score(mixed), light.score(mixed), strict=True):
        np.testing.assert_allclose(one.topics, other.topics, atol=1e-6)


def test_wide_channels_cost_no_accuracy(tmp_path: Path):
    """A channel a hundred times as wide as the others would leave these a step or two of a shared scale."""
    generator = np.random.default_rng(0)
    table = generator.normal(0, 1, (50, 16)).astype(np.float32)
    table[:, 3] *= 100
    weights = generator.normal(0, 1, (16, 8)).astype(np.float32)
    weights[3] /= 100
    _write(tmp_path / "full.onnx", table, weights)
    quantize(tmp_path / "full.onnx", tmp_path / "light.onnx", [Window(list(range(50)))])
    found = onnx_encode(tmp_path / "light.onnx")(collate([Window(list(range(50)))], pad=0))
    expected = table @ weights
    assert np.abs(found[0] - expected).max() < 0.05 * expected.std()


def test_sums_of_products_do_not_overflow(tmp_path: Path):
    """A CPU without VNNI adds two products of bytes in 16 bits, which hold no more than 32,767."""
    _write(tmp_path / "full.onnx", np.ones((50, 16), np.float32), np.ones((16, 8), np.float32))
    words = Window(list(range(50)))
    quantize(tmp_path / "full.onnx", tmp_path / "light.onnx", [words])
    found = onnx_encode(tmp_path / "light.onnx", threads=1)(collate([words], pad=0))
    np.testing.assert_allclose(found, 16, rtol=0.01)


def test_a_family_without_an_encoder_has_no_such_form():
    family: Family = LinearFamily(LinearModel(family="linear"), HEADS, 0)
    assert family.quantized([]) is None


def _write(path: Path, table: np.ndarray, weights: np.ndarray) -> None:
    """A table of embeddings times weights."""
    shapes = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in ("input_ids", "attention_mask")]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["products"]),
        helper.make_node("CastLike", ["attention_mask", "products"], ["mask"]),
        helper.make_node("Unsqueeze", ["mask", "axis"], ["column"]),
        helper.make_node("Mul", ["products", "column"], ["states"]),
    ]
    output = helper.make_tensor_value_info("states", TensorProto.FLOAT, ["b", "t", weights.shape[1]])
    values = {"table": table, "weights": weights, "axis": np.array([-1])}
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "tiny", shapes, [output], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
