from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from inference.document import UNNAMED, Pair
from inference.windows import Window, Windower
from models.masking import masked

from .samples import document

MASK = 4
ALWAYS = 1.0


def test_nobody_is_hidden_by_chance_zero(windower: Windower):
    window = _window(windower, "Russia praised Iran.")
    assert masked(window, 0.0, MASK) == window


def test_every_word_of_an_actor_is_hidden_and_no_other(windower: Windower):
    window = _window(windower, "Russia praised Iran, Moscow thanked France.")
    hidden = masked(window, ALWAYS, MASK)
    assert [word for word, id in zip(_words(window), hidden.ids, strict=True) if id == MASK] == [
        "russia", "iran", "moscow", "france"]  # fmt: skip
    kept = [(old, new) for old, new in zip(window.ids, hidden.ids, strict=True) if new != MASK]
    assert all(old == new for old, new in kept)
    assert (hidden.rows, hidden.pairs, hidden.pieces) == (window.rows, window.pairs, window.pieces)


def test_each_actor_is_hidden_whole_or_not_at_all(windower: Windower):
    window = _window(windower, "Russia and Moscow praised Iran.")
    np.random.seed(3)
    shown = {
        tuple(word for word, id in zip(_words(window), masked(window, 0.5, MASK).ids, strict=True) if id == MASK)
        for _ in range(50)
    }
    assert shown == {(), ("russia", "moscow"), ("iran",), ("russia", "moscow", "iran")}


def test_a_window_without_pairs_is_left_as_it_is(windower: Windower):
    window = _window(windower, "Russia lay under snow.")
    assert not window.pairs
    assert masked(window, ALWAYS, MASK) == window


def test_what_stands_for_the_unnamed_is_not_hidden(windower: Windower):
    read = replace(document("Russia shelled the town."), pairs=(Pair(0, UNNAMED, "Russia"),))
    (window,) = windower.windows(read)
    assert masked(window, ALWAYS, MASK).ids == [window.ids[0], MASK, *window.ids[2:]]


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_so_many_are_hidden(windower: Windower, share: float):
    window = _window(windower, "Russia praised Iran.")
    np.random.seed(5)
    hidden = [masked(window, share, MASK).ids.count(MASK) for _ in range(500)]
    assert np.mean(hidden) == pytest.approx(2 * share, abs=0.1)


def _window(windower: Windower, text: str) -> Window:
    (window,) = windower.windows(document(text))
    return window


def _words(window: Window) -> list[str]:
    """What stands at each token of a window of one sentence."""
    (piece,) = window.pieces
    return ["", *piece.encoding.tokens, ""]
