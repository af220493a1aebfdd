"""A finished bundle into an MLflow run and a registered version."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import quote

import mlflow
import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException

from inference.bundle import Bundle
from inference.heads import STANCES, TOPICS
from inference.locate import without_password

from .card import summary
from .page import page
from .plots import plots
from .registry import (
    CANDIDATE,
    TEST_PART,
    Staged,
    TrackingError,
    cause,
    connection,
    log_model,
    register,
    sqlite_file,
    staged_code,
    tracking_uri,
)
from .report import CARD, Report

__all__ = ["LoggedRun", "TrackingError", "log_bundle", "log_evaluation"]

_KIND = "mlflow.experimentKind"
"""Tag by which MLflow's pages tell training from work with chat models."""

_METRICS_PER_BATCH = 1000
_PARAMS_PER_BATCH = 100
_LONGEST_DIGEST = 36
_LONGEST_PARAM = 6000


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """Where a bundle went.

    Args:
        run_id: the run.
        experiment: name of its experiment.
        tracking_uri: the server or file, without a password.
        url: the run's page, None where there is no server.
        model: the registered model.
        version: its new version, None where it was not to be registered.
        candidate: whether that has the alias `candidate`.
    """

    run_id: str
    experiment: str
    tracking_uri: str
    url: str | None
    model: str
    version: str | None
    candidate: bool


def log_bundle(bundle: Bundle, register: bool = True) -> LoggedRun:
    """Log a finished bundle as a run, and register it: as the candidate, where it makes records.

    All is read from the bundle, so that logging after training and logging later are one. The version is
    registered last, when the run is whole.

    Args:
        bundle: as training left it.
        register: whether it becomes a version of the registered model; trials do not.

    Raises:
        BundleError: the bundle holds no report.
        TrackingError: MLflow is away or refuses; the message says what was done and how to go on.
    """
    report = Report.of(bundle)
    uri = tracking_uri()
    done = ["nothing was logged"]
    try:
        with connection(uri) as client:
            experiment_id = _experiment(client, report.recipe["tracking"]["experiment"], uri)
            with staged_code(bundle) as staged:
                return _logged(bundle, report, staged, client, experiment_id, register, done)
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"MLflow at {without_password(uri)}: {cause(error)}\n{done[-1]}; the bundle is safe at {bundle.path}: "
            f"`python -m training log {bundle.path}` logs it later"
        ) from error


def log_evaluation(bundle: Bundle, name: str, metrics: Mapping[str, Any]) -> str | None:
    """Add the figures of an evaluation to the run that made a bundle.

    Args:
        bundle: what was measured.
        name: what on, such as `dse.test`; it begins each metric's name.
        metrics: as `training.evaluate.evaluate` gives them.

    Returns:
        The run's id, None where MLflow has no run of the bundle.

    Raises:
        TrackingError: MLflow is away or refuses.
    """
    uri = tracking_uri()
    try:
        with connection(uri) as client:
            ids = [experiment.experiment_id for experiment in client.search_experiments()]
            runs = client.search_runs(ids, f"tags.bundle_digest = '{bundle.digest}'", max_results=1)
            if not runs:
                return None
            run_id, now = str(runs[0].info.run_id), int(time() * 1000)
            numbers = [(key, value) for key, value in _flat(metrics, f"{name}.") if _is_number(value)]
            found = [Metric(_key(key.replace(".labels.", ".")), value, now, 0) for key, value in numbers]
            for batch in _batches(found, _METRICS_PER_BATCH):
                client.log_batch(run_id, metrics=batch)
            return run_id
    except (MlflowException, OSError) as error:
        raise TrackingError(
            f"MLflow at {without_password(uri)}: {cause(error)}; the figures above were not logged"
        ) from error


def _logged(
    bundle: Bundle,
    report: Report,
    staged: Staged,
    client: MlflowClient,
    experiment_id: str,
    registers: bool,
    done: list[str],
) -> LoggedRun:
    """Log and register; each step that stays is noted in `done`."""
    uri, tracking = client.tracking_uri, report.recipe["tracking"]
    run_tags = _tags(bundle, report, staged)
    note = summary(report)
    with mlflow.start_run(
        run_name=report.recipe["name"],
        experiment_id=experiment_id,
        nested=True,
        tags=run_tags,
        description=note,
        log_system_metrics=False,
    ) as run:
        run_id = str(run.info.run_id)
        done.append(f"run {run_id} is not complete and nothing was registered")
        _log_params(client, run_id, _params(bundle, report))
        client.log_inputs(run_id, [_dataset(corpus) for corpus in report.corpora])
        model_id = log_model(bundle, staged, report.libraries)
        _log_metrics(client, run_id, model_id, report)
        _log_files(client, run_id, bundle, report)
    done.append(f"run {run_id} is complete, but nothing was registered")
    url, model = _url(uri, experiment_id, run_id), tracking["model"]
    version: str | None = None
    candidate = registers and bundle.manifest.has(TOPICS) and bundle.manifest.has(STANCES)
    if registers:
        tags = {key: value for key, value in run_tags.items() if not key.startswith("mlflow.")}
        version = register(client, model, model_id, tags, note)
        if candidate:
            done.append(f"version {version} of {model} is registered, but without the alias {CANDIDATE}")
            client.set_registered_model_alias(model, CANDIDATE, version)
    return LoggedRun(run_id, tracking["experiment"], without_password(uri), url, model, version, candidate)


