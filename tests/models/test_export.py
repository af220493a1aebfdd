from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from inference.bundle import Bundle
from inference.document import Document
from inference.errors import BundleError
from inference.predictor import Predictor
from inference.scorer import Scores
from models.base import Example
from models.encoder import EncoderFamily
from models.export import ParityError, check_parity, export_bundle
from models.linear import LinearFamily
from models.settings import LinearModel

from .samples import HEADS, LEXICON, documents, examples, manifest


class Drifted(LinearFamily):
    """A family whose export does not score as it does."""

    def score(self, documents: Sequence[Document], others: bool = False) -> list[Scores]:
        return [Scores(score.topics + 0.01, score.stances) for score in super().score(documents)]


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    return examples(30)


def test_an_encoder_family_makes_a_whole_bundle(exported: tuple[EncoderFamily, Bundle]):
    path = exported[1].path
    names = ["README.md", "actors.json", "heads.safetensors", "manifest.json", "model.onnx", "model.skops"]
    assert sorted(file.name for file in path.iterdir()) == [*names, "tokenizer.json"]
    assert Bundle.open(path).digest == exported[1].digest


def test_an_export_that_scores_differently_leaves_the_older_bundle(rows: list[Example], tmp_path: Path):
    place = tmp_path / "bundle"
    older = _export(_fitted(LinearFamily, rows), place, rows)
    files = _files(place)
    with pytest.raises(ParityError, match=r"scores differ by 0\.01, at most 0\.0001 is allowed"):
        _export(_fitted(Drifted, rows), place, rows)
    assert _files(place) == files
    assert Predictor.load(place).bundle.digest == older
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]


def test_an_export_that_scores_differently_makes_no_bundle(rows: list[Example], tmp_path: Path):
    with pytest.raises(ParityError):
        _export(_fitted(Drifted, rows), tmp_path / "bundle", rows)
    assert list(tmp_path.iterdir()) == []


def test_a_new_bundle_replaces_the_older_one_whole(rows: list[Example], tmp_path: Path):
    family = _fitted(LinearFamily, rows)
    _export(family, tmp_path / "bundle", rows, {"notes.md": "old"})
    _export(family, tmp_path / "bundle", rows, {"README.md": "new"})
    assert "notes.md" not in _files(tmp_path / "bundle")
    assert _files(tmp_path / "bundle")["README.md"] == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["bundle"]


def test_a_folder_that_is_no_bundle_is_not_replaced(rows: list[Example], tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"1")
    with pytest.raises(BundleError, match="is no bundle, so it is not replaced"):
        _export(_fitted(LinearFamily, rows), tmp_path / "photos", rows)
    assert _files(tmp_path / "photos") == {"a.png": b"1"}


def test_parity_gives_the_largest_difference():
    one = [Scores(np.zeros(3), np.zeros((2, 3))), Scores(np.zeros(3), np.zeros((0, 3)))]
    other = [Scores(np.zeros(3), np.full((2, 3), 5e-5)), Scores(np.full(3, -2e-5), np.zeros((0, 3)))]
    assert check_parity(one, other) == pytest.approx(5e-5)


def test_a_missing_score_is_no_parity():
    with pytest.raises(ParityError, match=r"stances of shape \(1, 3\), expected \(2, 3\)"):
        check_parity([Scores(np.zeros(3), np.zeros((2, 3)))], [Scores(np.zeros(3), np.zeros((1, 3)))])


def test_another_head_counts_for_parity():
    one, other, none = (Scores(np.zeros(1), np.zeros((0, 3)), others) for others in (
        {"tone": np.zeros(3)}, {"tone": np.array([0.0, 0.5, 0.0])}, {}))  # fmt: skip
    with pytest.raises(ParityError, match=r"scores differ by 0\.5"):
        check_parity([one], [other])
    with pytest.raises(ParityError, match=r"gives tone of shape \(0,\), expected \(3,\)"):
        check_parity([one], [none])


def test_a_score_that_is_not_a_number_is_no_parity():
    with pytest.raises(ParityError):
        check_parity([Scores(np.zeros(1), np.zeros((0, 3)))], [Scores(np.full(1, np.nan), np.zeros((0, 3)))])


def _fitted(kind: type[LinearFamily], rows: list[Example]) -> LinearFamily:
    family = kind(LinearModel(family="linear", min_articles=1), HEADS, 3)
    family.fit(rows, [], lambda number, measured: None)
    return family


def _export(family: LinearFamily, place: Path, rows: list[Example], extra: dict[str, str] | None = None) -> str:
    return export_bundle(family, place, manifest("linear", None), LEXICON, extra or {}, documents(rows)).digest


def _files(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir()}
