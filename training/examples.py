"""Rows of a corpus to examples that a family can fit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.actors import Mention
from inference.document import Document, Pair, Sentence
from inference.heads import ACTORS, COUNTRY, STANCES, TOPICS, Head, actor_head
from inference.schema import NEUTRAL, STANCE_LABELS, Article
from models.base import UNLABELLED, Example, Labels

from .annotation import is_of
from .heads import MEASURED_WITH


def to_examples(
    rows: Iterable[Mapping[str, Any]], heads: Sequence[Head], countries: Collection[str], titles: bool = False
) -> list[Example]:
    """Turn rows with `training.corpora.FEATURES` into examples, in order.

    Args:
        rows: articles and sentences with their labels.
        heads: those whose labels count.
        countries: canonical names of countries, which the head of actors tells from others.
        titles: whether pairs of titles, which readers do not label, get the stances of their texts: what a model may
            learn from but must not be measured by.
    """
    known = {head.name: head for head in (*heads, *MEASURED_WITH.values())}
    return [_example(row, known, countries, titles) for row in rows]


def _example(row: Mapping[str, Any], heads: Mapping[str, Head], countries: Collection[str], titles: bool) -> Example:
    article = Article(row["id"], row["text"], row["title"] or "", row["date"])
    mentions = [Mention(**mention) for mention in row["actors"] or ()]
    topics = None
    if row["topics"] is not None and TOPICS in heads:
        topics = np.array([topic in row["topics"] for topic in heads[TOPICS].labels], dtype=np.float32)
    if row["sentence"]:
        document = _sentence(article, mentions, row)
        others = _others(document, row, heads)
        stances = others.pop(STANCES, np.full(len(document.pairs), UNLABELLED, dtype=np.int64))
    else:
        document = Document.build(article, mentions)
        stances = _stances(document, row)
        if titles and row["stances"] is not None:
            silent = STANCE_LABELS.index(NEUTRAL) if row["all_actors"] else UNLABELLED
            stances = _with_titles(document, stances, silent)
        others = {ACTORS: _spans(mentions, countries)} if row["tagged"] and ACTORS in heads else {}
    return Example(document, topics, stances, others, row["corpus"])


def _sentence(article: Article, mentions: Sequence[Mention], row: Mapping[str, Any]) -> Document:
    """A text that is one sentence; only pairs with a label are asked for."""
    whole = Sentence("text", 0, len(article.text), tuple(mentions))
    asked = dict.fromkeys((pair["source"], pair["target"]) for pair in row["pairs"] or ())
    return Document(article, tuple(mentions), (whole,), tuple(Pair(0, *names) for names in asked))


def _others(document: Document, row: Mapping[str, Any], heads: Mapping[str, Head]) -> dict[str, Labels]:
    """Labels of a sentence by head."""
    places = {(pair.source, pair.target): number for number, pair in enumerate(document.pairs)}
    labels: dict[str, Labels] = {}
    for pair in row["pairs"] or ():
        if head := heads.get(pair["head"]):
            classes = labels.setdefault(head.name, np.full(len(places), UNLABELLED, dtype=np.int64))
            classes[places[pair["source"], pair["target"]]] = head.labels.index(pair["label"])
    for item in row["classes"] or ():
        if head := heads.get(item["head"]):
            labels[head.name] = np.array(head.labels.index(item["label"]), dtype=np.int64)
    for item in row["tags"] or ():
        if head := heads.get(item["head"]):
            spans = [(1, span["start"], span["end"], head.labels.index(span["label"])) for span in item["spans"]]
            labels[head.name] = np.array(spans, dtype=np.int64).reshape(-1, 4)
    return labels


def _spans(mentions: Sequence[Mention], countries: Collection[str]) -> Labels:
    """All mentions as spans of the head of actors."""
    labels = actor_head().labels
    country, other = labels.index(COUNTRY), labels.index("other")
    spans = [
        (int(mention.field == "text"), mention.start, mention.end, country if mention.name in countries else other)
        for mention in mentions
    ]
    return np.array(spans, dtype=np.int64).reshape(-1, 4)


def _stances(document: Document, row: Mapping[str, Any]) -> Labels:
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
            if is_of(stance, document, pair):
                given.setdefault(number, set()).add(stance["label"])
    for number, labels in given.items():
        classes[number] = STANCE_LABELS.index(labels.pop()) if len(labels) == 1 else UNLABELLED
    return classes


def _with_titles(document: Document, classes: Labels, silent: int) -> Labels:
    """The classes of pairs, those of the title with the one leaning that the text shows between their actors.

    A title says in short what its text says. Where the text shows both leanings, its title may show either.

    Args:
        document: the article.
        classes: of its pairs; what a reader said of the title stays.
        silent: their class where the text shows no leaning.
    """
    neutral = STANCE_LABELS.index(NEUTRAL)
    fields = [document.sentences[pair.sentence].field for pair in document.pairs]
    shown: dict[tuple[str, str], set[int]] = {}
    for field, pair, kind in zip(fields, document.pairs, classes.tolist(), strict=True):
        if field == "text" and kind not in (neutral, UNLABELLED):
            shown.setdefault((pair.source, pair.target), set()).add(kind)
    filled = classes.copy()
    for number, (field, pair) in enumerate(zip(fields, document.pairs, strict=True)):
        kinds = shown.get((pair.source, pair.target), {silent})
        if field == "title" and classes[number] == UNLABELLED and len(kinds) == 1:
            filled[number] = next(iter(kinds))
    return filled
