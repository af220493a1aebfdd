from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from training.corpora import FEATURES
from training.starter import validate
from training.starter.validate import counts, load, problems


@pytest.fixture(scope="module")
def corpus() -> Dataset:
    return load()


def test_nothing_is_wrong_with_the_corpus(corpus: Dataset):
    assert list(problems(corpus)) == []


def test_the_counts_are_those_of_its_readme(
    corpus: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(validate, "load", lambda: corpus)
    assert validate.main() == 0
    output, errors = capsys.readouterr()
    assert errors == ""
    readme = Path(validate.__file__).with_name("README.md").read_text("utf-8")
    listed = re.search(r"```\n(articles .*?)```", readme, re.S)
    assert listed
    assert _counted(listed[1]) == _counted(output) == counts(corpus)


def test_every_article_is_labelled_in_full(corpus: Dataset):
    assert all(corpus["all_actors"])
    untold = {re.sub(r"^starter/|-\d+$", "", row["id"]) for row in corpus if row["topics"] is None}
    assert untold == {"passives", "reports", "joined", "refusals", "nouns", "plans", "turns"}
    assert None not in corpus["stances"]
    assert len(set(corpus["id"])) == len(corpus)
    assert all(re.fullmatch(r"\d{4}-\d\d(-\d\d)?", date) for date in corpus["date"])


def test_a_sentence_of_two_articles_is_found(corpus: Dataset):
    one, other = corpus[0], corpus[1]
    sentence = "This very sentence was copied from one article into another."
    planted = [{**row, "text": f"{row['text']}\n{sentence}"} for row in (one, other)]
    (problem,) = problems(Dataset.from_list(planted, features=FEATURES))
    assert problem.startswith(f"{other['id']}: the sentence {sentence!r}")
    assert problem.endswith(f"stands in {one['id']} too")


def test_two_labels_for_one_pair_are_found(corpus: Dataset):
    row = next(row for row in corpus if row["stances"])
    stance = row["stances"][0]
    turned = {**stance, "label": "oppose" if stance["label"] == "support" else "support"}
    (problem,) = _problems({**row, "stances": [stance, turned]})
    assert problem == f"{row['id']}: {stance['source']} → {stance['target']} has two labels in one sentence"


def test_an_actor_of_a_stance_that_is_never_mentioned_is_found(corpus: Dataset):
    row = next(row for row in corpus if row["stances"])
    (problem,) = _problems({**row, "stances": [{**row["stances"][0], "target": "Atlantis"}]})
    assert problem == f"{row['id']}: 'Atlantis' of a stance is never mentioned in the text"


def _problems(row: dict[str, Any]) -> list[str]:
    return list(problems(Dataset.from_list([row], features=FEATURES)))


def _counted(lines: str) -> dict[str, int]:
    pairs = (line.rsplit(maxsplit=1) for line in lines.strip().splitlines())
    return {name.strip(): int(count.replace(",", "")) for name, count in pairs}
