from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from inference import Predictor
from inference.bundle import Bundle
from inference.errors import BundleError
from training import registry
from training.registry import TrackingError, code_digest, promote, requirements, signature
from training.tracking import LoggedRun, log_bundle

ARTICLE = {"text": "France condemned Russia on Monday. Germany thanked Poland.", "title": "A day of words"}

ELSEWHERE = """
import json, sys
class NoTorch:  # as where torch is not installed
    @staticmethod
    def find_spec(name, *_):
        if name == "torch":
            raise ModuleNotFoundError("scoring needs no torch")
sys.meta_path.insert(0, NoTorch)
import mlflow, pandas, inference, models
article = json.loads(sys.argv[1])
loaded = {version: mlflow.pyfunc.load_model(f"models:/detente/{version}") for version in ("1", "2")}
frame = pandas.DataFrame([article])
found = {version: model.predict(frame).iloc[0].to_dict() for version, model in loaded.items()}
refused = []
for rows in ([{"body": "no text"}], [{"text": 1}], [{"text": "a", "actors": "France"}]):
    try:
        loaded["1"].predict(pandas.DataFrame(rows))
    except mlflow.MlflowException as error:
        refused.append(str(error))
print(json.dumps({
    "found": found, "refused": refused, "foreign": [inference.WHOSE, models.WHOSE],
    "modules": sorted(name for name in sys.modules if name.startswith("detente_") and "." not in name),
}))
"""


