"""Behaviour suites in the manner of CheckList (Ribeiro et al. 2020): what a model can and cannot read.

A case is a sentence with places for actors, who stands in them, and all stances that it shows: `{"text": "{b} was
condemned by {a}.", "actors": {"a": "Russia", "b": "Turkey"}, "stances": ["a opposes b"]}`. Its capability is the name
of its file. Two capabilities ask for more than right answers: in `exchange` the actors also stand the other way round,
and in `invariance` the casts in `instead` must get the same answers as the first, right or wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.decode import Decisions
from inference.document import Document
from inference.errors import DetenteError
from inference.schema import NEUTRAL, Article
from inference.scorer import Scores

from .patterns import Answers, answers, filled, places

CASES = Path(__file__).parents[1] / "tests" / "behaviour"
"""The cases that were written for the project, by a language model; each was read by its writer alone."""

EXCHANGE, INVARIANCE = "exchange", "invariance"

Cast = Mapping[str, str]
Score = Callable[[Sequence[Document]], Sequence[Scores]]


class BehaviourError(DetenteError):
    """A case is not as it should be; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence and what it shows.

    Args:
        capability: what it probes.
        text: with places such as `{a}`.
        casts: who stands in the places; the first is the one that `answers` were written for.
        answers: the label of every ordered pair of places.
    """

    capability: str
    text: str
    casts: tuple[Cast, ...]
    answers: Answers


def load_cases(folder: Path = CASES) -> list[Case]:
    """The cases of a folder, a `.jsonl` file a capability.

    Raises:
        BehaviourError: there are none, or one is not as described above.
    """
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise BehaviourError(f"{folder}: no case there, expected a .jsonl file for each capability")
    return [case for path in paths for case in _cases(path)]


def behave(cases: Sequence[Case], score: Score, decisions: Decisions) -> dict[str, Any]:
    """How many cases of each capability a model passes.

    Args:
        cases: the cases.
        score: uncalibrated scores of documents.
        decisions: calibration and thresholds.

    Returns:
        By capability, and for `all`: `cases`, `passed`, `pass_rate`, and `direction_errors`, the share of predicted
        stances whose label is right for the opposite direction alone.
    """
    documents = [[_document(case.text, cast) for cast in case.casts] for case in cases]
    scores = iter(score([document for group in documents for document in group]))
    given = [[_answers(document, next(scores), decisions) for document in group] for group in documents]
    found = list(zip(cases, given, strict=True))
    capabilities = dict.fromkeys(case.capability for case in cases)
    report = {name: _counted([row for row in found if row[0].capability == name]) for name in capabilities}
    return report | {"all": _counted(found)}


def table(report: Mapping[str, Mapping[str, Any]]) -> str:
    """A line a capability."""
    lines = [f"{'capability':16}{'passed':>10}{'rate':>9}{'wrong way':>12}"]
    for name, row in report.items():
        passed = f"{row['passed']}/{row['cases']}"
        lines.append(f"{name:16}{passed:>10}{row['pass_rate']:>9.1%}{row['direction_errors']:>12.1%}")
    return "\n".join(lines)


def _counted(rows: Sequence[tuple[Case, list[Answers]]]) -> dict[str, Any]:
    passed = sum(_passes(case, given) for case, given in rows)
    leaning = [
        (case.answers, pair, label) for case, given in rows for (pair, label) in given[0].items() if label != NEUTRAL
    ]
    turned = sum(true[pair] != label and true[pair[::-1]] == label for true, pair, label in leaning)
    return {
        "cases": len(rows),
        "passed": passed,
        "pass_rate": passed / max(1, len(rows)),
        "direction_errors": turned / max(1, len(leaning)),
    }


def _passes(case: Case, given: Sequence[Answers]) -> bool:
    expected = given[0] if case.capability == INVARIANCE else case.answers
    return all(answers == expected for answers in given)


def _cases(path: Path) -> Iterator[Case]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield _case(path.stem, json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                what = f"{type(error).__name__}: {error}"
                raise BehaviourError(f"{path}:{number}: not a case of {path.stem} ({what})") from None


def _case(capability: str, row: Mapping[str, Any]) -> Case:
    actors, text = dict(row["actors"]), str(row["text"])
    labels = answers(tuple(actors), row["stances"])
    casts = [actors, *row.get("instead", ())]
    if capability == EXCHANGE:
        (one, first), (other, second) = actors.items()
        casts.append({one: second, other: first})
    asked = places(text)
    for cast in casts:
        if set(cast) != set(asked):
            raise ValueError(f"the places {', '.join(sorted(asked))} are not those of the cast {cast}")
        if len(_document(text, cast).sentences) != 1:
            raise ValueError(f"with {', '.join(cast.values())} it is more than one sentence")
    if capability == INVARIANCE and len(casts) < 2:
        raise ValueError("no other cast in `instead`")
    return Case(capability, text, tuple(casts), labels)


def _document(text: str, cast: Cast) -> Document:
    """The sentence with its actors in place, each mention under the name of its place."""
    whole, mentions = filled(text, cast)
    return Document.build(Article("case", whole), mentions)


def _answers(document: Document, scores: Scores, decisions: Decisions) -> Answers:
    labels = decisions.stance_labels(decisions.stance_probabilities(scores.stances))
    return {(pair.source, pair.target): label for pair, label in zip(document.pairs, labels, strict=True)}
