from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference.bundle import Bundle
from inference.errors import BundleError
from inference.predictor import Predictor
from inference.schema import Article
from models.distil import TeacherError
from training.catalogue import MIRROR, CatalogueError
from training.fit import check_needs, prepare, run
from training.recipe import RecipeError, load_recipe
from training.report import Report

from .mirror import write_catalogue, write_standoff
from .rows import TOPICS, articles, write_recipe
from .tiny import TRAINER, write_encoder

ROWS = articles(90)
TURNED = {topic: TOPICS[(number + 1) % 3] for number, topic in enumerate(TOPICS)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror, its catalogue and an encoder."""
    folder = tmp_path_factory.mktemp("distil")
    write_catalogue(folder / "corpora.yaml", {"allsides": write_standoff(folder, [row["text"] for row in ROWS[60:]])})
    write_encoder(folder / "encoder", " ".join(row["text"] for row in ROWS))
    return folder


@pytest.fixture(scope="module", autouse=True)
def _mirror(folder: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MIRROR, str(folder / "mirror"))
        yield


@pytest.fixture(scope="module")
def teacher(folder: Path) -> Bundle:
    """A linear model of the articles and of a corpus that is for one's own use."""
    corpora = [{"name": "mine", "files": ["articles.jsonl"]}, {"name": "allsides"}]
    return run(load_recipe(write_recipe(folder, ROWS[:60], corpora=corpora, purpose="own")), folder / "teacher")


def test_a_student_learns_its_teachers_scores_and_not_its_labels(
    folder: Path, teacher: Bundle, caplog: pytest.LogCaptureFixture
):
    # Every topic is wrong, and labels have no weight. One epoch, so that validation chooses nothing.
    rows = [row | {"topics": [TURNED[topic] for topic in row["topics"]]} for row in ROWS[:60]]
    recipe = _student(folder, rows, teacher, purpose="own")
    with caplog.at_level(logging.INFO, "training"):
        bundle = run(load_recipe(recipe), folder / "student")
    assert "1 teachers score 42 articles" in caplog.text
    theirs, own = (_topics(found, ROWS[60:]) for found in (teacher, bundle))
    assert sum(one == other for one, other in zip(theirs, own, strict=True)) >= 25

    provenance = bundle.manifest.provenance
    assert provenance["teachers"] == [{"name": "teacher", "sha256": teacher.digest, "corpora": ["mine", "allsides"]}]
    assert [corpus["name"] for corpus in provenance["corpora"]] == ["mine"]
    assert Report.of(bundle).recipe["teachers"] == [str(teacher.path)]


def test_a_model_to_give_away_learns_from_no_teacher_of_a_corpus_for_ones_own_use(folder: Path, teacher: Bundle):
    recipe = load_recipe(_student(folder, ROWS[:60], teacher, purpose="share"))
    with pytest.raises(CatalogueError) as raised:
        prepare(recipe)
    assert str(raised.value).startswith(f"corpus allsides of teacher {teacher.path}: licence CC0-1.0")
    assert "`purpose: own`" in str(raised.value)


def test_a_teacher_of_corpora_that_may_be_shared_teaches_anyone(folder: Path, tmp_path: Path, teacher: Bundle):
    write_catalogue(tmp_path / "corpora.yaml", {"allsides": write_standoff(tmp_path, ["Rain."], own=False)})
    write_encoder(tmp_path / "encoder", "Rain.")
    data = prepare(load_recipe(_student(tmp_path, ROWS[:60], teacher, purpose="share")))
    assert [each.bundle.digest for each in data.teachers] == [teacher.digest]


def test_a_run_without_teachers_has_none(teacher: Bundle):
    assert teacher.manifest.provenance["teachers"] == []


def test_a_teacher_that_is_no_bundle_is_told_before_training(folder: Path, teacher: Bundle):
    recipe = load_recipe(_student(folder, ROWS[:60], teacher, purpose="own"), [f"teachers=['{folder / 'nothing'}']"])
    check_needs(recipe)
    with pytest.raises(BundleError, match="nothing: no such directory, expected a bundle"):
        prepare(recipe)


def test_a_teacher_of_other_topics_is_refused(folder: Path, tmp_path: Path, teacher: Bundle):
    recipe = _student(folder, ROWS[:60], teacher, purpose="own")
    topics = [{"label": topic, "description": topic} for topic in reversed(TOPICS)]
    (folder / "turned.yaml").write_text(yaml.safe_dump({"topics": topics}), "utf-8")
    with pytest.raises(TeacherError, match="labels of the head topics are diplomacy, sanctions, sport, the student's"):
        run(load_recipe(recipe, ["taxonomy=turned.yaml"]), tmp_path / "student")


def test_teachers_are_for_the_encoder_family(tmp_path: Path):
    recipe = write_recipe(tmp_path, ROWS[:60], teachers=["build/teacher"])
    with pytest.raises(RecipeError, match=r"`teachers` are for the encoder family, model\.family is linear"):
        load_recipe(recipe)


def _student(folder: Path, rows: list[dict[str, Any]], teacher: Bundle, purpose: str) -> Path:
    model = {"family": "encoder", "encoder": {"path": "encoder"}, "max_tokens": 64, "dropout": 0.0}
    trainer = {**TRAINER, "teacher_weight": 1.0, "temperature": 1.0}
    corpora = [{"name": "mine", "files": ["articles.jsonl"], "weight": 8}]
    teachers = [str(teacher.path)]
    return write_recipe(folder, rows, purpose=purpose, corpora=corpora, model=model, trainer=trainer, teachers=teachers)


def _topics(bundle: Bundle, rows: list[dict[str, Any]]) -> list[str]:
    """The topic with the highest score in each article; wrong labels may have turned the calibration round."""
    predictor = Predictor(bundle)
    documents = [predictor.document(Article(row["id"], row["text"])) for row in rows]
    return [TOPICS[int(score.topics.argmax())] for score in predictor.score(documents)]


def test_a_teachers_teacher_may_not_launder_a_corpus(folder: Path, teacher: Bundle):
    student = run(load_recipe(_student(folder, ROWS[:60], teacher, purpose="own")), folder / "pupil")
    with pytest.raises(CatalogueError, match=f"corpus allsides of teacher {student.path}: licence"):
        prepare(load_recipe(_student(folder, ROWS[:60], student, purpose="share")))
