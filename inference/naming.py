"""Canonical names of the actors that the words of an article name."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .actors import folded, spellings

_TITLE = re.compile(
    r"^.*\b(?:Mr|Mrs|Ms|Miss|Dr|Sen|Sens|Rep|Reps|Gov|Lt|Col|Gen|Maj|Sgt|Capt|Adm|Prof|Sir|Lord|Lady|Dame|Judge|"
    r"Justice|Professor|Senator|Congressman|Congresswoman|Representative|Governor|Mayor|Rev|Reverend|Pope|Prince|"
    r"Princess|King|Queen|Sheikh|General|Admiral|Colonel|Captain|Sergeant|Ambassador|Director|Chairman|Chairwoman|"
    r"Administrator|Commissioner|Superintendent|Chief|Sheriff|Father|Emperor|Empress|"
    r"Speaker|Leader|Whip|Republican|Democrat|Secretary(?: of (?:the )?\w+)?|Minister|President|Chancellor|Attorney|MP|"
    r"spokesman|spokeswoman|candidate|nominee|analyst|adviser|leader|former|then|the|The)\b\.?[\s-]+"
)
"""What stands before a person's name; the last of it, with all that is before."""
_DESCRIBED = re.compile(
    r"^.*\b(?!(?:of|for|and|the|in|on|at|to|al|el|bin|ibn|de|da|del|della|di|du|la|le|van|von|den|der|y|dos)\b)[a-z]+ "
    r"(?=(?:[A-Z][\w.'’-]+ ){1,2}[A-Z][\w'’-]+$)"
)
"""What ends in a word in small letters before a name of two or three words: "American aid worker Peter Kassig"."""
_NO_PERSON = re.compile(
    r"\b(?:of|for|Center|Centre|Institute|Association|Party|Committee|Council|Company|Mills|Motors|Electric|Dynamics|"
    r"Assembly|Staff|Office|Department|News|Times|Post|Journal)$|"
    r"\b(?:Center|Centre|Institute|Association|Committee|Council|Campaign|Coalition|Foundation|Alliance)"
    r" (?:of|for|on)\b"
)
"""What an organisation's name has, and a person with his title has not."""
_GENERATION = re.compile(r",? (?:Jr\.?|Sr\.?|II|III|IV)$")
"""What tells a person from a father of the same name."""
_ARABIC = re.compile(r"^(?:[AaEe]l|[Aa](?:sh?|[dnr]))-(?=[A-Z])")
"""The article in an Arabic name, which is left out the next time: "al-Bashir", "ash-Shabaab"."""
_FIRST_NAME = re.compile(r"[A-Z][a-z]+$")
_OFFICE = re.compile(
    r"\b(?:President|Premier|Chancellor|Minister|Secretary|Ambassador|[Ss]pokesman|[Ss]pokeswoman|Gen|General|Adm|"
    r"Admiral|Marshal|[Ee]nvoy|diplomat|Foreign|Defen[sc]e|[Oo]fficials?|[Ll]eader|[Cc]hief|Director|[Aa]dvis[eo]r|"
    r"King|Queen|Emir|Ayatollah|[Cc]ommander|Col|Maj|Lt|dictator|strongman|ruler)\b"
)
"""An office of a state, where a country stands before it."""
_OFFICE_OF_US = re.compile(
    r"\b(?:Secretary of (?:State|Defense|Homeland Security|the Treasury)|(?:Treasury|Defense|Homeland Security) "
    r"Secretary|[Pp]ress [Ss]ecretary|White House|Attorney General|Vice President|[Nn]ational [Ss]ecurity "
    r"[Aa]dvis[eo]r|Joint Chiefs|Pentagon|State Department)\b"
)
"""An office that is of the United States where no country is named."""
_ORGANS = frozenset(
    ["Army", "Navy", "Air Force", "Coast Guard", "Marines", "Forces", "Treasury", "Parliament", "Cabinet", "Government",
     "Ministry", "Foreign Ministry", "Defense Ministry", "Defence Ministry", "Council", "Court", "State", "Embassy"]
)  # fmt: skip
"""Organs of a state; alone, they are of the country that the article names most."""


