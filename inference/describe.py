"""What a bundle is, for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .bundle import MANIFEST, Bundle
from .decode import NEVER
from .heads import STANCES, TOPICS
from .schema import OPPOSE, SUPPORT
from .terminal import visible

_COLUMN = 12


def describe(bundle: Bundle) -> str:
    """Family, labels with thresholds, encoder, corpora, metrics and files of a bundle, in lines."""
    return "".join(visible(line).rstrip() + "\n" for line in _lines(bundle))


def describe_precision(bundle: Bundle, least: float) -> str:
    """The thresholds that reach a precision, and what they leave, in lines."""
    lines = [f"{'at least ' + format(least, 'g'):24}{'threshold':>10}{'precision':>10}{'coverage':>10}"]
    for label, point in bundle.manifest.decisions.reached(least).items():
        figures = "never reached".rjust(30)
        if point != NEVER:
            figures = f"{point.threshold:10.3f}{point.precision:10.3f}{point.coverage:10.3f}"
        lines.append(f"{label:24}{figures}")
    return "".join(visible(line) + "\n" for line in lines)


def _lines(bundle: Bundle) -> Iterator[str]:
    manifest = bundle.manifest
    facts: Mapping[str, Any] = manifest.provenance
    yield _row("bundle", str(bundle.path))
    yield _row("digest", bundle.digest)
    yield _row("family", manifest.family)
    yield _row("recipe", ", ".join(f"{key} {facts[key]}" for key in ("name", "seed", "commit") if facts.get(key)))
    yield _row("encoder", _encoder(facts.get("encoder")))
    yield _row("precision", manifest.precision)
    if manifest.windows is not None:
        yield _row("windows", f"{manifest.windows.max_tokens} tokens")
    yield _row("heads", ", ".join(head.name for head in manifest.heads))
    if manifest.has(TOPICS):
        yield from _block("topics", [(label, made.threshold) for label, made in manifest.decisions.topics.items()])
    if manifest.has(STANCES):
        articles, sentences = manifest.decisions.articles, manifest.decisions.stances
        yield from _block("stances", [(SUPPORT, articles.support), (OPPOSE, articles.oppose)])
        yield from _block("evidence", [(SUPPORT, sentences.support), (OPPOSE, sentences.oppose)])
    corpora = [(f"{corpus.get('name')}", f"{corpus.get('licence')}") for corpus in facts.get("corpora") or ()]
    yield from _block("corpora", corpora)
    yield from _block("metrics", list(_numbers(facts.get("metrics") or {})))
    yield from _block("files", [(name, _size(bundle, name)) for name in (MANIFEST, *manifest.files)])


def _row(name: str, value: str) -> str:
    return f"{name:<{_COLUMN}}{value}"


def _block(name: str, rows: Sequence[tuple[str, object]]) -> Iterator[str]:
    """A list whose first line carries its name; nothing where it is empty."""
    longest = max((len(key) for key, _ in rows), default=0)
    for number, (key, value) in enumerate(rows):
        shown = f"{value:.3f}" if isinstance(value, float) else f"{value}"
        yield _row(name if number == 0 else "", f"{key:<{longest}}  {shown}")


def _encoder(facts: Mapping[str, Any] | None) -> str:
    if not facts:
        return "none"
    return (
        f"{facts.get('name')}, {facts.get('parameters', 0) / 1e6:.1f} million parameters, sha256 {facts.get('sha256')}"
    )


def _numbers(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every number with the way to it; those of single labels are left to the report."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            if key != "labels":
                yield from _numbers(value, f"{prefix}{key} ")
        elif isinstance(value, int | float):
            yield f"{prefix}{key}".replace("_", " "), value


def _size(bundle: Bundle, name: str) -> str:
    return f"{(bundle.path / name).stat().st_size:,} bytes"
