from __future__ import annotations

import struct
import sys
from dataclasses import replace
from html.parser import HTMLParser

from training.page import page
from training.plots import plots
from training.report import Report

from .conftest import EPOCHS


def size(image: bytes) -> tuple[int, int]:
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def test_every_part_of_a_report_is_drawn(report: Report) -> None:
    images = plots(replace(report, epochs=EPOCHS))
    assert set(images) == {
        "topics_precision_recall.png",
        "topics_calibration.png",
        "topics_confusion.png",
        "stances_precision_recall.png",
        "stances_calibration.png",
        "stances_confusion.png",
        "epochs.png",
    }
    assert all(min(size(image)) >= 300 for image in images.values())


def test_a_report_of_one_head_without_epochs_has_the_plots_of_that_head(report: Report) -> None:
    metrics = {"test": {key: value for key, value in report.metrics["test"].items() if key != "topics"}}
    alone = replace(report, metrics=metrics, curves={"stances": report.curves["stances"]}, epochs=[])
    assert set(plots(alone)) == {f"stances_{kind}.png" for kind in ("precision_recall", "calibration", "confusion")}


def test_a_single_label_and_a_label_without_positives_are_drawn(report: Report) -> None:
    label = next(iter(report.curves["topics"]))
    curve = {"precision_recall": [[1.0, 1.0]], "calibration": [[0.1, 0.0, 30]], "confusion": [[30, 0], [0, 0]]}
    metrics = dict(report.metrics["test"])
    metrics["topics"] = {**metrics["topics"], "labels": {label: metrics["topics"]["labels"][label] | {"support": 0}}}
    images = plots(replace(report, metrics={"test": metrics}, curves={"topics": {label: curve}}))
    assert "topics_confusion.png" in images


def test_the_same_report_gives_the_same_images(report: Report) -> None:
    alone = replace(report, curves={"stances": report.curves["stances"]})
    assert plots(alone) == plots(alone)


def test_drawing_leaves_no_pyplot_state(report: Report) -> None:
    plots(replace(report, curves={}))
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


class Addresses(HTMLParser):
    """Every address that a page would fetch, and whether its tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_holds_all_and_fetches_nothing(report: Report) -> None:
    images = {"epochs.png": b"image", "topics_calibration.png": b"image"}
    text = page(replace(report, epochs=EPOCHS), images)
    parser = Addresses()
    parser.feed(text)
    assert not parser.open
    assert len(parser.found) == 2
    assert all(address.startswith("data:image/png;base64,") for address in parser.found)
    assert "url(" not in text and "@import" not in text
    for label, metrics in report.metrics["test"]["topics"]["labels"].items():
        assert f"<td>{label}</td>" in text
        assert f'<td class="n">{metrics["f1"]:.3f}</td>' in text
    assert report.recipe_digest in text
    assert "language model wrote" in text


def test_the_page_escapes_what_a_recipe_says(report: Report) -> None:
    recipe = {**report.recipe, "name": "<script>", "description": 'a & b <img src="http://example.org/x">'}
    text = page(replace(report, recipe=recipe), {})
    assert "<script>" not in text and "<img" not in text
    assert "a &amp; b" in text
