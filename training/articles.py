"""The weights and thresholds by which stances of articles are given, fitted on records as a model makes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from inference.aggregate import shown_pairs
from inference.decode import ArticleDecision, Decisions, Floats
from inference.document import Document
from inference.heads import ACTORS
from inference.mentions import MentionFinder
from inference.naming import Lexicon
from inference.schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT
from inference.scorer import Scores
from models.base import UNLABELLED, Example, Model
from models.calibration import fit_articles

from .records import true_triples


def fit_records(
    model: Model, examples: Sequence[Example], scores: Sequence[Scores], decisions: Decisions, lexicon: Lexicon
) -> ArticleDecision:
    """Fit on validation articles with the actors that the model finds itself, where all of theirs are labelled.

    An actor that is found where there is none, or under another name, spoils a stance however sure the model is of it,
    which thresholds fitted on the labelled actors would not know.

    Args:
        model: fitted.
        examples: validation.
        scores: of each, those of other heads included.
        decisions: calibration and thresholds of topics and sentences.
        lexicon: the actors that are known by name.
    """
    finder = MentionFinder(lexicon)
    rows = [row for row in zip(examples, scores, strict=True) if (row[0].stances != UNLABELLED).any()]
    documents = [_read(example, score, finder, decisions) for example, score in rows]
    shown: list[Floats] = []
    leanings, missed = [], []
    for (example, _), document, score in zip(rows, documents, model.score(documents), strict=True):
        truth = {(source, target): label for source, target, label in true_triples(example)}
        probabilities = decisions.stance_probabilities(score.stances)
        pairs = {names: found for names, _, found in shown_pairs(document, probabilities)}
        for names in _told(example, pairs):
            shown.append(pairs[names])
            leanings.append(STANCE_LABELS.index(truth.get(names, NEUTRAL)))
        missed += [label for names, label in truth.items() if names not in pairs]
    counts = missed.count(SUPPORT), missed.count(OPPOSE)
    return fit_articles(np.array(shown), np.array(leanings, dtype=np.int64), counts)


def _read(example: Example, score: Scores, finder: MentionFinder, decisions: Decisions) -> Document:
    """The document as a record of it has it; with its labelled actors where these are not all."""
    if ACTORS not in example.others:
        return example.document
    assigned: list[str] = []
    if len(score.topics):
        passes = decisions.assigned(decisions.topic_probabilities(score.topics))
        assigned = [topic for topic, each in zip(decisions.topics, passes, strict=True) if each]
    return finder.completed(example.document, score, assigned)


def _told(example: Example, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those pairs whose leaning the labels tell: all of them where all actors are labelled."""
    if ACTORS in example.others:
        return list(pairs)
    known = {
        (pair.source, pair.target)
        for pair, kind in zip(example.document.pairs, example.stances, strict=True)
        if kind != UNLABELLED
    }
    return [names for names in pairs if names in known]
