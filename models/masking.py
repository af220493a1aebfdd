"""Hides actors while a network learns, so that it reads what is said of them and not only their names.

Entity masking, as in relation extraction (Zhang et al. 2017), but by chance and for one reading at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inference.windows import Window

_OPENING = (0, 1)
"""The token that stands for who is not named: it is no actor's word."""


def masked(window: Window, share: float, token: int) -> Window:
    """A window in which some actors of its pairs are hidden, as numpy's global generator decides.

    Args:
        window: with pairs; another is left as it is.
        share: chance of each actor of a sentence.
        token: id that takes the place of each token of a hidden actor.
    """
    actors = sorted({row for _, source, target, _ in window.pairs for row in (source, target)})
    hidden = [row for row in actors if np.random.random() < share]
    ids = list(window.ids)
    for begin, end in (words for row in hidden for words in window.rows[row] if words != _OPENING):
        ids[begin:end] = [token] * (end - begin)
    return replace(window, ids=ids)
