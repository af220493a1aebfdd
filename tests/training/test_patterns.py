from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inference.actors import ActorFinder
from inference.document import Document
from inference.schema import NEUTRAL, OPPOSE, SUPPORT, Article
from training import corpora, patterns
from training.behaviour import load_cases
from training.corpora import PRACTICE, CorpusError, load_corpora
from training.examples import to_examples
from training.heads import all_heads
from training.patterns import FILLINGS, answers, filled, load_patterns, places
from training.recipe import Corpus, Split
from training.splits import split

SHIPPED = Path(patterns.__file__).parent / "starter"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(load_patterns())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the shipped cast and no pattern yet."""
    shutil.copy(SHIPPED / "cast.yaml", tmp_path)
    (tmp_path / "patterns").mkdir()
    return tmp_path


def _write(folder: Path, *lines: str) -> None:
    (folder / "patterns" / "some.jsonl").write_text("\n".join(lines), "utf-8")


def test_places_are_found_with_their_forms():
    assert places("{a:adj} envoys met {b}; {a} was pleased.") == {"a": {"adj", ""}, "b": {""}}


def test_every_pair_that_is_not_named_is_neutral():
    labels = answers(("a", "b", "c"), ["a opposes b", "c supports a"])
    assert labels.pop(("a", "b")) == OPPOSE
    assert labels.pop(("c", "a")) == SUPPORT
    assert set(labels.values()) == {NEUTRAL}
    assert len(labels) == 4


def test_a_filled_place_is_where_its_span_says():
    text, spans = filled("{a:adj} aid to {b}, said {a}.", {"a:adj": "Iranian", "a": "Tehran", "b": "the UN"})
    assert text == "Iranian aid to the UN, said Tehran."
    assert [(span.name, text[span.start : span.end]) for span in spans] == [
        ("a", "Iranian"), ("b", "the UN"), ("a", "Tehran")
    ]  # fmt: skip


def test_a_sentence_begins_with_a_capital():
    text, spans = filled("{a} left.", {"a": "the Taliban"})
    assert text == "The Taliban left."
    assert (spans[0].start, spans[0].end) == (0, 11)


def test_a_pattern_is_filled_with_different_casts_and_the_same_each_time(folder: Path):
    _write(folder, json.dumps({"text": "{a} thanked {b} and {c}.", "stances": ["a supports b", "a supports c"]}))
    rows = list(load_patterns(folder))
    assert len({row["text"] for row in rows}) == FILLINGS == len({row["id"] for row in rows})
    assert rows == list(load_patterns(folder))
    for row in rows:
        names = [row["text"][actor["start"] : actor["end"]] for actor in row["actors"]]
        assert len(set(names)) == 3
        assert [(stance["source"], stance["target"], stance["label"]) for stance in row["stances"]] == [
            ("a", "b", "support"), ("a", "c", "support")
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "JSONDecodeError"),
        ('{"text": "{a} met {b}."}', "KeyError"),
        ('{"text": "{a} met {b}.", "stances": ["a likes b"]}', "KeyError"),
        ('{"text": "{a} met {b}.", "stances": ["a opposes c"]}', "is not of two of the actors a, b"),
        ('{"text": "{a} met {b:king}.", "stances": []}', "KeyError"),
        ('{"text": "{a met b.", "stances": []}', "ValueError"),
        ("[]", "TypeError"),
    ],
)
def test_what_is_no_pattern_is_named_by_file_and_line(folder: Path, line: str, what: str):
    _write(folder, json.dumps({"text": "{a} met {b}.", "stances": []}), line)
    with pytest.raises(ValueError, match=r"some\.jsonl:2: not a pattern") as error:
        list(load_patterns(folder))
    assert what in str(error.value)


def test_a_broken_pattern_stops_a_run_as_a_bad_row_does(folder: Path, monkeypatch: pytest.MonkeyPatch):
    _write(folder, "{")
    monkeypatch.setattr(corpora, "load_patterns", lambda: load_patterns(folder))
    with pytest.raises(CorpusError, match=r"some\.jsonl:1"):
        load_corpora([Corpus(name="patterns")], (), ActorFinder({}))


def test_each_shipped_pattern_is_one_sentence_with_all_its_actors(rows: list[dict[str, Any]]):
    for row in rows:
        document = Document.build(Article(row["id"], row["text"]), [])
        assert len(document.sentences) == 1, row["text"]
        assert row["text"][0].isupper() or not row["text"][0].isalpha(), row["text"]


def test_no_shipped_pattern_stands_twice_nor_is_a_case_of_the_behaviour_suite(rows: list[dict[str, Any]]):
    lines = [json.loads(line)["text"] for path in sorted((SHIPPED / "patterns").glob("*.jsonl"))
             for line in path.read_text("utf-8").splitlines()]  # fmt: skip
    assert [text for text, count in Counter(map(_words, lines)).items() if count > 1] == []
    assert len(rows) == FILLINGS * len(lines)
    assert {_words(case.text) for case in load_cases()}.isdisjoint(map(_words, lines))


def test_patterns_are_learned_from_and_never_measured_on():
    dataset = load_corpora([Corpus(name="patterns")], ("diplomacy",), ActorFinder({}))
    parts = split(dataset, Split(), seed=1)
    assert set(dataset["part"]) == {PRACTICE}
    assert len(parts.train) == len(dataset)
    assert parts.validation == parts.test == ()
    examples = to_examples(dataset.select(range(FILLINGS)), all_heads(("diplomacy",)), ())
    for example in examples:
        assert example.topics is None
        assert example.others == {}
        assert len(example.stances) == len(example.document.pairs) >= 2
        assert (example.stances >= 0).all()


def _words(text: str) -> str:
    """A text without its places and their forms."""
    return " ".join("{}" if word.startswith("{") else word for word in text.split())
