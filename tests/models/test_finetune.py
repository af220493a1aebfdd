from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from inference.heads import Head
from inference.scorer import Scores
from inference.tags import tagged_spans
from models import finetune
from models.base import Example
from models.checkpoint import Checkpoint, CheckpointError
from models.encoder import EncoderFamily
from models.settings import EncoderSource, Trainer
from models.sources import load_encoder

from .conftest import MakeFamily
from .samples import (
    DEEDS,
    HEADS,
    OTHERS,
    TONE,
    assert_same_scores,
    differ,
    documents,
    learned,
    sentences,
    without_stances,
    without_topics,
)

ROOT = Path(__file__).parents[2]
Epochs = dict[int, dict[str, float]]


class Interruption(Exception):
    """What stops a fit in the middle."""


@pytest.fixture(scope="module")
def undisturbed(
    make_family: MakeFamily, train: list[Example], validation: list[Example]
) -> tuple[list[Scores], Epochs]:
    """Scores after a whole fit, and what was measured in its epochs."""
    family = make_family()
    epochs = _fit(family, train, validation)
    return family.score(documents(validation)), epochs


def test_training_lowers_the_loss_and_ranks_better(undisturbed: tuple[list[Scores], Epochs]):
    epochs = undisturbed[1]
    assert list(epochs) == [1, 2, 3]
    assert epochs[3]["train_loss"] < 0.95 * epochs[1]["train_loss"]
    assert epochs[3]["validation_quality"] > 0.7
    assert all(epoch["epoch_seconds"] > 0 for epoch in epochs.values())


def test_the_same_seed_gives_the_same_scores(
    undisturbed: tuple[list[Scores], Epochs], make_family: MakeFamily, train: list[Example], validation: list[Example]
):
    again, other = make_family(), make_family(seed=8)
    _fit(again, train, validation)
    _fit(other, train, validation)
    assert_same_scores(again.score(documents(validation)), undisturbed[0], 1e-6)
    assert differ(other.score(documents(validation)), undisturbed[0])


def test_an_interrupted_fit_goes_on_to_the_same_scores(
    undisturbed: tuple[list[Scores], Epochs],
    make_family: MakeFamily,
    train: list[Example],
    validation: list[Example],
    tmp_path: Path,
):
    checkpoint = Checkpoint(tmp_path / "state.safetensors", "run")
    told: Epochs = {}
    with pytest.raises(Interruption):
        _fit(make_family(checkpoint), train, validation, told, stop_at=2)
    resumed = make_family(checkpoint)
    epochs = _fit(resumed, train, validation)
    assert list(told) == [1]
    assert list(epochs) == [1, 2, 3]
    assert epochs[1] == told[1], "the first epoch is told of again, to the second it took, but not trained again"
    assert epochs[3]["train_loss"] == pytest.approx(undisturbed[1][3]["train_loss"], abs=1e-6)
    assert_same_scores(resumed.score(documents(validation)), undisturbed[0], 1e-6)


def test_an_interrupted_fit_goes_on_to_the_same_average(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path: Path
):
    whole, checkpoint = make_family(average=0.95), Checkpoint(tmp_path / "state.safetensors", "run")
    epochs = _fit(whole, train, validation)
    with pytest.raises(Interruption):
        _fit(make_family(checkpoint, average=0.95), train, validation, stop_at=2)
    resumed = make_family(checkpoint, average=0.95)
    again = _fit(resumed, train, validation)
    assert [epoch["train_loss"] for epoch in again.values()] == pytest.approx(
        [epoch["train_loss"] for epoch in epochs.values()], abs=1e-6
    )
    assert again[3]["validation_quality"] == pytest.approx(epochs[3]["validation_quality"], abs=1e-6)
    assert_same_scores(resumed.score(documents(validation)), whole.score(documents(validation)), 1e-6)


