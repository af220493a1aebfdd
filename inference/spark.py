"""Articles in a Spark DataFrame, records out: one predictor in each Python worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from math import isnan
from os import PathLike
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark import SparkContext, SparkFiles
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from .bundle import Bundle
from .errors import ArticleError, BundleError, InputError
from .locate import locate
from .predictor import Predictor
from .schema import ARTICLE_COLUMNS, ModelInfo
from .writing import SCHEMA

_ROWS = 256
"""Rows whose records are held as Python objects at a time; a batch of Spark's has 10,000."""


def predict(
    df: DataFrame, model: str | PathLike[str], keep: Sequence[str] = (), threads: int = 1, shared: bool = False
) -> DataFrame:
    """Score the articles of a DataFrame; nothing runs before the result is asked for.

    Rows stay in their partitions and in order. An `id` that is null stays null, since partitions have no row numbers.

    Args:
        df: articles, with the columns `id` and `text` and, where present, `title`, `date` and `actors`.
        model: a bundle's directory, or a registered model by its MLflow URI; the driver finds it.
        keep: columns of `df` that are carried into the records, with their own types.
        threads: threads that each Python worker scores with; Spark runs a worker a core.
        shared: whether every machine sees the bundle at its path; else it is shipped to each once.

    Returns:
        One record a row: `writing.SCHEMA` in Spark's types, then the columns to keep.

    Raises:
        InputError: `df` has no `id`, no `text` or no column to keep, or one to keep has the name of a record's field.
        BundleError: there is no whole, unaltered bundle of a known format there.
    """
    keep = tuple(dict.fromkeys(keep))
    _check(df.columns, keep)
    path, name, version = locate(model)
    bundle = Bundle.open(path.absolute())
    info = ModelInfo(bundle.digest, name, version)
    place = str(bundle.path) if shared else _shipped(bundle, df.sparkSession.sparkContext)

    def scored(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return _records(batches, place if shared else SparkFiles.get(place), info, threads, keep)

    read = [column for column in df.columns if column in (*ARTICLE_COLUMNS, *keep)]
    schema = StructType([*from_arrow_schema(SCHEMA), *(df.schema[column] for column in keep)])
    # Not mapInPandas: there a timestamp of 1600 or 9999 stops the job, and records take far longer to go out.
    return df.select(*read).mapInArrow(scored, schema)


def _check(columns: Sequence[str], keep: Sequence[str]) -> None:
    """Make sure that the columns to read and to keep are there.

    Raises:
        InputError: they are not, or one to keep has the name of a record's field.
    """
    found = ", ".join(columns) or "nothing"
    if "text" not in columns:
        raise InputError(f"no column `text`: found {found}")
    if "id" not in columns:
        advice = "rows have no numbers in Spark, so give each an id, by `monotonically_increasing_id()` if need be"
        raise InputError(f"no column `id`: found {found}; {advice}")
    for column in keep:
        if column.lower() in SCHEMA.names:  # to Spark, `ID` and `id` are one name
            raise InputError(f"keep {column}: the record has a field of this name")
        if column not in columns:
            raise InputError(f"keep {column}: no such column, found {found}")


def _shipped(bundle: Bundle, context: SparkContext) -> str:
    """Have Spark unpack a bundle on every machine, once an application.

    Spark ships a local directory only packed. Its name there is the digest: other bundles lie in directories of the
    same name.

    Returns:
        What `SparkFiles.get` finds it by.
    """
    name = f"detente-{bundle.digest}"
    if not any(archive.endswith(f"#{name}") for archive in context.listArchives):
        # Machines that join later fetch it, too; Spark removes this folder when the application ends.
        packed = Path(SparkFiles.getRootDirectory()) / "packed" / name
        packed.parent.mkdir(exist_ok=True)
        context.addArchive(f"{shutil.make_archive(str(packed), 'zip', bundle.path)}#{name}")
    return name


def _records(
    batches: Iterator[pa.RecordBatch], path: str, info: ModelInfo, threads: int, keep: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """The records of a partition; what is kept passes through as it is."""
    predictor = _predictor(path, info, threads)
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            rows = batch.slice(start, _ROWS)
            columns = [column for column in rows.schema.names if column in ARTICLE_COLUMNS]
            articles = [_article(rows.slice(row, 1).select(columns)) for row in range(rows.num_rows)]
            found = [
                prediction.to_dict() | {"id": _id(id)}
                for prediction, id in zip(predictor.predict(articles), rows["id"], strict=True)
            ]
            records = pa.RecordBatch.from_pylist(found, SCHEMA)
            kept = [rows[column] for column in keep]
            yield pa.RecordBatch.from_arrays([*records.columns, *kept], names=[*SCHEMA.names, *keep])


def _article(row: pa.RecordBatch) -> dict[str, Any] | ArticleError:
    """The only row of a batch, or why it cannot be read."""
    try:
        content: dict[str, Any] = row.to_pylist()[0]
    except (ValueError, OverflowError) as error:  # text that is not UTF-8, a date that Python has not
        return ArticleError(f"cannot be read: {error}")
    return content


def _id(value: pa.Scalar) -> str | None:
    """An id as text, None where there is none that can be read."""
    try:
        id = value.as_py()
    except (ValueError, OverflowError):
        return None
    return None if id is None or (isinstance(id, float) and isnan(id)) else str(id)


@cache
def _predictor(path: str, info: ModelInfo, threads: int) -> Predictor:
    """The one predictor that a Python worker keeps for all its tasks.

    Raises:
        BundleError: the machine has no such bundle, or another one.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # a thread for each core would be begun in each worker
    bundle = Bundle.open(Path(path))
    if bundle.digest != info.digest:
        raise BundleError(f"{path}: bundle {bundle.digest[:12]}…, the driver read {info.digest[:12]}… there")
    return Predictor(bundle, info, threads)
