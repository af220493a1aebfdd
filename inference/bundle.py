"""The bundle: a directory that is all that scoring needs, locked by checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from .decode import Decisions
from .errors import BundleError
from .heads import TOPICS, Head, Kind
from .naming import Lexicon
from .windows import WindowSettings

FORMAT_VERSION = 6
"""Raise it when an older detente could misread a bundle, and say in CHANGELOG how to rebuild one."""

MANIFEST = "manifest.json"
ACTORS = "actors.json"
TOKENIZER = "tokenizer.json"
ONNX = "model.onnx"
HEADS = "heads.safetensors"
SKOPS = "model.skops"

Family = Literal["linear", "embedding", "encoder"]
Precision = Literal["fp32", "int8"]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle is.

    Args:
        family: model family.
        topics: topic labels, in the order of the scores.
        heads: what the model was trained to score; an encoder may have more than records show.
        decisions: calibration and thresholds.
        windows: how articles are cut, None for a family that reads them whole.
        provenance: recipe, its digest, seed, encoder, corpora with licences, metrics and library versions;
            scoring does not read it.
        files: sha256 of every other file.
        format_version: version of this layout.
        precision: numbers that an encoder computes in; in 8-bit integers it reads windows one by one, on a CPU.
    """

    family: Family
    topics: tuple[str, ...]
    heads: tuple[Head, ...]
    decisions: Decisions
    windows: WindowSettings | None
    provenance: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    precision: Precision = "fp32"

    def has(self, name: str) -> bool:
        """Whether the model was trained to score a head."""
        return any(head.name == name for head in self.heads)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk.

    Args:
        path: its directory.
        manifest: its manifest.
        digest: sha256 of the manifest, and so of everything in the bundle.
    """

    path: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Read a bundle and verify every file of it.

        Raises:
            BundleError: a file is missing, foreign or altered, or the format is unknown.
        """
        if not path.is_dir():
            raise BundleError(f"{path}: no such directory, expected a bundle (a directory with {MANIFEST})")
        if not (path / MANIFEST).is_file():
            raise BundleError(f"{path}: {MANIFEST} is missing, so this is no bundle")
        raw = (path / MANIFEST).read_bytes()
        manifest = _parse(raw, path / MANIFEST)
        _verify(path, manifest)
        return cls(path, manifest, hashlib.sha256(raw).hexdigest())

    def lexicon(self) -> Lexicon:
        """The actors that are known by name."""
        return Lexicon.from_dict(json.loads((self.path / ACTORS).read_text("utf-8")))


def write_bundle(
    directory: Path, manifest: Manifest, files: Path, check: Callable[[Bundle], object] | None = None
) -> Bundle:
    """Make a bundle of the files in a directory; it takes the place of an older one when it is whole.

    Args:
        directory: where the bundle will lie.
        manifest: its manifest; `files` in it is filled in here.
        files: directory with the other files; they are copied, but for a manifest of their own.
        check: given the whole bundle before it takes its place; what it raises keeps the older one.

    Raises:
        BundleError: see `check_target`.
    """
    check_target(directory)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}-") as temporary:
        fresh = Path(temporary) / "bundle"
        shutil.copytree(files, fresh, ignore=shutil.ignore_patterns(MANIFEST))
        content = asdict(manifest)
        content["files"] = {file.name: file_digest(file) for file in sorted(fresh.iterdir())}
        (fresh / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
        bundle = Bundle.open(fresh)
        if check is not None:
            check(bundle)
        old = Path(temporary) / "old"
        try:
            if directory.exists():
                directory.replace(old)
            fresh.replace(directory)
        except BaseException:
            if old.exists() and not directory.exists():
                old.replace(directory)
            raise
    return Bundle(directory, bundle.manifest, bundle.digest)


def check_target(directory: Path) -> None:
    """Make sure that a bundle can be put in a place; its parent folders are made.

    Raises:
        BundleError: something that is no bundle lies there already, or nothing can be written there.
    """
    if directory.exists() and not (directory / MANIFEST).is_file() and not _is_empty(directory):
        raise BundleError(f"{directory}: is there already and is no bundle, so it is not replaced")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory.parent).close()
    except OSError as error:
        raise BundleError(f"{directory}: cannot be written: {error.strerror or error}") from error


def file_digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_empty(path: Path) -> bool:
    return path.is_dir() and next(path.iterdir(), None) is None


def _parse(raw: bytes, path: Path) -> Manifest:
    try:
        content = json.loads(raw)
        version = content["format_version"]
        if version != FORMAT_VERSION:
            advice = "upgrade detente" if version > FORMAT_VERSION else "train it again"
            raise BundleError(f"{path}: bundle format {version}, this detente reads {FORMAT_VERSION}: {advice}")
        windows = content["windows"]
        manifest = Manifest(
            family=content["family"],
            topics=tuple(content["topics"]),
            heads=tuple(Head(head["name"], head["kind"], tuple(head["labels"])) for head in content["heads"]),
            decisions=Decisions.from_dict(content["decisions"]),
            windows=None if windows is None else WindowSettings(**windows),
            provenance=content["provenance"],
            files={str(name): str(digest) for name, digest in content["files"].items()},
            precision=content["precision"],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path}: not a manifest of detente ({type(error).__name__}: {error})") from error
    if manifest.family not in get_args(Family):
        raise BundleError(f"{path}: family {manifest.family!r}, expected one of {', '.join(get_args(Family))}")
    if manifest.precision not in get_args(Precision):
        raise BundleError(f"{path}: precision {manifest.precision!r}, expected one of {', '.join(get_args(Precision))}")
    for head in manifest.heads:
        if head.kind not in get_args(Kind):
            raise BundleError(
                f"{path}: head {head.name}: kind {head.kind!r}, expected one of {', '.join(get_args(Kind))}"
            )
        if head.name == TOPICS and head.labels != manifest.topics:
            raise BundleError(f"{path}: the head {TOPICS} has other labels than the topics")
    if list(manifest.decisions.topics) != list(manifest.topics):
        raise BundleError(f"{path}: thresholds are for other topics, or in another order, than the labels")
    return manifest


def _verify(path: Path, manifest: Manifest) -> None:
    model = [SKOPS] if manifest.family == "linear" else [ONNX, HEADS, TOKENIZER]
    for name in (ACTORS, *model):
        if name not in manifest.files:
            raise BundleError(f"{path / MANIFEST}: names no {name}, which the {manifest.family} family needs")
    foreign = {file.name for file in path.iterdir()} - {MANIFEST, *manifest.files}
    if foreign:
        raise BundleError(f"{path}: holds files that its manifest does not name: {', '.join(sorted(foreign))}")
    for name, expected in manifest.files.items():
        if not (path / name).is_file():
            raise BundleError(f"{path / name}: missing from the bundle")
        found = file_digest(path / name)
        if found != expected:
            raise BundleError(f"{path / name}: altered, sha256 is {found[:12]}…, the manifest says {expected[:12]}…")
