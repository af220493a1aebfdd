from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.bundle import Bundle
from training.__main__ import main
from training.evaluate import Metrics
from training.recipe import load_recipe
from training.report import Report

from .rows import CONFIGS, articles, write_csv, write_jsonl, write_recipe


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of the small articles."""
    from training.fit import run

    folder = tmp_path_factory.mktemp("judged")
    return run(load_recipe(write_recipe(folder, articles(60))), folder / "bundle")


@pytest.fixture(scope="module", autouse=True)
def _own_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where the figures of a bundle go that has no run: nowhere, and not into a store of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path_factory.mktemp('judged') / 'runs.db'}")
        yield


@pytest.mark.parametrize("part", ["test", "validation"])
def test_the_starter_corpus_is_judged_as_the_run_judged_it(
    smoke_bundle: Bundle, capsys: pytest.CaptureFixture[str], part: str
):
    found = _judged(capsys, smoke_bundle, "--corpus", "starter", "--split", part)
    expected = Report.of(smoke_bundle).metrics[part]
    assert found["articles"] == expected["articles"] == len(Report.of(smoke_bundle).split[part])
    for head in ("topics", "stances"):
        assert found[head]["labels"].keys() == expected[head]["labels"].keys()
        for label, figures in expected[head]["labels"].items():
            assert found[head]["labels"][label] == pytest.approx(figures, abs=1e-6)
        for total in ("macro_f1", "micro_f1", "ece", "ece_before"):
            assert found[head][total] == pytest.approx(expected[head][total], abs=1e-6)
    assert found["stances"]["confusion"] == expected["stances"]["confusion"]
    assert found["stances"]["direction_errors"] == pytest.approx(expected["stances"]["direction_errors"], abs=1e-6)


def test_files_that_the_bundle_was_not_trained_on_are_judged_whole(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_jsonl(tmp_path / "new.jsonl", articles(90)[60:])
    found = _judged(capsys, bundle, "--files", str(path))
    assert found["articles"] == 30
    assert found["topics"]["macro_f1"] > 0.9
    assert sum(label["support"] for label in found["topics"]["labels"].values()) == 30


def test_files_of_a_corpus_that_the_bundle_was_trained_on_are_parted_as_its_run_did(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = str(write_jsonl(tmp_path / "articles.jsonl", articles(60)))
    expected = Report.of(bundle).metrics
    for part in ("validation", "test"):
        found = _judged(capsys, bundle, "--corpus", "mine", "--files", path, "--split", part)
        assert found["articles"] == expected[part]["articles"] == 9
        assert found["topics"]["macro_f1"] == pytest.approx(expected[part]["topics"]["macro_f1"])
    assert _judged(capsys, bundle, "--corpus", "mine", "--files", path, "--split", "all")["articles"] == 60


def test_new_files_under_the_name_of_an_old_corpus_are_judged_whole(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    new = [{**row, "id": f"new-{row['id']}"} for row in articles(90)[60:]]
    found = _judged(capsys, bundle, "--files", str(write_jsonl(tmp_path / "mine.jsonl", new)))
    assert found["articles"] == 30


def test_articles_that_the_model_learned_from_are_warned_of(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    path = str(write_jsonl(tmp_path / "other.jsonl", articles(60)))
    _judged(capsys, bundle, "--files", path)
    learned = len(Report.of(bundle).split["train"])
    assert f"{learned} of 60 articles have ids of articles that the model learned from" in caplog.text
    assert main(["evaluate", str(bundle.path), "--files", path, "--split", "foo"]) == 2
    assert "no split 'foo'; it has train, validation, test, all" in capsys.readouterr().err


def test_rows_that_are_in_no_part_of_the_run_are_left_out_and_told(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    new = [{**row, "id": f"new-{row['id']}"} for row in articles(70)[60:]]
    path = write_jsonl(tmp_path / "mine.jsonl", [*articles(60), *new])
    assert _judged(capsys, bundle, "--files", str(path))["articles"] == 9
    assert "10 of 70 rows are in no part of the model's run: left out" in caplog.text


def test_labels_may_lie_in_a_file_of_their_own(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = articles(30)
    texts = write_csv(tmp_path / "texts.csv", [{"id": row["id"], "text": row["text"]} for row in rows])
    labels = write_jsonl(tmp_path / "labels.jsonl", [{"id": row["id"], "topics": row["topics"]} for row in rows])
    found = _judged(capsys, bundle, "--files", str(texts), "--labels", str(labels))
    assert found["articles"] == 30
    assert "topics" in found
    assert "stances" not in found


def test_whole_records_are_judged_where_all_actors_are_labelled(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = write_jsonl(tmp_path / "new.jsonl", articles(30))
    records = _judged(capsys, bundle, "--files", str(path))["records"]
    assert records["mentions"]["f1"] == records["names"] == 1, "the lexicon has the actors of these articles"
    assert records["triples"]["support"] > 0
    assert 0 < records["triples"]["f1"] <= 1
    assert main(["evaluate", str(bundle.path), "--files", str(path)]) == 0
    assert "found by the model" in capsys.readouterr().out
    topics = write_jsonl(
        tmp_path / "topics.jsonl", [{"text": row["text"], "topics": row["topics"]} for row in articles(9)]
    )
    assert "records" not in _judged(capsys, bundle, "--files", str(topics))


def test_behave_prints_a_line_a_capability(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    case = {"text": "{a} praised {b}.", "actors": {"a": "Iran", "b": "Oman"}, "stances": ["a supports b"]}
    (tmp_path / "passive.jsonl").write_text(json.dumps(case) + "\n", "utf-8")
    arguments = ["behave", str(bundle.path), "--cases", str(tmp_path)]
    assert main(arguments) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["capability", "passive", "all"]
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["passive"]["cases"] == 1
    assert main(["behave", str(bundle.path), "--cases", str(tmp_path / "none")]) == 2
    assert "no case there" in capsys.readouterr().err


def test_behave_asks_for_stances(bundle: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("inference.bundle.Manifest.has", lambda self, head: head != "stances")
    assert main(["behave", str(bundle.path)]) == 2
    assert "has no head of stances, which the cases ask for" in capsys.readouterr().err


def test_figures_are_printed_a_line_a_label(bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = write_jsonl(tmp_path / "new.jsonl", articles(30))
    assert main(["evaluate", str(bundle.path), "--files", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "30 articles"
    for label in ("diplomacy", "sanctions", "sport", "neutral", "support", "oppose"):
        (line,) = (line for line in lines if line.split()[:1] == [label])
        assert len(line.split()) == 6
    assert sum(line.startswith("macro-F1") for line in lines) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--files", "none.jsonl"], "none.jsonl: no such file"),
        (["--files", "{file}", "--labels", "none.csv"], "none.csv: no such file"),
        (["--corpus", "mine"], "corpus mine: not in the catalogue, and no files or hub id; known: "),
        ([], "name a --corpus, or --files"),
        (["--corpus", "starter", "--labels", "{file}"], "--labels goes with --files"),
        (["--corpus", "starter", "--files", "{file}"], "--corpus starter: Value error, `starter` ships with"),
        (["--files", "{bad}"], "bad.jsonl, line 1: `topics`: unknown label 'weather'"),
    ],
)
def test_what_cannot_be_judged_is_explained(
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    expected: str,
):
    monkeypatch.chdir(CONFIGS.parent)
    places = {
        "file": write_jsonl(tmp_path / "a.jsonl", articles(3)),
        "bad": write_jsonl(tmp_path / "bad.jsonl", [{"text": "It rained.", "topics": ["weather"]}]),
    }
    assert main(["evaluate", str(bundle.path), *(argument.format(**places) for argument in arguments)]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert expected in errors


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["evaluate", str(tmp_path), "--corpus", "starter"]) == 2
    assert "manifest.json is missing" in capsys.readouterr().err


def _judged(capsys: pytest.CaptureFixture[str], bundle: Bundle, *arguments: str) -> Metrics:
    capsys.readouterr()
    assert main(["evaluate", str(bundle.path), *arguments, "--json"]) == 0
    found: Metrics = json.loads(capsys.readouterr().out)
    return found
