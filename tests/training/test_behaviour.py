from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.actors import ActorFinder
from inference.decode import Decisions, StanceDecision
from inference.document import Document
from inference.schema import NEUTRAL, OPPOSE, STANCE_LABELS, SUPPORT
from inference.scorer import Scores
from training.behaviour import BehaviourError, behave, load_cases, table
from training.taxonomy import load_lexicon

PLAIN = Decisions({}, StanceDecision())
ROW = {"text": "{a} praised {b}.", "actors": {"a": "Iran", "b": "Oman"}, "stances": ["a supports b"]}


def write(folder: Path, capability: str, *rows: object) -> Path:
    (folder / f"{capability}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return folder


def scorer(label: Callable[[str, str, str], str]) -> Callable[[Sequence[Document]], list[Scores]]:
    """A model that labels a pair by the sentence and the words that stand for its source and target."""

    def score(documents: Sequence[Document]) -> list[Scores]:
        return [Scores(np.zeros(0), _logits(document)) for document in documents]

    def _logits(document: Document) -> np.ndarray:
        text = document.article.text
        words = {mention.name: text[mention.start : mention.end] for mention in document.mentions}
        labels = [label(text, words[pair.source], words[pair.target]) for pair in document.pairs]
        return 9 * np.eye(3)[[STANCE_LABELS.index(each) for each in labels]].reshape(-1, 3)

    return score


def by_order(text: str, source: str, target: str) -> str:
    """Who is named first supports the other."""
    return SUPPORT if text.index(source) < text.index(target) else NEUTRAL


def test_a_case_passes_where_every_pair_is_right(tmp_path: Path):
    passive = ROW | {"text": "{b} was praised by {a}."}
    cases = load_cases(write(tmp_path, "passive", ROW, passive))
    found = behave(cases, scorer(by_order), PLAIN)
    assert found["passive"] == {"cases": 2, "passed": 1, "pass_rate": 0.5, "direction_errors": 0.5}
    assert found["all"] == found["passive"]
    assert behave(cases, scorer(lambda *_: NEUTRAL), PLAIN)["all"]["passed"] == 0


def test_actors_that_are_exchanged_must_be_right_both_ways(tmp_path: Path):
    cases = load_cases(write(tmp_path, "exchange", ROW))
    assert behave(cases, scorer(by_order), PLAIN)["exchange"]["passed"] == 1
    names = scorer(lambda _, source, __: SUPPORT if source == "Iran" else NEUTRAL)
    assert behave(cases, names, PLAIN)["exchange"]["passed"] == 0


def test_a_case_is_one_sentence_and_one_of_invariance_has_other_casts(tmp_path: Path):
    with pytest.raises(BehaviourError, match="it is more than one sentence"):
        load_cases(write(tmp_path, "passive", ROW | {"text": "{a} won. Then {b} lost."}))
    (tmp_path / "passive.jsonl").unlink()
    with pytest.raises(BehaviourError, match="no other cast"):
        load_cases(write(tmp_path, "invariance", ROW))


@pytest.mark.parametrize("capability", ["invariance", "noise"])
def test_other_casts_must_get_the_same_answers(tmp_path: Path, capability: str):
    row = ROW | {"instead": [{"a": "Peru", "b": "Chad"}]}
    cases = load_cases(write(tmp_path, capability, row))
    same = scorer(lambda *_: OPPOSE)
    assert behave(cases, same, PLAIN)[capability]["passed"] == (capability == "invariance")
    names = scorer(lambda text, source, target: by_order(text, source, target) if "Iran" in text else NEUTRAL)
    assert behave(cases, names, PLAIN)[capability]["passed"] == 0


def test_a_place_may_stand_twice(tmp_path: Path):
    row = {"text": "{a} said {a} backs {b}.", "actors": {"a": "Iran", "b": "Oman"}, "stances": ["a supports b"]}
    (case,) = load_cases(write(tmp_path, "reported", row))
    seen: list[Document] = []

    def score(documents: Sequence[Document]) -> list[Scores]:
        seen.extend(documents)
        return scorer(by_order)(documents)

    assert behave([case], score, PLAIN)["all"]["passed"] == 1
    assert [mention.name for mention in seen[0].mentions] == ["a", "a", "b"]
    assert seen[0].article.text == "Iran said Iran backs Oman."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[", "JSONDecodeError"),
        (ROW | {"stances": ["a loves b"]}, "KeyError: 'loves'"),
        (ROW | {"stances": ["a supports c"]}, "'a supports c' is not of two of the actors a, b"),
        (ROW | {"text": "{a} praised Oman."}, "the places a are not those of the cast"),
        (ROW | {"instead": [{"a": "Peru"}]}, "the places a, b are not those of the cast"),
        ({"text": "x"}, "KeyError: 'actors'"),
    ],
)
def test_a_bad_case_is_told_with_its_line(tmp_path: Path, row: object, message: str):
    write(tmp_path, "passive", ROW)
    with (tmp_path / "passive.jsonl").open("a") as file:
        file.write((row if isinstance(row, str) else json.dumps(row)) + "\n")
    with pytest.raises(BehaviourError) as raised:
        load_cases(tmp_path)
    assert str(raised.value).startswith(f"{tmp_path / 'passive.jsonl'}:2: not a case of passive (")
    assert message in str(raised.value)


def test_a_folder_without_cases_is_told(tmp_path: Path):
    with pytest.raises(BehaviourError, match="no case there"):
        load_cases(tmp_path)


def test_the_table_has_a_line_a_capability(tmp_path: Path):
    write(tmp_path, "exchange", ROW)
    lines = table(behave(load_cases(write(tmp_path, "passive", ROW)), scorer(by_order), PLAIN)).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["exchange", "1/1"], ["passive", "1/1"], ["all", "2/2"]]


def test_the_shipped_cases_are_many_and_name_actors_that_are_known():
    cases = load_cases()
    counts = Counter(case.capability for case in cases)
    assert len(cases) >= 300
    assert min(counts.values()) >= 30
    finder = ActorFinder(load_lexicon(Path("configs/actors.yaml")).forms)
    for case in cases:
        for cast in case.casts:
            assert len({finder.resolve(form) for form in cast.values()}) == len(cast), case.text
    assert len({case.text for case in cases}) == len(cases)
