from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from inference.errors import DetenteError
from training import corpora
from training.corpora import FEATURES, CorpusError, load_corpora
from training.recipe import Corpus

from .rows import FINDER, TOPICS, load, row, write_csv, write_jsonl, write_parquet

ROWS = [
    row("a"),
    row("b", title="Paris waits", date="2016-08", topics=["sanctions", "sport"], stances=[]),
    row("c", event="e1"),
]


def test_json_lines_csv_and_parquet_give_the_same_examples(tmp_path: Path):
    written = load(write_jsonl(tmp_path / "a.jsonl", ROWS))
    assert written.features == FEATURES
    assert written["id"] == ["mine/a", "mine/b", "mine/c"]
    assert written["topics"] == [["diplomacy"], ["sanctions", "sport"], ["diplomacy"]]
    assert written["event"] == [None, None, "e1"]
    assert load(write_csv(tmp_path / "a.csv", ROWS)).to_list() == written.to_list()
    assert load(write_parquet(tmp_path / "a.parquet", ROWS)).to_list() == written.to_list()


def test_several_files_are_one_corpus(tmp_path: Path):
    files = [write_jsonl(tmp_path / f"{number}.jsonl", [content]) for number, content in enumerate(ROWS)]
    assert load(*files)["id"] == ["mine/a", "mine/b", "mine/c"]


def test_labels_may_lie_in_a_file_of_their_own(tmp_path: Path):
    labels = ("id", "topics", "actors", "stances")
    articles = [{key: value for key, value in content.items() if key not in labels[1:]} for content in ROWS]
    apart = [{key: content[key] for key in labels} for content in reversed(ROWS)]
    whole = load(write_jsonl(tmp_path / "whole.jsonl", ROWS)).to_list()
    texts = write_jsonl(tmp_path / "articles.jsonl", articles)
    assert load(texts, labels=write_jsonl(tmp_path / "labels.jsonl", apart)).to_list() == whole
    assert load(texts, labels=write_csv(tmp_path / "labels.csv", apart)).to_list() == whole


def test_a_number_and_its_digits_are_one_id_for_labels(tmp_path: Path):
    texts = write_jsonl(tmp_path / "a.jsonl", [{"id": 7, "text": "Talks."}])
    labels = write_csv(tmp_path / "labels.csv", [{"id": "7", "topics": ["sport"]}])
    assert load(texts, labels=labels)["topics"] == [["sport"]]


def test_an_article_without_labels_in_their_file_is_named(tmp_path: Path):
    labels = write_csv(tmp_path / "labels.csv", [{"id": "b", "topics": ["sport"]}])
    with pytest.raises(CorpusError, match=r"a\.jsonl, line 1: no labels for the id 'a' in .*labels\.csv"):
        load(write_jsonl(tmp_path / "a.jsonl", [row("a")]), labels=labels)


def test_rows_that_are_labelled_in_part_stay_so(tmp_path: Path):
    rows = [
        row("a"),
        row("topics", actors=None, stances=None),
        row("stances", topics=None, actors=None),
        row("nothing", topics=None, actors=None, stances=None),
        row("none", topics=[], actors=[], stances=[]),
    ]
    found = load(write_jsonl(tmp_path / "a.jsonl", rows))
    reloaded = Dataset.from_parquet(_parquet(found, tmp_path / "again.parquet"), cache_dir=str(tmp_path))
    for dataset in (found, reloaded):
        assert dataset["topics"] == [["diplomacy"], ["diplomacy"], None, None, []]
        assert dataset["all_actors"] == [True, False, False, False, True]
        assert [stances if stances is None else len(stances) for stances in dataset["stances"]] == [1, None, 1, None, 0]
        assert [actors if actors is None else len(actors) for actors in dataset["actors"]] == [4, None, 2, None, 0]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (row("x", topics=["weather"]), "`topics`: unknown label 'weather'"),
        (row("x", stances=[row()["stances"][0] | {"sentence": "Nobody wrote this."}]), "is neither in the text"),
        (row("x", actors=[{"mention": "Cuba", "name": "Cuba"}]), "the mention 'Cuba' is neither in the text"),
        (row("x", text="  \n"), "`text` is empty"),
        (row("x", text=5), "text"),
        ({"id": "x", "title": "No text"}, "text"),
        (row("a"), "the id 'a' was there before, at"),
        ("{broken", "broken JSON"),
        ("[1]", "found list, expected an object"),
    ],
    ids=["topic", "sentence", "mention", "empty text", "text type", "no text", "id", "JSON", "list"],
)
def test_a_bad_row_stops_the_run_or_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, bad: Any, expected: str
):
    path = write_jsonl(tmp_path / "a.jsonl", [row("a"), row("b") if isinstance(bad, str) else bad, row("c")])
    if isinstance(bad, str):
        lines = path.read_text("utf-8").splitlines()
        path.write_text("\n".join([lines[0], bad, lines[2]]) + "\n", "utf-8")
    with pytest.raises(CorpusError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}, line 2: ")
    assert str(raised.value).count(str(path)) == (2 if "before" in expected else 1)
    assert expected in str(raised.value)
    assert "--skip-bad-rows" in str(raised.value)
    with caplog.at_level(logging.WARNING):
        assert load(path, skip_bad_rows=True)["id"] == ["mine/a", "mine/c"]
    assert "1 bad rows left out" in caplog.text
    assert f"{path}, line 2: " in caplog.text


