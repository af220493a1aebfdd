from __future__ import annotations

import hashlib
import io
import json
from typing import Any

import numpy as np
import pytest
import skops.io

from inference.bundle import ACTORS, FORMAT_VERSION, HEADS, MANIFEST, SKOPS, Bundle, write_bundle
from inference.errors import BundleError
from inference.linear_scorer import LinearScorer
from inference.predictor import Predictor
from inference.skops_arrays import read_arrays

from .conftest import FORMS, edited, rebuilt


def refusal(path) -> str:
    with pytest.raises(BundleError) as error:
        Bundle.open(path)
    return str(error.value)


def score_one(path) -> None:
    """A model is loaded when an article is to be scored."""
    next(Predictor.load(path).predict([{"text": "Iran"}]))


@pytest.fixture
def copy(linear_bundle, tmp_path):
    return edited(linear_bundle, tmp_path / "copy")


def test_an_older_bundle_is_put_back_where_the_new_one_does_not_get_its_place(linear_bundle, copy, monkeypatch):
    replace = type(copy).replace

    def failing(path, target):
        if path.name == "bundle":
            raise OSError("no more room")
        return replace(path, target)

    monkeypatch.setattr(type(copy), "replace", failing)
    with pytest.raises(OSError, match="no more room"):
        write_bundle(copy, Bundle.open(linear_bundle).manifest, linear_bundle)
    Bundle.open(copy)
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_round_trip(bundle, tmp_path):
    opened = Bundle.open(bundle)
    files = tmp_path / "files"
    files.mkdir()
    for name in opened.manifest.files:
        (files / name).write_bytes((bundle / name).read_bytes())
    written = write_bundle(tmp_path / "deep" / "again", opened.manifest, files)
    assert written.manifest == opened.manifest
    assert written.digest == opened.digest == hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    assert written.lexicon().forms == FORMS


def test_replaces_a_bundle_in_one_step_and_leaves_nothing_behind(linear_bundle, tmp_path):
    old = rebuilt(linear_bundle, tmp_path, b"old")
    (tmp_path / "files" / "model.skops").write_bytes(b"new")
    write_bundle(old, Bundle.open(linear_bundle).manifest, tmp_path / "files")
    assert (old / "model.skops").read_bytes() == b"new"
    assert {path.name for path in tmp_path.iterdir()} == {"files", "bundle"}


def test_does_not_replace_what_is_no_bundle(linear_bundle, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("dear")
    with pytest.raises(BundleError, match="no bundle, so it is not replaced"):
        write_bundle(home, Bundle.open(linear_bundle).manifest, linear_bundle)
    assert (home / "letters.txt").read_text() == "dear"


def test_no_directory(tmp_path):
    assert "no such directory" in refusal(tmp_path / "nowhere")
    assert f"{MANIFEST} is missing" in refusal(tmp_path)


def test_missing_file(copy):
    (copy / ACTORS).unlink()
    assert refusal(copy) == f"{copy / ACTORS}: missing from the bundle"


def test_altered_file(copy):
    with (copy / ACTORS).open("a") as file:
        file.write(" ")
    assert refusal(copy).startswith(f"{copy / ACTORS}: altered, sha256 is ")


def test_foreign_file(copy):
    (copy / "extra.pkl").write_bytes(b"")
    assert "does not name: extra.pkl" in refusal(copy)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b"[" * 100_000, b'{"format_version": "1"}']
)
def test_manifest_that_is_none(copy, content):
    (copy / MANIFEST).write_bytes(content)
    assert "not a manifest of detente" in refusal(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": FORMAT_VERSION + 1}, "upgrade detente"),
        ({"format_version": FORMAT_VERSION - 1}, "train it again"),
        ({"family": "oracle"}, "family 'oracle', expected one of linear"),
        ({"family": "encoder"}, "names no model.onnx, which the encoder family needs"),
        ({"files": {}}, f"names no {ACTORS}"),
        ({"files": None}, "not a manifest"),
        ({"topics": ["other"]}, "the head topics has other labels than the topics"),
        ({"topics": ["other"], "heads": []}, "thresholds are for other topics"),
        ({"heads": ["topics", "stances"]}, "not a manifest"),
        ({"heads": [{"name": "mood", "kind": "mood", "labels": []}]}, "head mood: kind 'mood', expected one of topics"),
        ({"windows": {"max_tokens": 9}}, "not a manifest"),
        ({"precision": "int4"}, "precision 'int4', expected one of fp32, int8"),
    ],
)
def test_manifest_with_other_values(linear_bundle, tmp_path, changes, message):
    assert message in refusal(edited(linear_bundle, tmp_path / "copy", **changes))


