from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from inference.heads import Head, actor_head, stance_head
from inference.schema import STANCE_LABELS
from models.base import UNLABELLED
from training.examples import to_examples

from .rows import FINDER, HEADS, Row, dataset

NEUTRAL, SUPPORT, OPPOSE = range(3)
SENTENCE = "Russia praised Iran."
RANK = Head("rank", "pairs", ("first", "second"))
COUNTRIES = ("Russia", "Iran")
TONE = Head("tone", "class", ("plain", "harsh"))
SPANS = Head("spans", "tags", ("deed", "place"))


def test_classes_are_in_the_order_of_the_scores():
    assert STANCE_LABELS == ("neutral", "support", "oppose")


def test_topics_are_zeros_and_ones_in_the_order_of_the_taxonomy():
    rows = [_row(SENTENCE, topics=["sport", "diplomacy"]), _row(SENTENCE, topics=[]), _row(SENTENCE)]
    one, none, unlabelled = to_examples(dataset(rows), HEADS, COUNTRIES)
    np.testing.assert_array_equal(one.topics, [1, 0, 1])
    np.testing.assert_array_equal(none.topics, [0, 0, 0])
    assert unlabelled.topics is None


def test_a_pair_without_an_entry_is_neutral_where_all_actors_are_labelled():
    assert _classes(_row(SENTENCE, stances=[("Russia", "Iran", "support")])) == {
        ("Russia", "Iran"): SUPPORT,
        ("Iran", "Russia"): NEUTRAL,
    }


def test_a_pair_without_an_entry_is_unlabelled_where_only_stances_are():
    row = _row(SENTENCE, stances=[("Russia", "Iran", "oppose")], all_actors=False)
    assert _classes(row) == {("Russia", "Iran"): OPPOSE, ("Iran", "Russia"): UNLABELLED}


def test_a_pair_can_be_neutral_by_its_label():
    row = _row(SENTENCE, stances=[("Russia", "Iran", "neutral")], all_actors=False)
    assert _classes(row) == {("Russia", "Iran"): NEUTRAL, ("Iran", "Russia"): UNLABELLED}


def test_without_stances_no_pair_is_labelled():
    assert set(_classes(_row(SENTENCE, stances=None)).values()) == {UNLABELLED}


def test_an_empty_list_of_stances_makes_every_pair_neutral():
    assert set(_classes(_row(SENTENCE, stances=[])).values()) == {NEUTRAL}


def test_silence_about_a_title_means_nothing():
    row = _row("It rained.", title=SENTENCE, stances=[])
    assert set(_classes(row).values()) == {UNLABELLED}


@pytest.mark.parametrize(
    ("labels", "all_actors", "expected"),
    [
        ([], True, NEUTRAL),
        ([], False, UNLABELLED),
        (["support"], True, SUPPORT),
        (["support"], False, SUPPORT),
        (["oppose", "oppose"], True, OPPOSE),
        (["support", "oppose"], True, UNLABELLED),
    ],
)
def test_a_title_may_have_the_one_leaning_of_its_text(labels: list[str], all_actors: bool, expected: int):
    said = [f"Russia spoke of Iran on day {day}." for day in range(3)]
    row = _row(" ".join(said), title="Russia turns to Iran", stances=[], all_actors=all_actors)
    for quote, label in zip(said, labels, strict=False):
        row["stances"] += _row(" ".join(said), stances=[("Russia", "Iran", label)], quote=quote)["stances"]
    (plain,), (filled,) = (to_examples(dataset([row]), HEADS, COUNTRIES, titles) for titles in (False, True))
    assert plain.stances[:2].tolist() == [UNLABELLED, UNLABELLED]
    assert filled.stances[:2].tolist() == [expected, NEUTRAL if all_actors else UNLABELLED]
    np.testing.assert_array_equal(filled.stances[2:], plain.stances[2:])


def test_a_title_of_an_article_without_labelled_stances_has_none():
    row = _row("It rained.", title=SENTENCE, stances=None)
    assert set(_classes(row, titles=True).values()) == {UNLABELLED}


def test_a_stance_that_quotes_the_title_labels_it():
    row = _row("It rained.", title=SENTENCE, stances=[("Russia", "Iran", "support")], field="title")
    assert _classes(row) == {("Russia", "Iran"): SUPPORT, ("Iran", "Russia"): UNLABELLED}


def test_two_labels_for_one_pair_of_a_sentence_are_none():
    row = _row(SENTENCE, stances=[("Russia", "Iran", "support"), ("Russia", "Iran", "oppose")])
    assert _classes(row) == {("Russia", "Iran"): UNLABELLED, ("Iran", "Russia"): NEUTRAL}


def test_one_label_given_twice_stands():
    row = _row(SENTENCE, stances=[("Russia", "Iran", "oppose"), ("Russia", "Iran", "oppose")])
    assert _classes(row)["Russia", "Iran"] == OPPOSE


def test_a_stance_labels_its_own_sentence_alone():
    row = _row(f"It rained. {SENTENCE} Russia phoned Iran.", stances=[("Russia", "Iran", "support")])
    example = to_examples(dataset([row]), HEADS, COUNTRIES)[0]
    classes = [
        int(kind) for pair, kind in zip(example.document.pairs, example.stances, strict=True) if pair.source == "Russia"
    ]
    assert classes == [SUPPORT, NEUTRAL]


