"""Sentence stances to article stances, each with its evidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from .decode import Decisions, Floats, figures
from .document import Document
from .schema import OPPOSE, STANCE_LABELS, SUPPORT, Evidence, Span, Stance


def article_stances(
    document: Document, probabilities: Floats, decisions: Decisions, all_pairs: bool = False
) -> tuple[Stance, ...]:
    """Gather what sentences show of every ordered pair into its stances in the article.

    Support and opposition are gathered apart; each that passes its threshold is a stance. A pair with both is mixed:
    the likelier comes first. The evidence are the sentences that show the stance, the surest first.

    Args:
        document: the document.
        probabilities: calibrated, (pairs, 3), row for row `document.pairs`.
        decisions: the bundle's thresholds.
        all_pairs: whether a pair that passes no threshold has its likelier leaning, too.

    Returns:
        Stances, most certain first.
    """
    found: list[Stance] = []
    for _, rows, shown in shown_pairs(document, probabilities):
        scores = decisions.articles.probabilities(shown)
        found += _stances(document, rows, probabilities[rows], scores, decisions, all_pairs)
    return tuple(sorted(found, key=lambda stance: (-stance.score, stance.source, stance.target)))


def shown_pairs(document: Document, probabilities: Floats) -> Iterator[tuple[tuple[str, str], list[int], Floats]]:
    """Every ordered pair of an article, its rows in `document.pairs`, and what `figures` finds of it.

    Args:
        document: the document.
        probabilities: calibrated, (pairs, 3), row for row `document.pairs`.
    """
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, (pair, _) in enumerate(zip(document.pairs, probabilities, strict=True)):
        rows[pair.source, pair.target].append(row)
    mentions = Counter(mention.name for mention in document.mentions)
    for (source, target), places in rows.items():
        yield (source, target), places, figures(probabilities[places], (mentions[source], mentions[target]))


def sentence_span(document: Document, index: int) -> Span:
    """The span of one of a document's sentences."""
    sentence = document.sentences[index]
    return Span(sentence.field, sentence.start, sentence.end, document.text_of(sentence))


def _stances(
    document: Document,
    rows: Sequence[int],
    sentences: Floats,
    scores: Floats,
    decisions: Decisions,
    all_pairs: bool,
) -> Iterator[Stance]:
    """The stances of one pair.

    Args:
        document: the document.
        rows: of the pair in `document.pairs`.
        sentences: probabilities in each of these, (rows, 3).
        scores: probabilities in the article, (3,).
        decisions: the bundle's thresholds.
        all_pairs: whether the likelier leaning is one without passing.
    """
    pair = document.pairs[rows[0]]
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
        yield Stance(pair.source, pair.target, label, float(scores[column]), tuple(evidence))
