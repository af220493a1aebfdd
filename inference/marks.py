"""An article's field cut where a mention or a sentence of evidence begins or ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from .schema import Field, Prediction


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a field: `field[start:end]`.

    Args:
        start: where it begins, in code points.
        end: where it ends.
        actor: whom it names, None for nobody.
        stances: numbers, from 0, of the stances that its sentence shows.
        last: whether the sentence ends with it.
    """

    start: int
    end: int
    actor: str | None = None
    stances: tuple[int, ...] = ()
    last: bool = False


def actor_order(prediction: Prediction) -> list[str]:
    """Every actor once: those with stances first, then those named most."""
    names = [name for stance in prediction.stances for name in (stance.source, stance.target)]
    names += [actor.name for actor in sorted(prediction.actors, key=lambda actor: -len(actor.mentions))]
    return list(dict.fromkeys(names))


def segments(prediction: Prediction, field: Field, length: int) -> Iterator[Segment]:
    """The whole field in segments, in order.

    Args:
        prediction: what was found in the article.
        field: the title or the text.
        length: of the field, in code points.
    """
    mentions = {
        span.start: (span.end, actor.name)
        for actor in prediction.actors
        for span in actor.mentions
        if span.field == field
    }
    evidence: dict[int, tuple[int, tuple[int, ...]]] = {}
    for number, stance in enumerate(prediction.stances):
        for span in (item.span for item in stance.evidence if item.span.field == field):
            evidence[span.start] = (span.end, (*evidence.get(span.start, (0, ()))[1], number))
    ends = [end for end, _ in mentions.values()] + [end for end, _ in evidence.values()]
    actor, sentence = (0, ""), (0, tuple[int, ...]())
    for start, end in pairwise(sorted({0, length, *mentions, *evidence, *ends})):
        actor, sentence = mentions.get(start, actor), evidence.get(start, sentence)
        yield Segment(
            start,
            end,
            actor[1] if start < actor[0] else None,
            sentence[1] if start < sentence[0] else (),
            end == sentence[0],
        )
