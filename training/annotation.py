"""The labels of a row, checked and resolved to offsets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inference.actors import ActorFinder, Mention
from inference.document import Document, Pair
from inference.errors import DetenteError
from inference.schema import STANCE_LABELS, Article, Field


class AnnotationError(DetenteError):
    """A row's labels do not fit its article; the message names the field."""


def annotate(article: Article, row: Mapping[str, Any], topics: Sequence[str], finder: ActorFinder) -> dict[str, Any]:
    """Resolve the labels of an article, as `training.corpora.FEATURES` holds them.

    Args:
        article: the article.
        row: `topics`: a list of labels, or one string parted by `;`.
            `actors`: a list of {`mention`, `name`}, each distinct form once.
            `stances`: a list of {`sentence`, `source`, `target`, `label`}, the sentence copied from the
            text or the title and both actors by a mention in it. The last two may be JSON strings, as
            a CSV cell holds them. What is absent or null is not labelled.
        topics: the labels that topics may have.
        finder: knows canonical names where `actors` is not labelled.

    Raises:
        AnnotationError: a label is unknown, or words are not where the labels say.
    """
    actors, stances = _listed(row.get("actors"), "actors"), _listed(row.get("stances"), "stances")
    forms = _forms(article, actors, stances or [], finder)
    mentions = ActorFinder(forms).find(article) if forms else []
    placed = None if stances is None else [_stance(article, stance, forms) for stance in stances]
    if placed:
        _check_pairs(Document.build(article, mentions), placed)
    return {
        "topics": _topics(row.get("topics"), topics),
        "all_actors": actors is not None,
        "actors": None if actors is None and stances is None else [_mention(mention) for mention in mentions],
        "stances": placed,
    }


def is_of(stance: Mapping[str, Any], document: Document, pair: Pair) -> bool:
    """Whether a stance, as `training.corpora.FEATURES` has it, is between the actors of a pair and in its sentence."""
    sentence = document.sentences[pair.sentence]
    inside = stance["field"] == sentence.field and stance["start"] < sentence.end and sentence.start < stance["end"]
    return inside and (stance["source"], stance["target"]) == (pair.source, pair.target)


def _check_pairs(document: Document, stances: Sequence[Mapping[str, Any]]) -> None:
    """Make sure that every stance is of a sentence that names both of its actors.

    Raises:
        AnnotationError: one is not: its words are of several sentences, or an actor stands there inside another's name.
    """
    for stance in stances:
        if not any(is_of(stance, document, pair) for pair in document.pairs):
            words = document.article.field(stance["field"])[stance["start"] : stance["end"]]
            names = f"{stance['source']!r} and {stance['target']!r}"
            raise AnnotationError(f"`stances`: no single sentence of {words!r:.80} names both {names}")


def _topics(value: object, allowed: Sequence[str]) -> list[str] | None:
    if value is None:
        return None
    found = [part.strip() for part in value.split(";")] if isinstance(value, str) else value
    if not isinstance(found, Sequence):
        raise AnnotationError(f"`topics`: found {value!r:.60}, expected a list of labels")
    labels = [label for label in found if label]
    for label in labels:
        if label not in allowed:
            raise AnnotationError(f"`topics`: unknown label {label!r}; allowed: {', '.join(allowed)}")
    return sorted(set(labels), key=allowed.index)


def _listed(value: object, key: str) -> list[Mapping[str, Any]] | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise AnnotationError(f"`{key}`: broken JSON in the cell: {error}") from None
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise AnnotationError(f"`{key}`: found {value!r:.60}, expected a list of objects")
    return value


def _forms(
    article: Article, actors: list[Mapping[str, Any]] | None, stances: list[Mapping[str, Any]], finder: ActorFinder
) -> dict[str, str]:
    """The canonical name of every labelled form."""
    if actors is None:
        named = [_string(stance, key, "stances") for stance in stances for key in ("source", "target")]
        return {form: finder.resolve(form) for form in named}
    forms: dict[str, str] = {}
    for actor in actors:
        form, name = _string(actor, "mention", "actors"), _string(actor, "name", "actors")
        if form not in article.text and form not in article.title:
            raise AnnotationError(f"`actors`: the mention {form!r} is neither in the text nor in the title")
        if forms.setdefault(form, name) != name:
            raise AnnotationError(f"`actors`: {form!r} stands for both {forms[form]!r} and {name!r}")
    return forms


def _stance(article: Article, stance: Mapping[str, Any], forms: Mapping[str, str]) -> dict[str, Any]:
    sentence, label = _string(stance, "sentence", "stances"), _string(stance, "label", "stances")
    if label not in STANCE_LABELS:
        raise AnnotationError(f"`stances`: unknown label {label!r}; allowed: {', '.join(STANCE_LABELS)}")
    field: Field = "text" if sentence in article.text else "title"
    start = article.field(field).find(sentence)
    if start < 0:
        raise AnnotationError(f"`stances`: the sentence {sentence!r:.80} is neither in the text nor in the title")
    names = {}
    for side in ("source", "target"):
        mention = _string(stance, side, "stances")
        if mention not in sentence:
            raise AnnotationError(f"`stances`: the {side} {mention!r} is not in the sentence {sentence!r:.80}")
        if mention not in forms:
            raise AnnotationError(f"`stances`: the {side} {mention!r} is not among the mentions in `actors`")
        names[side] = forms[mention]
    if names["source"] == names["target"]:
        raise AnnotationError(f"`stances`: source and target are both {names['source']!r} in {sentence!r:.80}")
    return {"field": field, "start": start, "end": start + len(sentence), **names, "label": label}


def _mention(mention: Mention) -> dict[str, Any]:
    return {"name": mention.name, "field": mention.field, "start": mention.start, "end": mention.end}


def _string(item: Mapping[str, Any], key: str, field: str) -> str:
    value = item.get(key)
    if not isinstance(value, str) or not value.strip():
        raise AnnotationError(f"`{field}`: found {value!r:.40} as `{key}`, expected a string")
    return value
