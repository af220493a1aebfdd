"""A bundle of a whole run, made once, and a store of runs for each test that wants one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.bundle import MANIFEST, Bundle, write_bundle
from training.report import REPORT, Report

if TYPE_CHECKING:
    from training.tracking import LoggedRun

ROOT = Path(__file__).parents[2]
EPOCHS = [{"epoch": number, "train_loss": 1 / number, "validation_quality": 0.1 * number} for number in (1, 2, 3)]


@pytest.fixture(scope="session")
def smoke_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """What `configs/smoke.yaml` makes, for the registered model `detente`."""
    from training.fit import run
    from training.recipe import load_recipe

    recipe = load_recipe(ROOT / "configs" / "smoke.yaml", ["tracking.model=detente"])
    return run(recipe, tmp_path_factory.mktemp("bundles") / "smoke")


@pytest.fixture(scope="session")
def report(smoke_bundle: Bundle) -> Report:
    """The report of the smoke run."""
    return Report.of(smoke_bundle)


@pytest.fixture(scope="session")
def epoch_bundle(smoke_bundle: Bundle, report: Report, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The smoke bundle with epochs, as if its family had trained in several."""
    from dataclasses import replace

    folder = tmp_path_factory.mktemp("epochs")
    shutil.copytree(smoke_bundle.path, folder / "files", ignore=shutil.ignore_patterns(MANIFEST))
    (folder / "files" / REPORT).write_text(replace(report, epochs=EPOCHS).to_json(), "utf-8")
    return write_bundle(folder / "smoke", smoke_bundle.manifest, folder / "files")


@pytest.fixture(scope="session", autouse=True)
def _nothing_beside_code() -> Iterator[None]:
    """Models in a store on disk are loaded from where they lie: no bytecode is to be written there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "dont_write_bytecode", True)
        yield


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store of runs for the tests that only read."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'runs' / 'mlflow.db'}"


@pytest.fixture
def store(store_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, where MLflow looks for it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store_uri)
    return store_uri


@pytest.fixture(scope="session")
def logged(epoch_bundle: Bundle, store_uri: str) -> LoggedRun:
    """The first run of the store, and version 1 of its model."""
    from training.tracking import log_bundle

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store_uri)
        return log_bundle(epoch_bundle)


@pytest.fixture(scope="session", autouse=True)
def _quiet_mlflow() -> Iterator[None]:
    """Send no telemetry, and look for nothing of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("MLFLOW_REGISTRY_URI", raising=False)
        yield