HOME = "domestic_politics"
ABROAD = frozenset(["diplomacy", "armed_conflict", "military_cooperation", "sanctions", "arms_control"])
"""Topics of the shipped taxonomy."""

_TOPICS_SAY = 2.0
"""The log-odds that they are worth against what a model reads of a leader's mentions (docs/experiments.md)."""


def is_home(topics: Collection[str]) -> bool:
    """Whether an article of these topics is about home politics, where leaders act for themselves."""
    return HOME in topics and ABROAD.isdisjoint(topics)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Actors that are known by name.

    Args:
        forms: canonical name of every form ("Tehran" → "Iran").
        people: of the forms that are persons or organs who stand for an actor, their own names ("Trump" →
            "Donald Trump").
        countries: the canonical names that are countries.
    """

    forms: Mapping[str, str]
    people: Mapping[str, str] = field(default_factory=dict)
    countries: frozenset[str] = frozenset()
    _spellings: dict[str, str] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._spellings.update(spellings(self.forms))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Lexicon:
        """Read what `to_dict` wrote."""
        return cls(dict(data["forms"]), dict(data["people"]), frozenset(data["countries"]))

    def to_dict(self) -> dict[str, Any]:
        """The lexicon as plain lists and dictionaries."""
        return {"forms": dict(self.forms), "people": dict(self.people), "countries": sorted(self.countries)}

    def form(self, words: str) -> str | None:
        """The form that words are, whatever their quotes and hyphens; None where they are none."""
        return self._spellings.get(words) or self._spellings.get(folded(words))


class Namer:
    """Names the mentions of one article.

    Args:
        lexicon: the actors that are known.
        mentions: the words of each mention, in any order.
        home: whether the article is about home politics, where a country's leaders act for themselves.
        odds: the log-odds that each mention stands for a country, as a model reads it; None where none does.
    """

    def __init__(
        self, lexicon: Lexicon, mentions: Sequence[str], home: bool, odds: Sequence[float] | None = None
    ) -> None:
        self._lexicon = lexicon
        self._words = [words if lexicon.form(words) else _plain(words) for words in mentions]
        self._forms: dict[str, list[tuple[int, int, str]]] = {}
        self._country = self._most_named()
        self._home = self._country if home else None
        self._odds: defaultdict[str, float] = defaultdict(float)
        for words, each in zip(self._words, odds or (), strict=odds is not None):
            self._odds[self._whom(words)] += each
        self._last: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self._initials: dict[str, str] = {}

    def names(self) -> list[str]:
        """The canonical name of each mention: by the lexicon, by the country before an office, by a longer form."""
        found: dict[str, str] = {}
        # Long forms first: "Kerry" is whom "Secretary of State John Kerry" is.
        for words in sorted(dict.fromkeys(self._words), key=lambda words: -len(_untitled(words).split())):
            found[words] = self._name(words)
            self._remember(words, found[words])
        return [found[words] for words in self._words]

    def _name(self, words: str) -> str:
        if name := self._known(words):
            return name
        if words in _ORGANS and self._country:
            return self._country
        bare = _untitled(words)
        if name := self._short(bare):
            return name
        if bare != words and (name := self._known(bare)):
            return name
        return _own(bare)

    def _short(self, words: str) -> str | None:
        """Whom a longer form says that words name, which are its last ones, its initials or its first word."""
        return self._last.get(folded(words)) or self._initials.get(words) or self._first.get(folded(words))

    def _known(self, words: str) -> str | None:
        """Whom the lexicon, or a country before an office, says that words name."""
        if form := self._lexicon.form(words) or self._lexicon.form(f"{words}."):
            return self._canonical(form, words)
        inside = self._inside(words)
        proper = words.rpartition(" ")[2][:1].isupper()
        if inside:
            start, end, form = inside[-1]
            if len(inside) == 1 and self._is_namesake(words[:start].rstrip(), words[start:], form):
                return None
            first, after = self._lexicon.forms[inside[0][2]], words[inside[0][1] :]
            if end == len(words) or not proper or words[end:].strip() in _ORGANS:
                return self._canonical(form, words)
            if first in self._lexicon.countries and _OFFICE.search(after) and self._serves(words, first):
                return first
        if proper and not inside and _OFFICE_OF_US.search(words) and self._serves(words, "United States"):
            return "United States"
        return None

    def _is_namesake(self, first: str, last: str, form: str) -> bool:
        """Whether two words are a person who shares the last one with an actor: "Ann Romney", "Denzel Washington"."""
        named = _FIRST_NAME.match(first) and not _OFFICE.search(first) and not _TITLE.match(f"{first} ")
        return bool(named) and last == form and last not in _ORGANS and self._lexicon.forms[form] != form

    def _canonical(self, form: str, words: str) -> str:
        """The name of a form in the words of a mention; a leader or organ that acts for itself goes by its own."""
        name = self._lexicon.forms[form]
        if form not in self._lexicon.people or name not in self._lexicon.countries or self._serves(words, name):
            return name
        return self._lexicon.people[form]

    def _serves(self, words: str, country: str) -> bool:
        """Whether whom words name acts for a country, by what a model reads and by the topics."""
        return self._odds[self._whom(words)] + (-_TOPICS_SAY if country == self._home else _TOPICS_SAY) > 0

    def _whom(self, words: str) -> str:
        """The own name of the person or organ that words end with, by the lexicon; else the words themselves."""
        inside = self._inside(words)
        return self._lexicon.people.get(inside[-1][2], words) if inside and inside[-1][1] == len(words) else words

    def _inside(self, words: str) -> list[tuple[int, int, str]]:
        """Start, end and form of what is known inside words; read once for all mentions of the same words."""
        if words not in self._forms:
            self._forms[words] = list(self._known_forms(words))
        return self._forms[words]

    def _known_forms(self, words: str) -> Iterator[tuple[int, int, str]]:
        """Forms that stand in words, the longest from the left; none overlaps another."""
        starts = [match.start() for match in re.finditer(r"(?<!\w)\w", words)]
        ends = [match.end() for match in re.finditer(r"\w(?!\w)\.?", words)]
        free = 0
        for start in starts:
            for end in reversed(ends):
                if start < free or end <= start:
                    break
                if form := self._lexicon.form(words[start:end]):
                    yield start, end, form
                    free = end
                    break

    def _remember(self, words: str, name: str) -> None:
        """What shorter forms of a mention would be."""
        if len(words.split()) < 2:
            return
        parts = _GENERATION.sub("", _untitled(words)).split()
        if len(parts) > 1:
            ends = [" ".join(parts[place:]) for place in range(1, len(parts))]
            for end in (*ends, _ARABIC.sub("", parts[-1])):
                self._last.setdefault(folded(end), name)
            if len(parts) == 2 or self._lexicon.form(" ".join(parts)) in self._lexicon.people:
                self._first.setdefault(folded(parts[0]), name)  # North Korea, Kim Jong Un
            initials = "".join(part[0] for part in re.split(r"[\s-]+", words) if part[:1].isupper())
            if len(initials) > 1:
                self._initials.setdefault(initials, name)

    def _most_named(self) -> str | None:
        """The country that most mentions name."""
        counts: Counter[str] = Counter()
        for words in self._words:
            form = self._lexicon.form(words) or next((form for *_, form in self._inside(words)), None)
            if form is not None and self._lexicon.forms[form] in self._lexicon.countries:
                counts[self._lexicon.forms[form]] += 1
        return counts.most_common(1)[0][0] if counts else None


def _plain(words: str) -> str:
    """Words on one line, without a possessive ending, as long as something is left."""
    line = " ".join(words.split())
    return re.sub(r"['’]s?$", "", line) or line


def _untitled(words: str) -> str:
    """A person's name without what stands before it, as long as what is left may be a name."""
    bare = _DESCRIBED.sub("", _TITLE.sub("", words))
    if bare[:1].isupper() and not _NO_PERSON.search(words):
        return bare
    return re.sub("^[Tt]he ", "", words)


def _own(words: str) -> str:
    """A name for an actor that nobody knows: its words, not in capitals, plainly quoted, without middle initials."""
    words = words.title() if words.isupper() and " " in words else words
    return re.sub(r"(?<=\w )(?:[A-Z]\. )+|,? Jr\.?$", "", folded(words))
