"""Times one encoder read in several ways, side by side: `python -m tests.benchmarks.engines BUNDLE ENCODER`.

BUNDLE is an encoder's bundle, ENCODER the folder that `run --keep-encoder` wrote beside it: the same weights as
transformers takes them. Every way reads the sentences, or the windows, of the same articles; the best of three rounds
counts, and rounds take turns, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from transformers import AutoModel, AutoTokenizer, BertForSequenceClassification, pipeline

from inference.batch import predict_files
from inference.bundle import TOKENIZER, Bundle
from inference.document import Document
from inference.heads import Heads
from inference.predictor import Predictor
from inference.schema import Article
from inference.tasks import cores
from inference.window_scorer import WindowScorer
from inference.windows import Window, Windower
from models.network import torch_encode

from .articles import starter, write

_ROUNDS = 3
_BATCHES = (1, 8, 32, 64)
"""Of the pipeline: the best of them counts."""


def main() -> int:
    """Print one line for each way; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engines")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--articles", type=int, default=300)
    options = parser.parse_args()
    predictor = Predictor.load(options.bundle)
    articles = starter(options.articles)
    documents = [predictor.document(article) for article in articles]
    windower = _windower(predictor.bundle)
    windows = [window for document in documents for window in windower.cut(document)]
    tokens = sum(len(window.ids) for window in windows)
    sentences = [document.text_of(sentence) for document in documents for sentence in document.sentences]
    pairs = sum(len(document.pairs) for document in documents)
    print(f"{len(articles)} articles, {len(sentences)} sentences, {len(windows)} windows of {tokens} tokens, {cores()} "
          "cores")  # fmt: skip

    ways = _pipelines(options.encoder, sentences, [_text(window) for window in windows])
    ways |= {
        "torch, our windows": _read(windower, documents, torch_encode(AutoModel.from_pretrained(options.encoder))),
        "detente, one process": lambda: _count(predictor, articles),
        f"detente, {cores()} processes": _command(predictor, articles),
    }
    seconds = _timed(ways)
    best = {kind: min(time for name, time in seconds.items() if kind in name) for kind in ("sentences", "windows")}
    print(f"{'way':36}{'articles/s':>12}{'sentences/s':>13}{'× pipeline, sentences':>23}{'× windows':>11}")
    for name, time in seconds.items():
        rates = f"{len(articles) / time:12.1f}{len(sentences) / time:13.1f}"
        print(f"{name:36}{rates}{best['sentences'] / time:23.2f}{best['windows'] / time:11.2f}")
    print(f"a pipeline that is asked once for each of the {pairs} ordered pairs of actors would read each sentence "
          f"{pairs / len(sentences):.1f} times as well")  # fmt: skip
    _print_floor(options.encoder, tokens, min(seconds.values()))
    return 0


def _pipelines(encoder: Path, sentences: Sequence[str], windows: Sequence[str]) -> dict[str, Callable[[], object]]:
    """A classifier on the encoder, asked once for each sentence, and once for each window."""
    model = BertForSequenceClassification.from_pretrained(encoder, num_labels=3)
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(encoder))
    texts = {"sentences": list(sentences), "windows": list(windows)}
    return {
        f"pipeline, {kind}, batches of {size}": lambda kind=kind, size=size: classify(  # type: ignore[misc]
            texts[kind], batch_size=size, truncation=True, max_length=256
        )
        for kind in texts
        for size in _BATCHES
    }


def _read(windower: Windower, documents: Sequence[Document], encode: Callable[..., object]) -> Callable[[], object]:
    scorer = WindowScorer(windower, Heads([], {}), encode)  # type: ignore[arg-type]
    return lambda: scorer.score(documents)


def _count(predictor: Predictor, articles: Sequence[Article]) -> None:
    assert sum(prediction.status == "ok" for prediction in predictor.predict(articles)) == len(articles)


def _command(predictor: Predictor, articles: Sequence[Article]) -> Callable[[], object]:
    """Files in, file out, start of the processes included."""
    source = write(articles)
    return lambda: predict_files(predictor, [str(source)], str(source.with_suffix(".parquet")))


def _timed(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(_ROUNDS):
        for name, way in ways.items():
            started = perf_counter()
            way()
            best[name] = min(best[name], perf_counter() - started)
    return best


def _windower(bundle: Bundle) -> Windower:
    assert bundle.manifest.windows is not None
    return Windower.from_file(bundle.path / TOKENIZER, bundle.manifest.windows)


def _text(window: Window) -> str:
    return " ".join(piece.text for piece in window.pieces)


def _print_floor(encoder: Path, tokens: int, seconds: float) -> None:
    """What the tokens' multiply-adds would take at the speed of this machine's matrix products."""
    weights = AutoModel.from_pretrained(encoder).encoder
    products = sum(parameter.numel() for parameter in weights.parameters() if parameter.ndim == 2)
    for kind in ("int8", "fp32"):
        rate = cores() * _product_rate(kind)
        floor = products * tokens / rate
        print(f"floor in {kind}: {products / 1e6:.1f} million multiply-adds a token, {rate / 1e9:.0f} billion a second"
              f": {floor:.2f} s; detente takes {seconds / floor:.2f} times that")  # fmt: skip


def _product_rate(kind: str, tokens: int = 256, width: int = 384, inner: int = 1536) -> float:
    """Multiply-adds a second of one core in ONNX Runtime, in a product as large as an encoder's largest."""
    generator = np.random.default_rng(0)
    left: np.ndarray
    right: np.ndarray
    if kind == "int8":
        left = generator.integers(0, 255, (tokens, width)).astype(np.uint8)
        right = generator.integers(-127, 127, (width, inner)).astype(np.int8)
        node, out = helper.make_node("MatMulInteger", ["x", "w"], ["y"]), TensorProto.INT32
    else:
        left, right = (generator.normal(size=size).astype(np.float32) for size in ((tokens, width), (width, inner)))
        node, out = helper.make_node("MatMul", ["x", "w"], ["y"]), TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(left.dtype), left.shape)]
    outputs = [helper.make_tensor_value_info("y", out, (tokens, inner))]
    graph = helper.make_graph([node], "product", inputs, outputs, [numpy_helper.from_array(right, "w")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(50):
        started = perf_counter()
        session.run(None, {"x": left})
        times.append(perf_counter() - started)
    return left.size * inner / min(times)


if __name__ == "__main__":
    sys.exit(main())
