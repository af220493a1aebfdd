"""The registered model: what MLflow loads and serves. It imports nothing of MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd

from .bundle import Bundle
from .locate import registered_as
from .predictor import Predictor
from .schema import ModelInfo

_COLUMNS = ("id", "status", "error", "topics", "actors", "stances", "model")


class DetenteModel:
    """A predictor with the interface of a pyfunc model."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Score a frame with the columns `text` and, where present, `id`, `title`, `date` and `actors`.

        Returns:
            One record a row, with the input's index.
        """
        rows = cast("list[dict[str, Any]]", model_input.to_dict(orient="records"))
        records = [prediction.to_dict() for prediction in self._predictor.predict(rows)]
        # By itself pandas makes NaN of None in a column of strings, and NaN is no JSON.
        return pd.DataFrame(records, columns=list(_COLUMNS), index=model_input.index, dtype=object)


def _load_pyfunc(path: str) -> DetenteModel:
    """Called by MLflow with the bundle's path."""
    bundle = Bundle.open(Path(path))
    return DetenteModel(Predictor(bundle, ModelInfo(bundle.digest, *registered_as(bundle.path))).ready())
