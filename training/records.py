"""How right records are: actors found by the model itself, and who stands where in a whole article."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from inference.heads import stance_head
from inference.schema import OPPOSE, STANCE_LABELS, SUPPORT, Prediction
from models.base import UNLABELLED, Example

from .benchmarks import precision_recall_f1

Triple = tuple[str, str, str]
"""Source, target and label of an article."""

_Place = tuple[str, int, int]


def record_metrics(examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Measure predictions of articles whose actors and stances are labelled.

    Args:
        examples: articles with all of their mentions; those without a labelled stance count for mentions alone.
        predictions: of each, with the actors that the model finds.

    Returns:
        `mentions`: precision, recall and F1 of exact spans; `names`: the share of right names among right spans;
        `triples`: precision, recall and F1 of (source, target, label) gathered to articles, and `direction_errors`, the
        share of those found that are right the other way round alone.
    """
    counts: Counter[str] = Counter()
    for example, prediction in zip(examples, predictions, strict=True):
        true, found = _named(example), _found(prediction)
        both = true.keys() & found.keys()
        counts.update({"true spans": len(true), "found spans": len(found), "right spans": len(both)})
        counts["right names"] += sum(true[place] == found[place] for place in both)
        if not example.has(stance_head()):
            continue
        triples = true_triples(example)
        # Of a mixed pair the likelier stance, which comes first, is what the record says.
        first = {(each.source, each.target): each.label for each in reversed(prediction.stances)}
        said = {(*pair, label) for pair, label in first.items()}
        counts.update({"true triples": len(triples), "found triples": len(said), "right triples": len(triples & said)})
        counts["turned"] += sum((target, source, label) in triples for source, target, label in said - triples)
    return {
        "mentions": _f1(counts["right spans"], counts["found spans"], counts["true spans"]),
        "names": counts["right names"] / max(1, counts["right spans"]),
        "triples": _f1(counts["right triples"], counts["found triples"], counts["true triples"])
        | {"direction_errors": counts["turned"] / max(1, counts["found triples"])},
    }


def true_triples(example: Example) -> set[Triple]:
    """The leaning of every ordered pair that prevails over the sentences; a pair with as much of both has none."""
    balance: Counter[tuple[str, str]] = Counter()
    for pair, kind in zip(example.document.pairs, example.stances.tolist(), strict=True):
        if kind != UNLABELLED:
            balance[pair.source, pair.target] += {SUPPORT: 1, OPPOSE: -1}.get(STANCE_LABELS[kind], 0)
    return {(*pair, SUPPORT if value > 0 else OPPOSE) for pair, value in balance.items() if value}


def record_table(metrics: Mapping[str, Any]) -> str:
    """The figures as text."""
    lines = [f"{'found by the model':24}{'precision':>10}{'recall':>10}{'F1':>10}{'support':>10}"]
    for name in ("mentions", "triples"):
        row = metrics[name]
        figures = "".join(f"{row[key]:10.3f}" for key in ("precision", "recall", "f1"))
        lines.append(f"{name:24}{figures}{row['support']:>10}")
    lines.append(
        f"{metrics['names']:.1%} of right mentions rightly named, "
        f"{metrics['triples']['direction_errors']:.1%} of triples in the wrong direction"
    )
    return "\n".join(lines)


def _named(example: Example) -> dict[_Place, str]:
    return {(each.field, each.start, each.end): each.name for each in example.document.mentions}


def _found(prediction: Prediction) -> dict[_Place, str]:
    return {(span.field, span.start, span.end): actor.name for actor in prediction.actors for span in actor.mentions}


def _f1(right: int, found: int, true: int) -> dict[str, Any]:
    precision, recall, f1 = precision_recall_f1(right, found, true)
    return {"precision": precision, "recall": recall, "f1": f1, "support": true}
