"""Mentions of actors in an article, found by a lexicon of names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ahocorasick_rs import AhoCorasick

from .schema import Article, Field

_FIELDS: tuple[Field, ...] = ("title", "text")
# One code point for one, so that offsets stay: typographic quotes, hyphens and spaces.
_FOLD = {"’": "'", "‘": "'", "‐": "-", "‑": "-", "\u00a0": " ", "\n": " ", "\t": " "}
_MIN_CAPITALS = 5
"""Letters from which a name is also found in capitals ("RUSSIA"); shorter ones look like acronyms."""


def folded(text: str) -> str:
    """`text` with plain quotes, hyphens and spaces; offsets stay."""
    for odd, plain in _FOLD.items():  # `replace` finds nothing much sooner than `translate`
        text = text.replace(odd, plain)
    return text


def spellings(forms: Iterable[str]) -> dict[str, str]:
    """The form of every folded spelling that stands for it: as it is, and in capitals where it is long enough."""
    found = {folded(form): form for form in forms}
    for spelling, form in list(found.items()):
        if len(spelling) >= _MIN_CAPITALS:
            found.setdefault(spelling.upper(), form)
    return found


@dataclass(frozen=True, slots=True)
class Mention:
    """A place that names an actor: `article.field(field)[start:end]`, in code points."""

    name: str
    field: Field
    start: int
    end: int


class ActorFinder:
    """Finds the longest names of a lexicon that stand as whole words, by case.

    Args:
        forms: canonical name of every surface form ("Tehran" → "Iran").
        base: another finder, whose forms are found too; an automaton of many forms is built once.
    """

    def __init__(self, forms: Mapping[str, str], base: ActorFinder | None = None) -> None:
        self._base = base
        self._canonical = {spelling: forms[form] for spelling, form in spellings(forms).items()}
        self._forms = list(self._canonical)
        self._automaton = AhoCorasick(self._forms)

    def find(self, article: Article) -> list[Mention]:
        """All mentions, in order of field and offset; none overlaps another."""
        return [mention for field in _FIELDS for mention in self._find(article.field(field), field)]

    def resolve(self, name: str) -> str:
        """The canonical name of `name`, itself where the lexicon does not know it."""
        known = self._canonical.get(folded(name))
        if known is not None:
            return known
        return self._base.resolve(name) if self._base else name

    def extended(self, names: Iterable[str]) -> ActorFinder:
        """A finder that also knows those of `names` that this one does not."""
        unknown = {name: name for name in names if not self._knows(name)}
        return ActorFinder(unknown, self) if unknown else self

    def _knows(self, name: str) -> bool:
        return folded(name) in self._canonical or (self._base is not None and self._base._knows(name))

    def _find(self, text: str, field: Field) -> Iterator[Mention]:
        free = 0
        for start, end, name in sorted(self._matches(folded(text)), key=lambda match: (match[0], -match[1])):
            if start >= free:
                yield Mention(name, field, start, end)
                free = end

    def _matches(self, folded: str) -> Iterator[tuple[int, int, str]]:
        """Start, end and canonical name of every form, those inside others included."""
        for form, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if _is_whole(folded, start, end):
                yield start, end, self._canonical[self._forms[form]]
        if self._base:
            yield from self._base._matches(folded)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` neither begins nor ends inside a word."""
    before = start > 0 and text[start].isalnum() and text[start - 1].isalnum()
    after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not before and not after
