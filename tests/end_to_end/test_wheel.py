"""The wheel as others install it: under the name detente, without anything that training needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.inference.conftest import articles as articles  # noqa: PLC0414
from tests.inference.conftest import encoder_bundle as encoder_bundle  # noqa: PLC0414 — a fixture is taken over by its name
from tests.inference.conftest import finder as finder  # noqa: PLC0414
from tests.inference.conftest import linear_bundle as linear_bundle  # noqa: PLC0414

ROOT = Path(__file__).parents[2]
TEXT = "Russia praised Iran on Monday. Envoys met for talks."


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its own build/ behind where it works."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "inference", copy / "inference", ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", copy / "dist", copy)
    (path,) = (copy / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that holds the wheel and what it depends on."""
    place = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(place, with_pip=True)
    run(place / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel)
    return place / "bin"


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_wheel_holds_inference_under_the_name_detente(wheel):
    names = ZipFile(wheel).namelist()
    modules = {f"detente/{path.name}" for path in (ROOT / "inference").glob("*.py")}
    assert {name for name in names if ".dist-info/" not in name} == modules | {"detente/py.typed"}


def test_nothing_of_training_is_installed(programs, tmp_path):
    program = "from importlib.util import find_spec; print([name for name in {} if find_spec(name)])".format(
        ("torch", "transformers", "datasets", "mlflow", "sklearn", "pandas", "inference", "models", "training")
    )
    assert run(programs / "python", "-c", program, cwd=tmp_path).strip() == "[]"


def test_the_command_scores(programs, encoder_bundle, tmp_path):
    (tmp_path / "news.jsonl").write_text(json.dumps({"id": "a", "text": TEXT}) + "\n")
    run(programs / "detente", "predict", "news.jsonl", "--model", encoder_bundle, "-o", "out.parquet", cwd=tmp_path)
    lines = run(programs / "detente", "predict", "news.jsonl", "--model", encoder_bundle, "-o", "-", cwd=tmp_path)
    record = json.loads(lines)
    assert (record["id"], record["status"]) == ("a", "ok")
    assert [actor["name"] for actor in record["actors"]] == ["Russia", "Iran"]
    assert (tmp_path / "out.parquet").stat().st_size > 0


def test_the_commands_know_their_name(programs, encoder_bundle, tmp_path):
    (tmp_path / "a.txt").write_text(TEXT)
    assert run(programs / "detente", "--help", cwd=tmp_path).startswith("usage: detente ")
    assert run(programs / "python", "-m", "detente", "--help", cwd=tmp_path).startswith("usage: python -m detente ")
    assert "encoder" in run(programs / "detente", "inspect", encoder_bundle, cwd=tmp_path)
    assert "Envoys met for talks." in run(
        programs / "detente", "show", "a.txt", "--model", encoder_bundle, cwd=tmp_path
    )


def test_the_library_scores_as_the_checkout_does(programs, encoder_bundle, tmp_path):
    from inference import Predictor

    program = f"""
import json
from detente import Predictor
(prediction,) = Predictor.load({str(encoder_bundle)!r}).predict([{{"text": {TEXT!r}}}])
print(json.dumps(prediction.to_dict()))
"""
    there = json.loads(run(programs / "python", "-c", program, cwd=tmp_path))
    (here,) = Predictor.load(encoder_bundle).predict([{"text": TEXT}])
    assert there["model"] == here.to_dict()["model"]
    for left, right in zip(there["topics"], here.to_dict()["topics"], strict=True):
        assert left["label"] == right["label"]
        assert left["score"] == pytest.approx(right["score"], abs=1e-5)


def test_a_linear_bundle_needs_nothing_more(programs, linear_bundle, tmp_path):
    program = f"""
from detente import Predictor
print(next(Predictor.load({str(linear_bundle)!r}).predict([{{"text": {TEXT!r}}}])).status)
"""
    assert run(programs / "python", "-c", program, cwd=tmp_path).strip() == "ok"
