"""Checks the starter corpus and counts its labels: `python -m training.starter.validate`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from datasets import Dataset

from inference.actors import ActorFinder
from inference.text import sentences
from training.corpora import CorpusError, load_corpora
from training.recipe import Corpus
from training.taxonomy import load_lexicon, load_taxonomy

_CONFIGS = Path(__file__).parents[2] / "configs"
_SHORT = 40
"""Characters up to which two articles may share a sentence ("He did not.")."""


def load() -> Dataset:
    """The corpus in the schema of `training.corpora`.

    Raises:
        CorpusError: a label is unknown, or a sentence or mention is not where it should be.
    """
    topics = load_taxonomy(_CONFIGS / "taxonomy.yaml").labels
    finder = ActorFinder(load_lexicon(_CONFIGS / "actors.yaml").forms)
    return load_corpora([Corpus(name="starter")], topics, finder)


def problems(corpus: Dataset) -> Iterator[str]:
    """What is wrong with the corpus beyond what loading refuses."""
    owner: dict[str, str] = {}
    for row in corpus:
        for field in ("title", "text"):
            for start, end in sentences(row[field]):
                sentence = row[field][start:end]
                if len(sentence) > _SHORT and owner.setdefault(sentence, row["id"]) != row["id"]:
                    yield f"{row['id']}: the sentence {sentence!r:.80} stands in {owner[sentence]} too"
        for mention in row["actors"]:
            if mention["name"] != mention["name"].strip():
                yield f"{row['id']}: the actor {mention['name']!r} has outer white space"
        spans = {(mention["field"], mention["name"]) for mention in row["actors"]}
        for stance in row["stances"]:
            for side in ("source", "target"):
                if (stance["field"], stance[side]) not in spans:
                    yield f"{row['id']}: {stance[side]!r} of a stance is never mentioned in the {stance['field']}"
        labels = Counter((s["start"], s["source"], s["target"]) for s in row["stances"])
        for (start, source, target), count in labels.items():
            kinds = {
                s["label"] for s in row["stances"] if (s["start"], s["source"], s["target"]) == (start, source, target)
            }
            if count > 1 and len(kinds) > 1:
                yield f"{row['id']}: {source} → {target} has two labels in one sentence"


def counts(corpus: Dataset) -> dict[str, int]:
    """How often each label and kind of thing occurs."""
    labelled = [topics for topics in corpus["topics"] if topics is not None]
    topics = Counter(topic for labels in labelled for topic in labels)
    stances = Counter(stance["label"] for labels in corpus["stances"] for stance in labels)
    return {
        "articles": len(corpus),
        "articles with labelled topics": len(labelled),
        "of these without a topic": sum(not labels for labels in labelled),
        **dict(topics.most_common()),
        **dict(stances.most_common()),
        "mentions": sum(len(mentions) for mentions in corpus["actors"]),
        "actors": len({mention["name"] for mentions in corpus["actors"] for mention in mentions}),
        "words": sum(len(text.split()) for text in corpus["text"]),
    }


def main() -> int:
    """Print the counts, then the problems; returns the exit code."""
    try:
        corpus = load()
    except CorpusError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, count in counts(corpus).items():
        print(f"{name:30}{count:>7,}")
    found = list(problems(corpus))
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
