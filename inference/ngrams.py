"""TF-IDF of n-grams and a linear layer on it, in numpy and over many texts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .decode import Floats

Ints = npt.NDArray[np.int64]

_NEVER = np.iinfo(np.int64).max
"""A key that no n-gram has, so that what is searched for always has a place among the keys."""


class Words(dict[str, int]):
    """Numbers of the words that a model knows, from 1; every other word has the number 0.

    Args:
        words: in the order of their numbers.
    """

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(zip(words, range(1, len(words) + 1), strict=True))

    def __missing__(self, word: str) -> int:
        return 0

    @classmethod
    def from_array(cls, array: npt.NDArray[np.uint8]) -> Words:
        """Read what `to_array` made.

        Raises:
            ValueError: a word comes twice, or they are not valid UTF-8.
        """
        words = checked("words", array, np.uint8, (None,)).tobytes().decode().split("\n")
        numbers = cls(words)
        if len(numbers) != len(words):
            raise ValueError(f"{len(words) - len(numbers)} of {len(words)} words come twice")
        return numbers

    def to_array(self) -> npt.NDArray[np.uint8]:
        """The words in UTF-8, one a line; there is no white space in them."""
        return np.frombuffer("\n".join(self).encode(), dtype=np.uint8)


class NgramModel:
    """Scores texts by the n-grams of their tokens.

    An n-gram that a text has `count` times is worth `(1 + log(count)) * idf`; all of a text are scaled to a length of
    one, and each adds its worth times its weights to the text's scores. It is what scikit-learn's `TfidfVectorizer`
    with `sublinear_tf=True` and a linear model come to.

    n-grams have numbers: single tokens their own, then those of two tokens in the order of their keys, then those of
    three, and so on.

    Args:
        keys: of the n-grams of two tokens, of three and so on, ascending. A key is the number of the n-gram without its
            last token, times the number of tokens there are, plus the last token.
        idf: of every n-gram, (n-grams,), zero where it counts for nothing; that of the token 0, which stands for all
            that are not known, is zero.
        weights: (n-grams, labels).
    """

    def __init__(self, keys: Sequence[Ints], idf: Floats, weights: Floats) -> None:
        self.tokens = len(idf) - sum(map(len, keys))
        self.labels = weights.shape[1]
        self._arrays = {"keys": list(keys), "idf": idf, "weights": weights}
        self._keys = [np.append(each, _NEVER) for each in keys]
        self._idf = idf
        self._worth = idf[:, None] * np.column_stack([weights, np.ones(len(idf))])

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], tokens: int, labels: int) -> NgramModel:
        """Read what `to_arrays` made.

        Args:
            arrays: by name.
            tokens: how many tokens there have to be, the unknown one among them.
            labels: how many labels.

        Raises:
            KeyError: an array is missing.
            TypeError: the keys are no list.
            ValueError: an array has another type or shape, or keys are not in order.
        """
        keys = [checked(f"keys[{number}]", each, np.int64, (None,)) for number, each in enumerate(arrays["keys"])]
        if not all((each[:-1] < each[1:]).all() for each in keys):
            raise ValueError("keys are not in ascending order")
        known = tokens + sum(map(len, keys))
        idf = checked("idf", arrays["idf"], np.float64, (known,))
        return cls(keys, idf, checked("weights", arrays["weights"], np.float64, (known, labels)))

    def to_arrays(self) -> dict[str, Any]:
        """What the model is made of, in plain lists and arrays."""
        return dict(self._arrays)

    def scores(self, tokens: Ints, lengths: Ints) -> Floats:
        """Score texts.

        Args:
            tokens: of all texts, one after another, (tokens,).
            lengths: tokens of each text, (texts,).

        Returns:
            Scores, (texts, labels), without an intercept; zero of a text in which nothing is known.
        """
        texts, ngrams, counts = self._counted(tokens, lengths)
        worth = self._worth.take(ngrams, axis=0)
        worth *= (1 + np.log(counts))[:, None]
        found = np.zeros((len(lengths), self.labels))
        if len(texts):
            begins = np.flatnonzero(np.diff(texts, prepend=-1))
            norms = np.sqrt(np.add.reduceat(worth[:, -1] ** 2, begins))
            found[texts[begins]] = np.add.reduceat(worth[:, :-1], begins) / norms[:, None]
        return found

    def _counted(self, tokens: Ints, lengths: Ints) -> tuple[Ints, Ints, Ints]:
        """Every n-gram of every text: the text, ascending, the n-gram's number, and how often it is there."""
        texts = np.repeat(np.arange(len(lengths)), lengths)
        left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(tokens))
        begins = np.flatnonzero(self._idf.take(tokens))
        ngrams = tokens.take(begins)
        found = [texts.take(begins) * len(self._idf) + ngrams]
        first = self.tokens
        for length, keys in enumerate(self._keys, start=2):
            fits = np.flatnonzero(left.take(begins) >= length)
            begins, ngrams = begins.take(fits), ngrams.take(fits)
            wanted = ngrams * self.tokens + tokens.take(begins + (length - 1))
            at = np.searchsorted(keys, wanted)
            known = np.flatnonzero(keys.take(at) == wanted)
            begins, ngrams = begins.take(known), first + at.take(known)
            found.append(texts.take(begins) * len(self._idf) + ngrams)
            first += len(keys) - 1
        together = np.concatenate(found)
        if len(lengths) * len(self._idf) <= np.iinfo(np.int32).max:
            together = together.astype(np.int32)  # sorted in half the time
        together, counts = np.unique(together, return_counts=True)
        texts, ngrams = np.divmod(together.astype(np.int64), len(self._idf))
        return texts, ngrams, counts


def checked(name: str, array: object, dtype: npt.DTypeLike, shape: Sequence[int | None]) -> npt.NDArray[Any]:
    """An array as it is, when it is one of a type and shape.

    Args:
        name: what messages call it.
        array: the array.
        dtype: its type.
        shape: its shape; None stands for any number.

    Raises:
        ValueError: it is something else.
    """
    sizes = "×".join("any" if size is None else str(size) for size in shape)
    expected = f"expected {np.dtype(dtype)} of {sizes}"
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is {type(array).__name__}, {expected}")
    fits = array.ndim == len(shape) and all(
        size in (None, found) for size, found in zip(shape, array.shape, strict=True)
    )
    if array.dtype != dtype or not fits:
        raise ValueError(f"{name} is {array.dtype} of {'×'.join(map(str, array.shape))}, {expected}")
    return array
