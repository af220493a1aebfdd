"""Labels that stand apart from the texts they are of, which are somebody else's and not ours to give away.

A line of labels is one article: `id`, the `part` that it belongs to (`train` or `test`), `length` of the opening that
was read, in code points, `sha256` of title, line feed and opening, `topics` and `stances` as
`training.corpora.FEATURES` has them, by offsets, and `actors`: for each name the start and end of its mentions in title
and text, as in `{"Iran": {"text": [[0, 4], [17, 24]]}}`. Both files that ship were read and labelled by language models
by the codebook, one reader each; articles of one event are in one part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .rows import RowError

_PARTS = ("train", "test")
_KEYS = {"id", "part", "length", "sha256", "topics", "actors", "stances"}
_FIELDS = ("title", "text")


def read_labels(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of labels, actors as `training.corpora.FEATURES` has them.

    Raises:
        RowError: one is not as described above.
    """
    for number, row in _lines(path):
        if set(row) != _KEYS:
            raise RowError(f"{path}:{number}: keys {', '.join(row)}, expected {', '.join(sorted(_KEYS))}")
        if row["part"] not in _PARTS:
            raise RowError(f"{path}:{number}: part {row['part']!r:.40}, expected one of {', '.join(_PARTS)}")
        try:
            yield {**row, "actors": _mentions(row["actors"])}
        except (AttributeError, TypeError, ValueError):
            found = f"{row['actors']!r:.60}"
            raise RowError(f"{path}:{number}: actors {found}, expected {{name: {{field: [[start, end]]}}}}") from None


def read(path: Path, labels: Path, part: str) -> Iterator[dict[str, Any]]:
    """One row an article of a part, its text joined to its labels.

    Args:
        path: JSON lines with `id`, `title`, `date` and `text`; what stands before a hyphen in an id does not count.
        labels: the labels.
        part: `train` or `test`.

    Raises:
        RowError: a text is missing, or is another than the one that was labelled.
    """
    texts = {str(row.get("id")).rpartition("-")[2]: row for _, row in _lines(path)}
    for label in read_labels(labels):
        if label["part"] != part:
            continue
        if label["id"] not in texts:
            raise RowError(
                f"{path}: no text with the id {label['id']}, which {labels.name} has labels of; fetch it again"
            )
        row = texts[label["id"]]
        title, text = str(row.get("title")), str(row.get("text"))
        if digest(title, text) != label["sha256"]:
            raise RowError(
                f"{path}: the text {label['id']} is cut short or altered: sha256 {digest(title, text)}, "
                f"expected {label['sha256']}; fetch it again"
            )
        yield {
            "id": label["id"], "date": row.get("date"), "title": title, "text": text, "all_actors": True,
            **{key: label[key] for key in ("topics", "actors", "stances")},
        }  # fmt: skip


def labelled(path: Path, labels: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The texts of a file, whole or cut short, that are the ones that were labelled; others do not count."""
    expected = {label["id"]: label["sha256"] for label in labels}
    for line in path.read_text("utf-8").split("\n")[:-1] if path.is_file() else ():
        try:
            row = json.loads(line)
            if digest(row["title"], row["text"]) == expected.get(row["id"]):
                yield row
        except (ValueError, KeyError, TypeError):
            continue  # it is fetched anew


def opening(raw: bytes, label: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an article that was labelled, from the JSON file that its publisher has of it.

    Raises:
        RowError: the file is another than the one that was labelled.
    """
    try:
        article = json.loads(raw)
        title, date, text = (article[key] for key in ("title", "date", "content_original"))
    except (ValueError, KeyError, TypeError) as error:
        raise RowError(f"{label['id']}: not an article ({type(error).__name__}: {error})") from None
    text = text[: label["length"]]
    if digest(title, text) != label["sha256"]:
        raise RowError(f"{label['id']}: sha256 {digest(title, text)}, expected {label['sha256']}")
    return {"id": label["id"], "title": title, "date": date, "text": text}


def _mentions(actors: Mapping[str, Mapping[str, list[tuple[int, int]]]]) -> list[dict[str, Any]]:
    """Mentions in the order of the article."""
    places = [
        (_FIELDS.index(field), start, end, name)
        for name, fields in actors.items()
        for field, spans in fields.items()
        for start, end in spans
    ]
    return [
        {"name": name, "field": _FIELDS[field], "start": start, "end": end}
        for field, start, end, name in sorted(places)
    ]


def digest(title: str, text: str) -> str:
    """The sha256 of what was labelled."""
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise RowError(f"{path}:{number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise RowError(f"{path}:{number}: found {type(row).__name__}, expected an object")
            yield number, row