def test_the_average_is_judged_and_kept_and_the_weights_themselves_are_trained(
    undisturbed: tuple[list[Scores], Epochs],
    make_family: MakeFamily,
    train: list[Example],
    validation: list[Example],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    judged: list[list[Scores]] = []

    def rising(examples: list[Example], scores: list[Scores], heads: list[Head]) -> float:
        judged.append(scores)
        return len(judged) / 10

    monkeypatch.setattr(finetune, "stopping_quality", rising)
    checkpoint = Checkpoint(tmp_path / "state.safetensors", "run")
    family = make_family(checkpoint, average=0.95)
    epochs = _fit(family, train, validation)
    losses = [epoch["train_loss"] for epoch in epochs.values()]
    assert losses == pytest.approx([epoch["train_loss"] for epoch in undisturbed[1].values()], abs=1e-6)
    assert_same_scores(family.score(documents(validation)), judged[2], 0)
    assert differ(judged[2], undisturbed[0])
    state = load_file(checkpoint.path)
    query = "encoder.encoder.layer.0.attention.self.query.weight"
    np.testing.assert_array_equal(state[f"best.{query}"], state[f"average.{query}"])
    assert np.abs(state[f"now.{query}"] - state[f"average.{query}"]).max() > 1e-4


def test_a_finished_fit_is_not_repeated(
    undisturbed: tuple[list[Scores], Epochs],
    make_family: MakeFamily,
    train: list[Example],
    validation: list[Example],
    tmp_path: Path,
):
    checkpoint = Checkpoint(tmp_path / "new folder" / "state.safetensors", "run")
    measured = _fit(make_family(checkpoint), train, validation)
    resumed = make_family(checkpoint, seed=99)
    assert _fit(resumed, train, validation) == measured
    assert_same_scores(resumed.score(documents(validation)), undisturbed[0], 1e-6)


def test_the_checkpoint_of_another_run_is_refused(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path: Path
):
    path = tmp_path / "state.safetensors"
    _fit(make_family(Checkpoint(path, "run"), epochs=1), train[:4], validation)
    with pytest.raises(CheckpointError, match=r"state\.safetensors: of a run with another recipe"):
        _fit(make_family(Checkpoint(path, "other")), train, validation)


def test_a_damaged_checkpoint_is_refused(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path: Path
):
    path = tmp_path / "state.safetensors"
    _fit(make_family(Checkpoint(path, "run"), epochs=1), train[:4], validation)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"state\.safetensors: damaged"):
        _fit(make_family(Checkpoint(path, "run")), train, validation)


def test_training_stops_when_validation_no_longer_gets_better(
    make_family: MakeFamily, train: list[Example], validation: list[Example], monkeypatch: pytest.MonkeyPatch
):
    qualities = iter([0.5, 0.6, 0.6, 0.4, 0.9])
    monkeypatch.setattr(finetune, "stopping_quality", lambda examples, scores, heads: next(qualities))
    epochs = _fit(make_family(epochs=5, patience=2), train[:4], validation)
    assert list(epochs) == [1, 2, 3, 4]


def test_the_weights_of_the_best_epoch_are_kept(
    make_family: MakeFamily, train: list[Example], validation: list[Example], monkeypatch: pytest.MonkeyPatch
):
    seen: list[list[Scores]] = []

    def falling(examples: list[Example], scores: list[Scores], heads: list[Head]) -> float:
        seen.append(scores)
        return -float(len(seen)) / 10

    monkeypatch.setattr(finetune, "stopping_quality", falling)
    family = make_family()
    _fit(family, train, validation)
    assert_same_scores(family.score(documents(validation)), seen[0], 1e-6)
    assert differ(seen[0], seen[2])


def test_heads_of_auxiliary_examples_are_learned_and_then_dropped(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path: Path
):
    made = [replace(row, epochs=2) for row in sentences(24)]
    checkpoint = Checkpoint(tmp_path / "state.safetensors", "run")
    family = make_family(checkpoint, heads=learned([*train, *made]), epochs=3)
    before = family._network.head_weights()
    _fit(family, [*train, *made], validation)
    assert set(family._network.specs) == {"topics", "stances"}
    assert set(family.score(documents(validation), others=True)[0].others) == set()
    state = load_file(checkpoint.path)
    assert (state["now.heads.tone.output.weight"] != before["tone.weight"]).any()


def test_heads_of_auxiliary_examples_do_not_decide_which_epoch_is_best(
    make_family: MakeFamily, train: list[Example], validation: list[Example], monkeypatch: pytest.MonkeyPatch
):
    judged: list[list[str]] = []

    def quality(rows: list[Example], scores: list[Scores], heads: list[Head]) -> float:
        judged.append([head.name for head in heads])
        return 0.5

    monkeypatch.setattr(finetune, "stopping_quality", quality)
    made = [replace(row, epochs=1) for row in sentences(24)]
    _fit(make_family(heads=learned([*train, *made]), epochs=2), [*train, *made], [*validation, *sentences(6, first=24)])
    assert judged == [["topics", "stances"]] * 2