def test_skops_with_an_untrusted_type(linear_bundle, tmp_path):
    hostile = skops.io.dumps({"topics": io.StringIO})
    path = rebuilt(linear_bundle, tmp_path, hostile)
    with pytest.raises(BundleError, match=r"holds builtins.type, expected arrays|holds _io.StringIO, expected arrays"):
        score_one(path)


def test_arrays_are_read_as_skops_reads_them(linear_bundle):
    def same(one: Any, other: Any) -> bool:
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            return all(same(one[key], other[key]) for key in one)
        if isinstance(one, list):
            return len(one) == len(other) and all(map(same, one, other))
        return bool(one.dtype == other.dtype and np.array_equal(one, other))

    assert same(skops.io.load(linear_bundle / SKOPS), read_arrays(linear_bundle / SKOPS))


def test_arrays_of_objects_are_not_read(linear_bundle, tmp_path):
    path = rebuilt(linear_bundle, tmp_path, skops.io.dumps({"topics": np.array([{}, print], dtype=object)}))
    with pytest.raises(BundleError, match=rf"{SKOPS}: cannot be loaded"):
        score_one(path)


@pytest.mark.parametrize(
    ("head", "name", "value", "message"),
    [
        ("topics", "words", np.zeros(3), "words is float64 of 3, expected uint8 of any"),
        ("topics", "words", np.frombuffer(b"\xff\xfe", dtype=np.uint8), "UnicodeDecodeError"),
        ("topics", "words", np.frombuffer(b"one\ntwo", dtype=np.uint8), "idf is float64 of .*, expected float64 of"),
        ("topics", "intercept", np.zeros(2), "intercept is float64 of 2, expected float64 of 3"),
        ("topics", "ngrams", {}, "KeyError: 'keys'"),
        ("topics", "ngrams", None, "expected arrays in dictionaries and lists"),
        ("stances", "intercept", [np.zeros(3)], "intercept is list, expected float64 of 3"),
        ("stances", "places", {"keys": [], "idf": np.zeros(4), "weights": np.zeros((4, 3))}, "idf is float64 of 4"),
        ("stances", "places", 7, "expected arrays in dictionaries and lists"),
    ],
)
def test_skops_with_other_arrays(linear_bundle, tmp_path, head, name, value, message):
    arrays = skops.io.load(linear_bundle / SKOPS)
    arrays[head][name] = value
    path = rebuilt(linear_bundle, tmp_path, skops.io.dumps(arrays))
    with pytest.raises(BundleError, match=rf"{SKOPS}: cannot be loaded .*{message}.*; train it again"):
        LinearScorer.load(path / SKOPS, 3)


@pytest.mark.parametrize("content", [[], 7, {"topics": []}, {"stances": {}}])
def test_skops_with_other_data(linear_bundle, tmp_path, content):
    path = rebuilt(linear_bundle, tmp_path, skops.io.dumps(content))
    with pytest.raises(BundleError, match=rf"{SKOPS}: cannot be loaded"):
        LinearScorer.load(path / SKOPS, 3)


def test_an_encoder_bundle_needs_its_heads(encoder_bundle, tmp_path):
    files = {name: digest for name, digest in Bundle.open(encoder_bundle).manifest.files.items() if name != HEADS}
    path = edited(encoder_bundle, tmp_path / "copy", files=files)
    assert f"names no {HEADS}, which the encoder family needs" in refusal(path)


def test_heads_that_are_none(encoder_bundle, tmp_path):
    with pytest.raises(BundleError, match=rf"{HEADS}: cannot be read"):
        score_one(rebuilt(encoder_bundle, tmp_path, b"PK", HEADS))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04K\x01."])
def test_model_that_is_none(bundle, tmp_path, content):
    with pytest.raises(BundleError, match=r"model.skops: cannot be loaded|model.onnx: onnxruntime .* cannot load it"):
        score_one(rebuilt(bundle, tmp_path, content))


def test_manifest_is_plain_json(bundle):
    content = json.loads((bundle / MANIFEST).read_text("utf-8"))
    assert set(content["files"]) == {path.name for path in bundle.iterdir()} - {MANIFEST}
