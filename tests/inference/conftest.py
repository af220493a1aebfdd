"""Two tiny bundles, made once: a linear one that learnt a dozen articles, an encoder one of random weights."""

from __future__ import annotations

import json
import shutil
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from inference.actors import ActorFinder
from inference.bundle import ACTORS, HEADS, MANIFEST, ONNX, SKOPS, TOKENIZER, Bundle, Manifest, write_bundle
from inference.decode import Decisions, StanceDecision, TopicDecision
from inference.document import Document, Pair
from inference.heads import Head, actor_head, stance_head
from inference.naming import Lexicon
from inference.predictor import Predictor
from inference.reading import ending, read_rows
from inference.schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT, Article
from inference.shapes import SHAPES
from inference.windows import Windower, WindowSettings

settings.register_profile("offline", derandomize=True, deadline=None, max_examples=60, database=None)
settings.load_profile("offline")

TOPICS = ("diplomacy", "armed_conflict", "trade_economy")
SCORED = (Head("topics", "topics", TOPICS), stance_head())
FORMS = {
    "Russia": "Russia",
    "Moscow": "Russia",
    "Iran": "Iran",
    "Tehran": "Iran",
    "Syria": "Syria",
    "France": "France",
    "United States": "United States",
    "Washington": "United States",
    "한국": "South Korea",
    "中国": "China",
    "روسيا": "Russia",
    "Côte d’Ivoire": "Ivory Coast",
}
_WORDS = {
    "diplomacy": "Envoys met for talks at the summit and signed a treaty.",
    "armed_conflict": "Troops shelled the town and soldiers died in the offensive.",
    "trade_economy": "Exports of gas rose and the bank lent money for pipelines.",
}
_VERBS = {"praised": SUPPORT, "thanked": SUPPORT, "condemned": OPPOSE, "threatened": OPPOSE, "phoned": NEUTRAL}
_PAIRS = (("Russia", "Iran"), ("Iran", "Syria"), ("France", "Russia"), ("Washington", "Moscow"))


def write_articles(path: Path, rows: Sequence[object]) -> str:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def records_of(output: Path) -> list[Any]:
    """The records of a file, or of a directory of parts."""
    if output.is_dir():
        return [record for part in sorted(output.iterdir()) for record in records_of(part)]
    if ending(str(output)) == ".parquet":
        return list(pq.read_table(output).to_pylist())
    return [row.content for row in read_rows(str(output), required="id")]


@pytest.fixture(scope="session")
def finder() -> ActorFinder:
    return ActorFinder(FORMS)


@pytest.fixture(scope="session")
def articles() -> list[Article]:
    """Fifteen articles; each says who thinks what of whom, and is about one topic."""
    return [
        Article(f"a{number}", f"{source} {verb} {target} on Monday. {_WORDS[topic]}", f"News of {target}")
        for number, (topic, verb, (source, target)) in enumerate(
            (topic, verb, _PAIRS[(row + column) % len(_PAIRS)])
            for row, topic in enumerate(TOPICS)
            for column, verb in enumerate(_VERBS)
        )
    ]


@pytest.fixture(scope="session")
def linear_bundle(tmp_path_factory: pytest.TempPathFactory, articles: list[Article], finder: ActorFinder) -> Path:
    from models.base import Example
    from models.linear import LinearFamily
    from models.settings import LinearModel

    family = LinearFamily(LinearModel(family="linear", min_articles=1), SCORED, seed=1)
    examples = []
    for article in articles:
        document = Document.build(article, finder.find(article))
        topics = np.array([_WORDS[topic] in article.text for topic in TOPICS], dtype=np.float32)
        examples.append(Example(document, topics, np.array([_class(document, pair) for pair in document.pairs])))
    family.fit(examples, examples, lambda epoch, measured: None)
    files = _files(tmp_path_factory)
    family.export(files)
    manifest = Manifest("linear", TOPICS, SCORED, _decisions(), None, _provenance())
    return write_bundle(tmp_path_factory.mktemp("linear") / "bundle", manifest, files).path


def _class(document: Document, pair: Pair) -> int:
    """The verb's stance from the actor that stands before it, neutral the other way round."""
    sentence = document.sentences[pair.sentence]
    forward = sentence.names[0] == pair.source
    label = next((_VERBS[verb] for verb in _VERBS if verb in document.text_of(sentence)), NEUTRAL)
    return STANCE_LABELS.index(label if forward else NEUTRAL)


