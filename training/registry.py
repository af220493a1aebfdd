"""The registered model: a bundle with the code that scores it, and the aliases of its versions."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import Array, Object, Property

import inference
from inference.bundle import Bundle
from inference.errors import DetenteError
from inference.locate import mlflow_settings, without_password

CODE = Path(inference.__file__).parent
"""The package that goes with every registered version."""

CANDIDATE, CHAMPION = "candidate", "champion"
"""Aliases: a new version, and the one that is in use."""

TEST_PART = "test_part"
"""Tag of a version: the digest of the articles that it was tested on."""

_GATE = ("test.topics.macro_f1", "test.stances.macro_f1")
_TOLERANCE = 0.01
"""How much worse than the champion a version may be on the same test articles: a point is chance."""

_REQUIREMENTS = (
    "ahocorasick_rs", "numpy", "onnxruntime", "pandas", "pyarrow", "safetensors", "threadpoolctl", "tokenizers", "tqdm",
)  # fmt: skip

_EXAMPLE = {
    "id": "example",
    "title": "France condemns Russia over strikes",
    "text": "France condemned Russia on Monday for its strikes on Ukraine. President Macron praised Poland for "
    "taking in refugees, and the two countries agreed to meet for talks next week.",
    "date": "2024-05-06",
    "actors": ["France", "Russia", "Poland"],
}

_PROBE = """
import json, sys
from importlib import import_module
class NoTorch:  # as where torch is not installed
    @staticmethod
    def find_spec(name, *_):
        if name == "torch":
            raise ModuleNotFoundError("scoring needs no torch")
