"""Sentence stances to article stances, each with its evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from .decode import Decisions, Floats, gathered
from .document import Document
from .schema import OPPOSE, STANCE_LABELS, SUPPORT, Evidence, Span, Stance


def article_stances(
    document: Document, probabilities: Floats, decisions: Decisions, all_pairs: bool = False
) -> tuple[Stance, ...]:
    """Gather what sentences show of every ordered pair into its stances in the article.

    Support and opposition are gathered apart, by the bundle's rule; each that passes its threshold is a stance. A pair
    with both is mixed: the likelier comes first. The evidence are the sentences that show the stance, the surest first.

    Args:
        document: the document.
        probabilities: calibrated, (pairs, 3), row for row `document.pairs`.
        decisions: the bundle's thresholds.
        all_pairs: whether a pair that passes no threshold has its likelier leaning, too.

    Returns:
        Stances, most certain first.
    """
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, (pair, _) in enumerate(zip(document.pairs, probabilities, strict=True)):
        rows[pair.source, pair.target].append(row)
    found = [
        stance
        for pair, places in rows.items()
        for stance in _stances(document, pair, places, probabilities, decisions, all_pairs)
    ]
    return tuple(sorted(found, key=lambda stance: (-stance.score, stance.source, stance.target)))


def sentence_span(document: Document, index: int) -> Span:
    """The span of one of a document's sentences."""
    sentence = document.sentences[index]
    return Span(sentence.field, sentence.start, sentence.end, document.text_of(sentence))


def _stances(
    document: Document,
    pair: tuple[str, str],
    rows: Sequence[int],
    probabilities: Floats,
    decisions: Decisions,
    all_pairs: bool,
) -> Iterator[Stance]:
    """The stances of one pair.

    Args:
        document: the document.
        pair: source and target.
        rows: of the pair in `probabilities`.
        probabilities: of all pairs.
        decisions: the bundle's rule and thresholds.
        all_pairs: whether the likelier leaning is one without passing.
    """
    sentences = probabilities[rows]
    scores = gathered(sentences, decisions.articles.rule)
    columns = {label: STANCE_LABELS.index(label) for label in (SUPPORT, OPPOSE)}
    likelier = max(columns, key=lambda label: scores[columns[label]])
    for label, column in columns.items():
        if scores[column] < getattr(decisions.articles, label) and not (all_pairs and label == likelier):
            continue
        shown = sentences[:, column]
        passing = np.flatnonzero(shown >= getattr(decisions.stances, label)).tolist()
        showing = sorted(passing or [int(shown.argmax())], key=lambda place: -shown[place])
        evidence = [
            Evidence(sentence_span(document, document.pairs[rows[place]].sentence), float(shown[place]))
            for place in showing
        ]
        yield Stance(*pair, label, float(scores[column]), tuple(evidence))
