"""Rows of a corpus to examples that a family can fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from inference.actors import Mention
from inference.document import Document
from inference.schema import NEUTRAL, STANCE_LABELS, Article
from models.base import UNLABELLED, Example


def to_examples(rows: Iterable[Mapping[str, Any]], topics: Sequence[str]) -> list[Example]:
    """Turn rows with `training.corpora.FEATURES` into examples, in order."""
    return [_example(row, topics) for row in rows]


def _example(row: Mapping[str, Any], topics: Sequence[str]) -> Example:
    article = Article(row["id"], row["text"], row["title"] or "", row["date"])
    mentions = [Mention(**mention) for mention in row["actors"] or ()]
    document = Document.build(article, mentions)
    labels = None
    if row["topics"] is not None:
        labels = np.array([topic in row["topics"] for topic in topics], dtype=np.float32)
    return Example(document, labels, _stances(document, row))


def _stances(document: Document, row: Mapping[str, Any]) -> npt.NDArray[np.int64]:
    """The class of every pair of the document.

    A pair without an entry is neutral where all actors are labelled. Titles are the exception:
    readers quote the text for what a title says in other words, so that silence there means nothing.
    A pair that is given two different labels in one sentence has none.
    """
    classes = np.full(len(document.pairs), UNLABELLED, dtype=np.int64)
    if row["stances"] is None:
        return classes
    given: dict[int, set[str]] = {}
    for number, pair in enumerate(document.pairs):
        sentence = document.sentences[pair.sentence]
        if row["all_actors"] and sentence.field == "text":
            classes[number] = STANCE_LABELS.index(NEUTRAL)
        for stance in row["stances"]:
            inside = (
                stance["field"] == sentence.field and stance["start"] < sentence.end and sentence.start < stance["end"]
            )
            if inside and (stance["source"], stance["target"]) == (pair.source, pair.target):
                given.setdefault(number, set()).add(stance["label"])
    for number, labels in given.items():
        classes[number] = STANCE_LABELS.index(labels.pop()) if len(labels) == 1 else UNLABELLED
    return classes
