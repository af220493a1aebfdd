"""Word shapes: how a token is written, which an encoder of lower-cased text cannot see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHAPES = 12
"""Features of a token: four of its own, then those of the token before it and of the one after it."""


def word_shapes(text: str, offsets: Sequence[tuple[int, int]]) -> npt.NDArray[np.float32]:
    """The shapes of a sentence's tokens, (T, 12), each feature 0 or 1.

    A token's own are: it begins with a capital, it is of two capitals or more, it has a digit, it begins a word.

    Args:
        text: the sentence.
        offsets: start and end of each token in it, in code points.
    """
    edge = (False,) * (SHAPES // 3)
    shapes = [edge, *(_own_shape(text, start, end) for start, end in offsets), edge]
    own = np.array(shapes, dtype=np.float32)
    return np.concatenate([own[1:-1], own[:-2], own[2:]], axis=1)


def _own_shape(text: str, start: int, end: int) -> tuple[bool, bool, bool, bool]:
    token = text[start:end].lstrip()  # some tokenizers count the space before a word as its own
    first = end - len(token)
    return (
        token[:1].isupper(),
        len(token) > 1 and token.isupper(),
        not token.isalpha() and any(map(str.isdigit, token)),
        first == 0 or text[first - 1].isspace(),
    )
