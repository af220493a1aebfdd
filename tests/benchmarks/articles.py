"""Articles to time with: the starter corpus, as often as needed, each time cut elsewhere."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

from inference.reading import read_rows
from inference.schema import Article

_STARTER = Path(__file__).parents[2] / "training" / "starter"


def starter(number: int) -> list[Article]:
    """The first so many articles; beyond the corpus they are its articles again, with fewer sentences."""
    generator = random.Random(13)
    rows = [row.content for file in sorted(_STARTER.glob("*.jsonl")) for row in read_rows(str(file))]
    whole = [row for row in rows if isinstance(row, dict)]
    generator.shuffle(whole)
    articles = []
    for place in range(number):
        row = whole[place % len(whole)]
        parts = row["text"].split(". ")
        left = len(parts) if place < len(whole) else generator.randint(1, len(parts))
        articles.append(Article(f"a{place}", ". ".join(parts[:left]), row["title"], row["date"]))
    return articles


def write(articles: Iterable[Article], path: Path | None = None) -> Path:
    """Articles as JSON lines, in a new temporary folder where no path is given."""
    path = path or Path(tempfile.mkdtemp()) / "articles.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for article in articles:
            row = {"id": article.id, "title": article.title, "text": article.text, "date": article.date}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path
