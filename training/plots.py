"""Plots of a report, as PNG images."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from inference.schema import STANCE_LABELS

from .report import Report

_BLUE, _ORANGE, _GREY, _INK = "#0072B2", "#D55E00", "#C8C8C8", "#333333"
"""Blue and vermilion of Okabe and Ito, told apart with every kind of colour vision."""

_COLUMNS = 3
_DPI = 110
_DARK = 0.55


def plots(report: Report) -> dict[str, bytes]:
    """Draw what a report holds.

    Returns:
        PNG images by file name; a head that was not evaluated, or epochs that there are none of, have none.
    """
    figures: dict[str, Figure] = {}
    for head in ("topics", "stances"):
        if labels := report.curves.get(head):
            metrics = report.metrics["test"][head]
            figures[f"{head}_precision_recall"] = _precision_recall(head, labels, metrics["labels"])
            figures[f"{head}_calibration"] = _calibration(head, labels, metrics)
    if stances := report.metrics["test"].get("stances"):
        figures["stances_confusion"] = _stance_confusion(stances["confusion"])
    if topics := report.curves.get("topics"):
        figures["topics_confusion"] = _topic_confusion(topics)
    if report.epochs:
        figures["epochs"] = _epochs(report.epochs)
    return {f"{name}.png": _png(figure) for name, figure in figures.items()}


def _precision_recall(head: str, labels: Mapping[str, Any], metrics: Mapping[str, Any]) -> Figure:
    """A panel a label, the other labels in grey behind it, and where its threshold puts it."""
    figure, panels = _panels(f"Precision against recall: {head}, test part", len(labels))
    for axes, (label, curves) in zip(panels, labels.items(), strict=True):
        for other in labels.values():
            axes.plot(*_columns(other["precision_recall"]), color=_GREY, linewidth=0.7)
        axes.plot(*_columns(curves["precision_recall"]), color=_BLUE, linewidth=2)
        measured = metrics[label]
        axes.plot(
            measured["recall"], measured["precision"], "o", color=_ORANGE, markersize=8, markeredgecolor="white",
            label="at the threshold", clip_on=False, zorder=3,
        )  # fmt: skip
        _titled(axes, label, f"AP {measured['average_precision']:.2f}, {measured['support']} positives")
        _unit_square(axes)
    _axis_names(panels, "recall", "precision")
    panels[0].legend(loc="lower left", frameon=False, fontsize=8, handletextpad=0.2)
    return figure


def _calibration(head: str, labels: Mapping[str, Any], metrics: Mapping[str, Any]) -> Figure:
    """How often a label is right, by how probable it was said to be; a dot's area is its share of the cases."""
    error = f"calibration error {metrics['ece_before']:.3f} before, {metrics['ece']:.3f} after fitting"
    figure, panels = _panels(f"Calibration: {head}, test part ({error})", len(labels))
    for axes, (label, curves) in zip(panels, labels.items(), strict=True):
        points = np.array(curves["calibration"], dtype=float).reshape(-1, 3)
        axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--")
        axes.plot(points[:, 0], points[:, 1], color=_BLUE, linewidth=1)
        sizes = 12 + 220 * np.sqrt(points[:, 2] / max(1.0, points[:, 2].sum()))
        axes.scatter(points[:, 0], points[:, 1], s=sizes, color=_BLUE, alpha=0.75, edgecolors="white", zorder=3)
        _titled(axes, label, f"{int(points[:, 2].sum())} cases")
        _unit_square(axes)
    _axis_names(panels, "probability", "frequency")
    return figure


def _stance_confusion(confusion: Sequence[Sequence[int]]) -> Figure:
    figure = Figure(figsize=(5.6, 4.8), layout="constrained")
    axes = figure.add_subplot()
    _matrix(axes, np.array(confusion), STANCE_LABELS, 12)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    axes.set_title("Stances, test part: pairs, and their share of the labelled", fontsize=10.5, color=_INK, loc="left")
    return figure


def _topic_confusion(labels: Mapping[str, Any]) -> Figure:
    figure, panels = _panels("Topics, test part: articles, and their share of the labelled", len(labels), height=2.3)
    for axes, (label, curves) in zip(panels, labels.items(), strict=True):
        _matrix(axes, np.array(curves["confusion"]), ("no", "yes"), 9)
        axes.set_title(_spoken(label), fontsize=10, color=_INK, loc="left")
    _axis_names(panels, "predicted", "labelled")
    return figure


def _epochs(epochs: Sequence[Mapping[str, float]]) -> Figure:
    """A panel for each thing that was measured, its best epoch marked where larger is better."""
    names = [name for name in epochs[0] if name != "epoch" and not name.endswith("seconds")]
    figure, panels = _panels("Training", len(names))
    numbers = [epoch["epoch"] for epoch in epochs]
    for axes, name in zip(panels, names, strict=True):
        values = [epoch[name] for epoch in epochs]
        axes.plot(numbers, values, color=_BLUE, linewidth=2, marker="o", markersize=4)
        best = int(np.argmin(values) if "loss" in name else np.argmax(values))
        axes.plot(numbers[best], values[best], "o", color=_ORANGE, markersize=9, markeredgecolor="white", zorder=3)
        _titled(axes, name, f"best {values[best]:.3g} in epoch {numbers[best]:g}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _plain(axes)
    _axis_names(panels, "epoch", "")
    return figure


def _panels(title: str, count: int, height: float = 2.7) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in rows of three."""
    columns, rows = min(_COLUMNS, count), ceil(count / _COLUMNS)
    figure = Figure(figsize=(0.4 + 3.1 * max(2, columns), 0.6 + height * rows), layout="constrained")
    figure.suptitle(title, fontsize=11.5, color=_INK, x=0.01, ha="left")
    return figure, [figure.add_subplot(rows, columns, number + 1) for number in range(count)]


def _matrix(axes: Axes, counts: np.ndarray[Any, Any], names: Sequence[str], size: int) -> None:
    """A confusion matrix, shaded by row, with each cell's count and share of its row."""
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text, colour = f"{counts[row, column]}\n{share:.0%}", "white" if share > _DARK else _INK
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, labelsize=max(8, size - 2))
    axes.spines[:].set_visible(False)


def _unit_square(axes: Axes) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 0.5, 1])
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.grid(visible=True, color="#EEEEEE", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, color=_GREY)


def _titled(axes: Axes, label: str, detail: str) -> None:
    axes.set_title(f"{_spoken(label)}\n", fontsize=10, color=_INK, loc="left")
    axes.text(0, 1.03, detail, transform=axes.transAxes, fontsize=8, color="#666666")


def _axis_names(panels: Sequence[Axes], below: str, beside: str) -> None:
    """Name the axes once a row and a column."""
    columns = min(_COLUMNS, len(panels))
    for number, axes in enumerate(panels):
        if number + columns >= len(panels):
            axes.set_xlabel(below, fontsize=9)
        if number % columns == 0:
            axes.set_ylabel(beside, fontsize=9)


def _columns(points: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    return [point[0] for point in points], [point[1] for point in points]


def _spoken(label: str) -> str:
    return label.replace("_", " ")


def _png(figure: Figure) -> bytes:
    """The image, the same bytes for the same figure."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()
