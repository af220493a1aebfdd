"""Leak-safe splits: near-duplicates and articles of one event stay on one side."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from datasets import Dataset
from datasketch import MinHash, MinHashLSH
from scipy.cluster.hierarchy import DisjointSet
from sklearn.feature_extraction.text import TfidfVectorizer

from .corpora import PRACTICE
from .recipe import RecipeError, Split

_SHINGLE = 5
_PERMUTATIONS = 128


@dataclass(frozen=True, slots=True)
class Parts:
    """Row numbers of each part, ascending."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    test: tuple[int, ...]

    def ids(self, dataset: Dataset) -> dict[str, list[str]]:
        """The articles' ids by part."""
        ids = dataset["id"]
        return {name: [ids[row] for row in getattr(self, name)] for name in self.__slots__}


def split(dataset: Dataset, settings: Split, seed: int, practice: Collection[str] = ()) -> Parts:
    """Part a dataset by whole groups of articles.

    The sentences of a public corpus are parted by themselves: as the corpus says, or, where it has no validation, into
    training and validation alone. Its test part is a file of its own, which no run reads. What one corpus would train
    on and another has held out, or something near it, is left out of training.

    Args:
        dataset: rows with `training.corpora.FEATURES`.
        settings: shares and similarities.
        seed: decides chance.
        practice: corpora that are learned from alone, and never measured on.

    Raises:
        RecipeError: articles are to be parted by dates, one of which cannot be read.
    """
    rows: dict[str, list[int]] = {"test": [], "validation": [], "train": []}
    corpora: dict[str, list[int]] = defaultdict(list)
    for row, (corpus, part) in enumerate(zip(dataset["corpus"], dataset["part"], strict=True)):
        if part == PRACTICE or corpus in practice:
            rows["train"].append(row)
        elif part == "validation":
            rows["validation"].append(row)
        else:
            corpora["" if part is None else corpus].append(row)
    validated = {dataset["corpus"][row] for row in rows["validation"]}
    for corpus, members in corpora.items():
        if corpus in validated:
            rows["train"] += members
        else:
            shares = {"test": 0.0 if corpus else settings.test, "validation": settings.validation}
            dated = settings.by == "date" and not corpus
            for name, found in _parted(dataset.select(members), settings, shares, seed, dated).items():
                rows[name] += [members[row] for row in found]
    rows["train"] = _apart(dataset, rows, settings)
    return Parts(*(tuple(sorted(rows[name])) for name in ("train", "validation", "test")))


def _apart(dataset: Dataset, rows: Mapping[str, list[int]], settings: Split) -> list[int]:
    """The training rows that belong together with none that another corpus has held out; practice is no article."""
    held = {*rows["validation"], *rows["test"]}
    parts, corpora = dataset["part"], dataset["corpus"]
    compared = [row for name in rows for row in rows[name] if parts[row] != PRACTICE]
    if len({corpora[row] for row in compared}) < 2:
        return rows["train"]
    near: set[int] = set()
    for group in groups(dataset.select(compared), settings):
        members = [compared[place] for place in group]
        holders = {corpora[row] for row in members if row in held}
        near |= {row for row in members if holders - {corpora[row]}}
    return [row for row in rows["train"] if row not in near]


def _parted(
    dataset: Dataset, settings: Split, shares: Mapping[str, float], seed: int, dated: bool
) -> dict[str, list[int]]:
    """Row numbers by part, groups drawn by chance or the latest first."""
    members = groups(dataset, settings)
    order = [members[number] for number in np.random.default_rng(seed).permutation(len(members))]
    room = {name: share * len(dataset) for name, share in shares.items()}
    return _latest_first(order, _days(dataset), room) if dated else _by_chance(order, room)


def _by_chance(order: Sequence[list[int]], room: Mapping[str, float]) -> dict[str, list[int]]:
    """Groups in this order until each part is full; one that does not fit into a part goes on to the next."""
    rows: dict[str, list[int]] = {name: [] for name in (*room, "train")}
    for group in order:
        part = next((name for name, size in room.items() if len(rows[name]) + len(group) / 2 < size), "train")
        rows[part] += group
    return rows


