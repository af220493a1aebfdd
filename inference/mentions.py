"""Which words of an article name actors, and whom: by a lexicon, and by tags where a model gives them."""

from __future__ import annotations

from collections.abc import Sequence

from .actors import ActorFinder, Mention
from .naming import Lexicon, Namer
from .schema import Article, Field
from .tags import Span

_FIELDS: tuple[Field, ...] = ("title", "text")

Place = tuple[int, int, int]
"""Field (0 the title, 1 the text), start and end."""


class MentionFinder:
    """Finds and names the mentions of articles.

    Args:
        lexicon: the actors that are known by name.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._finder = ActorFinder(lexicon.forms)

    def find(self, article: Article, tagged: Sequence[Span] = (), home: bool = False) -> list[Mention]:
        """All mentions, in order of field and offset; none overlaps another.

        Where a tag and the lexicon overlap, the tag says what the words are, and the lexicon whom they name.

        Args:
            article: the article; the names that it asks for are found, too.
            tagged: spans that a model takes for mentions.
            home: whether it is about home politics, where leaders act for themselves.
        """
        asked = article.actors or ()
        known = self._finder.extended(asked).find(article)
        places = merged([(_FIELDS.index(each.field), each.start, each.end) for each in known], tagged)
        words = [article.field(_FIELDS[place])[start:end] for place, start, end in places]
        names = Namer(self._lexicon, words, home, asked).names()
        return [
            Mention(name, _FIELDS[place], start, end) for name, (place, start, end) in zip(names, places, strict=True)
        ]

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


def merged(known: Sequence[Place], tagged: Sequence[Span]) -> list[Place]:
    """The places of both, in order; of two that overlap the tagged one.

    Args:
        known: places that the lexicon knows, in order, none overlapping another.
        tagged: those that a model gives, likewise.
    """
    places: list[Place] = [(place, start, end) for place, start, end, _ in tagged]
    taken = sorted(places)
    free = [each for each in known if not _overlaps(each, taken)]
    return sorted(taken + free)


def _overlaps(place: Place, taken: Sequence[Place]) -> bool:
    return any(one[0] == place[0] and one[1] < place[2] and place[1] < one[2] for one in taken)
