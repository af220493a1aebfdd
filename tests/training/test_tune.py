from __future__ import annotations

from pathlib import Path

import pytest

from inference.bundle import Bundle
from training.__main__ import main
from training.recipe import RecipeError
from training.report import Report
from training.tracking import LoggedRun
from training.tune import quality, trials

from .rows import articles, write_recipe

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Bundle, bool]]:
    """What was logged, and whether it was registered."""
    found: list[tuple[Bundle, bool]] = []

    def log_bundle(bundle: Bundle, register: bool = True) -> LoggedRun:
        found.append((bundle, register))
        return LoggedRun("run", "detente", "sqlite:///runs.db", None, "detente", "1" if register else None, register)

    monkeypatch.setattr("training.tracking.log_bundle", log_bundle)
    return found


def test_the_best_on_validation_is_taken_and_registered_alone(
    tmp_path: Path, logged: list[tuple[Bundle, bool]], capsys: pytest.CaptureFixture[str]
):
    recipe = write_recipe(tmp_path, articles(60))
    out = tmp_path / "build" / "best"
    command = ["tune", str(recipe), "--try", "model.stance_c=0.00001,1", "--try", "model.topic_ngrams=1,2"]
    assert main([*command, "--set", "seed=3", "--out", str(out)]) == 0
    *rows, last = capsys.readouterr().out.splitlines()
    assert last == str(out)
    assert [registered for _, registered in logged] == [False, False, False, False, True]
    made = [bundle for bundle, registered in logged if not registered]
    assert {Report.of(bundle).recipe["seed"] for bundle in made} == {3}
    assert len({(facts["stance_c"], facts["topic_ngrams"]) for facts in map(_settings, made)}) == 4
    best = Bundle.open(out)
    assert quality(best) == max(map(quality, made)) > min(map(quality, made))
    assert len(rows) == 4
    assert rows[0].startswith(f"model.stance_c={_settings(best)['stance_c']:g} ")

    assert main([*command, "--set", "seed=3", "--out", str(out)]) == 0
    assert len(logged) == 6, "finished trials are not trained again"
    assert main([*command, "--set", "seed=4", "--out", str(out)]) == 0
    assert len(logged) == 11, "those of other settings are"


def test_trials_of_an_encoder_can_be_told_apart():
    tried = trials(ROOT / "configs" / "default.yaml", ["trainer.epochs=2,3"], [], Path("trials"))
    assert [trial.recipe.trainer.epochs for trial in dict.fromkeys(tried) if trial.recipe.trainer] == [2, 3]


@pytest.mark.parametrize("tried", ["model.topic_ngrams", "model.topic_ngrams=2", "model.topic_ngrams=,"])
def test_a_key_without_two_values_is_refused(tmp_path: Path, tried: str):
    with pytest.raises(RecipeError, match="expected key=value,value"):
        trials(write_recipe(tmp_path, articles(60)), [tried], [], tmp_path)


def test_values_that_a_recipe_does_not_take_are_refused_before_any_training(tmp_path: Path):
    with pytest.raises(RecipeError, match="topic_ngrams"):
        trials(write_recipe(tmp_path, articles(60)), ["model.topic_ngrams=1,many"], [], tmp_path)


def _settings(bundle: Bundle) -> dict[str, float]:
    settings: dict[str, float] = Report.of(bundle).recipe["model"]
    return settings
