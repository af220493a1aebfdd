"""Times one encoder read in several ways, side by side: `python -m tests.benchmarks.engines BUNDLE ENCODER`.

BUNDLE is an encoder's bundle, ENCODER the folder that `run --keep-encoder` wrote beside it: the same weights as
transformers takes them. Slow ways read a few of the articles that the others read, drawn evenly, and count by their
tokens. Rounds take turns, so that what else the machine does falls on all alike, and the best of each way counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from transformers import AutoModel, AutoTokenizer, BertForSequenceClassification, pipeline

from inference.bundle import TOKENIZER, Bundle
from inference.document import Document
from inference.heads import Heads
from inference.onnx_encoder import Encode, session_options
from inference.predictor import Predictor
from inference.schema import Article
from inference.threads import cores
from inference.window_scorer import WindowScorer
from inference.windows import Window, Windower
from models.network import torch_encode

from .articles import starter, write

_ROUNDS = 2
_BATCHES = (1, 8, 32, 64)
"""Of the pipeline: the best of them counts."""

Way = tuple[Callable[[], object], float]
"""What is timed, and how many articles of mean length it reads."""


def main() -> int:
    """Print one line for each way; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.engines")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("encoder", type=Path)
    parser.add_argument("--articles", type=int, default=1000, help="that detente's processes read")
    parser.add_argument("--few", type=int, default=50, help="that slow ways read; one process ten times as many")
    options = parser.parse_args()
    predictor = Predictor.load(options.bundle)
    articles = starter(options.articles)
    documents = [predictor.document(article) for article in articles]
    windower = _windower(predictor.bundle)
    lengths = [[len(window.ids) for window in windower.cut(document)] for document in documents]
    mean = sum(map(sum, lengths)) / len(lengths)
    fewer, less = (slice(None, None, max(1, len(documents) // number)) for number in (options.few, 10 * options.few))
    few, some = documents[fewer], articles[less]
    as_few, as_some = (sum(map(sum, lengths[chosen])) / mean for chosen in (fewer, less))
    sentences = [document.text_of(sentence) for document in few for sentence in document.sentences]
    windows = [_text(window) for document in few for window in windower.cut(document)]
    pairs = sum(len(document.pairs) for document in few)
    print(
        f"{len(few)} articles have {len(sentences)} sentences, {len(windows)} windows, {pairs} ordered pairs of actors"
    )

    read = _reader(windower, torch_encode(AutoModel.from_pretrained(options.encoder)))
    ways: dict[str, Way] = {
        name: (way, as_few) for name, way in _pipelines(options.encoder, sentences, windows).items()
    }
    ways |= {
        "torch, windows of one length": (lambda: read(few), as_few),
        "detente, one process": (lambda: _count(predictor, some), as_some),
        f"detente, {cores()} processes": (_command(options.bundle, articles), len(articles)),
    }
    rates = _timed(ways)
    best = {kind: max(rate for name, rate in rates.items() if kind in name) for kind in ("sentences", "windows,")}
    print(f"{'':36}{'articles/s':>12}{'sentences/s':>13}{'/ best by sentence':>20}{'/ best by window':>18}")
    for name, rate in rates.items():
        figures = f"{rate:12.1f}{rate * len(sentences) / as_few:13.1f}"
        print(f"{name:36}{figures}{rate / best['sentences']:20.2f}{rate / best['windows,']:18.2f}")
    print(
        f"asked for each pair by itself, a pipeline would read {pairs / len(sentences):.1f} sentences for each one here"
    )
    every = np.array([length for article in lengths for length in article])
    _print_floor(options.encoder, every, len(articles), max(rates.values()))
    print(f"finding and naming actors: {_share_of_actors(predictor, articles[:200]):.1%} of the time of one process")
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


def _reader(windower: Windower, encode: Encode) -> Callable[[Sequence[Document]], object]:
    return WindowScorer(windower, Heads([], {}), encode).score


def _count(predictor: Predictor, articles: Sequence[Article]) -> None:
    assert sum(prediction.status == "ok" for prediction in predictor.predict(articles)) == len(articles)


def _command(bundle: Path, articles: Sequence[Article]) -> Callable[[], object]:
    """Files in, file out, as a user has it: the command and all that it starts."""
    source = write(articles)
    command = [sys.executable, "-m", "inference", "predict", str(source), "--model", str(bundle)]
    command += ["--output", str(source.with_suffix(".parquet"))]
    return lambda: subprocess.run(command, check=True, capture_output=True)


def _timed(ways: dict[str, Way]) -> dict[str, float]:
    """Articles a second."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(_ROUNDS):
        for name, (way, number) in ways.items():
            started = perf_counter()
            way()
            best[name] = max(best[name], number / (perf_counter() - started))
    return best


def _share_of_actors(predictor: Predictor, articles: Sequence[Article]) -> float:
    """Of the time of predicting, what goes into actors once the encoder has read."""
    spent = 0.0
    complete = predictor._completed

    def timed(*given: Any) -> Document:
        nonlocal spent
        started = perf_counter()
        document = complete(*given)
        spent += perf_counter() - started
        return document

    predictor._completed = timed  # type: ignore[method-assign, assignment]
    started = perf_counter()
    _count(predictor, articles)
    total = perf_counter() - started
    del predictor._completed
    return spent / total


def _windower(bundle: Bundle) -> Windower:
    assert bundle.manifest.windows is not None
    return Windower.from_file(bundle.path / TOKENIZER, bundle.manifest.windows)


def _text(window: Window) -> str:
    return " ".join(piece.text for piece in window.pieces)


def _print_floor(encoder: Path, lengths: npt.NDArray[np.int64], articles: int, rate: float) -> None:
    """How far from what this machine's matrix products would allow, were there nothing else to do.

    Args:
        encoder: its folder.
        lengths: tokens of each window.
        articles: how many have these windows.
        rate: articles a second that detente reads.
    """
    model = AutoModel.from_pretrained(encoder)
    weights = sum(parameter.numel() for parameter in model.encoder.parameters() if parameter.ndim == 2)
    by_weights = int(lengths.sum()) * weights / articles
    of_attention = int((lengths**2).sum()) * 2 * model.config.hidden_size * model.config.num_hidden_layers / articles
    speeds = {kind: _product_rate(kind) for kind in ("int8", "fp32")}
    print(
        f"an article has {lengths.sum() / articles:.0f} tokens: {by_weights / 1e9:.2f} billion multiply-adds by "
        f"weights and {of_attention / 1e9:.2f} of attention, which are in fp32"
    )
    for kind, speed in speeds.items():
        most = 1 / (by_weights / speed + of_attention / speeds["fp32"])
        print(
            f"by weights in {kind}, {speed / 1e9:.0f} billion a second here (fp32 {speeds['fp32'] / 1e9:.0f}): "
            f"{most:.1f} articles a second at most, {most / rate:.2f} times as many as read"
        )


def _product_rate(kind: str, tokens: int = 1024, width: int = 384, inner: int = 1536) -> float:
    """Multiply-adds a second of all cores in ONNX Runtime, in a product as large as an encoder's largest."""
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
    serialized, options = model.SerializeToString(), session_options(cores())
    session = ort.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(50):
        started = perf_counter()
        session.run(None, {"x": left})
        times.append(perf_counter() - started)
    return left.size * inner / min(times)


if __name__ == "__main__":
    sys.exit(main())
