"""Made-up public corpora: their files in a mirror and the catalogue that knows them, in a folder of a test's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from training.public.standoff import digest

from .rows import TOPICS

HEADS = {
    "dse": ("dse",), "newsmtsc": ("newsmtsc",), "plv": ("plover",), "aw": ("aw",), "gsr": ("plover",),
    "cameo_class": ("cameo",), "cameo_ner": ("cameo_ner",), "re3d": ("re3d",), "allsides": ("topics", "stances"),
}  # fmt: skip
ENTRY = {
    "about": "Rows that nobody wrote",
    "cite": "Nobody 2000",
    "repository": "nobody/rows",
    "commit": "0" * 40,
    "licence": "CC0-1.0",
    "terms": "as the licence says",
    "use": "share",
}

_NAMES = ("Norway", "Peru", "Chad", "Nepal", "Kenya")
_PLACES = ("harbour bridge lantern", "mountain tunnel violin", "desert windmill saddle", "island lighthouse coral",
           "forest sawmill falcon", "valley vineyard cellar", "delta ferry heron")  # fmt: skip
_DIRECTED = {
    "0": "[{0}] phoned [{1}]", "1": "[{0}] praised [{1}]", "2": "[{0}] was praised by [{1}]",
    "3": "[{0}] condemned [{1}]", "4": "[{0}] was condemned by [{1}]",
}  # fmt: skip
_VERBS = {"0": "watched", "1": "praised", "2": "aided", "3": "condemned", "4": "struck"}


def write_mirror(folder: Path, corpora: Mapping[str, Mapping[str, str]], own: Sequence[str] = ()) -> Path:
    """A mirror in `mirror/` and its catalogue.

    Args:
        folder: where they go.
        corpora: content of the files by corpus and split.
        own: corpora that are for one's own use.

    Returns:
        The catalogue.
    """
    catalogue: dict[str, dict[str, Any]] = {}
    for name, splits in corpora.items():
        files = {}
        for split, content in splits.items():
            path = folder / "mirror" / name / split
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
            files[split] = {"path": f"data/{split}", "mirror": f"{name}/{split}", "sha256": hashed(content)}
        use = "own" if name in own else "share"
        catalogue[name] = {**ENTRY, "use": use, "heads": list(HEADS[name]), "files": files}
    return write_catalogue(folder / "corpora.yaml", catalogue)


def write_catalogue(path: Path, content: Mapping[str, Any]) -> Path:
    """A catalogue as it is given."""
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False), "utf-8")
    return path


def hashed(content: str) -> str:
    """The sha256 of a file with this content."""
    return sha256(content.encode()).hexdigest()


def directed(count: int, first: int = 0) -> str:
    """Sentences as DSE has them; the verb tells the class."""
    lines = []
    for number in range(first, first + count):
        kind, names = str(number % 5), _pair(number)
        lines.append("\t".join((f"{_DIRECTED[kind].format(*names)} {_rest(number)}", *names, kind)))
    return "\n".join(lines) + "\n"


def classes(count: int, first: int = 0) -> str:
    """Sentences as cameo_class has them; the verb tells the class."""
    lines = []
    for number in range(first, first + count):
        one, other = _pair(number)
        lines.append(f"{one} {_VERBS[str(number % 5)]} {other} {_rest(number)}\t{number % 5}")
    return "\n".join(lines) + "\n"


def roles(count: int, first: int = 0) -> str:
    """Sentences as cameo_ner has them."""
    lines = []
    for number in range(first, first + count):
        one, other = _pair(number)
        lines += [f"{one} B-S", f"{_VERBS[str(number % 5)]} B-R", f"{other} B-T"]
        lines += [*(f"{word} O" for word in _rest(number).split()), ""]
    return "\n".join(lines) + "\n"


def relations(count: int) -> str:
    """Sentences as PLV has them."""
    codes = ("CONSULT\t1", "AID\t2", "ACCUSE\t3", "ASSAULT\t4")
    lines = ["marked_sentence\tgold_root\tgold_penta"]
    for number in range(count):
        one, other = _pair(number)
        verb = _VERBS[str(number % 4 + 1)]
        lines.append(f"<s>{one}</s> {verb} <t>{other}</t> {_rest(number)}\t{codes[number % 4]}")
    return "\n".join(lines) + "\n"


def leanings(count: int) -> str:
    """Sentences as NewsMTSC has them."""
    rows = []
    for number in range(count):
        name, _ = _pair(number)
        text = f"The {('wicked', 'plain', 'splendid')[number % 3]} {name} waited {_rest(number)}"
        start = text.index(name)
        target = {"from": start, "to": start + len(name), "mention": name, "polarity": 2.0 * (number % 3 + 1)}
        rows.append({"sentence_normalized": text, "targets": [target]})
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_standoff(folder: Path, texts: Sequence[str], own: bool = True) -> dict[str, Any]:
    """Articles with stand-off labels, of one topic each in turn, in a mirror.

    Returns:
        Their entry in a catalogue, which is to lie in the folder.
    """
    articles = [{"id": f"a{number}", "title": "", "date": None, "text": text} for number, text in enumerate(texts)]
    labels: list[dict[str, Any]] = [
        {
            "id": article["id"], "part": "train", "length": len(text), "sha256": digest("", text),
            "topics": [TOPICS[number % 3]], "actors": {}, "stances": [],
        }
        for number, (article, text) in enumerate(zip(articles, texts, strict=True))
    ]  # fmt: skip
    path = folder / "mirror" / "allsides" / "articles.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(article) + "\n" for article in articles), "utf-8")
    (folder / "labels.jsonl").write_text("".join(json.dumps(label) + "\n" for label in labels), "utf-8")
    files = {"train": {"path": "data/{id}.json", "mirror": "allsides/articles.jsonl"}}
    heads = list(HEADS["allsides"])
    return {**ENTRY, "use": "own" if own else "share", "heads": heads, "labels": "labels.jsonl", "files": files}


def _pair(number: int) -> tuple[str, str]:
    return _NAMES[number % 5], _NAMES[(number + 1 + number // 5 % 4) % 5]


def _rest(number: int) -> str:
    return " ".join(f"{word}-{number}" for word in _PLACES[number % 7].split()) + " ."
