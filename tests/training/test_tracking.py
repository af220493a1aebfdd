from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from inference import Predictor
from inference.bundle import Bundle
from inference.errors import BundleError
from training import registry, tracking
from training.report import Report
from training.tracking import LoggedRun, TrackingError, log_bundle

from .conftest import EPOCHS, ROOT


@pytest.fixture
def run(logged: LoggedRun, store: str) -> Run:
    return MlflowClient(store).get_run(logged.run_id)


def test_a_run_is_told_of_by_its_place(logged: LoggedRun, store: str) -> None:
    assert logged == LoggedRun(logged.run_id, "detente", store, None, "detente", "1", True)


def test_the_run_is_finished_and_named_after_its_recipe(run: Run) -> None:
    assert (run.info.status, run.info.run_name) == ("FINISHED", "smoke")


def test_the_run_holds_the_resolved_recipe(run: Run, report: Report) -> None:
    expected = {
        "family": "linear", "heads": "topics, stances", "seed": "13", "model.topic_ngrams": "1",
        "split.near_duplicate": "0.5", "corpora.starter.split": "train",
        "articles.train": str(len(report.split["train"])),
    }  # fmt: skip
    assert expected.items() <= run.data.params.items()


def test_the_run_is_found_by_its_tags(run: Run, report: Report, epoch_bundle: Bundle) -> None:
    tags = run.data.tags
    assert tags["recipe_digest"] == report.recipe_digest
    assert tags["bundle_digest"] == epoch_bundle.digest
    assert tags["corpus.starter.licence"] == "Apache-2.0"
    assert tags.get("git_commit") == report.commit


def test_the_run_can_be_judged_by_its_description(run: Run, report: Report) -> None:
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("Macro-F1 on ")
    assert f"{report.metrics['test']['topics']['macro_f1']:.3f}" in note.splitlines()[0]
    assert "humanitarian" in note


def test_the_run_holds_metrics_of_every_label_with_support(run: Run, report: Report) -> None:
    for head in ("topics", "stances"):
        total = report.metrics["test"][head]
        for key in ("macro_f1", "ece", "ece_before"):
            assert run.data.metrics[f"test.{head}.{key}"] == pytest.approx(total[key])
        for label, metrics in total["labels"].items():
            for key, value in metrics.items():
                assert run.data.metrics[f"test.{head}.{label}.{key}"] == pytest.approx(value)
    assert run.data.metrics["validation.topics.macro_f1"] == report.metrics["validation"]["topics"]["macro_f1"]
    assert run.data.metrics["seconds.fit"] == pytest.approx(report.seconds["fit"])


def test_the_metrics_of_epochs_lie_at_their_steps(logged: LoggedRun, store: str) -> None:
    history = MlflowClient(store).get_metric_history(logged.run_id, "epoch.train_loss")
    assert [(metric.step, metric.value) for metric in history] == [
        (epoch["epoch"], epoch["train_loss"]) for epoch in EPOCHS
    ]


def test_the_model_has_the_metrics_of_its_run(logged: LoggedRun, run: Run, store: str) -> None:
    assert run.outputs is not None
    [output] = run.outputs.model_outputs
    model = MlflowClient(store).get_logged_model(output.model_id)
    assert model.source_run_id == logged.run_id and model.metrics is not None
    assert {metric.key: metric.value for metric in model.metrics}["test.topics.macro_f1"] == pytest.approx(
        run.data.metrics["test.topics.macro_f1"]
    )


def test_the_corpora_are_inputs_with_their_digests(run: Run, report: Report) -> None:
    assert run.inputs is not None
    [given] = run.inputs.dataset_inputs
    [corpus] = report.corpora
    assert given.dataset.name == "starter"
    assert corpus["sha256"].startswith(given.dataset.digest) and len(given.dataset.digest) >= 32
    assert json.loads(given.dataset.profile or "")["articles"] == corpus["articles"]
    assert {tag.key: tag.value for tag in given.tags}["licence"] == "Apache-2.0"


