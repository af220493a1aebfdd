from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml

from models.settings import EncoderModel, LinearModel
from training.__main__ import main
from training.recipe import RecipeError, load_recipe
from training.taxonomy import load_lexicon

from .rows import CONFIGS, articles, write_recipe

SHIPPED = sorted(
    path for path in CONFIGS.glob("*.yaml") if path.name not in ("actors.yaml", "taxonomy.yaml", "corpora.yaml")
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_recipe(tmp_path, articles(40))


def test_every_shipped_recipe_passes_the_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("training.fit.load_lexicon", cache(load_lexicon))
    assert len(SHIPPED) >= 4
    assert main(["check", "--without-corpora", *map(str, SHIPPED)]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{path}: ok, its corpora aside" for path in SHIPPED]


def test_a_shipped_recipe_passes_the_check_with_its_corpora(capsys: pytest.CaptureFixture[str]):
    path = next(path for path in SHIPPED if path.stem == "linear")  # `make check` reads the corpora of all
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: ok: ")


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_recipe_says_what_it_is(shipped: Path):
    recipe = load_recipe(shipped)
    assert recipe.name == shipped.stem
    assert recipe.description


def test_a_check_trains_nothing_and_writes_nothing(path: Path, capsys: pytest.CaptureFixture[str]):
    before = sorted(path.parent.iterdir())
    assert main(["check", str(path)]) == 0
    assert f"{path}: ok: 40 articles: 28 to train, 6 to validate, 6 to test" in capsys.readouterr().out
    assert sorted(path.parent.iterdir()) == before


def test_what_a_recipe_leaves_out_takes_the_default(path: Path):
    recipe = load_recipe(path)
    assert recipe.name == "recipe"
    assert recipe.split.validation == 0.15
    assert recipe.tracking.model == "detente"
    assert recipe.trainer is None


def test_an_encoder_recipe_without_a_trainer_gets_one(path: Path):
    recipe = load_recipe(path, ["model={family: encoder, encoder: {package: some-encoder}}"])
    assert recipe.trainer is not None
    assert recipe.trainer.epochs >= 1


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("modle={}", "modle: unknown key; allowed: name, description, seed"),
        ("model.topic_grams=2", "model.topic_grams: unknown key; allowed: family, topic_ngrams, stance_ngrams"),
        ("split.vallidation=0.1", "split.vallidation: unknown key; allowed: validation, test, by"),
        ("corpora=[{name: a, file: x}]",
         "corpora.0.file: unknown key; allowed: name, weight, auxiliary_epochs, heads, files"),
        ("corpora=[{name: starter, weight: 2}]", "`weight` of starter is for the encoder family"),
        ("corpora=[{name: a, files: [b]}, {name: starter, auxiliary_epochs: 2}]",
         "`auxiliary_epochs` of starter is for the encoder family, model.family is linear"),
        ("corpora=[{name: starter, auxiliary_epochs: 0}]", "corpora.0.auxiliary_epochs: Input should be greater"),
        ("corpora=[{name: starter, auxiliary_epochs: 2}]",
         "corpora: every corpus has `auxiliary_epochs`: expected one that the model is for"),
        ("seed=many", "seed: Input should be a valid integer, unable to parse string as an integer (found 'many')"),
        ("split.test=0.7", "split.test: Input should be less than 0.5 (found 0.7)"),
        ("split.by=luck", "split.by: Input should be 'chance' or 'date' (found 'luck')"),
        ("articles=3", "articles: Input should be greater than or equal to 20 (found 3)"),
        ("model.family=forest", "model.family: expected one of linear, embedding, encoder (found 'forest')"),
        ("model={}", "model.family: missing; one of linear, embedding, encoder"),
        ("corpora=[{name: starter, wieght: 2}]", "corpora.0.wieght: unknown key"),
        ("trainer.epochs=2", "`trainer` is for the encoder family, model.family is linear"),
        ("corpora=[]", "corpora: Tuple should have at least 1 item"),
        ("corpora=[{name: starter}, {name: starter}]", "corpora: two corpora of one name: starter, starter"),
        ("corpora=[{name: mine}]", "catalogue: no such file or folder: "),
        ("corpora=[{name: starter, weight: 0}]", "corpora.0.weight: Input should be greater than 0 (found 0)"),
        ("corpora=[{name: starter, heads: []}]", "corpora.0.heads: Tuple should have at least 1 item"),
        ("purpose=sell", "purpose: Input should be 'share' or 'own' (found 'sell')"),
        ("teachers=[build/default]", "`teachers` are for the encoder family, model.family is linear"),
        ("corpora=[{name: a, hub: b, files: [c]}]", "found files and hub, expected one of files, hub"),
        ("corpora=[{name: starter, hub: b}]", "`starter` ships with the project and has no files or hub id"),
        ("corpora=[{name: a, hub: b, labels: c}]", "corpora.0: `labels` goes with `files`"),
        ("model={family: embedding, encoder: {}}", "model.encoder: found none, expected one of package, path, hub"),
        ("model={family: embedding, encoder: {hub: a, path: b}}", "found path and hub, expected one of"),
        ("model={family: embedding, encoder: {hub: a, sha256: b}}", "model.encoder.sha256: String should match"),
        ("model={family: embedding, encoder: {hub: a, size: 2}}",
         "model.encoder.size: unknown key; allowed: package, path, hub, revision, sha256"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_explained(path: Path, override: str, expected: str):
    with pytest.raises(RecipeError) as raised:
        load_recipe(path, [override])
    assert str(raised.value).startswith(f"{path}: ")
    assert expected in str(raised.value)


def test_every_mistake_has_its_line(path: Path):
    with pytest.raises(RecipeError) as raised:
        load_recipe(path, ["seed=x", "split.test=0.9", "colour=red"])
    lines = str(raised.value).splitlines()
    assert [line.removeprefix(f"{path}: ").split(":")[0] for line in lines] == ["seed", "split.test", "colour"]


def test_a_missing_model_is_named(path: Path):
    path.write_text("corpora: [{name: starter}]\n")
    with pytest.raises(RecipeError, match="model: missing"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [("- a\n", "found list, expected keys"), ("", "found NoneType"), ("a: [", "cannot be read"), ("\x00", "cannot be")],
)
def test_a_file_that_is_no_recipe_is_refused(path: Path, content: str, expected: str):
    path.write_text(content)
    with pytest.raises(RecipeError, match=expected) as raised:
        load_recipe(path)
    assert str(path) in str(raised.value)


def test_a_missing_recipe_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["check", str(tmp_path / "none.yaml")]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert f"error: {tmp_path / 'none.yaml'}: no such file" in errors


def test_overrides_reach_every_level(path: Path):
    recipe = load_recipe(path, ["seed=5", "model.topic_c=2.5", "split.by=date", "tracking.experiment=tries", "seed=6"])
    assert (recipe.seed, recipe.split.by, recipe.tracking.experiment) == (6, "date", "tries")
    assert isinstance(recipe.model, LinearModel)
    assert recipe.model.topic_c == 2.5


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed", "expected key=value"),
        ("=3", "expected key=value"),
        ("seed.more=3", "`seed` has no keys of its own"),
        ("model.family.more=3", "`family` has no keys of its own"),
        ("seed=[", "the value is not YAML"),
    ],
)
def test_a_wrong_override_is_explained(path: Path, override: str, expected: str):
    content = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**content, "seed": 1}))
    with pytest.raises(RecipeError) as raised:
        load_recipe(path, [override])
    assert f"--set {override}: {expected}" in str(raised.value)


