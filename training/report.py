"""All that is known of a run, as it lies in the bundle and goes to MLflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from inference.bundle import Bundle
from inference.errors import BundleError

REPORT = "report.json"
CARD = "README.md"
RECORDS = "records"
"""Among metrics: of whole records, actors found by the model itself."""


def field_figures(metrics: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Head, figures in words and support of every head besides topics and stances.

    Args:
        metrics: as `training.evaluate.evaluate` gives them.
    """
    rows = []
    for name, head in metrics.items():
        if name not in ("articles", "corpora", "topics", "stances", RECORDS):
            found = [(key.replace("_f1", "-F1").replace("_", " "), head[key]) for key in head]
            rows.append(
                (
                    name,
                    ", ".join(f"{key} {value:.3f}" for key, value in found if isinstance(value, float)),
                    head["support"],
                )
            )
    return rows


@dataclass(frozen=True, slots=True)
class Report:
    """A run, from its recipe to its quality.

    Args:
        recipe: resolved, every default filled in.
        recipe_digest: its sha256.
        commit: the checkout's git commit, None outside one; `+` at its end means uncommitted changes.
        libraries: versions.
        encoder: name, digest and number of parameters, None for the linear family.
        precision: which was `chosen`, `fp32` or `int8`, and how they compare, as `training.parity` gives it.
        corpora: name, licence, articles, label counts and digest of each, and the digest of its test part.
        split: article ids of each part.
        epochs: what was measured in each epoch.
        seconds: time of each stage, in seconds.
        metrics: by part (`validation`, `test`), as `training.evaluate` gives them, and `behaviour`, as
            `training.behaviour` does.
        curves: of the test part, as `training.curves` gives them.
    """

    recipe: dict[str, Any]
    recipe_digest: str
    commit: str | None
    libraries: dict[str, str]
    encoder: dict[str, Any] | None
    precision: dict[str, Any]
    corpora: list[dict[str, Any]]
    split: dict[str, list[str]]
    epochs: list[dict[str, float]]
    seconds: dict[str, float]
    metrics: dict[str, Any]
    curves: dict[str, Any]

    def to_json(self) -> str:
        """The report as it lies in the bundle."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def of(cls, bundle: Bundle) -> Report:
        """Read the report of a bundle.

        Raises:
            BundleError: the bundle has none, or one that this version cannot read.
        """
        path = bundle.path / REPORT
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise BundleError(f"{path}: not a report of a training run: {error}") from error