def _experiment(client: MlflowClient, name: str, uri: str) -> str:
    """The id of an experiment, made where it is not there; a SQLite file has its artifacts beside it."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    database = sqlite_file(uri)
    # MLflow would take the current directory of whoever asks first.
    place = None if database is None else (database.parent / "mlartifacts" / quote(name, safe="")).as_uri()
    return str(client.create_experiment(name, artifact_location=place, tags={_KIND: "custom_model_development"}))


def _tags(bundle: Bundle, report: Report, staged: Staged) -> dict[str, str]:
    """What a run and a version are found by."""
    tags = {
        "recipe": report.recipe["name"],
        "recipe_digest": report.recipe_digest,
        "bundle_digest": bundle.digest,
        "code": staged.package,
        "purpose": report.recipe["purpose"],
        "mlflow.source.name": "python -m training",
        "mlflow.source.type": "LOCAL",
    }
    if (tested := _test_part(report)) is not None:
        tags[TEST_PART] = tested
    if report.commit is not None:
        tags |= {"git_commit": report.commit, "mlflow.source.git.commit": report.commit.rstrip("+")}
    for corpus in report.corpora:
        tags[_key(f"corpus.{corpus['name']}.licence")] = str(corpus["licence"])
    return tags


def _test_part(report: Report) -> str | None:
    """What tells whether two models were tested on the same articles with the same labels; None where on none."""
    tested = sorted(corpus["tested_sha256"] for corpus in report.corpora if corpus.get("tested_sha256"))
    return hashlib.sha256(json.dumps(tested).encode()).hexdigest() if tested else None


def _params(bundle: Bundle, report: Report) -> dict[str, str]:
    """The resolved recipe in flat form, with what else distinguishes runs."""
    recipe = dict(report.recipe)
    recipe["corpora"] = {corpus["name"]: corpus for corpus in recipe["corpora"]}
    for key in ("description", "tracking"):
        recipe.pop(key, None)
    params = {"family": bundle.manifest.family, "heads": ", ".join(head.name for head in bundle.manifest.heads)}
    params |= {_key(key): str(value)[:_LONGEST_PARAM] for key, value in _flat(recipe) if value is not None}
    if report.encoder is not None:
        params |= {"encoder": str(report.encoder["name"]), "encoder.parameters": str(report.encoder["parameters"])}
    for part, ids in report.split.items():
        params[f"articles.{part}"] = str(len(ids))
    return params


def _dataset(corpus: Mapping[str, Any]) -> DatasetInput:
    """A corpus as MLflow's input of a run: what is known of it, not its articles."""
    source, digest = corpus["source"], corpus["sha256"]
    dataset = Dataset(
        name=corpus["name"],
        digest=digest[:_LONGEST_DIGEST],
        source_type="local",
        source=json.dumps({"uri": source if isinstance(source, str) else ", ".join(source)}),
        profile=json.dumps({key: corpus[key] for key in ("articles", "licence", "topics", "stances", "sha256")}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training"), InputTag("licence", corpus["licence"])])


def _log_params(client: MlflowClient, run_id: str, params: Mapping[str, str]) -> None:
    for batch in _batches([Param(key, value) for key, value in params.items()], _PARAMS_PER_BATCH):
        client.log_batch(run_id, params=batch)


def _log_metrics(client: MlflowClient, run_id: str, model_id: str, report: Report) -> None:
    """The final metrics for the run and its model, totals first, then those of every epoch at its step."""
    now = int(time() * 1000)
    metrics = [Metric(key, value, now, 0, model_id=model_id, run_id=run_id) for key, value in _final(report)]
    metrics += [
        Metric(_key(f"epoch.{key}"), value, now, int(epoch["epoch"]))
        for epoch in report.epochs
        for key, value in epoch.items()
        if key != "epoch"
    ]
    for batch in _batches(metrics, _METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=batch)


def _final(report: Report) -> list[tuple[str, float]]:
    """The final metrics in the order in which a run's page shows them; labels are told of the test part only."""
    parts = sorted(report.metrics, key=lambda part: part != "test")
    found = [(f"{part}.{key}", value) for part in parts for key, value in _flat(report.metrics[part])]
    numbers = [(_key(key), value) for key, value in found if _is_number(value)]
    totals = [(key, value) for key, value in numbers if ".labels." not in key]
    labels = [(key.replace(".labels.", "."), value) for key, value in numbers if ".labels." in key]
    seconds = [(_key(f"seconds.{stage}"), value) for stage, value in report.seconds.items()]
    return totals + [(key, value) for key, value in labels if key.startswith("test.")] + seconds


def _log_files(client: MlflowClient, run_id: str, bundle: Bundle, report: Report) -> None:
    """What a person looks at; the bundle itself is in the model."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = plots(report)
        (folder / "plots").mkdir()
        for name, image in images.items():
            (folder / "plots" / name).write_bytes(image)
        (folder / "report.html").write_text(page(report, images), "utf-8")
        (folder / "recipe.yaml").write_text(yaml.safe_dump(report.recipe, sort_keys=False, allow_unicode=True), "utf-8")
        (folder / "split.json").write_text(json.dumps(report.split, indent=1, ensure_ascii=False) + "\n", "utf-8")
        card = bundle.path / CARD
        if card.is_file():
            (folder / "model_card.md").write_bytes(card.read_bytes())
        client.log_artifacts(run_id, str(folder))


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, with dotted keys; lists are leaves."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key(text: str) -> str:
    """A key that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text, flags=re.ASCII)


def _batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _url(uri: str, experiment_id: str, run_id: str) -> str | None:
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{without_password(uri).rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}"
