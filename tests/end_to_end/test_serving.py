"""The registered model behind HTTP: `mlflow models serve`, in a process that sees nothing of the checkout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import mlflow
import pytest

from inference.bundle import Bundle
from inference.predictor import Predictor
from inference.schema import ModelInfo
from tests.benchmarks.serving import HOST, JSON, Server, served
from tests.inference.conftest import encoder_bundle as encoder_bundle  # noqa: PLC0414 — a fixture is taken over by its name
from training.registry import connection, log_model, register, staged_code

NAME = "served"
FULL = {
    "id": "a",
    "title": "Moscow and Tehran",
    "text": "Russia praised Iran on Monday. Envoys of France met for talks, and Syria condemned the United States.",
    "date": "2024-05-06",
    "actors": ["Russia", "Iran"],
}
OTHER = {
    "id": "b",
    "title": "Paris",
    "text": "France condemned Syria. Washington thanked Moscow.",
    "date": "2024-05-07",
    "actors": ["France", "Syria"],
}
SHORT = {"text": "Iran threatened Syria on Monday."}
EMPTY = {"text": ""}
FOREIGN = {
    "id": "статья-№7 🕊",
    "title": "Côte d’Ivoire 🇨🇮",
    "text": "“Zürich” — 한국 praised 中国 on Monday 😀. روسيا condemned Côte d’Ivoire\u2028\tin Kraków.",
}


@pytest.fixture(scope="module")
def server(encoder_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the only version of a registered model."""
    folder = tmp_path_factory.mktemp("serving")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.delenv("MLFLOW_REGISTRY_URI", raising=False)
        bundle = Bundle.open(encoder_bundle)
        with connection(store) as client, staged_code(bundle) as staged:
            experiment = client.create_experiment("serving", artifact_location=(folder / "artifacts").as_uri())
            with mlflow.start_run(experiment_id=experiment):
                model = log_model(bundle, staged, {})
            version = register(client, NAME, model, {}, "of a test")
            client.set_registered_model_alias(NAME, "champion", version)
    with served(f"models:/{NAME}@champion", store, folder) as running:
        yield running


@pytest.fixture(scope="module")
def predictor(encoder_bundle: Path) -> Predictor:
    """The same bundle in this process, under the name that the registry gave it."""
    bundle = Bundle.open(encoder_bundle)
    return Predictor(bundle, ModelInfo(bundle.digest, NAME, "1"))


def ask(server: Server, request: object) -> tuple[int, Any]:
    """Post a request; the answer must be JSON, which knows no NaN, whatever Python takes for it."""
    connection = HTTPConnection(HOST, server.port, timeout=30)
    try:
        connection.request("POST", "/invocations", json.dumps(request).encode(), JSON)
        response = connection.getresponse()
        return response.status, json.loads(response.read(), parse_constant=_not_json)
    finally:
        connection.close()


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def records(server: Server, request: object) -> list[dict[str, Any]]:
    status, answer = ask(server, request)
    assert (status, list(answer)) == (200, ["predictions"])
    found: list[dict[str, Any]] = answer["predictions"]
    return found


def expected(predictor: Predictor, *articles: dict[str, Any]) -> list[dict[str, Any]]:
    return [prediction.to_dict() for prediction in predictor.predict(articles)]


def split(*articles: dict[str, Any]) -> dict[str, Any]:
    return {"columns": list(articles[0]), "data": [list(article.values()) for article in articles]}


@pytest.mark.parametrize(
    "request_",
    [
        {"dataframe_records": [FULL, OTHER]},
        {"dataframe_split": split(FULL, OTHER)},
        {"inputs": [FULL, OTHER]},
    ],
    ids=lambda request: next(iter(request)),
)
def test_the_records_are_those_of_the_predictor(server: Server, predictor: Predictor, request_: object) -> None:
    found = records(server, request_)
    assert found == expected(predictor, FULL, OTHER)
    assert [record["status"] for record in found] == ["ok", "ok"]
    assert [[actor["name"] for actor in record["actors"]][:2] for record in found] == [
        ["Russia", "Iran"],
        ["France", "Syria"],
    ]


@pytest.mark.parametrize("form", ["dataframe_records", "inputs"])
def test_optional_columns_may_be_left_out(server: Server, predictor: Predictor, form: str) -> None:
    assert records(server, {form: [SHORT]}) == expected(predictor, SHORT)
    with_title = {**SHORT, "title": "Moscow"}
    assert records(server, {form: [SHORT, with_title]}) == expected(predictor, SHORT, with_title)


def test_optional_columns_may_be_null(server: Server, predictor: Predictor) -> None:
    nulls = {**SHORT, **dict.fromkeys(("id", "title", "date", "actors"))}
    assert records(server, {"dataframe_records": [FULL, nulls]}) == expected(predictor, FULL, {**SHORT, "id": "2"})


def test_an_empty_text_is_a_record_of_its_own(server: Server, predictor: Predictor) -> None:
    [empty] = records(server, {"dataframe_records": [EMPTY]})
    assert (empty["status"], empty["error"], empty["topics"]) == ("empty", "`text` is empty", [])
    assert records(server, {"dataframe_records": [SHORT, EMPTY, SHORT]}) == expected(predictor, SHORT, EMPTY, SHORT)


@pytest.mark.parametrize("form", ["dataframe_records", "inputs"])
def test_unicode_comes_back_exact(server: Server, predictor: Predictor, form: str) -> None:
    [record] = records(server, {form: [FOREIGN]})
    assert [record] == expected(predictor, FOREIGN)
    assert record["id"] == FOREIGN["id"]
    spans = [span for actor in record["actors"] for span in actor["mentions"]]
    assert {span["quote"] for span in spans} == {"Côte d’Ivoire", "한국", "中国", "روسيا"}
    assert all(FOREIGN[span["field"]][span["start"] : span["end"]] == span["quote"] for span in spans)


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"dataframe_records": [{"title": "Moscow"}]}, "missing inputs ['text']"),
        ({"dataframe_split": {"columns": ["body"], "data": [["Moscow"]]}}, "missing inputs ['text']"),
        ({"inputs": [{"title": "Moscow"}]}, "missing inputs ['text']"),
        ({"dataframe_records": [{**SHORT, "actors": "Iran"}]}, "column actors"),
        ({"dataframe_records": [{**SHORT, "actors": [1, 2]}]}, "column actors"),
        ({"texts": ["Moscow"]}, "dataframe_records"),
    ],
)
def test_what_does_not_fit_the_signature_is_refused_by_name(
    server: Server, predictor: Predictor, request_: object, named: str
) -> None:
    status, answer = ask(server, request_)
    assert status == 400 and named in answer["message"]
    assert records(server, {"dataframe_records": [SHORT]}) == expected(predictor, SHORT)


def test_what_is_no_json_is_refused(server: Server, predictor: Predictor) -> None:
    connection = HTTPConnection(HOST, server.port, timeout=30)
    connection.request("POST", "/invocations", b'{"dataframe_records": [', JSON)
    assert connection.getresponse().status == 400
    connection.close()
    assert records(server, {"dataframe_records": [SHORT]}) == expected(predictor, SHORT)


def test_what_is_no_text_spoils_its_own_record_only(server: Server, predictor: Predictor) -> None:
    """MLflow lets any object pass for a string, so that the record has to say it."""
    number, fine = records(server, {"dataframe_records": [{"text": 1}, SHORT]})
    assert (number["status"], number["error"]) == ("error", "`text` is int (1), expected a string")
    assert fine == expected(predictor, EMPTY, SHORT)[1]
