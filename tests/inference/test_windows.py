from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.actors import ActorFinder
from inference.document import UNNAMED, Document, Pair
from inference.schema import Article
from inference.windows import Windower, WindowSettings, batches, collate

from .conftest import FORMS, tiny_tokenizer

FINDER = ActorFinder(FORMS)
START, END, PAD = 2, 3, 0
TEXT = st.lists(
    st.sampled_from(["Russia ", "Iran ", "Syria ", "spoke. ", "The ", "ab ", "\n", "x" * 9, "中"]), max_size=60
)


def windower(max_tokens: int) -> Windower:
    return Windower(tiny_tokenizer(), WindowSettings(max_tokens, START, END, PAD))


def document(text: str) -> Document:
    article = Article("1", text)
    return Document.build(article, FINDER.find(article))


@given(TEXT, st.integers(4, 40))
def test_windows_hold_every_token_once_and_in_order(pieces, max_tokens):
    doc = document("".join(pieces))
    windows = windower(max_tokens).windows(doc)
    tokenizer = tiny_tokenizer()
    expected = [
        id for sentence in doc.sentences for id in tokenizer.encode(doc.text_of(sentence), add_special_tokens=False).ids
    ]
    assert all(window.ids[0] == START and window.ids[-1] == END for window in windows)
    assert all(len(window.ids) <= max_tokens for window in windows)
    assert [id for window in windows for id in window.ids[1:-1]] == expected
    assert windows


@given(TEXT, st.integers(4, 40))
def test_a_pair_is_read_once_at_most_and_always_where_windows_are_wide(pieces, max_tokens):
    doc = document("".join(pieces))
    read = Counter(number for window in windower(max_tokens).windows(doc) for number, *_ in window.pairs)
    assert max(read.values(), default=1) == 1
    wide = Counter(number for window in windower(2000).windows(doc) for number, *_ in window.pairs)
    assert wide == Counter(range(len(doc.pairs)))


@given(TEXT)
def test_rows_are_the_tokens_of_the_actors(pieces):
    doc = document("".join(pieces))
    tokenizer = tiny_tokenizer()
    for window in windower(64).windows(doc):
        for number, source, target, _ in window.pairs:
            pair = doc.pairs[number]
            for row, name in ((source, pair.source), (target, pair.target)):
                for begin, end in window.rows[row]:
                    words = tokenizer.decode(window.ids[begin:end]).replace(" ##", "")
                    assert FINDER.resolve(words.title()) == name


def test_sentence_in_pieces_whose_pairs_all_stand_in_the_first():
    doc = document("Russia and Iran " + "spoke " * 30)
    windows = windower(20).windows(doc)
    assert len(windows) > 2
    assert [len(window.pairs) for window in windows] == [2, *[0] * (len(windows) - 1)]


def test_article_without_tokens_has_one_window():
    assert [window.ids for window in windower(16).windows(document("\u200b"))] == [[START, END]]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_batches_hold_every_window_once_and_keep_to_their_size(lengths, size):
    found = list(batches(lengths, size))
    assert sorted(index for batch in found for index in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= size


def test_collate_averages_over_the_tokens_of_a_row():
    doc = document("Russia met Iran. Iran left Syria.")
    windows = windower(64).windows(doc) + windower(64).windows(document("x"))
    batch = collate(windows, PAD)
    assert batch.input_ids.shape == batch.attention_mask.shape == batch.pool.shape[::2]
    assert batch.attention_mask.sum() == sum(len(window.ids) for window in windows)
    assert batch.pool.sum(axis=2) == pytest.approx(
        np.array([[1.0] * len(windows[0].rows), [0.0] * len(windows[0].rows)])
    )
    assert len(batch.pairs) == len(doc.pairs)


def test_collate_of_windows_without_pairs_has_none():
    batch = collate(windower(16).windows(document("x")), PAD)
    assert batch.pairs.shape == (0, 3)
    assert batch.pool.shape[:2] == (1, 0)


@given(TEXT, st.integers(4, 40))
def test_offsets_are_the_places_of_the_tokens(pieces, max_tokens):
    text = "".join(pieces)
    doc = Document.build(Article("1", text, "Iran spoke."), [])
    windows = windower(max_tokens).windows(doc)
    tokenizer = tiny_tokenizer()
    for window in windows:
        assert window.offsets().shape == (len(window.ids) - 2, 3)
        for (place, start, end), id in zip(window.offsets().tolist(), window.ids[1:-1], strict=True):
            token = (tokenizer.id_to_token(id) or "").removeprefix("##")
            assert token in ((text if place else "Iran spoke.")[start:end].lower(), "[UNK]")
    places = np.concatenate([window.offsets() for window in windows])
    assert places[:, :2].tolist() == sorted(places[:, :2].tolist()), "the title first, then by place"


def test_an_unnamed_actor_is_read_off_the_opening_token():
    (sentence,) = document("Russia spoke.").sentences
    article = Article("1", "Russia spoke.")
    pairs = (Pair(0, UNNAMED, "Russia"), Pair(0, "Russia", UNNAMED))
    (window,) = windower(16).windows(Document(article, sentence.mentions, (sentence,), pairs))
    assert [number for number, *_ in window.pairs] == [0, 1]
    assert [window.rows[window.pairs[0][1]], window.rows[window.pairs[1][2]]] == [[(0, 1)], [(0, 1)]]
    assert window.rows[window.pairs[0][2]] == window.rows[window.pairs[1][1]] == [(1, 2)]
