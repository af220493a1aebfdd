"""A small house of files for a run: taxonomy, lexicon, articles and recipe, in a folder of a test's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import Dataset

from inference.actors import ActorFinder
from inference.heads import Head, stance_head
from training.corpora import FEATURES, load_corpora
from training.recipe import Corpus

CONFIGS = Path(__file__).parents[2] / "configs"
TOPICS = ("diplomacy", "sanctions", "sport")
HEADS = (Head("topics", "topics", TOPICS), stance_head())
FORMS = {
    "Russia": "Russia",
    "Moscow": "Russia",
    "Iran": "Iran",
    "Tehran": "Iran",
    "France": "France",
    "Paris": "France",
}
FINDER = ActorFinder(FORMS)

Row = dict[str, Any]

_NAMES = ("Russia", "Iran", "France", "Moscow", "Tehran", "Paris")
_WORDS = {
    "diplomacy": ("Envoys held talks at a summit.", "A treaty was signed after the talks."),
    "sanctions": ("Assets were frozen under an embargo.", "A ban on visas joined the embargo."),
    "sport": ("The team won the cup.", "Fans sang after the match for the cup."),
}
_VERBS = {"praised": "support", "condemned": "oppose", "phoned": "neutral"}
_PLACES = (
    "harbour bridge lantern orchard", "mountain tunnel copper violin", "desert windmill parchment saddle",
    "island lighthouse anchor coral", "forest sawmill amber falcon", "valley vineyard barrel cellar",
    "plateau observatory telescope comet", "delta ferry mangrove heron",
)  # fmt: skip


def row(id: str = "a", **changes: Any) -> Row:
    """A row as the starter corpus has it; a change to None leaves a key out."""
    content: Row = {
        "id": id,
        "title": "Talks in Paris",
        "date": "2016-08-23",
        "text": "Russia praised Iran on Monday. Tehran said nothing.",
        "topics": ["diplomacy"],
        "actors": [
            {"mention": "Russia", "name": "Russia"},
            {"mention": "Iran", "name": "Iran"},
            {"mention": "Tehran", "name": "Iran"},
            {"mention": "Paris", "name": "France"},
        ],
        "stances": [
            {"sentence": "Russia praised Iran on Monday.", "source": "Russia", "target": "Iran", "label": "support"}
        ],
    }
    return {key: value for key, value in (content | changes).items() if value is not None}


def articles(count: int) -> list[Row]:
    """Articles, no two alike, whose labels can be learned from their words."""
    made = []
    for number in range(count):
        topic = TOPICS[number % 3]
        source, target = _NAMES[number % 6], _NAMES[(number + 1 + number // 6 % 2) % 6]
        verb = list(_VERBS)[number // 3 % 3]
        first, second, third, fourth = _PLACES[number % 8].split()
        sentence = f"{source} {verb} {target} over {first}-{number}."
        text = f"{sentence} {_WORDS[topic][number % 2]} {second}-{number} {third}-{number} {fourth}-{number}."
        stance = {"sentence": sentence, "source": source, "target": target, "label": _VERBS[verb]}
        made.append(
            {
                "id": f"n{number:03}",
                "text": text,
                "topics": [topic],
                "actors": [{"mention": name, "name": FORMS[name]} for name in (source, target)],
                "stances": [stance] if stance["label"] != "neutral" else [],
            }
        )
    return made


def write_jsonl(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A file of JSON lines."""
    path.write_text("".join(json.dumps(content, ensure_ascii=False) + "\n" for content in rows), "utf-8")
    return path


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A CSV file with topics parted by `;` and actors and stances as JSON."""
    columns = list(dict.fromkeys(key for content in rows for key in content))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for content in rows:
            writer.writerow([_cell(column, content.get(column)) for column in columns])
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """A Parquet file with nested columns."""
    columns = list(dict.fromkeys(key for content in rows for key in content))
    pq.write_table(pa.table({column: [content.get(column) for content in rows] for column in columns}), path)
    return path


def write_recipe(folder: Path, rows: Sequence[Mapping[str, Any]], **changes: Any) -> Path:
    """A recipe of the linear family with all that it names."""
    write_jsonl(folder / "articles.jsonl", rows)
    topics = [{"label": topic, "description": topic} for topic in TOPICS]
    (folder / "taxonomy.yaml").write_text(yaml.safe_dump({"topics": topics}), "utf-8")
    names = sorted(set(FORMS.values()))
    actors = [
        {"name": name, "kind": "country", "aliases": [form for form in FORMS if FORMS[form] == name and form != name]}
        for name in names
    ]
    (folder / "actors.yaml").write_text(yaml.safe_dump({"actors": actors}), "utf-8")
    content = {
        "corpora": [{"name": "mine", "files": ["articles.jsonl"], "licence": "CC0-1.0"}],
        "min_positives": 2,
        "model": {"family": "linear", "min_articles": 1},
        **changes,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def load(*files: Path, labels: Path | None = None, skip_bad_rows: bool = False) -> Dataset:
    """The corpus of some files."""
    corpus = Corpus(name="mine", files=files, labels=labels)
    return load_corpora([corpus], TOPICS, FINDER, skip_bad_rows)


def dataset(rows: Sequence[Mapping[str, Any]]) -> Dataset:
    """Rows in the schema, what they lack being null."""
    blank: Row = dict.fromkeys(FEATURES) | {"corpus": "mine", "title": "", "all_actors": False}
    return Dataset.from_list([{**blank, **content} for content in rows], features=FEATURES)


def _cell(column: str, value: object) -> object:
    if isinstance(value, list):
        return ";".join(value) if column == "topics" else json.dumps(value)
    return value
