"""Spans of tags that are found, and those that are labelled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from inference.heads import ACTORS, Head
from inference.scorer import Scores
from inference.tags import Span, Tags, tagged_spans

from .base import Example


def span_f1(examples: Sequence[Example], scores: Sequence[Scores], head: Head) -> float:
    """F1 of exact spans with their labels, over all examples that have labels of a head of tags; 0 for no span."""
    rows = [(example, score) for example, score in zip(examples, scores, strict=True) if example.has(head)]
    found = [set(found_spans(*row, head)) for row in rows]
    true = [set(true_spans(example, head)) for example, _ in rows]
    right = sum(len(one & other) for one, other in zip(found, true, strict=True))
    return 2 * right / max(1, sum(map(len, found)) + sum(map(len, true)))


def found_spans(example: Example, score: Scores, head: Head) -> list[Span]:
    """The spans that a head of tags finds; the first token of a word speaks for it.

    The words of public corpora, and so their spans, end where a space is.
    """
    if head.name == ACTORS:
        return Tags.of(example.document, head, score.tokens, score.others[head.name]).spans()
    text = example.document.article.text
    words, first = [], []
    for number, (place, begin, end) in enumerate(score.tokens.tolist()):
        start = end - len(text[begin:end].lstrip())  # some tokenizers count the space before a word as its own
        if start < end and (start == 0 or text[start - 1].isspace()):
            words.append((place, start, start + len(text[start:].split(maxsplit=1)[0])))
            first.append(number)
    tokens = np.array(words, dtype=np.int64).reshape(-1, 3)
    return tagged_spans(tokens, score.others[head.name][first], head)


def true_spans(example: Example, head: Head) -> list[Span]:
    """The labelled spans of a document."""
    rows = example.others[head.name].tolist()
    return [(place, start, end, head.labels[label]) for place, start, end, label in rows]
