"""Which words of an article name actors, and whom: by a lexicon, and by tags where a model gives them."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Collection, Sequence

from .actors import ActorFinder, Mention
from .document import Document
from .heads import ACTORS, COUNTRY, actor_head
from .naming import Lexicon, Namer, is_home
from .schema import Article, Field
from .scorer import Reading, Scores
from .tags import Place, Tags

_SURELY_OUTSIDE = 0.99
"""The probability from which a model's word is taken that what the lexicon knows is no mention here."""

_BEFORE = re.compile(r"(?:the|an?)(?:\s+|$)", re.IGNORECASE)
"""An article of grammar, which is no part of a mention."""

_AFTER = re.compile(
    r"-(?:backed|led|linked|based|controlled|allied|aligned|supported|funded|trained|held|run|era|born)?$"
)
"""What is joined to an actor and names none: of "Kiev-backed" the actor is Kiev."""

_TITLES = frozenset(
    ["mr", "mrs", "ms", "dr", "sen", "gov", "rep", "gen", "president", "senator", "governor", "judge", "secretary",
     "minister", "interim"]
)  # fmt: skip
"""Words before a name that alone name nobody."""

_DATELINE = re.compile(r"\s*([A-ZÀ-Þ][A-ZÀ-Þ .'’-]+[A-ZÀ-Þ])(?:,[^—–-]{0,30})?\s*(?:\([^)]{1,20}\)\s*)?[—–-]")
"""Where an article was written, in capitals before a dash: a place, not an actor."""

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
        dateline = _dateline(article)
        known = [_place(each) for each in found if each.name not in unknown and _place(each) != dateline]
        places = merged(article, known, tags, list(given))
        words = {place: _words(article, place) for place in places if place not in given}
        odds = tags.odds(list(words), COUNTRY) if tags else None
        named = dict(zip(words, Namer(self._lexicon, list(words.values()), home, odds).names(), strict=True)) | given
        return [Mention(named[place], _FIELDS[place[0]], place[1], place[2]) for place in places]

    def completed(self, document: Document, read: Reading | Scores, topics: Collection[str]) -> Document:
        """A document with the mentions and pairs that a model's reading of it shows.

        Args:
            document: with its sentences.
            read: tags of actors among it, where the model gives them.
            topics: those assigned.
        """
        article, tags = document.article, None
        if ACTORS in read.others:
            tags = Tags.of(document, actor_head(), read.tokens, read.others[ACTORS])
        return document.with_mentions(self.find(article, tags, is_home(topics)), self.asked(article))

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
    tagged = (_tidied(article, (field, start, end)) for field, start, end, _ in tags.spans())
    places = [place for place in tagged if _names_somebody(_words(article, place))]
    outside = tags.outside(known)
    places += [each for each, sure in zip(known, outside, strict=True) if sure <= _SURELY_OUTSIDE]
    taken = sorted(given)
    for place in sorted(places, key=lambda place: place[1] - place[2]):
        at = bisect(taken, place)
        if not any(_overlap(place, beside) for beside in taken[max(0, at - 1) : at + 1]):
            taken.insert(at, place)
    return taken


def _dateline(article: Article) -> Place | None:
    """The capital or city that an article was sent from, which is no actor there."""
    match = _DATELINE.match(article.text)
    return (1, *match.span(1)) if match else None


def _place(mention: Mention) -> Place:
    return _FIELDS.index(mention.field), mention.start, mention.end


def _words(article: Article, place: Place) -> str:
    field, start, end = place
    return article.field(_FIELDS[field])[start:end]


def _tidied(article: Article, place: Place) -> Place:
    """A tagged place without an article of grammar before it and what a hyphen joins to its end."""
    field, start, end = place
    words = _words(article, place)
    if before := _BEFORE.match(words):
        start += before.end()
    if after := _AFTER.search(words):
        end -= len(words) - after.start()
    return field, start, end


def _names_somebody(words: str) -> bool:
    """Whether words may be a name: not signs alone, nor in small letters, nor a title."""
    return any(map(str.isalnum, words)) and not words.islower() and words.lower().rstrip(".") not in _TITLES


def _overlap(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
