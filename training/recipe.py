"""Recipes: YAML in, a whole and checked description of a run out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from inference.errors import DetenteError
from models.settings import EmbeddingModel, EncoderModel, LinearModel, Model, Settings, Trainer

STARTER, PATTERNS = "starter", "patterns"
SHIPPED = (STARTER, PATTERNS)
"""The corpora that ship with the project."""
_FAMILIES: dict[str, type[Settings]] = {"linear": LinearModel, "embedding": EmbeddingModel, "encoder": EncoderModel}


class RecipeError(DetenteError):
    """A recipe, or a file that it names, is not as it must be."""


class Corpus(Settings):
    """A corpus: a shipped or public one by its name alone, else files or a dataset on the hub."""

    name: str = Field(min_length=1)
    """What cards call it; `starter` and `patterns` ship, others without files are those of the catalogue."""
    weight: float = Field(default=1.0, gt=0)
    """Times that an epoch reads each of its articles; of 0.5 it reads half of them, drawn afresh."""
    auxiliary_epochs: int | None = Field(default=None, ge=1)
    """First epochs, the only ones, that read a corpus which is there for the encoder's sake: nothing is measured on it,
    and heads that it alone trains are dropped in the end. Null for a corpus that the model is for."""
    heads: tuple[str, ...] | None = Field(default=None, min_length=1)
    """What it trains; null takes topics, stances and actors, or the public corpus' own head."""
    files: tuple[Path, ...] | None = None
    """JSON lines, CSV or Parquet files with one article a row."""
    labels: Path | None = None
    """Labels in a file of their own, joined to `files` by `id`."""
    hub: str | None = None
    """Id of a dataset on the Hugging Face hub."""
    revision: str | None = None
    """Branch, tag or commit of the hub id."""
    split: str = "train"
    """Split of the hub dataset."""
    licence: str = "not stated"
    """Licence of its texts and labels, named in the model card."""

    @model_validator(mode="after")
    def _one_source(self) -> Corpus:
        named = [key for key in ("files", "hub") if getattr(self, key) is not None]
        if self.name in SHIPPED and named:
            raise ValueError(f"`{self.name}` ships with the project and has no files or hub id: take another name")
        if len(named) > 1:
            raise ValueError(f"found {' and '.join(named)}, expected one of files, hub")
        if self.labels is not None and self.files is None:
            raise ValueError("`labels` goes with `files`")
        return self

    @property
    def public(self) -> bool:
        """Whether it is one of the catalogue's."""
        return self.name not in SHIPPED and self.files is None and self.hub is None


class Split(Settings):
    """How articles are parted into training, validation and test."""

    validation: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the articles for calibration and for stopping early."""
    test: float = Field(default=0.15, gt=0, lt=0.5)
    """Share of the articles that are only ever evaluated on."""
    by: Literal["chance", "date"] = "chance"
    """`date` takes the latest articles for test and those before them for validation."""
    near_duplicate: float = Field(default=0.5, gt=0, le=1)
    """Estimated Jaccard similarity of word shingles from which two articles stay together."""
    same_event: float = Field(default=0.15, gt=0, le=1)
    """TF-IDF cosine from which articles of dates close to each other count as one event."""
    event_days: int = Field(default=7, ge=0)
    """Days between two articles of one event at most."""


class Tracking(Settings):
    """Where the run goes in MLflow."""

    experiment: str = "detente"
    """Experiment that the run is filed under."""
    model: str = "detente"
    """Registered model that gets a new version."""


class Recipe(Settings):
    """All that a run is."""

    name: str = Field(pattern=r"^[^/\\.][^/\\]*$")
    """What the run is called; the recipe's file name."""
    description: str = ""
    """One line for the model card."""
    seed: int = Field(default=13, ge=0, lt=2**31)
    """Seed of split, weights, dropout and order."""
    taxonomy: Path = Path("taxonomy.yaml")
    """The topic labels."""
    actors: Path = Path("actors.yaml")
    """The lexicon of actors."""
    catalogue: Path = Path("corpora.yaml")
    """Where the public corpora come from; read where one is named."""
    purpose: Literal["share", "own"] = "share"
    """Whether the model may be given to others; not every corpus may be used for that."""
    corpora: tuple[Corpus, ...] = Field(min_length=1)
    """What is learned from."""
    articles: int | None = Field(default=None, ge=20)
    """Articles of all corpora that are used at most, drawn by the seed, and all patterns; null uses all."""
    min_positives: int = Field(default=5, ge=1)
    """Training positives that every label must have."""
    split: Split = Split()
    """How articles are parted."""
    model: Model
    """The model family and its settings."""
    trainer: Trainer | None = None
    """How the encoder family is fine-tuned."""
    teachers: tuple[str, ...] = ()
    """Bundles, or MLflow URIs of models, whose scores an encoder learns beside the labels; folders are named from
    where the command runs."""
    tracking: Tracking = Tracking()
    """Where the run goes in MLflow."""

    @field_validator("corpora")
    @classmethod
    def _distinct(cls, corpora: tuple[Corpus, ...]) -> tuple[Corpus, ...]:
        names = [corpus.name for corpus in corpora]
        if len(set(names)) < len(names):
            raise ValueError(f"two corpora of one name: {', '.join(names)}")
        if all(corpus.auxiliary_epochs for corpus in corpora):
            raise ValueError("every corpus has `auxiliary_epochs`: expected one that the model is for")
        return corpora

    @model_validator(mode="after")
    def _trained(self) -> Recipe:
        if self.model.family == "encoder" and self.trainer is None:
            return self.model_copy(update={"trainer": Trainer()})
        if self.model.family != "encoder" and self.trainer is not None:
            raise ValueError(f"`trainer` is for the encoder family, model.family is {self.model.family}")
        if self.model.family != "encoder" and self.teachers:
            raise ValueError(f"`teachers` are for the encoder family, model.family is {self.model.family}")
        for corpus in self.corpora if self.model.family != "encoder" else ():
            for key in ("weight", "auxiliary_epochs"):
                if getattr(corpus, key) != Corpus.model_fields[key].default:
                    family = self.model.family
                    raise ValueError(f"`{key}` of {corpus.name} is for the encoder family, model.family is {family}")
        return self

    def digest(self) -> str:
        """The sha256 of all settings; of a path counts its last part, wherever the recipe is called from."""
        content = json.dumps(self.model_dump(), sort_keys=True, default=lambda path: path.name)
        return hashlib.sha256(content.encode()).hexdigest()


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe; the paths in it are relative to its folder.

    Args:
        path: the YAML file.
        overrides: `key.path=value`, values in YAML.

    Raises:
        RecipeError: with each wrong key's path, what was found and what is allowed.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: found {type(content).__name__}, expected keys such as `model` and `corpora`")
    content.setdefault("name", path.stem)
    for override in overrides:
        _override(content, override)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        problems = error.errors()
        inner = {problem["loc"][:1] for problem in problems if len(problem["loc"]) > 1}
        # A list of which an item is wrong is too short only because of that.
        told = [each for each in problems if each["type"] != "too_short" or each["loc"] not in inner]
        raise RecipeError("\n".join(_explained(path, problem) for problem in told)) from None
    return _with_paths(recipe, path)