def test_paths_are_relative_to_the_recipe(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (path.parent / "encoder").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    recipe = load_recipe(path, ["model={family: encoder, encoder: {path: encoder}}"])
    assert recipe.taxonomy == path.parent / "taxonomy.yaml"
    assert recipe.actors == path.parent / "actors.yaml"
    assert recipe.corpora[0].files == (path.parent / "articles.jsonl",)
    assert isinstance(recipe.model, EncoderModel)
    assert recipe.model.encoder.path == path.parent / "encoder"


def test_a_corpus_without_files_is_one_of_the_catalogue(path: Path):
    (path.parent / "corpora.yaml").write_text("{}\n")
    recipe = load_recipe(path, ["corpora=[{name: dse}, {name: starter}, {name: mine, files: [articles.jsonl]}]"])
    assert [corpus.public for corpus in recipe.corpora] == [True, False, False]
    assert recipe.catalogue == path.parent / "corpora.yaml"
    assert recipe.purpose == "share"


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("taxonomy=none.yaml", "taxonomy"),
        ("actors=none.yaml", "actors"),
        ("corpora=[{name: a, files: [none.yaml]}]", "corpora.0.files"),
        ("corpora=[{name: a, files: [articles.jsonl], labels: none.yaml}]", "corpora.0.labels"),
        ("model={family: encoder, encoder: {path: none.yaml}}", "model.encoder.path"),
    ],
)
def test_a_file_that_is_not_there_is_named_with_its_key(path: Path, override: str, key: str):
    with pytest.raises(RecipeError) as raised:
        load_recipe(path, [override])
    assert str(raised.value) == f"{path}: {key}: no such file or folder: {path.parent / 'none.yaml'}"


def test_the_digest_is_of_the_settings_and_not_of_their_writing(path: Path):
    digest = load_recipe(path).digest()
    path.write_text("# a comment\n" + yaml.safe_dump({**yaml.safe_load(path.read_text()), "seed": 13}))
    assert load_recipe(path).digest() == digest
    assert load_recipe(path, ["seed=14"]).digest() != digest
    assert load_recipe(path, ["model.topic_c=9"]).digest() != digest
    assert len(digest) == 64


def test_a_recipe_cannot_be_changed(path: Path):
    recipe = load_recipe(path)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 2  # type: ignore[misc]


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("seed: 1\nmodel: {family: linear}\nseed: 2\n")
    with pytest.raises(RecipeError, match=r"the key 'seed' is given twice\s+in .*twice\.yaml\", line 3"):
        load_recipe(path)
