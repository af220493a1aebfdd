"""The catalogue of public corpora: where their files are and what their licences allow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from inference.bundle import file_digest
from inference.errors import DetenteError
from models.settings import Settings

from .recipe import read_yaml

MIRROR = "DETENTE_MIRROR"
"""Environment variable: a folder that holds the files under their mirror names."""
CATALOGUE = Path(__file__).parents[1] / "configs" / "corpora.yaml"
"""The catalogue that ships with the project."""
FOLDER = Path("build/corpora")
"""Where `fetch` puts them."""

Use = Literal["own", "share"]


class CatalogueError(DetenteError):
    """A public corpus is not known, not at hand, not what it should be, or may not be used so."""


class CorpusFile(Settings):
    """One file of a corpus."""

    path: str
    """Its path in the repository; `{id}` stands for a text of stand-off labels."""
    mirror: str
    """Its name in a mirror, and where `fetch` puts it."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """What it must hash to; stand-off labels have a hash of each text instead."""


class PublicCorpus(Settings):
    """A corpus that somebody else publishes."""

    about: str
    """One line."""
    cite: str
    """Whom to cite."""
    repository: str = Field(pattern="^[^/]+/[^/]+$")
    """Owner and name of the repository."""
    commit: str = Field(pattern="^[0-9a-f]{40}$")
    """The commit that is meant."""
    licence: str
    """The licence, or `not stated`."""
    terms: str
    """What else is said of its use."""
    use: Use
    """`share`: models trained on it may be given to others; `own`: models made for oneself, and benchmark figures."""
    heads: tuple[str, ...] = Field(min_length=1)
    """What it trains where a recipe does not say."""
    labels: Path | None = None
    """Stand-off labels of ours, where the texts alone are somebody else's."""
    files: dict[str, CorpusFile] = Field(min_length=1)
    """Files by split."""

    @model_validator(mode="after")
    def _verifiable(self) -> PublicCorpus:
        bare = [split for split, file in self.files.items() if (file.sha256 is None) != (self.labels is not None)]
        if bare:
            raise ValueError(f"files.{bare[0]}: expected a sha256, or `labels` with a hash of each text")
        return self


Catalogue = dict[str, PublicCorpus]


def load_catalogue(path: Path) -> Catalogue:
    """Read a catalogue.

    Raises:
        CatalogueError: with corpus and key of what is wrong.
        RecipeError: it is missing or no YAML.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise CatalogueError(f"{path}: found {type(content).__name__}, expected corpora by name")
    catalogue = {}
    for name, entry in content.items():
        try:
            corpus = PublicCorpus.model_validate(entry)
        except ValidationError as error:
            problem = error.errors()[0]
            key = ".".join(map(str, (name, *problem["loc"])))
            raise CatalogueError(f"{path}: {key}: {problem['msg'].removeprefix('Value error, ')}") from None
        labels = corpus.labels and path.parent / corpus.labels
        catalogue[str(name)] = corpus.model_copy(update={"labels": labels})
    return catalogue


def entry(catalogue: Catalogue, name: str) -> PublicCorpus:
    """A corpus by its name.

    Raises:
        CatalogueError: the catalogue has no such corpus.
    """
    if name not in catalogue:
        known = ", ".join(catalogue)
        raise CatalogueError(f"corpus {name}: not in the catalogue, and no files or hub id; known: {known}")
    return catalogue[name]


def check_use(name: str, corpus: PublicCorpus, purpose: Use) -> None:
    """Make sure that a corpus may be trained on for a purpose.

    Raises:
        CatalogueError: its licence does not allow that.
    """
    if purpose == "share" and corpus.use != "share":
        raise CatalogueError(
            f"corpus {name}: licence {corpus.licence} ({corpus.terms}): a model trained on it is for your own use; "
            "say `purpose: own` in the recipe, or leave the corpus out"
        )


def described(catalogue: Catalogue, names: Sequence[str] = ()) -> str:
    """What corpora are, and what each would be used for, as text.

    Args:
        catalogue: knows them.
        names: of some; none stands for all.

    Raises:
        CatalogueError: one is not known.
    """
    uses = {
        "share": "for any model",
        "own": "for models of your own and benchmark figures, not for models to give away",
    }
    lines = []
    for name in names or catalogue:
        corpus = entry(catalogue, name)
        lines += [
            f"{name}: {corpus.about}",
            f"  trains    {', '.join(corpus.heads)}; splits {', '.join(corpus.files)}",
            f"  use       {uses[corpus.use]} (licence: {corpus.licence}; {corpus.terms})",
            f"  from      {corpus.repository} @ {corpus.commit[:12]}",
            f"  cite      {corpus.cite}",
        ]
    return "\n".join(lines)


def at_hand(name: str, corpus: PublicCorpus, split: str, folder: Path = FOLDER) -> Path:
    """Where a file of a corpus lies, verified.

    Raises:
        CatalogueError: the corpus has no such split, or the file is missing, cut short or altered.
    """
    if split not in corpus.files:
        raise CatalogueError(f"corpus {name}: no split {split!r}; it has {', '.join(corpus.files)}")
    file = corpus.files[split]
    mirror = os.environ.get(MIRROR)
    path = Path(mirror or folder) / file.mirror
    if not path.is_file():
        advice = f"the mirror in ${MIRROR} lacks it" if mirror else f"`python -m training fetch {name}` downloads it"
        raise CatalogueError(f"corpus {name}: no {path} ({split} split, licence {corpus.licence}): {advice}")
    verify(name, file, path)
    return path


def verify(name: str, file: CorpusFile, path: Path) -> None:
    """Make sure that a file is the one that the catalogue means; stand-off labels have their reader verify each text.

    Raises:
        CatalogueError: it is not.
    """
    found = file_digest(path) if file.sha256 else None
    if found != file.sha256:
        raise CatalogueError(
            f"corpus {name}: {path} is cut short or altered: sha256 {found}, expected {file.sha256}; "
            f"`python -m training fetch {name}` fetches it anew once it is deleted"
        )
