"""The network of actors that the records of a batch show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ArticleError, InputError
from .inputs import expand
from .reading import Row, check_input, read_rows
from .schema import OPPOSE, SUPPORT
from .writing import OUTPUTS


@dataclass(slots=True)
class Edge:
    """What articles say that one actor holds towards another.

    Args:
        source: who leans.
        target: towards whom.
        support: articles whose stance is support.
        oppose: articles whose stance is oppose.
        support_score: sum of the scores of the first.
        oppose_score: sum of the scores of the second.
        first: the earliest date of its articles, where they have dates.
        last: the latest.
        articles: the ids of all of them, in the order of the records; one with both stances is there once.
    """

    source: str
    target: str
    support: int = 0
    oppose: int = 0
    support_score: float = 0.0
    oppose_score: float = 0.0
    first: str | None = None
    last: str | None = None
    articles: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Articles in all."""
        return len(self.articles)

    def add(self, id: str, label: str, score: float, date: str | None, again: bool = False) -> None:
        """Take in the stance of an article; `again` where it has the other stance, too."""
        if label == SUPPORT:
            self.support += 1
            self.support_score += score
        else:
            self.oppose += 1
            self.oppose_score += score
        if date:
            self.first = date if self.first is None else min(self.first, date)
            self.last = date if self.last is None else max(self.last, date)
        if not again:
            self.articles.append(id)


def edges(paths: Sequence[str]) -> list[Edge]:
    """The edges of files of records, those of most articles first.

    A record's date is its column `date`, where it has one; dates are compared as text, as ISO 8601 allows.

    Args:
        paths: files that `predict` wrote, directories and patterns of them, see `inputs.expand`; or `-` for JSON lines.

    Raises:
        InputError: a file cannot be read, or a row is no record.
    """
    found: dict[tuple[str, str], Edge] = {}
    for path in expand(paths, OUTPUTS):
        check_input(path, OUTPUTS)
        for row in read_rows(path, required="stances"):
            seen: set[tuple[str, str]] = set()
            for stance in _stances(row):
                key = stance["source"], stance["target"]
                edge = found.setdefault(key, Edge(*key))
                edge.add(stance["id"], stance["label"], stance["score"], stance["date"], key in seen)
                seen.add(key)
    return sorted(found.values(), key=lambda edge: (-edge.count, edge.source, edge.target))


def actors(network: Iterable[Edge]) -> dict[str, int]:
    """Every actor of a network with the number of stances that it takes part in, the busiest first."""
    counts: dict[str, int] = {}
    for edge in network:
        for name in (edge.source, edge.target):
            counts[name] = counts.get(name, 0) + edge.count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _stances(row: Row) -> Iterable[dict[str, Any]]:
    """A record's stances, each with the record's id and date."""
    if isinstance(row.content, ArticleError):
        raise InputError(str(row.content))
    record = row.content
    stances, date = record.get("stances", ""), record.get("date")
    if not isinstance(stances, list | None):
        raise InputError(f"{row.place}: no record: `stances` is {stances!r:.40}, expected a list")
    for number, stance in enumerate(stances or ()):
        try:
            yield {
                "id": row.place if record["id"] is None else str(record["id"]),
                "date": None if date is None else str(date),
                "source": _string(stance["source"]),
                "target": _string(stance["target"]),
                "label": {SUPPORT: SUPPORT, OPPOSE: OPPOSE}[stance["label"]],
                "score": float(stance["score"]),
            }
        except (KeyError, TypeError, ValueError) as error:
            what = f"{type(error).__name__}: {error}"
            raise InputError(f"{row.place}: stances[{number}] is not a record's stance ({what})") from None


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r:.40}, expected a name")
    return value
