from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.mentions import MentionFinder, merged
from inference.naming import Lexicon
from inference.schema import Article

from .conftest import FORMS
from .test_show import TEXTS

FINDER = MentionFinder(Lexicon(FORMS, {}, frozenset(FORMS.values())))


def found(text: str, *tagged: str, title: str = "", actors: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
    """The words and the name of each mention, where a model takes some words of the text for mentions."""
    article = Article("1", text, title, actors=actors)
    spans = [(1, text.index(words), text.index(words) + len(words), "actor") for words in tagged]
    return [
        (article.field(each.field)[each.start : each.end], each.name) for each in FINDER.find(article, sorted(spans))
    ]


def test_what_either_finds_is_found():
    assert found("Marco Rubio praised Iran.", "Marco Rubio") == [("Marco Rubio", "Marco Rubio"), ("Iran", "Iran")]


def test_a_tag_says_what_the_words_are_and_the_lexicon_whom_they_name():
    text = "Iran Foreign Minister Javad Zarif met Moscow."
    assert found(text, "Iran Foreign Minister Javad Zarif") == [
        ("Iran Foreign Minister Javad Zarif", "Iran"), ("Moscow", "Russia"),
    ]  # fmt: skip


def test_titles_come_first():
    assert found("Iran won.", title="Moscow lost") == [("Moscow", "Russia"), ("Iran", "Iran")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, None), (("Tehran", "Blackwater"), {"Iran", "Blackwater"}), (("Moscow",), {"Russia"})],
)
def test_the_actors_that_are_asked_for(asked: tuple[str, ...] | None, expected: set[str] | None):
    assert FINDER.asked(Article("1", "", actors=asked)) == expected


def test_a_leader_that_is_asked_for_is_also_his_country():
    finder = MentionFinder(Lexicon({"Trump": "United States"}, {"Trump": "Donald Trump"}, frozenset(["United States"])))
    assert finder.asked(Article("1", "", actors=("Trump",))) == {"United States", "Donald Trump"}


def test_names_that_are_asked_for_are_found():
    assert found("Blackwater left Iran.", actors=("Blackwater",)) == [("Blackwater", "Blackwater"), ("Iran", "Iran")]


@given(TEXTS, st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=6))
def test_mentions_are_in_order_and_overlap_nowhere(text: str, cuts: list[tuple[int, int]]):
    tagged, free = [], 0
    for start, length in sorted(cuts):
        if free <= start and start + length <= len(text) and text[start : start + length].strip():
            tagged.append((1, start, start + length, "actor"))
            free = start + length
    mentions = FINDER.find(Article("1", text), tagged)
    places = [(each.start, each.end) for each in mentions]
    assert places == sorted(places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))
    assert {(start, end) for _, start, end, _ in tagged} <= set(places)


def test_of_two_that_overlap_the_tagged_one_stays():
    known, tagged = [(1, 0, 4), (1, 8, 12), (0, 0, 4)], [(1, 2, 9, "actor")]
    assert merged(known, tagged) == [(0, 0, 4), (1, 2, 9)]
    assert merged([], []) == []
    assert np.array(merged([(0, 1, 2)], [])).shape == (1, 3)
