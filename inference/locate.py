"""Where a model lies: a bundle's directory, or an MLflow URI."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from .errors import BundleError


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


def _from_mlflow(uri: str) -> tuple[Path, str | None, str | None]:
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise BundleError(f"{uri}: an MLflow URI needs `pip install mlflow`") from None
    try:
        name, version = _registered(uri)
        model = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri if version is None else f"models:/{name}/{version}"))
        flavor = mlflow.models.Model.load(str(model)).flavors["python_function"]
        return model / flavor["data"], name, version
    except (MlflowException, OSError, KeyError) as error:
        raise BundleError(f"{uri}: MLflow at {mlflow.get_tracking_uri()} gives no detente model: {error}") from error


def _registered(uri: str) -> tuple[str | None, str | None]:
    """The name and version that a `models:/name/version` or `models:/name@alias` URI stands for."""
    if not uri.startswith("models:/"):
        return None, None
    from mlflow import MlflowClient

    path = uri.removeprefix("models:/").strip("/")
    name, at, alias = path.partition("@")
    if at:
        return name, str(MlflowClient().get_model_version_by_alias(name, alias).version)
    name, _, version = path.partition("/")
    return (name, version) if version else (None, None)
