from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.decode import Floats
from inference.document import Document
from inference.heads import Head, actor_head
from inference.schema import Article
from inference.tags import Span, Tags, joined_tokens, likeliest_tags, tagged_spans

HEAD = Head("names", "tags", ("person", "place"))
OUT, PERSON, IN_PERSON, PLACE, IN_PLACE = range(HEAD.outputs)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([OUT, OUT], []),
        ([], []),
        ([PERSON], [(0, 1, "person")]),
        ([OUT, PERSON, IN_PERSON, IN_PERSON, OUT], [(1, 4, "person")]),
        ([PERSON, PERSON], [(0, 1, "person"), (1, 2, "person")]),
        ([PERSON, IN_PERSON, PLACE, IN_PLACE], [(0, 2, "person"), (2, 4, "place")]),
        ([PLACE, IN_PLACE, PLACE], [(0, 2, "place"), (2, 3, "place")]),
    ],
)
def test_spans_of_tags(tags: list[int], expected: list[tuple[int, int, str]]):
    tokens = [(1, 10 * token, 10 * token + 7) for token in range(len(tags))]
    assert _spans(tokens, tags) == [(1, 10 * first, 10 * (end - 1) + 7, label) for first, end, label in expected]


@pytest.mark.parametrize(("text", "start"), [("Iran and Iraq", 0), ("\u200bIran and Iraq", 1)])
def test_a_span_ends_with_the_title(text: str, start: int):
    # A character of no width is of the sentence and no token.
    article = Article("1", text, "Now Mali")
    tokens = np.array([(0, 0, 3), (0, 4, 8), (1, start, start + 4), (1, start + 5, start + 8)])
    tags = Tags.of(Document.split(article), HEAD, tokens, np.eye(HEAD.outputs)[[OUT, PLACE, IN_PLACE, IN_PLACE]])
    assert tags.opening.tolist() == [True, False, True, False]
    assert tags.spans() == [(0, 4, 8, "place"), (1, start, start + 8, "place")]


def test_the_likeliest_path_counts():
    # Word by word the second is inside of a place, which nothing begins.
    scores = np.array([[0.1, 0.2, 0.0, 0.15, 0.0], [-3.0, -4.0, -2.5, -9.0, -2.0]])
    assert tagged_spans(np.array([(1, 0, 2), (1, 2, 5)]), scores, HEAD) == [(1, 0, 5, "place")]


@given(arrays(np.float64, st.tuples(st.integers(1, 5), st.just(HEAD.outputs)), elements=st.integers(-4, 4)))
def test_no_allowed_path_is_likelier(scores: Floats):
    words = np.arange(len(scores))
    paths = [path for path in product(range(HEAD.outputs), repeat=len(scores)) if _allowed(path)]
    found = likeliest_tags(scores)
    assert tuple(found) in paths
    assert scores[words, found].sum() == max(scores[words, path].sum() for path in paths)


def test_the_odds_of_a_label_are_those_among_labels_at_the_first_token():
    document = Document.split(Article("a", "Iran met Acme."))
    tokens = np.array([(1, 0, 4), (1, 5, 8), (1, 9, 13), (1, 13, 14)])
    scores = np.log(
        np.array([[0.2, 0.5, 0.1, 0.1, 0.1], [0.6, 0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.2, 0.4, 0.2], [1] * 5])
    )
    tags = Tags.of(document, actor_head(), tokens, scores)
    found = tags.odds([(1, 0, 4), (1, 9, 14), (0, 0, 4)], "country")
    assert found == pytest.approx([np.log(3), np.log(0.5), 0.0])
    assert tags.odds([(1, 0, 4)], "other") == pytest.approx([-np.log(3)])
    assert tags.odds([], "country") == []


def test_no_words_have_no_spans():
    assert _spans([], []) == []
    assert likeliest_tags(np.zeros((0, HEAD.outputs))) == []


def _allowed(path: Sequence[int]) -> bool:
    """Whether every inside follows a beginning or inside of its label."""
    return all(tag not in (IN_PERSON, IN_PLACE) or before in (tag - 1, tag) for before, tag in pairwise((OUT, *path)))


def test_a_word_is_tagged_as_its_first_token_is():
    tokens = np.array([(1, 0, 4), (1, 4, 7), (1, 8, 10), (1, 10, 12), (1, 12, 13)])
    scores = np.eye(HEAD.outputs)[[PERSON, OUT, OUT, IN_PLACE, PLACE]]
    joined = np.array([False, True, False, True, False])
    assert tagged_spans(tokens, scores, HEAD, joined) == [(1, 0, 7, "person"), (1, 12, 13, "place")]


@pytest.mark.parametrize(
    ("title", "text", "tokens", "expected"),
    [
        ("", "Zhongnanhai", [(1, 0, 5), (1, 5, 11)], [False, True]),
        ("", "Hollande's", [(1, 0, 7), (1, 7, 8), (1, 8, 9), (1, 9, 10)], [False, True, False, False]),
        ("", "US-led", [(1, 0, 2), (1, 2, 3), (1, 3, 6)], [False, False, False]),
        ("Iran", "Iraq", [(0, 0, 4), (1, 0, 4)], [False, False]),
        ("Iran", "1990s", [(0, 0, 4), (1, 0, 2), (1, 2, 5)], [False, False, True]),
        ("", "", [], []),
    ],
)
def test_tokens_that_go_on_a_word(title: str, text: str, tokens: list[tuple[int, int, int]], expected: list[bool]):
    found = joined_tokens(Article("1", text, title), np.array(tokens, dtype=np.int64).reshape(-1, 3))
    assert found.tolist() == expected


def _spans(tokens: list[tuple[int, int, int]], tags: list[int]) -> list[Span]:
    return tagged_spans(np.array(tokens, dtype=np.int64).reshape(-1, 3), np.eye(HEAD.outputs)[tags], HEAD)
