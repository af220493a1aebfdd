"""Spark as others run it: executors and Python workers that are processes of their own."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from inference import BundleError, InputError, Predictor
from inference.schema import Article
from inference.writing import SCHEMA
from tests.inference.conftest import articles as articles  # noqa: PLC0414 — a fixture is taken over by its name
from tests.inference.conftest import encoder_bundle as encoder_bundle  # noqa: PLC0414
from tests.inference.conftest import finder as finder  # noqa: PLC0414
from tests.inference.conftest import linear_bundle as linear_bundle  # noqa: PLC0414

ROOT = Path(__file__).parents[2]
COLUMNS = "id string, title string, text string, date string, actors array<string>"
pyspark_sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: pip install detente[spark]")
pytestmark = [
    pytest.mark.skipif(shutil.which("java") is None, reason="no java here, and Spark runs on it"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spark as it is installed, in a folder of its own: executors keep their work in it."""
    folder = tmp_path_factory.mktemp("spark")
    for name in ("bin", "jars", "python"):
        (folder / name).symlink_to(Path(pyspark_sql.__file__).parents[1] / name)
    return folder


@pytest.fixture(scope="module")
def spark(home: Path) -> Iterator[Any]:
    """Two executors with a core each; a batch has four rows, so that a partition has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(home))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = (
            pyspark_sql.SparkSession.builder.master("local-cluster[2,1,1024]")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.ui.enabled", "false")
            .config("spark.executorEnv.PYTHONPATH", str(ROOT))
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", "4")
            .config("spark.sql.session.timeZone", "UTC")
            .getOrCreate()
        )
        session.sparkContext.setLogLevel("OFF")
        yield session
        session.stop()


@pytest.fixture(scope="module")
def rows(articles: list[Article]) -> list[dict[str, Any]]:
    """Sixty articles with what there is besides text."""
    return [
        {
            "id": f"{article.id}-{copy}",
            "title": article.title,
            "text": article.text * (1 + copy),
            "date": "2024-05-06",
            "actors": ["Russia", "Iran"] if copy == 1 else None,
        }
        for copy in range(4)
        for article in articles
    ]


def plain(found: Any) -> Any:
    """Rows of Spark as dictionaries all the way down."""
    return [row.asDict(recursive=True) for row in found.collect()]


def local(bundle: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [prediction.to_dict() for prediction in Predictor.load(bundle, threads=1).predict(rows)]


def rounded(value: Any) -> Any:
    """Scores to five places: an encoder's vary in the last ones by what is scored beside an article."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


@pytest.mark.parametrize("family", ["linear", "encoder"])
def test_records_are_those_of_the_local_predictor(spark, rows, family, request):
    from inference.spark import predict

    bundle = request.getfixturevalue(f"{family}_bundle")
    found = plain(predict(spark.createDataFrame(rows, COLUMNS).repartition(4), bundle))
    assert len(found) == len(rows)
    expected = sorted(local(bundle, rows), key=lambda record: record["id"])
    assert sorted(found, key=lambda record: record["id"]) == rounded(expected)
    assert sum(len(record["actors"]) for record in found) == 2 * len(rows)


def test_the_schema_is_the_record_and_what_is_kept(spark, rows, linear_bundle):
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    from inference.spark import predict

    df = spark.createDataFrame(rows, COLUMNS).selectExpr("*", "cast(1 as decimal(9,2)) as price")
    found = predict(df, linear_bundle, keep=["price", "date"])
    assert found.columns == [*SCHEMA.names, "price", "date"]
    assert to_arrow_schema(StructType(found.schema.fields[: len(SCHEMA)])).equals(SCHEMA)
    assert [field.dataType.simpleString() for field in found.schema.fields[-2:]] == ["decimal(9,2)", "string"]


