"""The two vocabularies that a recipe names: topics and actors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from inference.naming import Lexicon
from models.settings import Settings

from .recipe import RecipeError, read_yaml

_TITLED = re.compile(r"(?:President|Vice|Mrs?|Ms|Secretary|Minister|King|Prince|Chancellor|Prime|Gen|General)\b")
_JUNIOR = re.compile(r",? (?:Jr|Sr)\.?$")
_File = TypeVar("_File", bound=BaseModel)


class TopicEntry(Settings):
    """A topic and what the codebook says of it."""

    label: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = Field(min_length=1)


class Taxonomy(Settings):
    """The topic labels, in the order of every record."""

    topics: tuple[TopicEntry, ...] = Field(min_length=1)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels alone."""
        return tuple(topic.label for topic in self.topics)


class ActorEntry(Settings):
    """An actor and the forms in which news names it."""

    name: str = Field(min_length=1)
    kind: Literal["country", "organisation", "armed_group", "party", "company", "person", "community"]
    aliases: tuple[str, ...] = ()
    demonyms: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    organs: Mapping[str, tuple[str, ...]] = {}

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form, the name first."""
        return (self.name, *self.aliases, *self.demonyms, *self.people, *self.own_names)

    @property
    def own_names(self) -> dict[str, str]:
        """The own name of every form of an organ."""
        return {form: organ for organ, forms in self.organs.items() for form in (organ, *forms)}


class ActorLexicon(Settings):
    """All actors that are known by name."""

    actors: tuple[ActorEntry, ...] = Field(min_length=1)


def load_taxonomy(path: Path) -> Taxonomy:
    """Read the topic labels.

    Raises:
        RecipeError: the file is not a taxonomy, or names a label twice.
    """
    taxonomy = _load(path, Taxonomy)
    twice = _twice(taxonomy.labels)
    if twice:
        raise RecipeError(f"{path}: topics named twice: {', '.join(twice)}")
    return taxonomy


def load_lexicon(path: Path) -> Lexicon:
    """Read the lexicon.

    Raises:
        RecipeError: the file is not a lexicon, or a form stands for two actors.
    """
    forms: dict[str, str] = {}
    people: dict[str, str] = {}
    entries = _load(path, ActorLexicon).actors
    for actor in entries:
        for form in actor.forms:
            if forms.setdefault(form, actor.name) != actor.name:
                raise RecipeError(f"{path}: {form!r} stands for both {forms[form]} and {actor.name}")
        people |= _full_names(actor.people) | actor.own_names
    return Lexicon(forms, people, frozenset(actor.name for actor in entries if actor.kind == "country"))


def _full_names(people: Sequence[str]) -> dict[str, str]:
    """The full name of each form of a person.

    A form of two words or more, and no title, is a full name, and so are those that differ from it by a middle name
    alone; any other form is of the first full name that ends, or else begins, with its last word.
    """
    full: dict[tuple[str, str], str] = {}
    for form in people:
        if " " in form and not _TITLED.match(form):
            full.setdefault(_ends(form), form)
    last: dict[str, str] = {}
    for place in (1, 0):
        for ends, name in full.items():
            last.setdefault(ends[place], name)
    return {form: full.get(_ends(form)) or last.get(_ends(form)[1], form) for form in people}


def _ends(form: str) -> tuple[str, str]:
    words = _JUNIOR.sub("", form).split()
    return words[0], words[-1]


def _load(path: Path, kind: type[_File]) -> _File:
    try:
        return kind.model_validate(read_yaml(path))
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise RecipeError("\n".join(lines)) from None


def _twice(names: tuple[str, ...]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
