from __future__ import annotations

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.text import MAX_SENTENCE, sentences

# Much of what ends, opens or breaks a sentence, so that the rules meet each other.
NEWS = st.text(st.sampled_from('aZ .?!…"”’)(-–\n\r\u2028\t。中한é\u0301😀U.S.Mr'), max_size=80)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@given(st.text() | NEWS)
def test_sentences_hold_all_words_in_order(text):
    spans = list(sentences(text))
    kept = {index for start, end in spans for index in range(start, end)}
    assert all(text[index].isspace() for index in range(len(text)) if index not in kept)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    for start, end in spans:
        assert 0 < end - start <= MAX_SENTENCE
        assert text[start:end] == text[start:end].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Iran left. Russia stayed.", ["Iran left.", "Russia stayed."]),
        ("U.S. Secretary of State J. F. Kerry spoke.", ["U.S. Secretary of State J. F. Kerry spoke."]),
        ("He lives in the U.S. The visa expired.", ["He lives in the U.S.", "The visa expired."]),
        ("Mr. Putin met Gen. Mattis.", ["Mr. Putin met Gen. Mattis."]),
        ("“Go home.” She went.", ["“Go home.”", "She went."]),
        ("It cost 3.5 million. nobody paid", ["It cost 3.5 million. nobody paid"]),
        ("No. 10 said so.", ["No. 10 said so."]),
        ("until morning.The rest", ["until morning.", "The rest"]),
        ("他来了。她走了！", ["他来了。", "她走了！"]),
        ("Headline\n\nBody", ["Headline", "Body"]),
        ("one\r\ntwo\rthree\u2028four", ["one", "two", "three", "four"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_where_sentences_end(text, expected):
    assert split(text) == expected


def test_endless_sentence_is_broken_at_spaces():
    parts = split("word " * 1000)
    assert max(map(len, parts)) <= MAX_SENTENCE
    assert " ".join(parts) == ("word " * 1000).strip()


def test_endless_word_is_broken_where_it_is_full():
    assert list(map(len, split("x" * 2500))) == [1000, 1000, 500]


@pytest.mark.parametrize("unit", [".", " ", ". ", '"', ".-", "U.S.", "\n", "a.B", "。", "—"])
def test_time_is_linear(unit):
    """A million of anything takes seconds at most; rules that look back and forth would take days."""
    started = process_time()
    list(sentences(f"x.{unit * (1_000_000 // len(unit))}y"))
    assert process_time() - started < 10