class _UniqueKeys(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which a key that is given twice is an error, not its last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See yaml."""
        keys = [key.value for key, _ in node.value]
        for key, mark in ((key.value, key.start_mark) for key, _ in reversed(node.value)):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", mark)
        return dict(super().construct_mapping(node, deep))


def read_yaml(path: Path) -> Any:
    """Parse a YAML file.

    Raises:
        RecipeError: it is missing or broken.
    """
    try:
        with path.open(encoding="utf-8") as file:  # whose name errors tell
            return yaml.load(file, _UniqueKeys)  # noqa: S506 — a safe loader
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error


def _override(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {override}: expected key=value, such as trainer.epochs=2")
    *parents, last = key.split(".")
    place = content
    for parent in parents:
        inner = place.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"--set {override}: `{parent}` has no keys of its own")
        place = inner
    try:
        place[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {override}: the value is not YAML ({error})") from error


def _explained(path: Path, problem: ErrorDetails) -> str:
    """One line for one problem: file, key, what was found, what is allowed."""
    # pydantic puts the chosen model family between `model` and its keys; a reader's YAML has no such level.
    place = [part for at, part in enumerate(problem["loc"]) if not (at == 1 and problem["loc"][0] == "model")]
    key = ".".join(map(str, place)) or "recipe"
    if problem["type"] == "extra_forbidden":
        return f"{path}: {key}: unknown key; allowed: {', '.join(_siblings(problem['loc']))}"
    if problem["type"] == "missing":
        return f"{path}: {key}: missing"
    if problem["type"].startswith("union_tag"):
        families, found = f"one of {', '.join(_FAMILIES)}", problem["input"].get("family")
        told = f"missing; {families}" if found is None else f"expected {families} (found {found!r:.60})"
        return f"{path}: {key}.family: {told}"
    found = "" if isinstance(problem["input"], Mapping | Settings) else f" (found {problem['input']!r:.60})"
    return f"{path}: {key}: {problem['msg'].removeprefix('Value error, ')}{found}"


def _siblings(place: tuple[int | str, ...]) -> list[str]:
    """The keys that are allowed beside the one at `place`."""
    group: type[Settings] = Recipe
    for part in place[:-1]:
        if part in _FAMILIES and group is Recipe:
            group = _FAMILIES[str(part)]
        elif isinstance(part, str) and part in group.model_fields:
            group = _group(group.model_fields[part].annotation) or group
    return list(group.model_fields)


def _group(annotation: object) -> type[Settings] | None:
    """The settings class inside an annotation such as `tuple[Corpus, ...]` or `Trainer | None`."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, Settings) and part not in _FAMILIES.values():
            return part
    return None


def _with_paths(recipe: Recipe, path: Path) -> Recipe:
    """The recipe with its paths made relative to its file, and known to be there."""
    folder = path.parent

    def found(key: str, value: Path) -> Path:
        place = folder / value
        if not place.exists():
            raise RecipeError(f"{path}: {key}: no such file or folder: {place}")
        return place

    corpora = tuple(
        corpus.model_copy(
            update={
                "files": corpus.files and tuple(found(f"corpora.{number}.files", file) for file in corpus.files),
                "labels": corpus.labels and found(f"corpora.{number}.labels", corpus.labels),
            }
        )
        for number, corpus in enumerate(recipe.corpora)
    )
    catalogue = recipe.catalogue
    if recipe.teachers or any(corpus.public for corpus in corpora):
        catalogue = found("catalogue", catalogue)
    model = recipe.model
    if not isinstance(model, LinearModel) and model.encoder.path is not None:
        encoder = model.encoder.model_copy(update={"path": found("model.encoder.path", model.encoder.path)})
        model = model.model_copy(update={"encoder": encoder})
    return recipe.model_copy(
        update={
            "taxonomy": found("taxonomy", recipe.taxonomy),
            "actors": found("actors", recipe.actors),
            "catalogue": catalogue,
            "corpora": corpora,
            "model": model,
        }
    )
