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
from inference.heads import Head, stance_head
from inference.naming import Lexicon
from inference.schema import STANCE_LABELS, Article
from inference.scorer import Scores
from inference.windows import WindowSettings
from models.base import UNLABELLED, Example, Labels, labelled_heads

TOPICS = ("conflict", "trade", "sport")
HEADS = (Head("topics", "topics", TOPICS), stance_head())
TONE = Head("tone", "class", ("plain", "warm", "harsh"))
RANK = Head("rank", "pairs", ("first", "second"))
DEEDS = Head("deeds", "tags", ("deed", "day"))
OTHERS = (TONE, RANK, DEEDS)
"""Heads of a corpus of made-up sentences: how a verb sounds, who is named first, verbs and days."""
FORMS = {name: name for name in ("Russia", "Iran", "France", "Japan")} | {"Moscow": "Russia"}
FINDER = ActorFinder(FORMS)
LEXICON = Lexicon(FORMS)
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
    verbs = list(VERBS)
    made = []
    for number in range(first, first + count):
        source, target = _pair(number)
        verb, topic = verbs[number % 5 if number % 2 else (number // 2) % 6], TOPICS[number % 3]
        body = " ".join(SENTENCES[topic]) + " " + FILLER * (number % 4)
        label = {(source, target): VERBS[verb]}
        made.append(example(f"{source} {verb} {target} on Monday. {body}", [topic], label))
    return made


def sentences(count: int, first: int = 0) -> list[Example]:
    """Sentences of a corpus of their own, signs apart from words, labelled for the other heads alone."""
    tones = {"neutral": "plain", "support": "warm", "oppose": "harsh"}
    made = []
    for number in range(first, first + count):
        (source, target), verb = _pair(number), list(VERBS)[number // 2 % len(VERBS)]
        read = document(f"{source} {verb} {target} on Monday ." + " It rained all day in the city ." * (number % 2))
        spans = [_span(read.article.text, verb, "deed"), _span(read.article.text, "on Monday", "day")]
        others: dict[str, Labels] = {
            TONE.name: np.array(TONE.labels.index(tones[VERBS[verb]])),
            RANK.name: np.array([0 if pair.source == FORMS[source] else 1 for pair in read.pairs]),
            DEEDS.name: np.array(spans),
        }
        unlabelled = np.full(len(read.pairs), UNLABELLED, dtype=np.int64)
        made.append(Example(read, None, unlabelled, others, "sentences"))
    return made


def _pair(number: int) -> tuple[str, str]:
    pairs = list(permutations(("Russia", "Iran", "France", "Japan"), 2))
    return pairs[number % len(pairs)]


def _span(text: str, words: str, label: str) -> tuple[int, int, int, int]:
    return 1, text.index(words), text.index(words) + len(words), DEEDS.labels.index(label)


def without_topics(rows: Sequence[Example]) -> list[Example]:
    """The examples, their topics unlabelled."""
    return [replace(row, topics=None) for row in rows]


def without_stances(rows: Sequence[Example]) -> list[Example]:
    """The examples, their stances unlabelled."""
    return [replace(row, stances=np.full_like(row.stances, UNLABELLED)) for row in rows]


def documents(rows: Sequence[Example]) -> list[Document]:
    """The documents of examples."""
    return [row.document for row in rows]


def learned(rows: Sequence[Example], topics: Sequence[str] = TOPICS) -> tuple[Head, ...]:
    """The heads that examples have labels for."""
    return labelled_heads(rows, (Head("topics", "topics", tuple(topics)), stance_head(), *OTHERS))


def manifest(family: Family, windows: WindowSettings | None, heads: Sequence[Head] = HEADS) -> Manifest:
    """A manifest that changes no score."""
    decisions = Decisions({topic: TopicDecision() for topic in TOPICS}, StanceDecision())
    return Manifest(family, TOPICS, tuple(heads), decisions, windows, {})


def assert_same_scores(left: Sequence[Scores], right: Sequence[Scores], tolerance: float) -> None:
    """Row for row the same scores."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one.topics, other.topics, rtol=0, atol=tolerance)
        np.testing.assert_allclose(one.stances, other.stances, rtol=0, atol=tolerance)
        np.testing.assert_array_equal(one.tokens, other.tokens)
        assert one.others.keys() == other.others.keys()
        for head, scores in one.others.items():
            np.testing.assert_allclose(scores, other.others[head], rtol=0, atol=tolerance)


def differ(left: Sequence[Scores], right: Sequence[Scores], gap: float = 1e-3) -> bool:
    """Whether any topic score differs by more than `gap`."""
    return any(np.abs(one.topics - other.topics).max() > gap for one, other in zip(left, right, strict=True))
