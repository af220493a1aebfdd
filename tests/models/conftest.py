"""A tiny encoder of random weights in a folder, made once, and the network and files that come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from inference.bundle import Bundle
from inference.heads import Head
from inference.windows import Windower
from models.base import Example
from models.checkpoint import Checkpoint
from models.encoder import EncoderFamily
from models.export import export_bundle
from models.network import WindowNetwork
from models.settings import EncoderModel, EncoderSource, Trainer
from models.sources import load_encoder

from .samples import FILLER, FORMS, HEADS, LEXICON, OTHERS, SENTENCES, VERBS, documents, examples, manifest, sentences

WINDOW = 32
WIDTH = 32
READS = 64
SEED = 7
SETTINGS = {
    "epochs": 3,
    "batch_tokens": 120,  # about four articles
    "learning_rate": 3e-3,
    "head_learning_rate": 1e-2,
    "patience": 10,
    "precision": "fp32",  # not what a timing says
}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

MakeFamily = Callable[..., EncoderFamily]


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """More threads only wait for each other in a network this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and a few dozen words, as `save_pretrained` writes it."""
    folder = tmp_path_factory.mktemp("encoder")
    text = " ".join([*FORMS, *VERBS, *(line for lines in SENTENCES.values() for line in lines), FILLER, "on Monday ,"])
    words = list(dict.fromkeys(re.findall(r"\w+|[^\w\s]", text.lower())))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(words),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=READS,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: number for number, word in enumerate([*SPECIAL, *words])}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def train() -> list[Example]:
    return examples(24)


@pytest.fixture(scope="session")
def validation() -> list[Example]:
    return examples(12, first=24)


@pytest.fixture(scope="session")
def make_family(encoder_folder: Path) -> MakeFamily:
    """Makes an unfitted encoder family, whose topics no words help; keywords are trainer settings."""

    def make(
        checkpoint: Checkpoint | None = None,
        seed: int = SEED,
        heads: Sequence[Head] = HEADS,
        frozen_layers: int = 0,
        topic_words: float = 0.0,
        **trainer: object,
    ) -> EncoderFamily:
        source = EncoderSource(path=encoder_folder)
        model = EncoderModel(
            family="encoder",
            encoder=source,
            max_tokens=WINDOW,
            frozen_layers=frozen_layers,
            topic_words=topic_words,
        )
        return EncoderFamily(model, Trainer.model_validate({**SETTINGS, **trainer}), heads, seed, checkpoint)

    return make


@pytest.fixture(scope="session")
def windower(encoder_folder: Path) -> Windower:
    return load_encoder(EncoderSource(path=encoder_folder), WINDOW)[1]


@pytest.fixture(scope="session")
def network(encoder_folder: Path) -> WindowNetwork:
    """A network of random weights that nobody trains, dropout off."""
    torch.manual_seed(2)
    encoder, _ = load_encoder(EncoderSource(path=encoder_folder), WINDOW)
    return WindowNetwork(encoder, [*HEADS, *OTHERS], 0.1).eval()


@pytest.fixture(scope="session")
def exported(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path_factory: pytest.TempPathFactory
) -> tuple[EncoderFamily, Bundle]:
    """A family with heads of every kind after one epoch, and its bundle."""
    heads = [*HEADS, *OTHERS]
    family = make_family(epochs=1, heads=heads, topic_words=0.5)
    family.fit([*train, *sentences(12)], validation, lambda number, measured: None)
    place, facts = tmp_path_factory.mktemp("exported") / "bundle", manifest("encoder", family.windows, heads)
    return family, export_bundle(family, place, facts, LEXICON, {"README.md": "#"}, documents(validation))