def test_stances_are_learned_while_actors_are_hidden(
    undisturbed: tuple[list[Scores], Epochs], make_family: MakeFamily, train: list[Example], validation: list[Example]
):
    family = make_family(hidden_actors=0.3)
    epochs = _fit(family, train, validation)
    assert epochs[3]["train_loss"] < 0.95 * epochs[1]["train_loss"]
    assert epochs[1]["train_loss"] != undisturbed[1][1]["train_loss"]
    assert differ(family.score(documents(validation)), undisturbed[0])


def test_one_head_alone_can_be_learned(make_family: MakeFamily, train: list[Example], validation: list[Example]):
    for strip in (without_topics, without_stances):
        epochs = _fit(make_family(epochs=2), strip(train), strip(validation))
        assert epochs[2]["train_loss"] < epochs[1]["train_loss"]


def test_heads_of_every_kind_are_learned_from_corpora_of_their_own(
    make_family: MakeFamily, train: list[Example], validation: list[Example]
):
    made, unseen = sentences(48), sentences(12, first=48)
    family = make_family(heads=learned([*train, *made]), epochs=12)
    epochs = _fit(family, [*train, *made], [*validation, *unseen])
    assert epochs[12]["validation_quality"] > 0.8
    scores = family.score(documents(unseen), others=True)
    tones = [
        score.others[TONE.name].argmax() == row.others[TONE.name] for row, score in zip(unseen, scores, strict=True)
    ]
    assert np.mean(tones) >= 0.9
    found = [tagged_spans(score.tokens, score.others[DEEDS.name], DEEDS) for score in scores]
    right = [
        spans == [(*place, DEEDS.labels[label]) for *place, label in row.others[DEEDS.name].tolist()]
        for row, spans in zip(unseen, found, strict=True)
    ]
    assert np.mean(right) >= 0.9
    topics = [
        row.topics is not None and row.topics[score.topics.argmax()]
        for row, score in zip(validation, family.score(documents(validation)), strict=True)
    ]
    assert np.mean(topics) >= 0.9


def test_a_corpus_of_one_head_leaves_the_others_as_they_are(
    make_family: MakeFamily, train: list[Example], validation: list[Example], tmp_path: Path
):
    checkpoint = Checkpoint(tmp_path / "state.safetensors", "run")
    heads = [*HEADS, TONE]
    _fit(make_family(checkpoint, heads=heads, epochs=1), train, validation)
    before = make_family(heads=heads)._network.head_weights()
    state = load_file(checkpoint.path)
    np.testing.assert_array_equal(state["now.heads.tone.output.weight"], before["tone.weight"])
    assert np.abs(state["now.heads.topics.output.weight"] - before["topics.weight"]).max() > 1e-3


def test_an_example_without_a_label_of_any_head_is_not_read(
    undisturbed: tuple[list[Scores], Epochs], make_family: MakeFamily, train: list[Example], validation: list[Example]
):
    silent = without_topics(without_stances(train[:6]))
    epochs = _fit(make_family(), [*silent, *train, *sentences(3)], validation)
    assert epochs[3]["train_loss"] == pytest.approx(undisturbed[1][3]["train_loss"], abs=1e-6)


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_lower_layers_have_lower_rates(make_family: MakeFamily, decay: float):
    trainer = Trainer(learning_rate=0.1, head_learning_rate=0.7, layer_decay=decay, weight_decay=0.2)
    network = make_family(heads=[*HEADS, *OTHERS])._network
    groups = finetune._optimizer(network, trainer).param_groups
    found = {id(parameter): group for group in groups for parameter in group["params"]}
    rates = {name: found[id(each)]["peak"] for name, each in network.named_parameters() if each.requires_grad}
    for name, rate in rates.items():
        above = 2 if "embeddings" in name else 1 if ".layer.0." in name else 0
        assert rate == pytest.approx(0.1 * decay**above if name.startswith("encoder.") else 0.7), name
    assert len({round(rate, 6) for rate in rates.values()}) == (4 if decay < 1 else 2)
    for name, each in network.named_parameters():
        if each.requires_grad:
            assert found[id(each)]["weight_decay"] == (0.2 if each.ndim > 1 else 0), name
    assert sum(len(group["params"]) for group in groups) == len(rates)


