"""The words that the linear family reads, in training and in scoring alike."""

from __future__ import annotations

import re

from .document import Document, Pair, Sentence

_WORD = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_SOURCE, _TARGET, _OTHER = "SOURCE", "TARGET", "ACTOR"


def article_words(document: Document) -> str:
    """The title and the text of an article."""
    return f"{document.article.title}\n{document.article.text}"


def pair_words(document: Document, pair: Pair) -> tuple[str, str]:
    """A sentence with its actors masked, for one ordered pair of them.

    Returns:
        Two strings of words parted by spaces: the sentence, and each word with a mark of where it
        stands (before both actors, between source and target or target and source, after both).
    """
    words = _masked(document, document.sentences[pair.sentence], pair)
    places = [index for index, word in enumerate(words) if word in (_SOURCE, _TARGET)]
    first, last = (places[0], places[-1]) if places else (0, 0)
    between = "st" if places and words[first] == _SOURCE else "ts"
    marked = [
        f"{'before' if index < first else 'after' if index > last else between}|{word}"
        for index, word in enumerate(words)
    ]
    return " ".join(words), " ".join(marked)


def _masked(document: Document, sentence: Sentence, pair: Pair) -> list[str]:
    text = document.article.field(sentence.field)
    words: list[str] = []
    at = sentence.start
    for mention in sentence.mentions:
        words += _WORD.findall(text[at : mention.start].lower())
        words.append({pair.source: _SOURCE, pair.target: _TARGET}.get(mention.name, _OTHER))
        at = mention.end
    return words + _WORD.findall(text[at : sentence.end].lower())
