"""Scores of tokens to spans."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .decode import Floats
from .heads import Head

Span = tuple[int, int, int, str]
"""Field (0 the title, 1 the text), start, end and label."""


def tagged_spans(tokens: npt.NDArray[np.int64], scores: Floats, head: Head) -> list[Span]:
    """The spans that a head of tags finds, in order.

    An inside that does not go on what was before it begins a span, as seqeval has it.

    Args:
        tokens: field, start and end of each, (tokens, 3), in order.
        scores: logits, (tokens, 1 + 2 labels): outside, then beginning and inside of each label.
        head: of tags.
    """
    spans: list[Span] = []
    before = 0
    for (place, start, end), tag in zip(tokens.tolist(), scores.argmax(axis=1).tolist(), strict=True):
        label = head.labels[(tag - 1) // 2]
        if tag and tag % 2 == 0 and before in (tag, tag - 1) and spans[-1][0] == place:
            spans[-1] = (place, spans[-1][1], end, label)
        elif tag:
            spans.append((place, start, end, label))
        before = tag
    return spans