@pytest.fixture(scope="module")
def versions(
    logged: LoggedRun, epoch_bundle: Bundle, store_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LoggedRun, LoggedRun]:
    """A bundle with the code as it is, and with code that ends every id in an exclamation mark."""
    changed = tmp_path_factory.mktemp("changed") / "inference"
    shutil.copytree(registry.CODE, changed, ignore=shutil.ignore_patterns("__pycache__"))
    code = (changed / "pyfunc.py").read_text("utf-8")
    assert "prediction.to_dict() for" in code
    (changed / "pyfunc.py").write_text(
        code.replace("prediction.to_dict() for", "prediction.to_dict() | {'id': prediction.id + '!'} for"), "utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "CODE", changed)
        patch.setenv("MLFLOW_TRACKING_URI", store_uri)
        return logged, log_bundle(epoch_bundle)


@pytest.fixture(scope="module")
def elsewhere(versions: object, store_uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process finds that has modules named as ours, and no checkout."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name in ("inference", "models"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("WHOSE = 'the caller'\n", "utf-8")
    (folder / "main.py").write_text(ELSEWHERE, "utf-8")
    done = subprocess.run(
        [sys.executable, "main.py", json.dumps(ARTICLE)],
        cwd=folder,
        env={"MLFLOW_TRACKING_URI": store_uri, "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_versions_count_up_and_the_newest_is_the_candidate(versions: tuple[LoggedRun, LoggedRun], store: str) -> None:
    assert [run.version for run in versions] == ["1", "2"]
    candidate = MlflowClient(store).get_model_version_by_alias("detente", "candidate")
    assert (str(candidate.version), candidate.run_id) == ("2", versions[1].run_id)
    assert (candidate.description or "").startswith("Macro-F1 on ")


def test_a_version_is_found_by_its_bundle(versions: object, epoch_bundle: Bundle, store: str) -> None:
    tags = MlflowClient(store).get_model_version("detente", "1").tags
    assert tags["bundle_digest"] == epoch_bundle.digest
    assert tags["code"] == f"detente_{code_digest(registry.CODE)[:12]}"


def test_the_model_scores_beside_modules_of_the_same_names(elsewhere: dict[str, Any], epoch_bundle: Bundle) -> None:
    assert elsewhere["foreign"] == ["the caller", "the caller"]
    [expected] = Predictor(epoch_bundle).predict([ARTICLE])
    record = elsewhere["found"]["1"]
    assert record["topics"] == json.loads(json.dumps(expected.to_dict()["topics"]))
    assert record["model"] == {"digest": epoch_bundle.digest, "name": "detente", "version": "1"}


def test_two_versions_side_by_side_run_their_own_code(elsewhere: dict[str, Any]) -> None:
    assert {version: record["id"] for version, record in elsewhere["found"].items()} == {"1": "1", "2": "1!"}
    assert len(elsewhere["modules"]) == 2


def test_the_signature_is_enforced(elsewhere: dict[str, Any]) -> None:
    missing, number, actors = elsewhere["refused"]
    assert "Model is missing inputs ['text']" in missing
    assert "text" in number and "actors" in actors


def test_the_signature_is_the_record(epoch_bundle: Bundle) -> None:
    inputs, outputs = signature().inputs, signature().outputs
    assert inputs.required_input_names() == ["text"]
    assert inputs.optional_input_names() == ["id", "title", "date", "actors"]
    [record] = Predictor(epoch_bundle).predict([ARTICLE])
    assert outputs.input_names() == list(record.to_dict())
    assert set(outputs.input_dict()["model"].type.to_dict()["properties"]) == set(record.to_dict()["model"])


def test_the_model_is_the_bundle_with_its_code(versions: object, store: str, epoch_bundle: Bundle) -> None:
    model = Path(mlflow.artifacts.download_artifacts("models:/detente/1"))
    assert Bundle.open(model / "data" / epoch_bundle.path.name).digest == epoch_bundle.digest
    [package] = (model / "code").iterdir()
    assert package.name.startswith("detente_")
    assert not list(model.rglob("__pycache__")) and not list(model.rglob("*.pkl"))
    assert code_digest(package) == code_digest(registry.CODE)
    example = json.loads((model / "input_example.json").read_text("utf-8"))
    assert "text" in example["columns"]


def test_requirements_are_pinned_and_hold_nothing_of_training(epoch_bundle: Bundle) -> None:
    found = dict(line.split("==") for line in requirements(epoch_bundle, {"numpy": "2.0.1"}))
    assert found["numpy"] == "2.0.1"
    assert {"onnxruntime", "tokenizers", "pyarrow", "pandas", "ahocorasick_rs"} <= set(found)
    assert not {"torch", "transformers", "datasets", "scikit-learn", "skops"} & set(found)


@pytest.mark.parametrize(
    ("uri", "version"),
    [("models:/detente@candidate", "2"), ("models:/detente/1", "1"), ("models:/detente/latest", "2"), ("runs", None)],
)
def test_a_predictor_loads_what_an_address_names(
    versions: tuple[LoggedRun, LoggedRun], store: str, epoch_bundle: Bundle, uri: str, version: str | None
) -> None:
    address = f"runs:/{versions[0].run_id}/model" if uri == "runs" else uri
    [prediction] = Predictor.load(address).predict([ARTICLE])
    assert prediction.model.digest == epoch_bundle.digest
    assert (prediction.model.name, prediction.model.version) == ("detente" if version else None, version)


@pytest.mark.parametrize("uri", ["models:/detente@nobody", "models:/detente/99", "models:/other/1", "runs:/none/model"])
def test_an_address_of_nothing_is_an_error_that_names_it(versions: object, store: str, uri: str) -> None:
    with pytest.raises(BundleError, match=uri):
        Predictor.load(uri)


def test_promoting_moves_the_champion(versions: object, store: str) -> None:
    client = MlflowClient(store)
    first = promote("detente", "1")
    assert (first.version, first.alias, first.previous) == ("1", "champion", None)
    second = promote("detente")
    assert (second.version, second.previous, second.compared) == ("2", "1", True)
    assert str(client.get_model_version_by_alias("detente", "champion").version) == "2"
    assert client.get_registered_model("detente").aliases.keys() == {"candidate", "champion"}


def test_a_worse_version_is_promoted_by_force_alone(versions: tuple[LoggedRun, LoggedRun], store: str) -> None:
    client = MlflowClient(store)
    promote("detente", "1")
    key, run = "test.stances.macro_f1", versions[1].run_id
    before = client.get_run(run).data.metrics[key]
    client.log_metric(run, key, before - 0.02)
    try:
        with pytest.raises(TrackingError, match=rf"version 2 .* worse than version 1: {key} .*--force promotes it"):
            promote("detente", "2")
        assert str(client.get_model_version_by_alias("detente", "champion").version) == "1"
        assert promote("detente", "2", force=True).version == "2"
    finally:
        client.log_metric(run, key, before)


def test_a_version_that_was_tested_on_other_articles_is_promoted_without_comparison(
    versions: object, store: str
) -> None:
    client = MlflowClient(store)
    promote("detente", "1")
    before = client.get_model_version("detente", "2").tags[registry.TEST_PART]
    client.set_model_version_tag("detente", "2", registry.TEST_PART, "others")
    try:
        assert not promote("detente", "2").compared
    finally:
        client.set_model_version_tag("detente", "2", registry.TEST_PART, before)


@pytest.mark.parametrize(("name", "version"), [("detente", "99"), ("detente", "nobody"), ("other", "1")])
def test_promoting_what_is_not_there_changes_nothing(versions: object, store: str, name: str, version: str) -> None:
    before = MlflowClient(store).get_registered_model("detente").aliases
    with pytest.raises(TrackingError, match=f"cannot promote {name} {version}"):
        promote(name, version)
    assert MlflowClient(store).get_registered_model("detente").aliases == before
