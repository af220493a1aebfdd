"""Trials of a recipe with other settings, of which validation chooses one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from inference.bundle import MANIFEST, Bundle, write_bundle
from inference.heads import STANCES, TOPICS

from .recipe import Recipe, RecipeError, load_recipe
from .report import Report


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A recipe with settings of its own.

    Args:
        settings: what is tried, such as `trainer.epochs=2`.
        recipe: with them.
        out: where its bundle lies, or will.
    """

    settings: tuple[str, ...]
    recipe: Recipe
    out: Path

    def finished(self) -> Bundle | None:
        """Its bundle, where an earlier command has trained it; None where there is none of this recipe."""
        if not (self.out / MANIFEST).is_file():
            return None
        bundle = Bundle.open(self.out)
        return bundle if bundle.manifest.provenance.get("recipe") == self.recipe.digest() else None


def trials(path: Path, tried: Sequence[str], overrides: Sequence[str], folder: Path) -> list[Trial]:
    """Every combination of the values that are tried.

    Args:
        path: the recipe.
        tried: `key.path=value,value,…`, one for each key.
        overrides: `key.path=value`, the same for all.
        folder: where their bundles will lie.

    Raises:
        RecipeError: a key has no two values, or a recipe with some of them is not as it must be.
    """
    return [
        Trial(settings, load_recipe(path, [*overrides, *settings]), folder / ",".join(settings).replace("/", "_"))
        for settings in product(*map(_values, tried))
    ]


def quality(bundle: Bundle) -> float:
    """What trials are compared by: macro-F1 on validation, the mean over topics and stances.

    A model of neither is compared by what its training stops by.
    """
    report = Report.of(bundle)
    heads = [figures for name, figures in report.metrics["validation"].items() if name in (TOPICS, STANCES)]
    if heads:
        return float(sum(head["macro_f1"] for head in heads) / len(heads))
    return max(epoch["validation_quality"] for epoch in report.epochs)


def chosen(bundles: Mapping[Trial, Bundle]) -> Trial:
    """The best trial; of equals the first."""
    return max(bundles, key=lambda trial: quality(bundles[trial]))


def taken(bundle: Bundle, out: Path) -> Bundle:
    """A copy of a trial's bundle where the recipe's own would lie."""
    return write_bundle(out, bundle.manifest, bundle.path)


def table(bundles: Mapping[Trial, Bundle]) -> str:
    """The trials, the best first, with their figures on validation."""
    width = max(len(" ".join(trial.settings)) for trial in bundles)
    rows = sorted(bundles.items(), key=lambda item: -quality(item[1]))
    return "\n".join(f"{' '.join(trial.settings):{width}}  {_figures(bundle)}" for trial, bundle in rows)


def _figures(bundle: Bundle) -> str:
    validation = Report.of(bundle).metrics["validation"]
    heads = [f"{name} {validation[name]['macro_f1']:.3f}" for name in (TOPICS, STANCES) if name in validation]
    return ", ".join([f"{quality(bundle):.4f}", *heads])


def _values(tried: str) -> Iterator[str]:
    key, equals, values = tried.partition("=")
    found = [value for value in values.split(",") if value]
    if not equals or len(found) < 2:
        raise RecipeError(f"--try {tried}: expected key=value,value,…, such as trainer.epochs=2,3")
    return (f"{key}={value}" for value in found)
