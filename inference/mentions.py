"""Which words of an article name actors, and whom: by a lexicon, and by tags where a model gives them."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence

from .actors import ActorFinder, Mention
from .naming import Lexicon, Namer
from .schema import Article, Field
from .tags import Place, Tags

_SURELY_OUTSIDE = 0.99
"""The probability from which a model's word is taken that what the lexicon knows is no mention here."""

_ARTICLES = ("the", "a", "an")

_FIELDS: tuple[Field, ...] = ("title", "text")


class MentionFinder:
    """Finds and names the mentions of articles.

    Args:
        lexicon: the actors that are known by name.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._finder = ActorFinder(lexicon.forms)

    def find(self, article: Article, tags: Tags | None = None, home: bool = False) -> list[Mention]:
        """All mentions, in order of field and offset; none overlaps another.

        Where a tag and the lexicon overlap, the longer is the mention (docs/experiments.md). Words that the lexicon
        alone knows are a mention unless the model is sure that they are none ("Chad" in "Chad Wolf").

        Args:
            article: the article; the names that it asks for are found, too.
            tags: what a model takes its words for.
            home: whether it is about home politics, where leaders act for themselves.
        """
        unknown = [name for name in article.actors or () if self._lexicon.form(name) is None]
        found = self._finder.extended(unknown).find(article)
        given = {_place(each): each.name for each in found if each.name in unknown}
        known = [_place(each) for each in found if each.name not in unknown]
        places = merged(article, known, tags, list(given))
        words = {place: _words(article, place) for place in places if place not in given}
        named = dict(zip(words, Namer(self._lexicon, list(words.values()), home).names(), strict=True)) | given
        return [Mention(named[place], _FIELDS[place[0]], place[1], place[2]) for place in places]

    def asked(self, article: Article) -> set[str] | None:
        """The canonical names that an article's `actors` restrict stances to, None where they are not restricted."""
        if article.actors is None:
            return None
        names: set[str] = set()
        for name in article.actors:
            form = self._lexicon.form(name)
            canonical = name if form is None else self._lexicon.forms[form]
            names |= {canonical, self._lexicon.people.get(form or "", canonical)}
        return names


def merged(article: Article, known: Sequence[Place], tags: Tags | None, given: Sequence[Place]) -> list[Place]:
    """The places of both, in order: of those that overlap the longest, on equal terms the tagged one.

    Args:
        article: the article.
        known: places that the lexicon knows, in order, none overlapping another.
        tags: what a model takes the words for, None for nothing.
        given: places that are mentions whatever the tags say; none overlaps one of `known`.
    """
    if tags is None:
        return sorted([*known, *given])
    tagged: list[Place] = [(field, start, end) for field, start, end, _ in tags.spans()]
    places = [each for each in tagged if _names_something(_words(article, each))]
    outside = tags.outside(known)
    places += [each for each, sure in zip(known, outside, strict=True) if sure <= _SURELY_OUTSIDE]
    taken = sorted(given)
    for place in sorted(places, key=lambda place: place[1] - place[2]):
        at = bisect(taken, place)
        if not any(_overlap(place, beside) for beside in taken[max(0, at - 1) : at + 1]):
            taken.insert(at, place)
    return taken


def _place(mention: Mention) -> Place:
    return _FIELDS.index(mention.field), mention.start, mention.end


def _words(article: Article, place: Place) -> str:
    field, start, end = place
    return article.field(_FIELDS[field])[start:end]


def _names_something(words: str) -> bool:
    """Whether words are more than signs and an article of grammar, which a model may take for a mention."""
    return any(map(str.isalnum, words)) and words.lower() not in _ARTICLES


def _overlap(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
