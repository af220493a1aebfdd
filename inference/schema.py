"""Articles in, predictions out: the record that every other module speaks of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .errors import ArticleError

Field = Literal["title", "text"]
Status = Literal["ok", "empty", "error"]

NEUTRAL, SUPPORT, OPPOSE = "neutral", "support", "oppose"
STANCE_LABELS = (NEUTRAL, SUPPORT, OPPOSE)
"""The stance head's classes in the order of its scores."""


ARTICLE_COLUMNS = ("id", "text", "title", "date", "actors")
"""What is read of a row."""


@dataclass(frozen=True, slots=True)
class Article:
    """One news article.

    Args:
        id: what the caller calls it.
        text: its body.
        title: its headline, empty where there is none.
        date: its date as the caller writes it.
        actors: where given, stances are restricted to pairs of these actors, named by canonical
            name or by any form of it; a name that the lexicon lacks is searched for as it is. An empty
            list counts as absent.
    """

    id: str
    text: str
    title: str = ""
    date: str | None = None
    actors: tuple[str, ...] | None = None

    @classmethod
    def from_mapping(cls, row: Mapping[str, Any], default_id: str) -> Article:
        """Read an article from a mapping with the keys `text`, `id`, `title`, `date`, `actors`.

        Null and NaN count as absent; other keys are ignored. `actors` is a list of names or of objects with a
        `name`, or text that holds such a list in JSON or names parted by semicolons, as CSV needs it.

        Raises:
            ArticleError: a value is of the wrong type or not valid Unicode.
        """
        if not isinstance(row, Mapping):
            raise ArticleError(f"found {type(row).__name__}, expected an Article or a mapping")
        id = row.get("id")
        id = default_id if _is_null(id) else str(id)
        if "text" not in row:
            raise ArticleError(f"no `text`: found {', '.join(sorted(map(str, row))) or 'nothing'}", id)
        date = row.get("date")
        return cls(
            id=_text(id, "id", id),
            text=_text(row["text"], "text", id),
            title=_text(row.get("title"), "title", id),
            date=None if _is_null(date) else _text(str(date), "date", id),
            actors=_actors(row.get("actors"), id),
        )

    def field(self, name: Field) -> str:
        """The title or the text."""
        return self.title if name == "title" else self.text


@dataclass(frozen=True, slots=True)
class Span:
    """A slice of an article's field: `article[field][start:end] == quote`, in code points."""

    field: Field
    start: int
    end: int
    quote: str


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's calibrated probability and whether it passes the label's threshold."""

    label: str
    score: float
    assigned: bool


@dataclass(frozen=True, slots=True)
class Actor:
    """A canonical actor and every place that names it."""

    name: str
    mentions: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that shows a stance, with the calibrated probability of it there."""

    span: Span
    score: float


@dataclass(frozen=True, slots=True)
class Stance:
    """What `source` holds towards `target` in the whole article, best evidence first."""

    source: str
    target: str
    label: str
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which model made a prediction; name and version where a registry gave them."""

    digest: str
    name: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The record of one article."""

    id: str
    status: Status
    error: str | None
    topics: tuple[Topic, ...]
    actors: tuple[Actor, ...]
    stances: tuple[Stance, ...]
    model: ModelInfo

    def to_dict(self) -> dict[str, Any]:
        """The record as plain lists and dictionaries."""
        record: dict[str, Any] = _plain(self)
        return record


def _plain(value: Any) -> Any:
    """A value with dataclasses as dictionaries and tuples as lists, in a third of the time of `asdict`."""
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    names = getattr(value, "__slots__", None)
    return {name: _plain(getattr(value, name)) for name in names} if names else value


def _is_null(value: object) -> bool:
    """Whether a value is None, NaN or NaT of any library, or pandas' NA."""
    if value is None or type(value).__name__ == "NAType":
        return True
    return not hasattr(value, "__len__") and bool(value != value)  # noqa: PLR0124


def _text(value: object, key: str, id: str) -> str:
    if _is_null(value):
        return ""
    if not isinstance(value, str):
        raise ArticleError(f"`{key}` is {type(value).__name__} ({value!r:.40}), expected a string", id)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ArticleError(f"`{key}` is not valid UTF-8 at character {error.start}", printable(id)) from None
    return value


def _actors(value: object, id: str) -> tuple[str, ...] | None:
    if _is_null(value):
        return None
    if isinstance(value, str):
        value = _names(value, id)
    elif hasattr(value, "tolist"):  # a numpy array, as pandas gives it
        value = value.tolist()
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise ArticleError(f"`actors` is {type(value).__name__}, expected a list of names", id)
    # A record's own `actors`, or those of a labelled corpus, are objects with a name.
    items = (item.get("name") if isinstance(item, Mapping) else item for item in value)
    names = (_text(item, "actors", id).strip() for item in items)
    return tuple(dict.fromkeys(name for name in names if name)) or None


def _names(text: str, id: str) -> object:
    """The list in a cell of text: JSON, or names parted by semicolons."""
    if not text.lstrip().startswith("["):
        return text.split(";")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArticleError(f"`actors` begins with [ and is no JSON list: {error}", id) from None


def printable(text: str) -> str:
    """`text` with what is not valid Unicode replaced, so that it can be written."""
    return text.encode(errors="replace").decode()
