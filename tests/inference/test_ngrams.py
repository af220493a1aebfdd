from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.ngrams import NgramModel, Words

TOKENS = 4
BIGRAMS = ((1, 2), (2, 2), (3, 1))
TRIGRAMS = ((1, 2, 2), (2, 2, 2))
NGRAMS = [*((token,) for token in range(TOKENS)), *BIGRAMS, *TRIGRAMS]
IDF = np.array([0, 1.5, 1.0, 2.0, 3.0, 1.2, 1.1, 4.0, 2.5])
WEIGHTS = np.arange(18, dtype=float).reshape(9, 2) - 7

texts = st.lists(st.lists(st.integers(0, TOKENS - 1), max_size=8), max_size=6)


def model() -> NgramModel:
    keys = [[NGRAMS.index(each[:-1]) * TOKENS + each[-1] for each in level] for level in (BIGRAMS, TRIGRAMS)]
    return NgramModel([np.array(level) for level in keys], IDF, WEIGHTS)


def scores(rows: list[list[int]]) -> np.ndarray:
    tokens, lengths = [token for row in rows for token in row], [len(row) for row in rows]
    return model().scores(np.array(tokens, dtype=np.int64), np.array(lengths, dtype=np.int64))


def by_definition(row: list[int]) -> np.ndarray:
    found = [tuple(row[at : at + length]) for length in (1, 2, 3) for at in range(len(row) - length + 1)]
    counts = Counter(NGRAMS.index(each) for each in found if each in NGRAMS)
    worth = {number: (1 + math.log(times)) * IDF[number] for number, times in counts.items()}
    norm = math.sqrt(sum(value**2 for value in worth.values())) or 1.0
    return sum((value / norm * WEIGHTS[number] for number, value in worth.items()), np.zeros(2))


@given(texts)
def test_scores_are_what_the_definition_says(rows):
    assert scores(rows).shape == (len(rows), 2)
    for row, found in zip(rows, scores(rows), strict=True):
        np.testing.assert_allclose(found, by_definition(row), rtol=0, atol=1e-12)


def test_no_ngram_reaches_into_the_next_text():
    np.testing.assert_array_equal(scores([[1], [2, 2]])[0], scores([[1]])[0])


def test_many_texts_of_many_ngrams_are_kept_apart():
    size = 3_000_000
    idf, weights = np.ones(size), np.zeros((size, 1))
    idf[0], weights[-1] = 0, 1
    texts = 1_000
    assert texts * size > np.iinfo(np.int32).max
    tokens = np.full(texts, size - 1)
    tokens[::2] = 1
    found = NgramModel([], idf, weights).scores(tokens, np.ones(texts, dtype=np.int64))
    np.testing.assert_array_equal(found[:, 0], np.arange(texts) % 2)


def test_unknown_words_have_one_number():
    words = Words(["b", "a"])
    assert [words[word] for word in ("b", "a", "c", "")] == [1, 2, 0, 0]
    assert len(words) == 2


def test_words_come_back_from_an_array():
    words = ["café", "中国", "don't", "|"]
    assert list(Words.from_array(Words(words).to_array())) == words


def test_a_word_that_comes_twice_is_refused():
    with pytest.raises(ValueError, match="1 of 3 words come twice"):
        Words.from_array(np.frombuffer(b"a\nb\na", dtype=np.uint8))


def test_a_model_comes_back_from_arrays():
    again = NgramModel.from_arrays(model().to_arrays(), TOKENS, 2)
    np.testing.assert_array_equal(again.scores(np.array([3, 1, 2]), np.array([3])), scores([[3, 1, 2]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"idf": IDF.astype(np.float32)}, r"idf is float32 of 9, expected float64 of 9"),
        ({"idf": IDF[:-1]}, r"idf is float64 of 8, expected float64 of 9"),
        ({"idf": [1.0] * 9}, r"idf is list, expected float64 of 9"),
        ({"weights": WEIGHTS[:, :1]}, r"weights is float64 of 9×1, expected float64 of 9×2"),
        ({"weights": WEIGHTS.ravel()}, r"weights is float64 of 18, expected float64 of 9×2"),
        ({"keys": [np.arange(3), np.array([2, 1])]}, r"keys are not in ascending order"),
        ({"keys": [np.arange(5, dtype=np.int32)]}, r"keys\[0\] is int32 of 5, expected int64 of any"),
    ],
)
def test_arrays_that_are_no_model(changes, message):
    with pytest.raises(ValueError, match=message):
        NgramModel.from_arrays(model().to_arrays() | changes, TOKENS, 2)
