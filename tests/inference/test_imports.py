from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import inference

ROOT = Path(inference.__file__).parents[1]
HEAVY = ("torch", "transformers", "datasets", "mlflow")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def test_public_names():
    assert sorted(inference.__all__) == [
        "Article",
        "ArticleError",
        "BundleError",
        "DetenteError",
        "InputError",
        "Prediction",
        "Predictor",
    ]
    for name in inference.__all__:
        assert getattr(inference, name).__name__ == name
    assert inference.__version__


def test_no_other_name():
    assert not hasattr(inference, "predict")


def test_scoring_imports_no_training_library(bundle):
    program = f"""
import sys
from inference.predictor import Predictor
(prediction,) = Predictor.load({str(bundle)!r}).predict([{{"text": "Russia praised Iran."}}])
assert prediction.status == "ok", prediction
print(*(name for name in {HEAVY} if name in sys.modules))
"""
    assert python("-c", program).stdout.strip() == ""


def test_scoring_needs_no_scikit_learn(bundle):
    program = f"""
import sys
sys.modules["sklearn"] = sys.modules["skops"] = sys.modules["pandas"] = None
from inference import Predictor
print(next(Predictor.load({str(bundle)!r}).predict([{{"text": "Iran"}}])).status)
"""
    assert python("-c", program).stdout.strip() == "ok"


def test_help_imports_neither_numpy_nor_an_engine():
    imported = python("-X", "importtime", "-m", "inference", "--help").stderr
    assert "argparse" in imported
    for name in ("numpy", "onnxruntime", "pyarrow", "tokenizers", "tqdm", "ahocorasick"):
        assert name not in imported
