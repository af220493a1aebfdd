"""Corpora into one schema, whatever they are labelled with."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, load_dataset

from inference.actors import ActorFinder
from inference.errors import ArticleError, DetenteError
from inference.reading import Row, read_rows
from inference.schema import Article

from .annotation import AnnotationError, annotate
from .recipe import Corpus

LOG = logging.getLogger(__name__)

STARTER = Path(__file__).parent / "starter"
STARTER_LICENCE = "Apache-2.0"

FEATURES = Features(
    {
        "id": Value("string"),
        "corpus": Value("string"),
        "event": Value("string"),
        "date": Value("string"),
        "title": Value("string"),
        "text": Value("string"),
        "topics": List(Value("string")),
        "all_actors": Value("bool"),
        "actors": List(
            {"name": Value("string"), "field": Value("string"), "start": Value("int64"), "end": Value("int64")}
        ),
        "stances": List(
            {
                "field": Value("string"),
                "start": Value("int64"),
                "end": Value("int64"),
                "source": Value("string"),
                "target": Value("string"),
                "label": Value("string"),
            }
        ),
    }
)
"""One article with its labels. A list that is null is not labelled; an empty one is labelled with nothing.
`actors` holds mentions by their offsets, all of them where `all_actors` is true: then a pair without a stance
is neutral. `stances` holds the place of a sentence and two canonical names."""


class CorpusError(DetenteError):
    """A row of a corpus cannot be used."""


def load_corpora(
    corpora: Sequence[Corpus], topics: Sequence[str], finder: ActorFinder, skip_bad_rows: bool = False
) -> Dataset:
    """Read all corpora of a recipe into one dataset with `FEATURES`.

    Args:
        corpora: the recipe's.
        topics: the labels that topics may have.
        finder: knows the canonical names of actors that a corpus does not name itself.
        skip_bad_rows: whether a bad row is listed and left out instead of stopping the run.

    Raises:
        CorpusError: a row is bad, with its file, line and field.
    """
    rows: list[dict[str, Any]] = []
    bad: list[str] = []
    for corpus in corpora:
        seen: dict[str, str] = {}
        for row in _rows(corpus):
            try:
                rows.append(_example(row, corpus.name, topics, finder, seen))
            except (AnnotationError, ArticleError) as error:
                bad.append(f"{row.place}: {error}" if row.place not in str(error) else str(error))
                if not skip_bad_rows:
                    raise CorpusError(f"{bad[-1]} (--skip-bad-rows leaves such rows out)") from None
    if bad:
        LOG.warning("%d bad rows left out:\n%s", len(bad), "\n".join(bad))
    if not rows:
        raise CorpusError(f"no usable article in {', '.join(corpus.name for corpus in corpora)}")
    return Dataset.from_list(rows, features=FEATURES)


def _example(row: Row, corpus: str, topics: Sequence[str], finder: ActorFinder, seen: dict[str, str]) -> dict[str, Any]:
    """A row in the schema.

    Raises:
        ArticleError: its article cannot be read.
        AnnotationError: its labels do not fit.
    """
    if isinstance(row.content, ArticleError):
        raise row.content
    article = Article.from_mapping({**row.content, "actors": None}, row.place)
    if not article.text.strip():
        raise AnnotationError("`text` is empty")
    if article.id in seen:
        raise AnnotationError(f"the id {article.id!r} was there before, at {seen[article.id]}")
    seen[article.id] = row.place
    event = row.content.get("event")
    return {
        "id": f"{corpus}/{article.id}" if "id" in row.content else f"{corpus}/{Path(row.place).name}",
        "corpus": corpus,
        "event": None if event is None else str(event),
        "date": article.date,
        "title": article.title,
        "text": article.text,
        **annotate(article, row.content, topics, finder),
    }


def _rows(corpus: Corpus) -> Iterator[Row]:
    if corpus.name == "starter":
        for file in sorted(STARTER.glob("*.jsonl")):
            yield from read_rows(str(file))
    elif corpus.files is not None:
        labels = _labels(corpus.labels) if corpus.labels else None
        for file in corpus.files:
            for row in read_rows(str(file)):
                yield row if labels is None else _joined(row, labels, str(corpus.labels))
    else:
        yield from _hub_rows(corpus)


def _labels(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a file of labels by id."""
    labels: dict[str, dict[str, Any]] = {}
    for row in read_rows(str(path), required="id"):
        if isinstance(row.content, ArticleError):
            raise CorpusError(str(row.content))
        id = str(row.content.get("id"))
        if labels.setdefault(id, row.content) is not row.content:
            raise CorpusError(f"{row.place}: the id {id!r} was there before")
    return labels


def _joined(row: Row, labels: Mapping[str, dict[str, Any]], name: str) -> Row:
    """A row with its labels from another file."""
    if isinstance(row.content, ArticleError):
        return row
    id = str(row.content.get("id"))
    if id not in labels:
        return Row(row.place, ArticleError(f"{row.place}: no labels for the id {id!r} in {name}"))
    return Row(row.place, {**row.content, **labels[id]})


def _hub_rows(corpus: Corpus) -> Iterator[Row]:
    try:
        dataset = load_dataset(corpus.hub, split=corpus.split, revision=corpus.revision)
    except (OSError, ValueError) as error:
        raise CorpusError(f"corpus {corpus.name}: {corpus.hub} cannot be loaded from the hub: {error}") from error
    if "text" not in dataset.column_names:
        raise CorpusError(f"corpus {corpus.name}: no column `text`; found {', '.join(dataset.column_names)}")
    for number, content in enumerate(dataset, start=1):
        yield Row(f"{corpus.hub}, row {number}", dict(content))