def test_a_quote_of_a_part_of_a_sentence_labels_the_sentence():
    row = _row(
        "On Monday Russia praised Iran, it said.", stances=[("Russia", "Iran", "support")], quote="Russia praised"
    )
    assert _classes(row)["Russia", "Iran"] == SUPPORT


def test_labels_of_a_head_that_is_not_learned_do_not_count():
    row = _row(SENTENCE, topics=["sport"], stances=[("Russia", "Iran", "support")])
    (example,) = to_examples(dataset([row]), [stance_head()], COUNTRIES)
    assert example.topics is None
    assert example.stances.tolist() == [SUPPORT, NEUTRAL]


def test_mentions_are_spans_of_countries_and_of_others():
    text = "Russia praised Acme."
    actors = [("Russia", 0, 6), ("Acme", 15, 19)]
    row = _row(text) | {
        "actors": [{"name": name, "field": "text", "start": start, "end": end} for name, start, end in actors],
        "tagged": True,
    }
    head = actor_head()
    (example,) = to_examples(dataset([row]), [*HEADS, head], COUNTRIES)
    country, other = head.labels.index("country"), head.labels.index("other")
    assert example.others[head.name].tolist() == [[1, 0, 6, country], [1, 15, 19, other]]


def test_a_sentence_is_one_whatever_its_punctuation_says():
    row = _sentence(pairs=[("rank", "Iran", "Russia", "second")])
    (example,) = to_examples(dataset([row]), [*HEADS, RANK], COUNTRIES)
    (sentence,) = example.document.sentences
    assert example.document.text_of(sentence) == row["text"]
    assert sentence.names == ("Russia", "Iran", "France")
    assert [(pair.source, pair.target) for pair in example.document.pairs] == [("Iran", "Russia")]
    assert example.topics is None
    assert example.others["rank"].tolist() == [1]
    assert example.stances.tolist() == [UNLABELLED]


def test_pairs_of_a_sentence_have_labels_by_head():
    row = _sentence(
        pairs=[
            ("rank", "Russia", "Iran", "first"),
            ("stances", "Russia", "Iran", "support"),
            ("stances", "(unnamed)", "France", "oppose"),
            ("unknown", "France", "Iran", "whatever"),
        ]
    )
    (example,) = to_examples(dataset([row]), [*HEADS, RANK], COUNTRIES)
    pairs = [(pair.source, pair.target) for pair in example.document.pairs]
    assert pairs == [("Russia", "Iran"), ("(unnamed)", "France"), ("France", "Iran")]
    assert example.others.keys() == {"rank"}
    assert example.others["rank"].tolist() == [0, UNLABELLED, UNLABELLED]
    assert example.stances.tolist() == [SUPPORT, OPPOSE, UNLABELLED]


def test_a_sentence_has_a_class_and_tags():
    spans = [{"start": 0, "end": 6, "label": "place"}, {"start": 7, "end": 14, "label": "deed"}]
    row = _sentence() | {
        "classes": [{"head": "tone", "label": "harsh"}],
        "tags": [{"head": "spans", "spans": spans}, {"head": "others", "spans": spans}],
    }
    one, other = to_examples(dataset([row, row | {"tags": [{"head": "spans", "spans": []}]}]), [TONE, SPANS], ())
    assert one.others.keys() == {"tone", "spans"}
    assert one.others["tone"].shape == ()
    assert int(one.others["tone"]) == 1
    assert one.others["spans"].tolist() == [[1, 0, 6, 1], [1, 7, 14, 0]]
    assert other.others["spans"].shape == (0, 4), "labelled with nothing, which is not unlabelled"


def _sentence(pairs: Sequence[tuple[str, str, str, str]] = ()) -> Row:
    """A row of a public corpus."""
    keys = ("head", "source", "target", "label")
    return _row("Russia praised Iran. France left.") | {
        "corpus": "public", "part": "train", "sentence": True, "stances": None,
        "pairs": [dict(zip(keys, pair, strict=True)) for pair in pairs] or None,
    }  # fmt: skip


def _row(
    text: str,
    title: str = "",
    topics: list[str] | None = None,
    stances: list[tuple[str, str, str]] | None = (),  # type: ignore[assignment]
    all_actors: bool = True,
    field: str = "text",
    quote: str = SENTENCE,
) -> Row:
    """A row whose actors the small lexicon finds and whose stances stand in `quote`."""
    from inference.schema import Article

    start = (text if field == "text" else title).find(quote)
    mentions = FINDER.find(Article("a", text, title))
    actors = [{"name": m.name, "field": m.field, "start": m.start, "end": m.end} for m in mentions]
    placed: list[dict[str, Any]] | None = stances and [  # type: ignore[assignment]
        {
            "field": field, "start": start, "end": start + len(quote),
            "source": source, "target": target, "label": label,
        }
        for source, target, label in stances
    ]  # fmt: skip
    labelled = None if stances is None else list(placed or ())
    return {
        "id": "a", "text": text, "title": title, "topics": topics,
        "actors": actors, "all_actors": all_actors, "stances": labelled,
    }  # fmt: skip


def _classes(row: Row, titles: bool = False) -> dict[tuple[str, str], int]:
    example = to_examples(dataset([row]), HEADS, COUNTRIES, titles)[0]
    pairs = [(pair.source, pair.target) for pair in example.document.pairs]
    assert len(pairs) == len(set(pairs)) == 2
    return dict(zip(pairs, example.stances.tolist(), strict=True))
