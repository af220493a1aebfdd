"""A tiny encoder of random weights, and the part of a recipe that trains it in seconds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel, BertTokenizer

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_encoder(folder: Path, text: str) -> dict[str, Any]:
    """A BERT of one layer that knows the words of a text and no others.

    Returns:
        The `model` section of a recipe beside the folder.
    """
    words = list(dict.fromkeys(re.findall(r"[^\W\d_]+|[^\w\s]", text.lower())))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(_SPECIAL) + len(words),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: number for number, word in enumerate([*_SPECIAL, *words])}).save_pretrained(folder)
    return {"family": "encoder", "encoder": {"path": folder.name}, "max_tokens": 64, "dropout": 0.0}


TRAINER = {
    "epochs": 1,
    "batch_tokens": 60,  # two or three sentences
    "learning_rate": 3e-3,
    "head_learning_rate": 1e-2,
    "precision": "fp32",
}
