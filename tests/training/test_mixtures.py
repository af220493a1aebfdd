from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient

from inference.bundle import Bundle
from inference.document import UNNAMED
from inference.predictor import Predictor
from inference.schema import Article
from models.base import UNLABELLED
from training.__main__ import main
from training.catalogue import FOLDER, MIRROR, CatalogueError
from training.corpora import CorpusError
from training.evaluate import Metrics
from training.fit import Data, LabelError, check_needs, prepare, run
from training.judge import judge, table
from training.recipe import Corpus, RecipeError, load_recipe
from training.report import Report
from training.tracking import LoggedRun, TrackingError, log_evaluation

from .mirror import ENTRY, classes, directed, hashed, leanings, relations, roles, write_catalogue, write_mirror
from .rows import articles, write_jsonl, write_recipe
from .tiny import TRAINER, write_encoder

FILES = {
    "dse": {"train": directed(60), "validation": directed(15, 60), "test": directed(20, 75)},
    "cameo_class": {"train": classes(60), "test": classes(10, 60)},
    "cameo_ner": {"train": roles(40), "test": roles(10, 40)},
    "plv": {"train": relations(40)},
    "newsmtsc": {"train": leanings(30), "test": leanings(9)},
}
MINE: dict[str, Any] = {"name": "mine", "files": ["articles.jsonl"], "licence": "CC0-1.0"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mirror that the environment names, its catalogue and an encoder."""
    folder = tmp_path_factory.mktemp("mixtures")
    write_mirror(folder, FILES, own=["dse"])
    texts = [row["text"] for row in articles(60)]
    write_encoder(
        folder / "encoder", " ".join([*texts, *(text for splits in FILES.values() for text in splits.values())])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MIRROR, str(folder / "mirror"))
        yield folder


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    """A model of articles and of three public corpora, one of them for two heads."""
    corpora: list[dict[str, Any]] = [
        MINE, {"name": "dse", "heads": ["dse", "stances"]}, {"name": "cameo_class", "weight": 2}, {"name": "cameo_ner"},
    ]  # fmt: skip
    return run(load_recipe(_recipe(folder, corpora)), folder / "bundle")


# What is learned from


def test_corpora_are_mixed_with_their_weights_and_parts(folder: Path):
    corpora = [MINE, {"name": "dse", "weight": 2}, {"name": "cameo_class", "weight": 0.5}]
    data = _prepared(folder, corpora)
    assert [head.name for head in data.heads] == ["topics", "stances", "actors", "dse", "cameo"]
    everything = [*data.train, *data.validation, *data.test]
    assert {(row.corpus, row.weight) for row in everything} == {("mine", 1.0), ("dse", 2.0), ("cameo_class", 0.5)}
    assert len(data.dataset) == len(set(data.dataset["id"])) == 60 + 75 + 60
    ids = data.parts.ids(data.dataset)
    left_out = set(data.dataset["id"]).difference(*ids.values())
    assert len(everything) == len(data.dataset) - len(left_out)
    assert left_out, "sentences that are learned from in one corpus and held out in another"
    assert {id.split("/")[1] for id in left_out} == {"train"}, left_out
    counts = {
        part: Counter(row.corpus for row in rows)
        for part, rows in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    # DSE gives its validation; of cameo_class the run takes some; tests of public corpora are not read.
    assert counts["validation"]["dse"] == 15
    assert counts["train"]["dse"] == 60 - sum(id.startswith("dse/") for id in left_out)
    assert counts["validation"]["cameo_class"] == 9
    assert set(counts["test"]) == {"mine"}
    assert {id.split("/")[1] for id in ids["validation"] if id.startswith("dse/")} == {"validation"}
    assert not [id for part in ids.values() for id in part if "/test/" in id]


def test_an_auxiliary_corpus_teaches_the_encoder_and_is_not_measured_on(folder: Path):
    data = _prepared(folder, [{**MINE, "auxiliary_epochs": 1}, {"name": "dse"}])
    assert [head.name for head in data.learned] == ["topics", "stances", "actors", "dse"]
    assert [head.name for head in data.heads] == ["dse"]
    assert {(row.corpus, row.epochs) for row in data.train} == {("mine", 1), ("dse", None)}
    assert {row.corpus for row in [*data.validation, *data.test]} == {"dse"}


def test_a_model_has_no_head_of_an_auxiliary_corpus_and_names_it(folder: Path):
    corpora: list[dict[str, Any]] = [{**MINE, "auxiliary_epochs": 1}, {"name": "dse"}]
    made = run(load_recipe(_recipe(folder, corpora)), folder / "helped")
    assert [head.name for head in made.manifest.heads] == ["dse"]
    assert [corpus["name"] for corpus in made.manifest.provenance["corpora"]] == ["mine", "dse"]


def test_labels_of_auxiliary_corpora_alone_are_not_enough(folder: Path):
    write_jsonl(folder / "plain.jsonl", [{"id": f"{day}", "text": f"Day {day} passed."} for day in range(40)])
    corpora: list[dict[str, Any]] = [
        {"name": "dse", "auxiliary_epochs": 1}, {"name": "plain", "files": ["plain.jsonl"]},
    ]  # fmt: skip
    with pytest.raises(
        LabelError, match="only corpora with `auxiliary_epochs` have labels, none that the model is for"
    ):
        _prepared(folder, corpora)


def test_a_corpus_trains_its_own_head_alone_where_the_recipe_does_not_say(folder: Path):
    data = _prepared(folder, [{"name": "dse"}])
    assert [head.name for head in data.heads] == ["dse"]
    assert all((row.stances == UNLABELLED).all() for row in data.train)


@pytest.mark.parametrize("heads", [["stances"], ["stances", "dse"]])
def test_a_recipe_may_have_a_corpus_train_other_heads(folder: Path, heads: list[str]):
    data = _prepared(folder, [{"name": "dse", "heads": heads}])
    assert [head.name for head in data.heads] == heads
    # Line by line: none, first for, second for, first against, second against.
    expected = [[0, 0], [1, 0], [0, 1], [2, 0], [0, 2]]
    assert [row.stances.tolist() for row in data.train[:5]] == expected
    assert [list(row.others) for row in data.train[:5]] == [[] if heads == ["stances"] else ["dse"]] * 5


def test_a_recipe_may_leave_out_a_head_of_files(folder: Path):
    data = _prepared(folder, [{**MINE, "heads": ["topics"]}])
    assert [head.name for head in data.heads] == ["topics"]


def test_every_kind_of_corpus_is_read(folder: Path):
    data = _prepared(folder, [{"name": name} for name in FILES])
    names = ["dse", "newsmtsc", "plover", "cameo", "cameo_ner"]
    assert [head.name for head in data.heads] == names
    first = {row.corpus: row for row in reversed(data.train)}
    for corpus, row in first.items():
        assert len(row.document.sentences) == 1, corpus
        assert row.document.text_of(row.document.sentences[0]) == row.document.article.text
    assert {pair.source for pair in first["newsmtsc"].document.pairs} == {UNNAMED}
    assert [(pair.source, pair.target) for pair in first["plv"].document.pairs] == [("source", "target")]
    assert first["cameo_ner"].others["cameo_ner"].shape == (3, 4)
    assert first["cameo_class"].document.pairs == ()


@pytest.mark.parametrize(
    ("corpus", "head", "others"),
    [
        ({"name": "dse", "heads": ["dse", "plover"]}, "plover", "only of dse"),
        ({"name": "cameo_class", "heads": ["stances"]}, "stances", "only of nothing"),
        ({"name": "dse", "heads": ["moods", "dse"]}, "moods", "only of dse"),
        ({**MINE, "heads": ["topics", "dse"]}, "dse", "only of topics"),
    ],
)
def test_a_head_that_a_corpus_has_no_examples_of_is_named(folder: Path, corpus: dict[str, Any], head: str, others: str):
    with pytest.raises(LabelError) as raised:
        _prepared(folder, [{"name": "plv"}, corpus])
    assert str(raised.value) == f"corpus {corpus['name']}: no training example of the head {head}, {others}"


def test_the_linear_family_has_no_head_of_a_public_corpus(folder: Path):
    model = {"model": {"family": "linear"}}
    with pytest.raises(LabelError, match="the linear family has no head dse, cameo: the encoder family has"):
        _prepared(folder, [MINE, {"name": "dse"}, {"name": "cameo_class"}], **model)
    data = _prepared(folder, [MINE, {"name": "dse", "heads": ["stances"]}], **model)
    assert [head.name for head in data.heads] == ["topics", "stances"]


def test_a_sentence_counts_towards_the_positives_of_a_stance(folder: Path):
    with pytest.raises(LabelError, match="neutral has 72, support has 24, oppose has 24; expected at least 100"):
        _prepared(folder, [{"name": "dse", "heads": ["stances"]}], min_positives=100)


# What may not be, or is not there


def test_a_model_to_give_away_is_not_made_of_what_is_for_ones_own_use(folder: Path):
    recipe = load_recipe(_recipe(folder, [{"name": "cameo_class"}, {"name": "dse"}], purpose="share"))
    for refusing in (check_needs, prepare):
        with pytest.raises(CatalogueError, match=r"corpus dse: licence CC0-1\.0 .*`purpose: own`"):
            refusing(recipe)
    check_needs(load_recipe(_recipe(folder, [{"name": "cameo_class"}], purpose="share")))


def test_an_unknown_corpus_is_told_with_those_that_are_known(folder: Path):
    with pytest.raises(CatalogueError, match=r"corpus wikipedia: not in the catalogue, .*; known: dse, cameo_class"):
        check_needs(load_recipe(_recipe(folder, [{"name": "wikipedia"}])))


def test_a_recipe_without_a_public_corpus_needs_no_catalogue(folder: Path, tmp_path: Path):
    assert check_needs(load_recipe(write_recipe(tmp_path, articles(30)))) == {}
    path = write_recipe(tmp_path, articles(30), corpora=[MINE, {"name": "dse"}])
    with pytest.raises(RecipeError, match=r"catalogue: no such file or folder: .*corpora\.yaml"):
        load_recipe(path)


def test_a_mirror_that_lacks_or_alters_a_file_stops_the_run_before_training(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = load_recipe(_recipe(folder, [MINE, {"name": "dse"}]))
    monkeypatch.setenv(MIRROR, str(tmp_path))
    check_needs(recipe)
    with pytest.raises(CatalogueError, match=rf"corpus dse: no {tmp_path}/dse/train .*mirror in \$DETENTE_MIRROR"):
        prepare(recipe)
    (tmp_path / "dse").mkdir()
    for split in ("train", "validation"):
        (tmp_path / "dse" / split).write_text(FILES["dse"]["train"], "utf-8")
    with pytest.raises(CatalogueError, match="dse/validation is cut short or altered"):
        prepare(recipe)


# What is measured


def test_a_run_of_a_mixture_knows_its_corpora_and_heads(folder: Path, bundle: Bundle):
    assert [head.name for head in bundle.manifest.heads] == ["topics", "stances", "actors", "dse", "cameo", "cameo_ner"]
    report = Report.of(bundle)
    facts = {corpus["name"]: (corpus["articles"], corpus["source"]) for corpus in report.corpora}
    repository = f"nobody/rows@{'0' * 40}"
    assert facts == {
        "mine": (60, ["articles.jsonl"]), "dse": (75, repository), "cameo_class": (60, repository),
        "cameo_ner": (40, repository),
    }  # fmt: skip
    validation, test = report.metrics["validation"], report.metrics["test"]
    assert set(validation) == {"articles", "topics", "stances", "actors", "dse", "cameo", "cameo_ner", "corpora"}
    assert set(validation["corpora"]) == {"mine", "dse"}
    assert validation["dse"]["support"] == 15
    assert set(test) == {"articles", "topics", "stances", "actors"}


def test_a_bundle_scores_every_head_of_its_mixture(bundle: Bundle):
    predictor = Predictor(bundle)
    (found,) = predictor.predict([{"text": "Moscow praised Tehran. A treaty was signed."}])
    assert [stance.source for stance in found.stances] in ([], ["Russia"], ["Iran"], ["Russia", "Iran"])
    document = predictor.document(Article("a", "Moscow praised Tehran."))
    (scores,) = predictor.score([document], others=True)
    assert {name: array.shape for name, array in scores.others.items()} == {
        "actors": (len(scores.tokens), 5), "dse": (2, 3), "cameo": (5,), "cameo_ner": (len(scores.tokens), 7),
    }  # fmt: skip
    assert all(np.isfinite(array).all() for array in scores.others.values())


@pytest.mark.parametrize(
    ("name", "split", "heads", "count"),
    [
        ("dse", "test", ["stances", "dse"], 20), ("dse", "train", ["stances", "dse"], 60),
        ("newsmtsc", "test", ["stances"], 9), ("cameo_class", "test", ["cameo"], 10),
    ],
)  # fmt: skip
def test_a_split_that_a_corpus_gives_is_measured_whole(
    folder: Path, bundle: Bundle, name: str, split: str, heads: list[str], count: int
):
    found = _judged(folder, bundle, name, split)
    assert found["articles"] == count
    assert list(found) == ["articles", *heads]
    assert all(found[head]["support"] == count for head in heads if head != "stances")


def test_validation_is_measured_as_the_run_measured_it(folder: Path, bundle: Bundle):
    report = Report.of(bundle)
    for name, head, count in (("dse", "dse", 15), ("cameo_class", "cameo", 9), ("cameo_ner", "cameo_ner", 6)):
        found = _judged(folder, bundle, name, "validation")
        assert found["articles"] == count
        assert len([id for id in report.split["validation"] if id.startswith(f"{name}/")]) == count
        for key, value in report.metrics["validation"][head].items():
            if key != "labels":
                assert found[head][key] == pytest.approx(value, abs=1e-6), (name, key)


def test_tags_of_a_test_split_are_counted_by_spans(folder: Path, bundle: Bundle):
    found = _judged(folder, bundle, "cameo_ner", "test")
    assert found["cameo_ner"]["support"] == 30
    assert {label: row["support"] for label, row in found["cameo_ner"]["labels"].items()} == {"R": 10, "S": 10, "T": 10}
    lines = table(found).splitlines()
    assert lines[0] == "10 articles"
    assert any(line.startswith("cameo_ner ") and line.endswith("support 30") for line in lines)
    assert sum(line.endswith("support 10") for line in lines) == 3


def test_a_corpus_without_a_head_of_the_model_cannot_be_measured(folder: Path, bundle: Bundle):
    topics = run(load_recipe(_topics_alone(folder)), folder / "topics")
    with pytest.raises(CorpusError, match=r"corpus newsmtsc: none of its labels is of a head of .*, which has topics$"):
        _judged(folder, topics, "newsmtsc", "test")


def _topics_alone(folder: Path) -> Path:
    """A recipe of a linear model without stances."""
    return write_recipe(
        folder, articles(40), corpora=[{"name": "mine", "files": ["articles.jsonl"], "heads": ["topics"]}]
    )


def test_a_split_that_there_is_not_is_named(folder: Path, bundle: Bundle):
    with pytest.raises(CorpusError, match="corpus dse: no split 'dev'; it has train, validation, test, all"):
        _judged(folder, bundle, "dse", "dev")
    with pytest.raises(CatalogueError, match="corpus newsmtsc: no split 'validation'; it has train, test"):
        _judged(folder, bundle, "newsmtsc", "validation")


# Commands

CATALOGUED = ("--catalogue", "configs/corpora.yaml")


@pytest.fixture
def place(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with the catalogue where the project has it."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "corpora.yaml").write_text((folder / "corpora.yaml").read_text("utf-8"), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_reads_what_a_recipe_mixes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    recipe = str(_recipe(folder, [MINE, {"name": "dse"}]))
    assert main(["check", recipe]) == 0
    assert f"{recipe}: ok: 135 articles: 102 to train, 24 to validate, 9 to test" in capsys.readouterr().out
    monkeypatch.setenv(MIRROR, str(tmp_path))
    assert main(["check", recipe]) == 2
    assert "error: corpus dse: no " in capsys.readouterr().err
    assert main(["check", "--without-corpora", recipe]) == 0
    assert capsys.readouterr().out == f"{recipe}: ok, its corpora aside\n"
    assert main(["check", "--without-corpora", recipe, "--set", "purpose=share"]) == 2
    assert "error: corpus dse: licence CC0-1.0" in capsys.readouterr().err


def test_fetch_verifies_a_mirror(place: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["fetch", *CATALOGUED, "dse"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "dse: Rows that nobody wrote"
    assert main(["fetch", *CATALOGUED]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")] == [
        f"{name}: Rows that nobody wrote" for name in FILES
    ]
    assert not (place / FOLDER).exists()


def test_fetch_says_what_is_missing(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(MIRROR, str(place))
    assert main(["fetch", *CATALOGUED, "--list"]) == 0
    capsys.readouterr()
    assert main(["fetch", *CATALOGUED, "dse", "plv"]) == 2
    output, errors = capsys.readouterr()
    assert "dse: Rows that nobody wrote" in output
    assert errors.count("the mirror in $DETENTE_MIRROR lacks it") == 4
    assert main(["fetch", *CATALOGUED, "wikipedia"]) == 2
    assert "error: corpus wikipedia: not in the catalogue" in capsys.readouterr().err


def test_evaluate_measures_a_public_corpus_by_its_name(
    place: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, store: str
):
    with caplog.at_level(logging.INFO, "training"):
        assert main(["evaluate", *CATALOGUED, str(bundle.path), "--corpus", "dse", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dse"]["support"] == 20
    assert "not logged: MLflow has no run of this bundle" in caplog.text
    assert main(["evaluate", *CATALOGUED, str(bundle.path), "--corpus", "dse", "--split", "dev"]) == 2
    assert "corpus dse: no split 'dev'" in capsys.readouterr().err
    assert main(["evaluate", *CATALOGUED, str(bundle.path), "--corpus", "wikipedia"]) == 2
    assert "corpus wikipedia: not in the catalogue" in capsys.readouterr().err


# The run of a bundle


def test_an_evaluation_is_added_to_the_run_of_its_bundle(logged: LoggedRun, store: str, epoch_bundle: Bundle):
    metrics = {
        "articles": 7,
        "topics": {"macro_f1": 0.5, "labels": {"arms control": {"f1": 0.25}}, "confusion": [[1, 2], [3, 4]]},
        "dse": {"micro_f1": 0.75, "support": 6},
    }
    assert log_evaluation(epoch_bundle, "fresh.test", metrics) == logged.run_id
    run = MlflowClient(store).get_run(logged.run_id)
    assert {key: value for key, value in run.data.metrics.items() if key.startswith("fresh.")} == {
        "fresh.test.articles": 7, "fresh.test.topics.macro_f1": 0.5, "fresh.test.topics.arms control.f1": 0.25,
        "fresh.test.dse.micro_f1": 0.75, "fresh.test.dse.support": 6,
    }  # fmt: skip
    assert run.info.status == "FINISHED"
    assert "test.topics.macro_f1" in run.data.metrics


def test_a_bundle_without_a_run_gets_none(logged: LoggedRun, store: str, epoch_bundle: Bundle):
    runs = MlflowClient(store).search_runs(["0", "1"])
    assert log_evaluation(replace(epoch_bundle, digest="f" * 64), "fresh.test", {"articles": 7}) is None
    assert len(MlflowClient(store).search_runs(["0", "1"])) == len(runs) > 0


def test_evaluate_logs_its_figures(
    logged: LoggedRun, store: str, epoch_bundle: Bundle, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    rows = [{"text": "Assets were frozen under an embargo.", "topics": ["sanctions"]}, {"text": "Rain.", "topics": []}]
    files = str(write_jsonl(tmp_path / "a.jsonl", rows))
    with caplog.at_level(logging.INFO, "training"):
        assert main(["evaluate", str(epoch_bundle.path), "--corpus", "press", "--files", files]) == 0
    assert f"logged to run {logged.run_id}" in caplog.text
    metrics = MlflowClient(store).get_run(logged.run_id).data.metrics
    assert metrics["press.test.articles"] == 2
    assert "press.test.topics.sanctions.f1" in metrics


def test_figures_are_printed_though_the_store_is_away(
    epoch_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path(__file__).absolute()}")
    with pytest.raises(TrackingError, match="the figures above were not logged"):
        log_evaluation(epoch_bundle, "press.test", {"articles": 1})
    files = str(write_jsonl(tmp_path / "a.jsonl", [{"text": "Rain.", "topics": []}]))
    assert main(["evaluate", str(epoch_bundle.path), "--files", files]) == 2
    output, errors = capsys.readouterr()
    assert output.startswith("1 articles")
    assert "the figures above were not logged" in errors


def _recipe(folder: Path, corpora: Sequence[dict[str, Any]], **changes: Any) -> Path:
    """A recipe of the encoder family beside the catalogue."""
    content = {
        "purpose": "own",
        "model": {"family": "encoder", "encoder": {"path": "encoder"}, "max_tokens": 64},
        "corpora": list(corpora),
        **changes,
    }
    if content["model"]["family"] == "encoder":
        content["trainer"] = TRAINER
    return write_recipe(folder, articles(60), **content)


def _prepared(folder: Path, corpora: Sequence[dict[str, Any]], **changes: Any) -> Data:
    return prepare(load_recipe(_recipe(folder, corpora, **changes)))


def _judged(folder: Path, bundle: Bundle, name: str, split: str) -> Metrics:
    return judge(str(bundle.path), Corpus(name=name), split, catalogue=folder / "corpora.yaml")[1]


def test_a_corpus_that_nobody_can_read_is_told(tmp_path: Path):
    files = {"train": {"path": "a", "mirror": "train", "sha256": hashed("x")}}
    write_catalogue(tmp_path / "corpora.yaml", {"novel": {**ENTRY, "heads": ["dse"], "files": files}})
    recipe = load_recipe(write_recipe(tmp_path, articles(30), corpora=[{"name": "novel"}]))
    with pytest.raises(CatalogueError, match="corpus novel: there is no reader of it; known: dse, "):
        check_needs(recipe)


def test_a_part_that_is_misspelt_measures_nothing(tmp_path: Path):
    bundle = run(load_recipe(write_recipe(tmp_path, articles(60))), tmp_path / "bundle")
    corpus = Corpus(name="mine", files=(tmp_path / "articles.jsonl",))
    assert judge(str(bundle.path), corpus, "test")[1]["articles"] == 9
    assert judge(str(bundle.path), corpus, "all")[1]["articles"] == 60
    with pytest.raises(CorpusError, match="corpus mine: no split 'tset'; it has train, validation, test, all"):
        judge(str(bundle.path), corpus, "tset")
