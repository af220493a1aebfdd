"""Scores a Parquet data set with Spark; docs/spark.md gives the spark-submit line."""

from __future__ import annotations

import argparse

from detente.spark import predict
from pyspark.sql import SparkSession


def main() -> None:
    """Read articles, score them in tasks of a few minutes, write records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("articles", help="Parquet with the columns id and text, and title and actors where present")
    parser.add_argument("records", help="where the records go; it must not be there yet")
    parser.add_argument("--model", required=True, help="a bundle's directory, or an MLflow URI")
    parser.add_argument("--shared", action="store_true", help="every machine sees the bundle at this path")
    parser.add_argument("--keep", nargs="*", default=[], help="columns to carry into the records")
    parser.add_argument("--tasks", type=int, required=True, help="how many tasks; 2,000 to 5,000 articles each do well")
    arguments = parser.parse_args()
    spark = SparkSession.builder.appName("detente").getOrCreate()
    articles = spark.read.parquet(arguments.articles).repartition(arguments.tasks)
    records = predict(articles, arguments.model, keep=arguments.keep, shared=arguments.shared)
    records.write.parquet(arguments.records)
    spark.stop()


if __name__ == "__main__":
    main()
