"""Small labelled articles whose labels can be learned from their verbs and nouns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np

from inference.actors import ActorFinder
from inference.bundle import Family, Manifest
from inference.decode import Decisions, StanceDecision, TopicDecision
from inference.document import Document
from inference.schema import STANCE_LABELS, Article
from inference.scorer import Scores
from inference.windows import WindowSettings
from models.base import UNLABELLED, Example

TOPICS = ("conflict", "trade", "sport")
FORMS = {name: name for name in ("Russia", "Iran", "France", "Japan")} | {"Moscow": "Russia"}
FINDER = ActorFinder(FORMS)
VERBS = {
    "praised": "support",
    "thanked": "support",
    "condemned": "oppose",
    "attacked": "oppose",
    "met": "neutral",
    "phoned": "neutral",
}
SENTENCES = {
    "conflict": ("Troops shelled the town.", "Soldiers died in the battle."),
    "trade": ("Exports of gas rose.", "The bank lent money."),
    "sport": ("The team won the cup.", "Fans sang after the match."),
}
FILLER = "It rained all day in the city. "


def document(text: str, title: str = "", id: str = "a") -> Document:
    """A document with the mentions that the small lexicon finds."""
    article = Article(id, text, title)
    return Document.build(article, FINDER.find(article))


def example(text: str, topics: Sequence[str] | None = (), stances: dict[tuple[str, str], str] | None = None) -> Example:
    """An example; pairs without an entry are neutral, `stances=None` labels none of them."""
    read = document(text)
    labels = None if topics is None else np.array([topic in topics for topic in TOPICS], dtype=np.float32)
    if stances is None:
        return Example(read, labels, np.full(len(read.pairs), UNLABELLED, dtype=np.int64))
    classes = [STANCE_LABELS.index(stances.get((pair.source, pair.target), "neutral")) for pair in read.pairs]
    return Example(read, labels, np.array(classes, dtype=np.int64))


def examples(count: int, first: int = 0) -> list[Example]:
    """Articles of mixed lengths, each with one topic and one pair of actors."""
    pairs = list(permutations(("Russia", "Iran", "France", "Japan"), 2))
    verbs = list(VERBS)
    made = []
    for number in range(first, first + count):
        source, target = pairs[number % len(pairs)]
        verb, topic = verbs[number % 5 if number % 2 else (number // 2) % 6], TOPICS[number % 3]
        body = " ".join(SENTENCES[topic]) + " " + FILLER * (number % 4)
        label = {(source, target): VERBS[verb]}
        made.append(example(f"{source} {verb} {target} on Monday. {body}", [topic], label))
    return made


def without_topics(rows: Sequence[Example]) -> list[Example]:
    """The examples, their topics unlabelled."""
    return [replace(row, topics=None) for row in rows]


def without_stances(rows: Sequence[Example]) -> list[Example]:
    """The examples, their stances unlabelled."""
    return [replace(row, stances=np.full_like(row.stances, UNLABELLED)) for row in rows]


def documents(rows: Sequence[Example]) -> list[Document]:
    """The documents of examples."""
    return [row.document for row in rows]


def manifest(family: Family, windows: WindowSettings | None) -> Manifest:
    """A manifest that changes no score."""
    decisions = Decisions({topic: TopicDecision() for topic in TOPICS}, StanceDecision())
    return Manifest(family, TOPICS, ("topics", "stances"), decisions, windows, {})


def assert_same_scores(left: Sequence[Scores], right: Sequence[Scores], tolerance: float) -> None:
    """Row for row the same scores."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one.topics, other.topics, rtol=0, atol=tolerance)
        np.testing.assert_allclose(one.stances, other.stances, rtol=0, atol=tolerance)


def differ(left: Sequence[Scores], right: Sequence[Scores], gap: float = 1e-3) -> bool:
    """Whether any topic score differs by more than `gap`."""
    return any(np.abs(one.topics - other.topics).max() > gap for one, other in zip(left, right, strict=True))