def test_what_is_kept_is_as_it_was(spark, linear_bundle):
    """Numbers and times that pandas would not hold, nested values, nulls."""
    from inference.spark import predict

    kept: dict[str, list[Any]] = {
        "big": [2**53 + 1, None],
        "when": [datetime(1600, 1, 1), datetime(9999, 12, 31)],
        "day": [None, date(2024, 5, 6)],
        "tags": [{"a": 1}, {}],
        "deep": [[{"raw": b"\xff", "yes": True}], None],
    }
    types = "big bigint, when timestamp, day date, tags map<string,int>, deep array<struct<raw:binary,yes:boolean>>"
    given = [
        {"id": 10**17 + row, "text": "Russia praised Iran."} | {name: kept[name][row] for name in kept}
        for row in (0, 1)
    ]
    df = spark.createDataFrame(given, f"id bigint, text string, {types}").coalesce(1)
    found = plain(predict(df, linear_bundle, keep=list(kept)))
    assert [{name: record[name] for name in kept} for record in found] == [
        {name: row[name] for name in kept} for row in given
    ]
    assert [(record["id"], record["status"]) for record in found] == [(str(10**17), "ok"), (str(10**17 + 1), "ok")]


def test_order_within_a_partition_stays(spark, rows, linear_bundle):
    from inference.spark import predict

    found = predict(spark.createDataFrame(rows, COLUMNS).coalesce(1), linear_bundle).select("id").collect()
    assert [id for (id,) in found] == [row["id"] for row in rows]


def test_a_worker_that_is_killed_costs_nothing(spark, rows, linear_bundle, tmp_path, monkeypatch):
    """It dies once, by SIGKILL, when it has given out records of its partition already."""
    from inference import spark as module

    marker, last = tmp_path / "killed", rows[-1]["id"]

    def mortal(batches: Any) -> Any:
        for batch in batches:
            if last in batch["id"].to_pylist() and not marker.exists():
                marker.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    def records(batches: Any, *rest: Any) -> Any:
        from inference.spark import _records

        return _records(mortal(batches), *rest)

    monkeypatch.setattr(module, "_records", records)
    context = spark.sparkContext
    context.setJobGroup("killed", "a worker is killed")
    found = plain(module.predict(spark.createDataFrame(rows, COLUMNS).coalesce(2), linear_bundle))
    stages = [
        context.statusTracker().getStageInfo(stage)
        for job in context.statusTracker().getJobIdsForGroup("killed")
        for stage in context.statusTracker().getJobInfo(job).stageIds
    ]
    assert int(marker.read_text()) != os.getpid()
    assert sum(stage.numFailedTasks for stage in stages) == 1
    assert found == local(linear_bundle, rows)


def test_hostile_rows_are_records(spark, linear_bundle):
    from inference.spark import predict

    given = spark.sql(
        "select * from values ('null', cast(null as string), 'b'), ('none', '', 'b'), ('blank', ' \\n', 'b'),"
        " ('bytes', cast(unhex('ff52') as string), 'b'), ('nul', '\\u0000', 'b'),"
        " (null, 'Russia praised Iran.', 'kept'), ('good', 'Russia praised Iran.', 'b') as rows(id, text, source)"
    ).coalesce(1)
    found = plain(predict(given, linear_bundle, keep=["source"]))
    statuses = [(record["id"], record["status"]) for record in found]
    assert statuses[:3] == [("null", "empty"), ("none", "empty"), ("blank", "empty")]
    assert statuses[3] == ("bytes", "error") and "utf-8" in found[3]["error"]
    assert statuses[4:] == [("nul", "ok"), (None, "ok"), ("good", "ok")]
    assert found[5]["source"] == "kept"
    assert found[6]["topics"] == found[5]["topics"]


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("1 as text", "`text` is int (1), expected a string"),
        ("binary('a') as text", "`text` is bytes"),
        ("array('a') as text", "`text` is list"),
        ("'a' as text, 2 as title", "`title` is int (2)"),
        ("'a' as text, array(3) as actors", "`actors` is int (3)"),
        ("'a' as text, timestamp_seconds(999999999999) as date", "cannot be read"),
    ],
)
def test_a_column_of_the_wrong_type_gives_errors(spark, linear_bundle, column, reason):
    from inference.spark import predict

    [record] = plain(predict(spark.sql(f"select 7 as id, {column}"), linear_bundle))
    assert (record["id"], record["status"]) == ("7", "error")
    assert reason in record["error"]