def _latest_first(order: Sequence[list[int]], days: Sequence[int], room: Mapping[str, float]) -> dict[str, list[int]]:
    """Groups by their last dates, so that none ends later than one of the part before; what has none is learned from.

    A group that does not fit into a part closes it, unless nothing else is there: then the part is larger than its
    share.
    """
    rows: dict[str, list[int]] = {name: [] for name in (*room, "train")}
    left = [name for name, size in room.items() if size]
    for group in sorted(order, key=lambda group: max(days[row] for row in group), reverse=True):
        dated = any(days[row] for row in group)
        while dated and left and rows[left[0]] and len(rows[left[0]]) + len(group) / 2 >= room[left[0]]:
            left.pop(0)
        rows[left[0] if dated and left else "train"] += group
    return rows


def _days(dataset: Dataset) -> list[int]:
    """The day of every row, 0 where it has none.

    Raises:
        RecipeError: a date cannot be read.
    """
    dates = dataset["date"]
    days = [_day(text) for text in dates]
    for row, (day, text) in enumerate(zip(days, dates, strict=True)):
        if day is None and text:
            found = f"{dataset['id'][row]} has {text!r}"
            raise RecipeError(f"split.by: date: the article {found}, expected a date such as 2016-08-23")
    return [day or 0 for day in days]


def groups(dataset: Dataset, settings: Split) -> list[list[int]]:
    """Row numbers of articles that belong together, in order of their first rows.

    Together are articles with one `event`, near-duplicates (MinHash over word shingles, Broder 1997),
    and articles of dates close to each other that share much of their rarer words.
    """
    texts = [f"{title}\n{text}" for title, text in zip(dataset["title"], dataset["text"], strict=True)]
    together = DisjointSet(range(len(texts)))
    links = (
        *_named_events(dataset["event"]),
        *_near_duplicates(texts, settings.near_duplicate),
        *_same_events(texts, dataset["date"], settings.same_event, settings.event_days),
    )
    for one, other in links:
        together.merge(one, other)
    return sorted(sorted(group) for group in together.subsets())


def _named_events(events: Sequence[str | None]) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for row, event in enumerate(events):
        if event is not None:
            yield first.setdefault(event, row), row


def _near_duplicates(texts: Sequence[str], similarity: float) -> Iterator[tuple[int, int]]:
    index = MinHashLSH(threshold=similarity, num_perm=_PERMUTATIONS)
    for row, text in enumerate(texts):
        words = re.findall(r"\w+", text.lower())
        shingles = {" ".join(words[at : at + _SHINGLE]) for at in range(max(1, len(words) - _SHINGLE + 1))}
        sketch = MinHash(num_perm=_PERMUTATIONS)
        sketch.update_batch([shingle.encode() for shingle in shingles])
        for other in index.query(sketch):
            yield other, row
        index.insert(row, sketch)


def _same_events(
    texts: Sequence[str], dates: Sequence[str | None], similarity: float, days: int
) -> Iterator[tuple[int, int]]:
    by_day: dict[int, list[int]] = defaultdict(list)
    for row, text in enumerate(dates):
        if (day := _day(text)) is not None:
            by_day[day].append(row)
    if not by_day:
        return
    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit_transform(texts)
    for day, rows in by_day.items():
        near = [row for later in range(day, day + days + 1) for row in by_day.get(later, ())]
        alike = (vectors[rows] @ vectors[near].T).tocoo()
        for one, other, value in zip(alike.row, alike.col, alike.data, strict=True):
            if value >= similarity and rows[one] != near[other]:
                yield rows[one], near[other]


def _day(text: str | None) -> int | None:
    """Days since the year 1 of a date such as 2016-08-23 or 2016-08, None of anything else."""
    match = re.match(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text or "")
    if not match:
        return None
    try:
        return date(int(match[1]), int(match[2]), int(match[3] or 15)).toordinal()
    except ValueError:
        return None