def test_rates_rise_and_fall_in_the_proportion_of_their_peaks(make_family: MakeFamily):
    trainer = Trainer(learning_rate=0.1, head_learning_rate=0.7, layer_decay=0.5, warmup=0.2)
    optimizer = finetune._optimizer(make_family()._network, trainer)
    shares = []
    for step in range(10):
        finetune._set_rate(optimizer, trainer, step, 10)
        (share,) = {round(group["lr"] / group["peak"], 9) for group in optimizer.param_groups}
        shares.append(share)
    assert shares == pytest.approx([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_word_embeddings_stay_as_they_were_where_they_are_frozen(
    make_family: MakeFamily, train: list[Example], validation: list[Example], encoder_folder: Path, tmp_path: Path
):
    checkpoint = Checkpoint(tmp_path / "state.safetensors", "run")
    _fit(make_family(checkpoint, epochs=1), train, validation)
    before, after = load_file(encoder_folder / "model.safetensors"), load_file(checkpoint.path)
    words, query = "embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"
    np.testing.assert_array_equal(after[f"now.encoder.{words}"], before[words])
    assert np.abs(after[f"now.encoder.{query}"] - before[query]).max() > 1e-3


def test_frozen_layers_stay_as_they_were_and_what_is_above_them_learns(
    make_family: MakeFamily, train: list[Example], validation: list[Example], encoder_folder: Path
):
    family = make_family(epochs=1, frozen_layers=1)
    _fit(family, train, validation)
    before = load_file(encoder_folder / "model.safetensors")
    after = {name: tensor.numpy() for name, tensor in family._network.encoder.state_dict().items()}
    moved = {name for name, weights in before.items() if name in after and not np.array_equal(after[name], weights)}
    assert not [name for name in moved if name.startswith(("embeddings.", "encoder.layer.0."))]
    assert "encoder.layer.1.attention.self.query.weight" in moved


def test_a_kept_encoder_is_one_to_start_from(make_family: MakeFamily, train: list[Example], tmp_path: Path):
    family = make_family(epochs=1)
    family.fit(train[:8], train[:4], lambda *_: None)
    family.save_encoder(tmp_path / "kept")
    encoder, windower = load_encoder(EncoderSource(path=tmp_path / "kept"), family.windows.max_tokens)
    assert windower.settings == family.windows
    kept = encoder.state_dict()
    assert kept.keys() == family._network.encoder.state_dict().keys()
    for name, tensor in family._network.encoder.state_dict().items():
        assert torch.equal(kept[name], tensor), name


def test_a_step_may_read_fewer_windows_than_an_article_has(
    make_family: MakeFamily, train: list[Example], validation: list[Example]
):
    epochs = _fit(make_family(windows_per_article=1), train, validation)
    assert epochs[3]["train_loss"] < epochs[1]["train_loss"]


def test_no_progress_bar_where_there_is_no_terminal(
    make_family: MakeFamily, train: list[Example], validation: list[Example], capfd: pytest.CaptureFixture[str]
):
    _fit(make_family(epochs=1), train, validation)
    output, errors = capfd.readouterr()
    assert output == ""
    assert not [word for word in ("epoch", "step", "Loading", "%") if word in errors]


def test_where_there_is_no_terminal_lines_tell_how_far_an_epoch_is(
    make_family: MakeFamily,
    train: list[Example],
    validation: list[Example],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(finetune, "_LINE_SECONDS", 0.0)
    caplog.set_level("INFO", "models")
    _fit(make_family(), train, validation)
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] in ("learning on cpu in fp32", "learning on cpu in bfloat16", "learning on cuda in bfloat16")
    assert re.fullmatch(r"epoch 1/3: 1 of \d+ steps, about 0 minutes left", lines[1])
    assert lines[-1].startswith("epoch 3/3: ")


def test_two_processes_end_with_the_same_weights(encoder_folder: Path, tmp_path: Path):
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *(str(Path(__file__).with_name("distributed.py")), str(encoder_folder), str(tmp_path)),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (np.load(tmp_path / f"scores-{number}.npz") for number in (0, 1))
    for name in ("topics", "stances"):
        np.testing.assert_allclose(first[name], second[name], rtol=0, atol=1e-6)
    assert (tmp_path / "epochs-0.txt").read_text() == "1 2"
    assert (tmp_path / "epochs-1.txt").read_text() == ""
    assert (tmp_path / "state.safetensors").is_file()


def _fit(
    family: EncoderFamily,
    train: list[Example],
    validation: list[Example],
    epochs: Epochs | None = None,
    stop_at: int | None = None,
) -> Epochs:
    """Fits, and gives what was measured in each epoch."""
    told: Epochs = {} if epochs is None else epochs

    def on_epoch(number: int, measured: dict[str, float]) -> None:
        if number == stop_at:
            raise Interruption
        told[number] = measured

    family.fit(train, validation, on_epoch)
    return told
