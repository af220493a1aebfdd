"""Where a model lies: a bundle's directory, or an MLflow URI."""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from .errors import BundleError

_REGISTERED = "registered_model_meta"
"""What MLflow puts beside a model that it fetched by its registered name."""

_FAIL_FAST = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""By its own defaults, MLflow keeps a caller waiting for minutes where a server is away."""


def locate(model: str | PathLike[str]) -> tuple[Path, str | None, str | None]:
    """Find the bundle that `model` names, downloading it where it is an MLflow URI.

    Returns:
        The bundle's directory, and the registered model's name and version where there are such.

    Raises:
        BundleError: MLflow is not installed, or it cannot give the model.
    """
    text = fspath(model)
    if "://" in text or text.startswith(("models:", "runs:")):
        return _from_mlflow(text)
    return Path(text), None, None


@contextmanager
def mlflow_settings(**more: str) -> Iterator[None]:
    """Let MLflow fail in seconds and draw progress bars only to a terminal, for a while.

    Args:
        more: further variables of the environment; one that is there already goes first.
    """
    settings = {**_FAIL_FAST, **more}
    if not sys.stderr.isatty():
        settings["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    added = [name for name in settings if name not in os.environ]
    os.environ.update({name: settings[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def without_password(text: str) -> str:
    """A text that may hold addresses, without what stands before the @ in them."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)


def registered_as(bundle: Path) -> tuple[str | None, str | None]:
    """The registered name and version that MLflow noted of the model that a bundle lies in.

    Args:
        bundle: a bundle's directory, anywhere.

    Returns:
        Name and version, None and None where there is no note.
    """
    try:
        lines = (bundle.absolute().parent.parent / _REGISTERED).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None, None
    # YAML of two plain strings: too little to need a parser, which scoring does not have.
    found = {key: value.strip().strip("'\"") for key, _, value in (line.partition(":") for line in lines)}
    name, version = found.get("model_name"), found.get("model_version")
    return (name, version) if name and version and version.isdecimal() else (None, None)


def _scratch() -> str:
    """A folder that is there until the process ends."""
    folder = mkdtemp(prefix="detente-")
    atexit.register(_removed, folder, os.getpid())
    return folder


def _removed(folder: str, owner: int) -> None:
    if os.getpid() == owner:  # and not a fork of it, which ends while others need the folder
        rmtree(folder, ignore_errors=True)


def _from_mlflow(uri: str) -> tuple[Path, str | None, str | None]:
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise BundleError(f"{uri}: an MLflow URI needs `pip install mlflow`") from None
    stores = {"models": mlflow.get_registry_uri, "runs": mlflow.get_tracking_uri}  # others are places of their own
    store = stores.get(uri.partition(":")[0], str)()
    database = store.partition("sqlite:///")[2].partition("?")[0]
    if database and not Path(database).exists():  # MLflow would make an empty one
        raise BundleError(
            f"{uri}: there is no {database} with MLflow's runs here; MLFLOW_TRACKING_URI names another place"
        )
    try:
        with mlflow_settings():
            model = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=_scratch()))
        flavor = mlflow.models.Model.load(str(model)).flavors["python_function"]
        bundle = model / flavor["data"]
    except (MlflowException, ImportError, OSError, KeyError, ValueError) as error:
        reason = f"MLflow at {mlflow.get_tracking_uri()} gives no detente model: {error}"
        raise BundleError(f"{uri}: {without_password(reason)}") from error
    name, version = registered_as(bundle) if uri.startswith("models:") else (None, None)
    return bundle, name, version
