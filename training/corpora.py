"""Corpora into one schema, whatever they are labelled with."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, List, Value, load_dataset

from inference.actors import ActorFinder
from inference.errors import ArticleError, DetenteError
from inference.heads import ACTORS, STANCES, TOPICS
from inference.reading import Row, read_rows
from inference.schema import Article

from .annotation import AnnotationError, annotate
from .catalogue import Catalogue, at_hand, entry
from .heads import MEASURED_WITH
from .patterns import load_patterns
from .public.readers import READERS
from .public.standoff import read as read_labelled
from .recipe import PATTERNS, STARTER, Corpus

LOG = logging.getLogger(__name__)

LEARNED = ("train", "validation")
"""The splits that a run reads; what else a corpus has is only ever measured on."""

PRACTICE = "practice"
"""The part of rows that are learned from and never measured on."""

_STARTER = Path(__file__).parent / "starter"
SHIPPED_LICENCE = "Apache-2.0"

FEATURES = Features(
    {
        "id": Value("string"),
        "corpus": Value("string"),
        "part": Value("string"),
        "sentence": Value("bool"),
        "event": Value("string"),
        "date": Value("string"),
        "title": Value("string"),
        "text": Value("string"),
        "topics": List(Value("string")),
        "all_actors": Value("bool"),
        "tagged": Value("bool"),
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
        "pairs": List(
            {"head": Value("string"), "source": Value("string"), "target": Value("string"), "label": Value("string")}
        ),
        "classes": List({"head": Value("string"), "label": Value("string")}),
        "tags": List(
            {
                "head": Value("string"),
                "spans": List({"start": Value("int64"), "end": Value("int64"), "label": Value("string")}),
            }
        ),
    }
)
"""One article with its labels. A list that is null is not labelled; an empty one is labelled with nothing.
`actors` holds mentions by their offsets, all of them where `all_actors` is true: then a pair without a stance
is neutral; they are labels of the head `actors` where `tagged` is true as well. `stances` holds the place of a sentence
and two canonical names.

`part` tells what part of a public corpus a row is of; rows of `PRACTICE` are learned from and never measured on. Where
`sentence` is true the text is one sentence, whatever its punctuation says, and its labels stand by head in `pairs`,
`classes` and `tags`."""


class CorpusError(DetenteError):
    """A row of a corpus cannot be used."""


def load_corpora(
    corpora: Sequence[Corpus],
    topics: Sequence[str],
    finder: ActorFinder,
    skip_bad_rows: bool = False,
    catalogue: Catalogue | None = None,
    splits: Sequence[str] = LEARNED,
) -> Dataset:
    """Read all corpora of a recipe into one dataset with `FEATURES`.

    Args:
        corpora: the recipe's.
        topics: the labels that topics may have.
        finder: knows the canonical names of actors that a corpus does not name itself.
        skip_bad_rows: whether a bad row is listed and left out instead of stopping the run. Public corpora are what
            their checksums say, so that a bad row there always stops it.
        catalogue: knows the public corpora.
        splits: those of public corpora that are read, where they have them.

    Raises:
        CorpusError: a row is bad, with its file, line and field.
        CatalogueError: a public corpus is not known or not at hand.
    """
    rows: list[dict[str, Any]] = []
    bad: list[str] = []
    for corpus in corpora:
        if corpus.public:
            rows += _public(corpus, catalogue or {}, splits)
            continue
        if corpus.name == PATTERNS:
            rows += _patterns(corpus)
            continue
        seen: dict[str, str] = {}
        for row in _rows(corpus):
            try:
                rows.append(_kept(_example(row, corpus.name, topics, finder, seen), corpus.heads))
            except (AnnotationError, ArticleError) as error:
                bad.append(f"{row.place}: {error}" if row.place not in str(error) else str(error))
                if not skip_bad_rows:
                    raise CorpusError(f"{bad[-1]} (--skip-bad-rows leaves such rows out)") from None
    if bad:
        LOG.warning("%d bad rows left out:\n%s", len(bad), "\n".join(bad))
    if not rows:
        raise CorpusError(f"no usable article in {', '.join(corpus.name for corpus in corpora)}")
    return Dataset.from_list([dict.fromkeys(FEATURES) | row for row in rows], features=FEATURES)


def _public(corpus: Corpus, catalogue: Catalogue, splits: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of a corpus of the catalogue."""
    known = entry(catalogue, corpus.name)
    for split in splits:
        if split not in known.files and splits == LEARNED:
            continue
        path = at_hand(corpus.name, known, split)
        for row in read_labelled(path, known.labels, split) if known.labels else READERS[corpus.name](path):
            row |= {"id": f"{corpus.name}/{split}/{row['id']}", "corpus": corpus.name, "part": split}
            yield _kept(row, corpus.heads or known.heads)


def _patterns(corpus: Corpus) -> Iterator[dict[str, Any]]:
    """The rows of the shipped patterns; they are no news, and none is ever measured on.

    Raises:
        CorpusError: a line is no pattern.
    """
    try:
        for row in load_patterns():
            yield _kept(row | {"id": f"{corpus.name}/{row['id']}", "corpus": corpus.name, "part": PRACTICE}, (STANCES,))
    except ValueError as error:
        raise CorpusError(str(error)) from None


def _kept(row: dict[str, Any], heads: Sequence[str] | None) -> dict[str, Any]:
    """The row with the labels of these heads alone; None stands for all."""
    all_actors = bool(row.get("all_actors"))
    if heads is None:
        return row | {"tagged": all_actors}
    heads = [*heads, *(MEASURED_WITH[head].name for head in heads if head in MEASURED_WITH)]
    kept: dict[str, Any] = {name: row.get(name) if name in heads else None for name in (TOPICS, STANCES)}
    kept["tagged"] = all_actors and ACTORS in heads
    for key in ("pairs", "classes", "tags"):
        kept[key] = [label for label in row.get(key) or () if label["head"] in heads] or None
    return row | kept


def _example(row: Row, corpus: str, topics: Sequence[str], finder: ActorFinder, seen: dict[str, str]) -> dict[str, Any]:
    """A row in the schema.

    Raises:
        ArticleError: its article cannot be read.
        AnnotationError: its labels do not fit.
    """
    if isinstance(row.content, ArticleError):
        raise row.content
    article = Article.from_mapping({**row.content, "actors": None}, Path(row.place).name)
    if not article.text.strip():
        raise AnnotationError("`text` is empty")
    if article.id in seen:
        raise AnnotationError(f"the id {article.id!r} was there before, at {seen[article.id]}")
    seen[article.id] = row.place
    event = row.content.get("event")
    return {
        "id": f"{corpus}/{article.id}",
        "corpus": corpus,
        "event": None if event is None else str(event),
        "date": article.date,
        "title": article.title,
        "text": article.text,
        **annotate(article, row.content, topics, finder),
    }


def _rows(corpus: Corpus) -> Iterator[Row]:
    if corpus.name == STARTER:
        for file in sorted(_STARTER.glob("*.jsonl")):
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
