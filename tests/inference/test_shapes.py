from __future__ import annotations

import numpy as np
import pytest

from inference.shapes import SHAPES, word_shapes


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("Russia", (1, 0, 0, 1)),
        ("USA", (1, 1, 0, 1)),
        ("U", (1, 0, 0, 1)),
        ("us", (0, 0, 0, 1)),
        ("F-16", (1, 1, 1, 1)),
        ("2016", (0, 0, 1, 1)),
        ("—", (0, 0, 0, 1)),
        ("Čad", (1, 0, 0, 1)),
        ("俄罗斯", (0, 0, 0, 1)),
    ],
)
def test_the_shape_of_a_word(token: str, expected: tuple[int, ...]):
    (found,) = word_shapes(token, [(0, len(token))])
    assert tuple(found[:4]) == expected
    assert not found[4:].any(), "it stands alone"


def test_a_token_knows_those_beside_it():
    one, two, three = word_shapes("The US-led", [(0, 3), (4, 6), (6, 10)])
    np.testing.assert_array_equal(two[4:8], one[:4])
    np.testing.assert_array_equal(two[8:], three[:4])
    assert three[3] == 0, "it goes on a word"
    assert not one[4:8].any()
    assert not three[8:].any()


def test_a_space_that_a_token_counts_as_its_own_changes_nothing():
    np.testing.assert_array_equal(word_shapes("in Iran", [(0, 2), (2, 7)]), word_shapes("in Iran", [(0, 2), (3, 7)]))


def test_no_tokens_have_no_shapes():
    assert word_shapes("", []).shape == (0, SHAPES)