sys.meta_path.insert(0, NoTorch)
import pandas
folder, package, bundle, article = sys.argv[1:]
sys.path.insert(0, folder)
model = import_module(package + ".pyfunc")._load_pyfunc(bundle)
record = model.predict(pandas.DataFrame([json.loads(article)])).iloc[0]
sys.exit(None if record["status"] == "ok" else record["error"])
"""


class TrackingError(DetenteError):
    """MLflow cannot be reached, or does not do what it is asked."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """An alias that was moved.

    Args:
        name: the registered model.
        alias: the alias.
        version: the version that has it now.
        previous: the version that had it before, None where none had.
        compared: whether both were tested on the same articles, and it is not worse.
    """

    name: str
    alias: str
    version: str
    previous: str | None
    compared: bool


@dataclass(frozen=True, slots=True)
class Staged:
    """A copy of the scoring code under a name of its own.

    Args:
        folder: the directory that holds the package.
        package: its name, which bears the digest of its code.
    """

    folder: Path
    package: str


def promote(name: str, version: str = CANDIDATE, to: str = CHAMPION, force: bool = False) -> Promotion:
    """Give an alias to a version of a registered model.

    Args:
        name: the registered model.
        version: its number, or an alias that it has now.
        to: the alias that it gets; the version that had it loses it.
        force: whether it gets it even if it is worse than that version on the same test articles.

    Raises:
        TrackingError: MLflow is away, there is no such model, version or alias, or the version is worse.
    """
    uri = tracking_uri()
    try:
        with connection(uri) as client:
            number = version if version.isdecimal() else str(client.get_model_version_by_alias(name, version).version)
            client.get_model_version(name, number)
            previous = client.get_registered_model(name).aliases.get(to)
            compared = previous is not None and not force and _is_better(client, name, number, str(previous))
            client.set_registered_model_alias(name, to, number)
    except (MlflowException, OSError) as error:
        where = f"MLflow at {without_password(uri)}"
        raise TrackingError(f"{where}: cannot promote {name} {version} to {to}: {cause(error)}") from error
    return Promotion(name, to, number, None if previous is None else str(previous), compared)


def _is_better(client: MlflowClient, name: str, number: str, previous: str) -> bool:
    """Make sure that a version is not worse than another; False where they were not tested on the same articles.

    Raises:
        TrackingError: it is.
    """
    now, before = (client.get_model_version(name, version) for version in (number, previous))
    part = now.tags.get(TEST_PART)
    if part is None or part != before.tags.get(TEST_PART):
        return False
    new, old = (client.get_run(str(version.run_id)).data.metrics for version in (now, before))
    shared = [key for key in _GATE if key in new and key in old]
    for key in shared:
        if new[key] < old[key] - _TOLERANCE:
            raise TrackingError(
                f"version {number} of {name} is worse than version {previous}: {key} is {new[key]:.3f}, it was "
                f"{old[key]:.3f} on the same articles; --force promotes it all the same"
            )
    return bool(shared)


def tracking_uri() -> str:
    """Where runs go: what MLflow was told, else a SQLite file in the current directory."""
    if mlflow.is_tracking_uri_set():  # type: ignore[no-untyped-call]
        return str(mlflow.get_tracking_uri())
    return f"sqlite:///{Path.cwd() / 'mlflow.db'}"


@contextmanager
def connection(uri: str) -> Iterator[MlflowClient]:
    """A client of the server or file at `uri` that fails in seconds where MLflow alone takes minutes.

    Raises:
        MlflowException, OSError: it is away, or refuses.
    """
    with mlflow_settings(MLFLOW_TRACKING_URI=uri):
        if (database := sqlite_file(uri)) is not None:
            _check_database(database)
        yield MlflowClient(tracking_uri=uri)


def sqlite_file(uri: str) -> Path | None:
    """The database file that a tracking URI names, None where it names a server."""
    if not uri.startswith("sqlite:///"):
        return None
    return Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()


def cause(error: BaseException) -> str:
    """An error in one line of bearable length, without a password."""
    line = " ".join(without_password(str(error)).split()) or type(error).__name__
    return line if len(line) <= 300 else f"{line[:299]}…"


@contextmanager
def staged_code(bundle: Bundle) -> Iterator[Staged]:
    """The scoring code under a private name, known to score the bundle by itself.

    The name lets it load in a process with an `inference` of its own, and beside other versions of itself.

    Raises:
        TrackingError: the copy does not load or score where the checkout is out of sight.
    """
    with tempfile.TemporaryDirectory() as temporary:
        staged = Staged(Path(temporary), f"detente_{code_digest(CODE)[:12]}")
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CODE, staged.folder / staged.package, ignore=ignored)
        _probe(staged, bundle)
        yield staged


def code_digest(package: Path) -> str:
    """The sha256 of the Python files of a package, their places included."""
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def log_model(bundle: Bundle, staged: Staged, libraries: Mapping[str, str]) -> str:
    """Log a bundle with its code as a model of the active run.

    Args:
        bundle: what scores.
        staged: its code.
        libraries: versions that it was made with; they are required wherever it is loaded.

    Returns:
        The id of the logged model.

    Raises:
        MlflowException, OSError: MLflow refuses.
    """
    with _modules_kept(staged.package):
        logged = mlflow.pyfunc.log_model(
            name="model",
            loader_module=f"{staged.package}.pyfunc",
            data_path=str(bundle.path),
            code_paths=[str(staged.folder / staged.package)],
            signature=signature(),
            input_example=pd.DataFrame([_EXAMPLE]),
            pip_requirements=requirements(bundle, libraries),
            metadata={"bundle": bundle.digest, "family": bundle.manifest.family, "code": staged.package},
        )
    return str(logged.model_id)


def register(client: MlflowClient, name: str, model_id: str, tags: Mapping[str, str], description: str) -> str:
    """Make a logged model the newest version of a registered model.

    Returns:
        The version's number.

    Raises:
        MlflowException, OSError: MLflow refuses.
    """
    registered = mlflow.register_model(f"models:/{model_id}", name, await_registration_for=60, tags=dict(tags))
    version = str(registered.version)
    client.update_model_version(name, version, description)
    return version


def requirements(bundle: Bundle, libraries: Mapping[str, str]) -> list[str]:
    """What scoring a bundle needs, pinned to the versions that it was made with, else those installed."""
    return [f"{name}=={libraries.get(name) or installed_version(name)}" for name in _REQUIREMENTS]


def signature() -> ModelSignature:
    """Columns that the model takes and gives; MLflow refuses a frame that does not fit."""
    text, number = DataType.string, DataType.double
    span = Object([Property("field", text), Property("start", DataType.long), Property("end", DataType.long),
                   Property("quote", text)])  # fmt: skip
    topic = Object([Property("label", text), Property("score", number), Property("assigned", DataType.boolean)])
    actor = Object([Property("name", text), Property("mentions", Array(span))])
    evidence = Object([Property("span", span), Property("score", number)])
    stance = Object([Property("source", text), Property("target", text), Property("label", text),
                     Property("score", number), Property("evidence", Array(evidence))])  # fmt: skip
    model = Object([Property("digest", text), Property("name", text, required=False),
                    Property("version", text, required=False)])  # fmt: skip
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(text, "text"),
        *(ColSpec(text, name, required=False) for name in ("id", "title", "date")),
        ColSpec(Array(text), "actors", required=False),
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(text, "id"),
        ColSpec(text, "status"),
        ColSpec(text, "error", required=False),
        ColSpec(Array(topic), "topics"),
        ColSpec(Array(actor), "actors"),
        ColSpec(Array(stance), "stances"),
        ColSpec(model, "model"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def _probe(staged: Staged, bundle: Bundle) -> None:
    """Score an article by the staged code in a process that sees nothing of the checkout."""
    article = pd.Series(_EXAMPLE).to_json()
    options = [str(staged.folder), staged.package, str(bundle.path.absolute()), article]
    command = [sys.executable, "-I", "-B", "-c", _PROBE, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=staged.folder, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise TrackingError(
            f"the code of {CODE} cannot score the bundle by itself ({reason}), so nothing was logged; "
            f"the bundle is safe at {bundle.path}"
        )


def _check_database(file: Path) -> None:
    """Find at once what MLflow would find after a hundred seconds of trying again.

    Raises:
        OSError: the file cannot be written, or is no database.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(file, timeout=10)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.rollback()
    except sqlite3.Error as error:
        raise OSError(f"{file}: {error}") from error


@contextmanager
def _modules_kept(package: str) -> Iterator[None]:
    """Undo that MLflow, to try the example, loads the staged code from a folder that is soon gone."""
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.partition(".")[0] == package:
                del sys.modules[name]