def test_all_bad_rows_are_counted_and_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    path = write_jsonl(tmp_path / "a.jsonl", [row("a"), row("b", text=""), row("c", topics=["x"]), row("d", text=" ")])
    with caplog.at_level(logging.WARNING):
        assert len(load(path, skip_bad_rows=True)) == 1
    assert "3 bad rows left out" in caplog.text
    assert [f"line {number}" in caplog.text for number in (2, 3, 4)] == [True] * 3


def test_a_corpus_of_bad_rows_alone_is_refused(tmp_path: Path):
    with pytest.raises(CorpusError, match="no usable article in mine"):
        load(write_jsonl(tmp_path / "a.jsonl", [row("a", text="")]), skip_bad_rows=True)


@pytest.mark.parametrize("write", [write_csv, write_parquet])
def test_a_table_without_texts_is_refused(tmp_path: Path, write):
    path = write(tmp_path / f"a.{'csv' if write is write_csv else 'parquet'}", [{"id": "a", "body": "x"}])
    with pytest.raises(DetenteError, match=r"no column `text`; found id, body"):
        load(path)


def test_a_file_of_an_unknown_kind_is_refused(tmp_path: Path):
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(DetenteError, match=r"a\.xlsx: found the ending '\.xlsx', expected one of \.jsonl"):
        load(tmp_path / "a.xlsx")


def test_rows_without_ids_in_files_of_one_name_are_refused(tmp_path: Path):
    content = {key: value for key, value in row("a").items() if key != "id"}
    for year in ("2020", "2021"):
        (tmp_path / year).mkdir()
    files = tuple(write_jsonl(tmp_path / year / "a.jsonl", [content]) for year in ("2020", "2021"))
    with pytest.raises(CorpusError, match=r"the id 'a\.jsonl, line 1' was there before, at .*2020"):
        load(*files)


def test_two_corpora_may_use_one_id(tmp_path: Path):
    path = write_jsonl(tmp_path / "a.jsonl", [row("a")])
    both = load_corpora([Corpus(name="one", files=(path,)), Corpus(name="two", files=(path,))], TOPICS, FINDER)
    assert both["id"] == ["one/a", "two/a"]
    assert both["corpus"] == ["one", "two"]


def test_a_hub_dataset_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch):
    asked: list[tuple[Any, dict[str, Any]]] = []

    def load_dataset(name: str, **options: Any) -> Dataset:
        asked.append((name, options))
        return Dataset.from_list([row("a"), row("b", topics=["sport"])])

    monkeypatch.setattr(corpora, "load_dataset", load_dataset)
    found = load_corpora([Corpus(name="news", hub="someone/news", revision="v2", split="dev")], TOPICS, FINDER)
    assert asked == [("someone/news", {"split": "dev", "revision": "v2"})]
    assert found["id"] == ["news/a", "news/b"]
    assert found["topics"] == [["diplomacy"], ["sport"]]


def test_a_bad_row_of_a_hub_dataset_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        corpora, "load_dataset", lambda name, **options: Dataset.from_list([row("a"), row("b", text="")])
    )
    with pytest.raises(CorpusError, match="someone/news, row 2: `text` is empty"):
        load_corpora([Corpus(name="news", hub="someone/news")], TOPICS, FINDER)


def test_a_hub_dataset_without_texts_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(corpora, "load_dataset", lambda name, **options: Dataset.from_list([{"id": "a", "body": "x"}]))
    with pytest.raises(CorpusError, match="corpus news: no column `text`; found id, body"):
        load_corpora([Corpus(name="news", hub="someone/news")], TOPICS, FINDER)


def test_a_hub_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch):
    def load_dataset(name: str, **options: Any) -> Dataset:
        raise ConnectionError("no route")

    monkeypatch.setattr(corpora, "load_dataset", load_dataset)
    with pytest.raises(CorpusError, match="corpus news: someone/news cannot be loaded from the hub: no route"):
        load_corpora([Corpus(name="news", hub="someone/news")], TOPICS, FINDER)


def _parquet(dataset: Dataset, path: Path) -> str:
    dataset.to_parquet(str(path))
    return str(path)