def test_the_run_holds_its_files_beside_the_database(
    logged: LoggedRun, run: Run, epoch_bundle: Bundle, store: str
) -> None:
    folder = Path(mlflow.artifacts.download_artifacts(run_id=logged.run_id, tracking_uri=store))
    assert folder.is_relative_to(Path(store.removeprefix("sqlite:///")).parent)
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {"report.html", "model_card.md", "recipe.yaml", "split.json", "plots/epochs.png"} <= names
    assert (folder / "model_card.md").read_bytes() == (epoch_bundle.path / "README.md").read_bytes()
    assert set(json.loads((folder / "split.json").read_text("utf-8"))) == {"train", "validation", "test"}


def test_logging_leaves_the_process_as_it_was(logged: LoggedRun, store: str) -> None:
    assert mlflow.active_run() is None
    assert os.environ["MLFLOW_TRACKING_URI"] == store
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ
    assert not [name for name in sys.modules if name.startswith("detente_")]


def test_a_bundle_without_a_report_is_refused_before_any_call(
    smoke_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with pytest.raises(BundleError, match=r"report\.json"):
        log_bundle(Bundle(tmp_path, smoke_bundle.manifest, smoke_bundle.digest))
    assert not (tmp_path / "mlflow.db").exists()


def test_without_a_tracking_uri_runs_go_to_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert registry.tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"


class Refusing(BaseHTTPRequestHandler):
    """A server that answers 500 to all it is asked."""

    def do_GET(self) -> None:
        body = b'{"error_code": "INTERNAL_ERROR", "message": "the database is on fire"}'
        self.send_response(500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def refusing_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def closed_port() -> Iterator[str]:
    with socket.socket() as holder:  # bound and not listening: every connection is refused
        holder.bind(("127.0.0.1", 0))
        yield f"http://user:secret@127.0.0.1:{holder.getsockname()[1]}"


@contextmanager
def no_database() -> Iterator[str]:
    yield f"sqlite:///{Path(__file__).absolute()}"


@pytest.mark.parametrize("server", [closed_port, refusing_server, no_database])
def test_a_store_that_is_away_or_refuses_loses_nothing(
    smoke_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, server: object
) -> None:
    with server() as uri:  # type: ignore[operator]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        started = monotonic()
        with pytest.raises(TrackingError) as caught:
            log_bundle(smoke_bundle)
    assert monotonic() - started < 30
    message = str(caught.value)
    assert f"the bundle is safe at {smoke_bundle.path}" in message
    assert f"python -m training log {smoke_bundle.path}" in message
    assert "nothing was logged" in message
    assert "secret" not in message
    assert Bundle.open(smoke_bundle.path) == smoke_bundle


def test_what_fails_in_the_middle_registers_nothing_and_can_be_logged_again(
    smoke_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken, pytest.raises(TrackingError, match="nothing was registered") as caught:
        broken.setattr(tracking, "log_model", no_space)
        log_bundle(smoke_bundle)
    client = MlflowClient(uri)
    [left] = client.search_runs([client.search_experiments(filter_string="name = 'detente'")[0].experiment_id])
    assert left.info.status == "FAILED"
    assert left.info.run_id in str(caught.value)
    assert client.search_registered_models() == []

    logged = log_bundle(smoke_bundle)
    assert (logged.version, logged.run_id != left.info.run_id) == ("1", True)
    found = Predictor.load("models:/detente@candidate")
    assert (found.bundle.digest, found.model.name, found.model.version) == (smoke_bundle.digest, "detente", "1")


def test_code_that_cannot_score_by_itself_is_not_logged(
    smoke_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "__init__.py").touch()
    (code / "pyfunc.py").write_text("from inference.bundle import Bundle\n", "utf-8")
    monkeypatch.setattr(registry, "CODE", code)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match="No module named 'inference'"):
        log_bundle(smoke_bundle)
    client = MlflowClient(uri)
    assert client.search_runs([client.search_experiments(filter_string="name = 'detente'")[0].experiment_id]) == []


def test_the_module_loads_without_torch() -> None:
    code = "import sys, training.tracking; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