@pytest.fixture(scope="session")
def encoder_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from safetensors.numpy import save_file
    from transformers import BertConfig, BertModel

    from models.network import WindowNetwork, export_onnx

    tokenizer = tiny_tokenizer()
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.5,  # wide enough that answers differ from article to article
    )
    network = WindowNetwork(BertModel(config, add_pooling_layer=False), SCORED)
    files = _files(tmp_path_factory)
    export_onnx(network.encoder, files / ONNX)
    save_file(network.head_weights(), files / HEADS)
    windows = WindowSettings(max_tokens=48, start=2, end=3, pad=0)
    Windower(tokenizer, windows).save(files / TOKENIZER)
    manifest = Manifest("encoder", TOPICS, SCORED, _decisions(), windows, _provenance())
    return write_bundle(tmp_path_factory.mktemp("encoder") / "bundle", manifest, files).path


@pytest.fixture(scope="session")
def tagging_bundle(tmp_path_factory: pytest.TempPathFactory, encoder_bundle: Path) -> Path:
    """The encoder bundle with a head of actors that takes every run of capitalised words for a mention."""
    from safetensors.numpy import load_file, save_file

    files = _files(tmp_path_factory)
    for name in (ONNX, TOKENIZER):
        shutil.copy(encoder_bundle / name, files / name)
    weights = load_file(encoder_bundle / HEADS)
    width = weights["topics.weight"].shape[1]
    tags = np.zeros((actor_head().outputs, width + SHAPES), dtype=np.float32)
    tags[3, width], tags[3, width + 4] = 10, -10  # begins: a capital, and none before it
    tags[4, width], tags[4, width + 4] = 10, 10  # inside: a capital after a capital
    weights |= {"actors.weight": tags, "actors.bias": np.array([0, -99, -99, -5, -15], dtype=np.float32)}
    save_file(weights, files / HEADS)
    before = Bundle.open(encoder_bundle).manifest
    manifest = replace(before, heads=(*SCORED, actor_head()), files={})
    return write_bundle(tmp_path_factory.mktemp("tagging") / "bundle", manifest, files).path


def tiny_tokenizer() -> Tokenizer:
    """WordPiece of single letters and a few words, so that every text in Latin letters has tokens."""
    letters = string.ascii_lowercase + string.digits
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *string.punctuation, *letters, *(f"##{one}" for one in letters)]
    vocabulary += ["russia", "iran", "syria", "france", "marco", "rubio", "praised", "condemned", "the", "of"]
    ids = {token: id for id, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


@pytest.fixture(scope="session", params=["linear", "encoder"])
def bundle(request: pytest.FixtureRequest) -> Path:
    """Each of the two bundles in turn."""
    path: Path = request.getfixturevalue(f"{request.param}_bundle")
    return path


@pytest.fixture(scope="session")
def predictor(bundle: Path) -> Predictor:
    return Predictor.load(bundle, threads=1)


@pytest.fixture(scope="session")
def linear(linear_bundle: Path) -> Predictor:
    return Predictor.load(linear_bundle)


def edited(bundle: Path, copy: Path, **changes: object) -> Path:
    """A copy of a bundle with other values in its manifest."""
    shutil.copytree(bundle, copy)
    content = json.loads((copy / "manifest.json").read_text("utf-8")) | changes
    (copy / "manifest.json").write_text(json.dumps(content), "utf-8")
    return copy


def rebuilt(bundle: Path, place: Path, model: bytes, name: str | None = None) -> Path:
    """A bundle whose checksums are right and whose model, or the file of that name, is other bytes."""
    old = Bundle.open(bundle)
    files = place / "files"
    shutil.copytree(bundle, files, ignore=shutil.ignore_patterns(MANIFEST))
    (files / (name or (SKOPS if old.manifest.family == "linear" else ONNX))).write_bytes(model)
    return write_bundle(place / "bundle", old.manifest, files).path


def _files(factory: pytest.TempPathFactory) -> Path:
    files = factory.mktemp("files")
    (files / ACTORS).write_text(json.dumps(Lexicon(FORMS).to_dict(), ensure_ascii=False), "utf-8")
    return files


def _decisions() -> Decisions:
    return Decisions({topic: TopicDecision(2.0, 0.1, 0.4) for topic in TOPICS}, StanceDecision(support=0.4, oppose=0.4))


def _provenance() -> dict[str, object]:
    return {
        "name": "tiny",
        "seed": 1,
        "encoder": None,
        "corpora": [{"name": "a dozen", "licence": "Apache-2.0", "sha256": "0" * 64}],
        "metrics": {"articles": 12, "topics": {"macro_f1": 0.5, "labels": {"diplomacy": {"f1": 0.5}}}},
    }
