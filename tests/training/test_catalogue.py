from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from inference.schema import STANCE_LABELS
from training.catalogue import (
    CATALOGUE,
    FOLDER,
    MIRROR,
    CatalogueError,
    PublicCorpus,
    at_hand,
    check_use,
    described,
    entry,
    load_catalogue,
)
from training.heads import all_heads
from training.public.readers import READERS
from training.public.standoff import read_labels
from training.recipe import RecipeError
from training.taxonomy import load_taxonomy

from .conftest import ROOT
from .mirror import ENTRY, directed, hashed, write_catalogue, write_mirror
from .rows import CONFIGS

FILE = {"path": "data/train.txt", "mirror": "dse/train.txt", "sha256": "a" * 64}
ENTRIES = {
    "dse": {**ENTRY, "heads": ["dse"], "files": {"train": FILE, "test": {**FILE, "mirror": "dse/test.txt"}}},
    "allsides": {
        **ENTRY,
        "use": "own",
        "heads": ["topics", "stances"],
        "labels": "labels.jsonl",
        "files": {"train": {"path": "data/{id}.json", "mirror": "allsides/articles.jsonl"}},
    },
}


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has."""
    monkeypatch.delenv(MIRROR, raising=False)


def test_a_catalogue_is_read_with_its_labels_beside_it(tmp_path: Path):
    catalogue = load_catalogue(write_catalogue(tmp_path / "corpora.yaml", ENTRIES))
    assert list(catalogue) == ["dse", "allsides"]
    assert catalogue["dse"].labels is None
    assert catalogue["dse"].heads == ("dse",)
    assert catalogue["dse"].files["train"].sha256 == "a" * 64
    assert catalogue["allsides"].labels == tmp_path / "labels.jsonl"
    assert catalogue["allsides"].files["train"].sha256 is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"use": "any"}, "dse.use: Input should be 'own' or 'share'"),
        ({"cite": None}, "dse.cite: Field required"),
        ({"price": 5}, "dse.price: Extra inputs are not permitted"),
        ({"repository": "rows"}, "dse.repository: String should match"),
        ({"commit": "main"}, "dse.commit: String should match"),
        ({"heads": []}, "dse.heads: Tuple should have at least 1 item"),
        ({"files": {}}, "dse.files: Dictionary should have at least 1 item"),
        ({"files": {"train": {**FILE, "sha256": "abc"}}}, "dse.files.train.sha256: String should match"),
        ({"files": {"train": {"path": "a", "sha256": "a" * 64}}}, "dse.files.train.mirror: Field required"),
        ({"files": {"train": FILE, "test": {"path": "a", "mirror": "b"}}},
         "dse: files.test: expected a sha256, or `labels` with a hash of each text"),
        ({"labels": "labels.jsonl"}, "dse: files.train: expected a sha256, or `labels` with a hash of each text"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_told_by_its_key(tmp_path: Path, changes: dict[str, Any], expected: str):
    content = {key: value for key, value in (ENTRIES["dse"] | changes).items() if value is not None}
    path = write_catalogue(tmp_path / "corpora.yaml", {"allsides": ENTRIES["allsides"], "dse": content})
    with pytest.raises(CatalogueError) as raised:
        load_catalogue(path)
    assert str(raised.value).startswith(f"{path}: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [("- dse\n", "found list, expected corpora by name"), ("", "found NoneType"), ("dse: 5\n", "dse: Input should be")],
)
def test_what_is_no_catalogue_is_refused(tmp_path: Path, content: str, expected: str):
    path = tmp_path / "corpora.yaml"
    path.write_text(content, "utf-8")
    with pytest.raises(CatalogueError) as raised:
        load_catalogue(path)
    assert str(raised.value).startswith(f"{path}: {expected}")


def test_a_catalogue_that_is_missing_or_names_a_corpus_twice_is_refused(tmp_path: Path):
    path = tmp_path / "corpora.yaml"
    with pytest.raises(RecipeError, match=r"corpora\.yaml: no such file"):
        load_catalogue(path)
    path.write_text("dse: {}\ndse: {}\n", "utf-8")
    with pytest.raises(RecipeError, match="the key 'dse' is given twice"):
        load_catalogue(path)


def test_an_unknown_corpus_is_told_with_those_that_are_known():
    catalogue = _catalogue()
    assert entry(catalogue, "dse") is catalogue["dse"]
    with pytest.raises(CatalogueError, match=r"corpus wikipedia: not in the catalogue, .*known: dse, allsides"):
        entry(catalogue, "wikipedia")


@pytest.mark.parametrize(
    ("use", "purpose", "allowed"),
    [("share", "share", True), ("share", "own", True), ("own", "own", True), ("own", "share", False)],
)
def test_a_corpus_for_ones_own_use_makes_no_model_to_give_away(use: Any, purpose: Any, allowed: bool):
    corpus = _catalogue()["dse"].model_copy(update={"use": use, "licence": "not stated", "terms": "cite us"})
    if allowed:
        check_use("dse", corpus, purpose)
        return
    with pytest.raises(CatalogueError, match=r"corpus dse: licence not stated \(cite us\): .*`purpose: own`"):
        check_use("dse", corpus, purpose)


@pytest.mark.parametrize("mirrored", [True, False], ids=["mirror", "folder"])
def test_a_file_at_hand_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mirrored: bool):
    catalogue = load_catalogue(write_mirror(tmp_path, {"dse": {"train": directed(5)}}))
    folder = tmp_path / "mirror"
    if mirrored:
        monkeypatch.setenv(MIRROR, str(folder))
        folder = tmp_path / "elsewhere"
    path = tmp_path / "mirror" / "dse" / "train"
    assert at_hand("dse", catalogue["dse"], "train", folder) == path
    for content in (directed(5)[:-9], directed(5).replace("praised", "blessed")):
        path.write_text(content, "utf-8")
        with pytest.raises(CatalogueError, match=r"corpus dse: .* is cut short or altered") as raised:
            at_hand("dse", catalogue["dse"], "train", folder)
        assert str(path) in str(raised.value)
        assert f"sha256 {hashed(content)}, expected {hashed(directed(5))}" in str(raised.value)


def test_a_split_that_a_corpus_does_not_give_is_named():
    with pytest.raises(CatalogueError, match="corpus dse: no split 'validation'; it has train, test"):
        at_hand("dse", _catalogue()["dse"], "validation")


def test_a_file_that_is_not_there_can_be_fetched_or_is_the_mirrors_to_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    corpus = _catalogue()["dse"]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CatalogueError, match="`python -m training fetch dse` downloads it") as raised:
        at_hand("dse", corpus, "test")
    assert f"corpus dse: no {FOLDER / 'dse' / 'test.txt'} (test split, licence CC0-1.0)" in str(raised.value)
    monkeypatch.setenv(MIRROR, str(tmp_path))
    with pytest.raises(CatalogueError, match=r"the mirror in \$DETENTE_MIRROR lacks it") as raised:
        at_hand("dse", corpus, "test")
    assert f"no {tmp_path / 'dse' / 'test.txt'}" in str(raised.value)


def test_texts_of_stand_off_labels_need_no_digest_of_their_file(tmp_path: Path):
    path = tmp_path / "allsides" / "articles.jsonl"
    path.parent.mkdir()
    path.write_text("{}\n", "utf-8")
    assert at_hand("allsides", _catalogue()["allsides"], "train", tmp_path) == path


def test_corpora_are_described_with_what_they_may_be_used_for():
    catalogue = _catalogue()
    lines = described(catalogue).splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "dse: Rows that nobody wrote", "allsides: Rows that nobody wrote",
    ]  # fmt: skip
    dse = described(catalogue, ["dse"])
    assert dse.splitlines() == lines[: len(lines) // 2]
    assert "splits train, test" in dse
    assert "for any model (licence: CC0-1.0; as the licence says)" in dse
    assert "nobody/rows @ 000000000000" in dse
    assert "Nobody 2000" in dse
    assert "not for models to give away" in described(catalogue, ["allsides"])
    with pytest.raises(CatalogueError, match="corpus wikipedia: not in the catalogue"):
        described(catalogue, ["wikipedia"])


# What ships


@pytest.fixture(scope="module")
def shipped() -> dict[str, PublicCorpus]:
    return load_catalogue(ROOT / CATALOGUE)


def test_every_shipped_corpus_trains_heads_that_there_are(shipped: dict[str, PublicCorpus]):
    known = {head.name for head in all_heads(load_taxonomy(CONFIGS / "taxonomy.yaml").labels)}
    assert {head for corpus in shipped.values() for head in corpus.heads} == known


def test_every_shipped_corpus_can_be_read(shipped: dict[str, PublicCorpus]):
    labelled = {name for name, corpus in shipped.items() if corpus.labels}
    assert labelled.isdisjoint(READERS)
    assert labelled | set(READERS) == set(shipped)
    assert all(corpus.labels.is_file() for corpus in shipped.values() if corpus.labels)
    assert all("train" in corpus.files for corpus in shipped.values())


def test_no_two_shipped_files_have_one_place_in_the_mirror(shipped: dict[str, PublicCorpus]):
    places = Counter(file.mirror for corpus in shipped.values() if not corpus.labels for file in corpus.files.values())
    assert places.most_common(1)[0][1] == 1


def test_shipped_labels_are_well_formed(shipped: dict[str, PublicCorpus]):
    rows = [row for corpus in shipped.values() if corpus.labels for row in read_labels(corpus.labels)]
    topics = set(load_taxonomy(CONFIGS / "taxonomy.yaml").labels)
    assert len({row["id"] for row in rows}) == len(rows) > 0
    for row in rows:
        id = row["id"]
        assert len(row["sha256"]) == 64, id
        assert set(row["topics"]) <= topics, id
        assert len(set(row["topics"])) == len(row["topics"]), id
        for place in (*row["actors"], *row["stances"]):
            assert place["field"] in ("title", "text"), id
            assert 0 <= place["start"] < place["end"], id
            assert place["field"] == "title" or place["end"] <= row["length"], id
        for stance in row["stances"]:
            assert stance["source"] != stance["target"], id
            assert stance["label"] in STANCE_LABELS, id


def test_a_part_of_shipped_labels_is_a_split_of_its_corpus(shipped: dict[str, PublicCorpus]):
    for corpus in shipped.values():
        if corpus.labels:
            assert {row["part"] for row in read_labels(corpus.labels)} == set(corpus.files)


def _catalogue() -> dict[str, PublicCorpus]:
    return {name: PublicCorpus.model_validate(content) for name, content in ENTRIES.items()}
