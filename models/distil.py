"""Distillation: a student learns the scores of larger teachers beside the labels (Hinton, Vinyals and Dean 2015)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div, log_softmax, softmax

from inference.decode import Floats
from inference.errors import DetenteError
from inference.heads import STANCES, TOPICS, Head
from inference.predictor import Predictor
from inference.scorer import Scores
from inference.windows import Window

from .base import UNLABELLED, Example

_BATCH = 256
"""Documents that a teacher scores at a time."""


class TeacherError(DetenteError):
    """A teacher cannot teach what the student is to learn."""


def taught(
    examples: Sequence[Example], teachers: Sequence[Predictor], heads: Sequence[Head], own: Collection[str] = ()
) -> list[Example]:
    """Examples with the mean scores of their teachers.

    An article that nobody labelled is read as the teachers read it: its actors are those of their lexicon. Tags are not
    taught, since another tokenizer's tokens are not the student's.

    Args:
        examples: what the student learns from.
        teachers: models; any family, any size.
        heads: what the student learns.
        own: where given, the only heads that are taught.

    Raises:
        TeacherError: a teacher has other labels for a head, or no head in common with the student.
    """
    chosen = [head for head in heads if head.kind != "tags" and (not own or head.name in own)]
    for teacher in teachers:
        _check(teacher, chosen)
    read = [_read(example, teachers[0]) for example in examples]
    done: list[Example] = []
    for first in range(0, len(read), _BATCH):
        batch = read[first : first + _BATCH]
        documents = [example.document for example in batch]
        scored = [_by_head(teacher, teacher.score(documents, others=True), chosen) for teacher in teachers]
        for example, *views in zip(batch, *scored, strict=True):
            names = {name for view in views for name in view}
            means = {name: np.mean([view[name] for view in views if name in view], axis=0) for name in names}
            done.append(replace(example, soft=means))
    return done


def soft_scores(head: Head, read: Sequence[tuple[Example, Sequence[Window]]]) -> Floats:
    """The teachers' scores of whatever a head scores in a step, (items, outputs), NaN where there are none.

    Args:
        head: of topics, a class or pairs.
        read: the examples and the windows read of each; items stand in their order.
    """
    missing = np.full(head.outputs, np.nan)
    rows: list[Floats] = []
    for example, windows in read:
        scores = example.soft.get(head.name)
        if head.kind == "pairs":
            numbers = [pair for window in windows for pair, *_ in window.pairs]
            rows += [missing if scores is None else scores[number] for number in numbers]
        else:
            rows.append(missing if scores is None else scores)
    return np.array(rows).reshape(-1, head.outputs)


def soft_loss(head: Head, logits: Tensor, scores: Floats, temperature: float) -> Tensor | None:
    """How far a student's scores are from its teachers', at a temperature; None where there are no such scores.

    Args:
        head: of topics, a class or pairs.
        logits: the student's, (items, outputs).
        scores: the teachers', see `soft_scores`.
        temperature: by which both are divided; the loss is multiplied by its square.
    """
    known = ~np.isnan(scores).any(axis=1)
    if not known.any():
        return None
    own = logits[torch.from_numpy(known).to(logits.device)] / temperature
    theirs = torch.from_numpy(scores[known]).to(own) / temperature
    if head.kind == "topics":
        truth = theirs.sigmoid()
        return temperature**2 * binary_cross_entropy_with_logits(own, truth)
    return temperature**2 * kl_div(log_softmax(own, dim=1), softmax(theirs, dim=1), reduction="batchmean")


def _check(teacher: Predictor, heads: Sequence[Head]) -> None:
    theirs = {head.name: head.labels for head in teacher.bundle.manifest.heads}
    shared = [head for head in heads if head.name in theirs]
    if not shared:
        raise TeacherError(
            f"teacher {teacher.bundle.path}: its heads are {', '.join(theirs)}, "
            f"the student's {', '.join(head.name for head in heads)}: there is nothing to teach"
        )
    for head in shared:
        if theirs[head.name] != head.labels:
            raise TeacherError(
                f"teacher {teacher.bundle.path}: labels of the head {head.name} are {', '.join(theirs[head.name])}, "
                f"the student's {', '.join(head.labels)}"
            )


def _read(example: Example, teacher: Predictor) -> Example:
    """The example, with the actors that the teacher's lexicon knows where none are labelled."""
    if example.document.mentions or example.topics is not None or example.others:
        return example
    document = teacher.document(example.document.article)
    return replace(example, document=document, stances=np.full(len(document.pairs), UNLABELLED, dtype=np.int64))


def _by_head(teacher: Predictor, scores: Sequence[Scores], heads: Sequence[Head]) -> Iterator[Mapping[str, Floats]]:
    """A teacher's scores of each document by the heads that it has."""
    names = [head.name for head in heads if teacher.bundle.manifest.has(head.name)]
    for score in scores:
        found = {TOPICS: score.topics, STANCES: score.stances, **score.others}
        yield {name: found[name] for name in names}
