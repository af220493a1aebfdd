"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import yaml

from .plots import plots
from .recipe import STARTER
from .report import Report, field_figures

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 68rem; margin: 2rem auto;
       padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
p.sub { color: #666; margin-top: 0; }
p.warn { background: #fff6e5; border-left: 4px solid #e69f00; padding: .6rem 1rem; }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.tile { border: 1px solid #ddd; border-radius: .5rem; padding: .6rem 1.1rem; min-width: 8rem; }
.tile b { display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }
.tile span { color: #666; font-size: .85rem; }
table { border-collapse: collapse; margin: .8rem 0; } caption { text-align: left; color: #666; padding-bottom: .3rem; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #e6e6e6; text-align: left; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } thead th { border-bottom: 2px solid #bbb; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
pre { background: #f6f6f6; padding: 1rem; overflow-x: auto; font-size: .85rem; } code { font-size: .85rem; }
"""

_HEADS = {"topics": "Topics of an article", "stances": "Stances between two named actors in a sentence"}
_LABEL_HEAD = ("label", "precision", "recall", "F1", "average precision", "support")
_LABEL_KEYS = ("precision", "recall", "f1", "average_precision", "support")
_MEASURES = {
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
    "ece": "calibration error",
    "ece_before": "calibration error before calibration",
    "direction_errors": "right only in the other direction",
}
_PLOTS = {
    "topics_precision_recall.png": "Precision against recall of every topic",
    "topics_calibration.png": "Calibration of every topic",
    "topics_confusion.png": "Confusion matrix of every topic",
    "stances_confusion.png": "Confusion matrix of the stances",
    "stances_precision_recall.png": "Precision against recall of every stance",
    "stances_calibration.png": "Calibration of every stance",
    "epochs.png": "What was measured in every epoch",
}


def page(report: Report, images: Mapping[str, bytes] | None = None) -> str:
    """The report as HTML, its plots inside.

    Args:
        report: what to show.
        images: its plots where they are drawn already.
    """
    images = plots(report) if images is None else images
    name = escape(str(report.recipe["name"]))
    sections = (_head(report), _quality(report, images), _training(report, images), _data(report), _origin(report))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>detente: {name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(sections)
        + "\n</body>\n</html>\n"
    )


def _head(report: Report) -> str:
    """The name, the totals in large, and a warning where they say little."""
    test = report.metrics["test"]
    tiles = []
    for head in _heads(test):
        tiles.append((f"{test[head]['macro_f1']:.3f}", f"{head}, macro-F1"))
        tiles.append((f"{test[head]['ece']:.3f}", f"{head}, calibration error"))
    tiles.append((str(test["articles"]), "articles in the test part"))
    boxes = "".join(f'<div class="tile"><b>{value}</b><span>{escape(text)}</span></div>' for value, text in tiles)
    description = escape(str(report.recipe["description"]))
    family = escape(str(report.recipe["model"]["family"]))
    warning = ""
    if any(corpus["name"] == STARTER for corpus in report.corpora):
        warning = (
            '<p class="warn">The corpus <code>starter</code> holds articles and labels that a language model wrote. '
            "These figures say how well the model does on such text; expect less on real news.</p>"
        )
    name = escape(str(report.recipe["name"]))
    return f'<h1>{name}</h1>\n<p class="sub">{description} ({family})</p>\n<div class="tiles">{boxes}</div>\n{warning}'


def _quality(report: Report, images: Mapping[str, bytes]) -> str:
    """A section for each head: its totals on both parts, its labels, its plots."""
    found = []
    for head, title in _HEADS.items():
        parts = [(part, metrics[head]) for part, metrics in report.metrics.items() if head in metrics]
        if not parts:
            continue
        keys = sorted({key for _, metrics in parts for key, value in metrics.items() if isinstance(value, float)})
        totals = [(_measure(key), *(_number(metrics.get(key)) for _, metrics in parts)) for key in keys]
        found.append(f"<h2>{escape(title)}</h2>")
        found.append(_table(("measure", *(part for part, _ in parts)), totals, "Totals"))
        labels = report.metrics["test"].get(head, {}).get("labels", {})
        rows = [(label, *(_number(metrics[key]) for key in _LABEL_KEYS)) for label, metrics in labels.items()]
        found.append(_table(_LABEL_HEAD, rows, "By label, on the test part"))
        found += [_image(name, images) for name in _PLOTS if name.startswith(head) and name in images]
    if rows := field_figures(report.metrics["validation"]):
        found.append("<h2>Further heads</h2>")
        found.append(_table(("head", "figures", "support"), rows, "On the validation part"))
    return "\n".join(found)


def _training(report: Report, images: Mapping[str, bytes]) -> str:
    found = ["<h2>Training</h2>"]
    if report.epochs:
        keys = list(report.epochs[0])
        found.append(_image("epochs.png", images))
        found.append(_table(keys, [[_number(epoch.get(key)) for key in keys] for epoch in report.epochs], "Epochs"))
    seconds = [(stage, f"{value:.1f}") for stage, value in report.seconds.items()]
    found.append(_table(("stage", "seconds"), seconds, "Time"))
    return "\n".join(found)


def _data(report: Report) -> str:
    head = ("corpus", "licence", "articles", "topic labels", "stance labels", "sha256")
    corpora = [
        (
            corpus["name"], corpus["licence"], corpus["articles"], _counts(corpus["topics"]),
            _counts(corpus["stances"]), corpus["sha256"][:16] + "…",
        )
        for corpus in report.corpora
    ]  # fmt: skip
    parts = [(part, len(ids)) for part, ids in report.split.items()]
    return "\n".join(["<h2>Data</h2>", _table(head, corpora, "Corpora"), _table(("part", "articles"), parts, "Split")])


def _origin(report: Report) -> str:
    """What made the model: commit, digests, versions, and the whole recipe."""
    facts = [("commit", report.commit or "unknown"), ("recipe digest", report.recipe_digest)]
    if report.encoder is not None:
        facts += [(f"encoder {key}", str(value)) for key, value in report.encoder.items()]
    recipe = yaml.safe_dump(report.recipe, sort_keys=False, allow_unicode=True)
    return "\n".join(
        [
            "<h2>Origin</h2>",
            _table(("", ""), facts, "Run"),
            _table(("library", "version"), list(report.libraries.items()), "Versions"),
            f"<h2>Recipe</h2>\n<pre>{escape(recipe)}</pre>",
        ]
    )


def _heads(metrics: Mapping[str, Any]) -> list[str]:
    return [head for head in _HEADS if head in metrics]


def _counts(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {count}" for label, count in labels.items()) or "none"


def _measure(key: str) -> str:
    return _MEASURES.get(key, key.replace("_", " "))


def _number(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _image(name: str, images: Mapping[str, bytes]) -> str:
    if name not in images:
        return ""
    data = base64.b64encode(images[name]).decode("ascii")
    return f'<img alt="{escape(_PLOTS[name])}" src="data:image/png;base64,{data}">'


def _table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> str:
    """An HTML table; columns of numbers stand on the right."""
    cells = [[str(value) for value in row] for row in rows]
    right = [all(row[column].replace(".", "", 1).isdigit() for row in cells) for column in range(len(head))]

    def line(tag: str, values: Sequence[str]) -> str:
        marks = (' class="n"' if number else "" for number in right)
        return "".join(f"<{tag}{mark}>{escape(value)}</{tag}>" for mark, value in zip(marks, values, strict=True))

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in cells)
    top = f"<thead><tr>{line('th', head)}</tr></thead>" if any(head) else ""
    return f"<table><caption>{escape(caption)}</caption>{top}\n<tbody>\n{body}\n</tbody></table>"
