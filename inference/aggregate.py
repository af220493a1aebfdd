"""Sentence stances to article stances, each with its evidence."""

from __future__ import annotations

from collections import defaultdict

from .decode import Decisions, Floats
from .document import Document
from .schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT, Evidence, Span, Stance


def article_stances(document: Document, probabilities: Floats, decisions: Decisions) -> tuple[Stance, ...]:
    """Gather the sentence-level stances of every ordered pair into the leaning that prevails.

    The sentences that show a leaning are summed by probability; the larger sum names the label, its
    surest sentence gives the score, and its sentences are the evidence.

    Args:
        document: the document.
        probabilities: calibrated, (pairs, 3), row for row `document.pairs`.
        decisions: the bundle's thresholds.

    Returns:
        Stances, most certain first.
    """
    found: dict[tuple[str, str], dict[str, list[Evidence]]] = defaultdict(lambda: {SUPPORT: [], OPPOSE: []})
    labels = decisions.stance_labels(probabilities)
    for pair, label, row in zip(document.pairs, labels, probabilities, strict=True):
        if label != NEUTRAL:
            evidence = Evidence(sentence_span(document, pair.sentence), float(row[STANCE_LABELS.index(label)]))
            found[pair.source, pair.target][label].append(evidence)
    stances = [_prevailing(source, target, sides) for (source, target), sides in found.items()]
    return tuple(sorted(stances, key=lambda stance: (-stance.score, stance.source, stance.target)))


def sentence_span(document: Document, index: int) -> Span:
    """The span of one of a document's sentences."""
    sentence = document.sentences[index]
    return Span(sentence.field, sentence.start, sentence.end, document.text_of(sentence))


def _prevailing(source: str, target: str, sides: dict[str, list[Evidence]]) -> Stance:
    label = max(sides, key=lambda side: sum(evidence.score for evidence in sides[side]))
    evidence = tuple(sorted(sides[label], key=lambda item: -item.score))
    return Stance(source, target, label, evidence[0].score, evidence)
