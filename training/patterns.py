"""Patterns: sentences with places for actors, filled with many a cast.

A pattern says who supports or opposes whom by the letters of its places: `{"text": "{b} was condemned by {a}.",
"stances": ["a opposes b"]}`. Filled with others each time, it teaches a model to read the words between actors and not
the actors, as the templates of CheckList test whether it does (Ribeiro et al. 2020). The patterns that ship are a
corpus of their own, `patterns`; the cases of `training.behaviour` are written in the same way.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import permutations
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from inference.actors import Mention
from inference.schema import NEUTRAL, OPPOSE, SUPPORT

FILLINGS = 8
"""Casts that each pattern is filled with."""

_FOLDER = Path(__file__).parent / "starter"
_LABELS = {"supports": SUPPORT, "opposes": OPPOSE}
_PLAIN, _ADJECTIVE, _PERSON, _GROUP = "", "adj", "person", "group"
_CAPITALS, _BODIES = 0.3, 0.15
"""Shares of plain places where a capital speaks for its state, and where no state stands."""

Answers = dict[tuple[str, str], str]


def places(text: str) -> dict[str, set[str]]:
    """The letters of a pattern's places, each with the forms that are asked for.

    Raises:
        ValueError: the braces are not balanced.
    """
    found: dict[str, set[str]] = {}
    for _, place, form, _ in Formatter().parse(text):
        if place is not None:
            found.setdefault(place, set()).add(form or _PLAIN)
    return found


def answers(letters: Sequence[str], stances: Sequence[str]) -> Answers:
    """The label of every ordered pair of places.

    Args:
        letters: the places.
        stances: all that is not neutral, such as `a opposes b`.

    Raises:
        ValueError: one is not of two of the places.
        KeyError: one has another verb.
    """
    labels = dict.fromkeys(permutations(letters, 2), NEUTRAL)
    for stance in stances:
        source, verb, target = stance.split()
        if (source, target) not in labels:
            raise ValueError(f"{stance!r} is not of two of the actors {', '.join(letters)}")
        labels[source, target] = _LABELS[verb]
    return labels


def filled(text: str, cast: Mapping[str, str]) -> tuple[str, list[Mention]]:
    """The text with a cast in its places, and each as a mention that goes by the letter of its place.

    Args:
        text: the pattern.
        cast: words by place, or by place and form, `a:adj`.
    """
    whole, mentions = "", []
    for words, place, form, _ in Formatter().parse(text):
        whole += words
        if place is not None:
            name = cast[_key(place, form)]
            mentions.append(Mention(place, "text", len(whole), len(whole) + len(name)))
            whole += name
    return whole[:1].upper() + whole[1:], mentions


def _key(place: str, form: str | None) -> str:
    """Where a cast has the words of a place in a form."""
    return f"{place}:{form}" if form else place


def load_patterns(folder: Path = _FOLDER) -> Iterator[dict[str, Any]]:
    """The rows of `training.corpora.FEATURES` that the patterns of a folder give, each filled `FILLINGS` times.

    Args:
        folder: has `cast.yaml`, and in `patterns` files of JSON lines.

    Raises:
        ValueError: a line is not a pattern; the message names it.
    """
    cast = yaml.safe_load((folder / "cast.yaml").read_text("utf-8"))
    for path in sorted((folder / "patterns").glob("*.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            try:
                pattern = json.loads(line)
                asked = places(pattern["text"])
                labels = answers(tuple(asked), pattern["stances"])
                for filling in range(FILLINGS):
                    id = f"{path.stem}-{number:03}-{filling}"
                    yield _row(id, pattern["text"], labels, _drawn(asked, cast, random.Random(id)))  # noqa: S311
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a pattern ({type(error).__name__}: {error})") from None


def _row(id: str, text: str, labels: Answers, cast: Mapping[str, str]) -> dict[str, Any]:
    whole, mentions = filled(text, cast)
    return {
        "id": id,
        "title": "",
        "text": whole,
        "all_actors": True,
        "actors": [asdict(mention) for mention in mentions],
        "stances": [
            {"field": "text", "start": 0, "end": len(whole), "source": source, "target": target, "label": label}
            for (source, target), label in labels.items()
            if label != NEUTRAL
        ],
    }


def _drawn(asked: Mapping[str, set[str]], cast: Mapping[str, Sequence[Any]], chance: random.Random) -> dict[str, str]:
    """Words for each place and form, all of different actors."""
    states = chance.sample(cast["states"], len(asked))
    bodies = chance.sample(cast["bodies"], len(asked))
    groups = chance.sample(cast["groups"], len(asked))
    words: dict[str, str] = {}
    for place, forms in asked.items():
        (name, adjective, capital, people), body, group = states.pop(), bodies.pop(), groups.pop()
        if forms == {_PLAIN} and chance.random() < _BODIES:
            name = body
        elif capital and chance.random() < _CAPITALS:
            name = capital
        given = {_PLAIN: name, _ADJECTIVE: adjective, _GROUP: group}
        given[_PERSON] = chance.choice(people) if people else f"{name}'s foreign minister"
        words |= {_key(place, form): given[form] for form in forms}
    return words