@pytest.mark.parametrize(
    ("columns", "keep", "reason"),
    [
        ("1 as id", (), "no column `text`: found id"),
        ("'a' as text", (), "no column `id`: found text; .*monotonically_increasing_id"),
        ("1 as id, 'a' as text", ["url"], "keep url: no such column, found id, text"),
        ("1 as id, 'a' as text, 2 as model", ["model"], "keep model: the record has a field"),
        ("1 as id, 'a' as text, 2 as Status", ["Status"], "keep Status: the record has a field"),
    ],
)
def test_a_frame_that_will_not_do_is_refused_at_once(spark, linear_bundle, columns, keep, reason):
    from inference.spark import predict

    with pytest.raises(InputError, match=reason):
        predict(spark.sql(f"select {columns}"), linear_bundle, keep=keep)


def test_a_bundle_that_is_not_there_is_refused_at_once(spark, tmp_path):
    from inference.spark import predict

    with pytest.raises(BundleError, match="no such directory"):
        predict(spark.sql("select 1 as id, 'a' as text"), tmp_path / "none")


def test_a_bundle_is_shipped_once_and_bundles_of_one_name_are_not_mixed_up(spark, linear_bundle, encoder_bundle):
    from inference.spark import predict

    assert linear_bundle.name == encoder_bundle.name
    df = spark.sql("select 1 as id, 'Russia praised Iran.' as text")
    found = [plain(predict(df, bundle))[0]["model"]["digest"] for bundle in (linear_bundle, encoder_bundle) * 2]
    assert found == [Predictor.load(bundle).model.digest for bundle in (linear_bundle, encoder_bundle)] * 2
    assert sum("detente-" in archive for archive in spark.sparkContext.listArchives) == 2


def test_a_shared_bundle_is_read_where_it_lies(spark, linear_bundle, tmp_path):
    from inference.spark import predict

    bundle = tmp_path / "shared"
    shutil.copytree(linear_bundle, bundle)
    found = predict(spark.sql("select 1 as id, 'Russia praised Iran.' as text"), bundle, shared=True)
    [record] = plain(found)
    assert record == local(bundle, [{"id": 1, "text": "Russia praised Iran."}])[0]
    assert str(bundle) not in "".join(spark.sparkContext.listArchives)


@pytest.fixture(scope="module")
def registered(linear_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bundle as version 1 of a registered model."""
    import mlflow

    from inference.bundle import Bundle
    from training.registry import connection, log_model, register, staged_code

    store, bundle = tmp_path_factory.mktemp("store"), Bundle.open(linear_bundle)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store / 'mlflow.db'}")
        with connection(f"sqlite:///{store / 'mlflow.db'}") as client:
            experiment = client.create_experiment("spark", artifact_location=(store / "artifacts").as_uri())
            with staged_code(bundle) as staged, mlflow.start_run(experiment_id=experiment):
                model_id = log_model(bundle, staged, {})
            register(client, "detente", model_id, {}, "")
        yield "models:/detente/1"


def test_a_registered_model_is_found_by_the_driver(spark, rows, linear_bundle, registered):
    from inference.spark import predict

    found = plain(predict(spark.createDataFrame(rows, COLUMNS).coalesce(2), registered))
    named = {"digest": Predictor.load(linear_bundle).model.digest, "name": "detente", "version": "1"}
    assert found == [record | {"model": named} for record in local(linear_bundle, rows)]


def test_a_registered_model_scores_as_a_udf_of_mlflow(spark, rows, registered):
    import mlflow
    from pyspark.sql.functions import struct
    from pyspark.sql.pandas.types import from_arrow_schema

    from inference.spark import predict

    df = spark.createDataFrame(rows, COLUMNS).coalesce(2)
    score = mlflow.pyfunc.spark_udf(spark, registered, result_type=from_arrow_schema(SCHEMA), env_manager="local")
    found = df.select(score(struct("id", "title", "text", "date", "actors")).alias("record")).select("record.*")
    assert plain(found) == plain(predict(df, registered))
