"""Every head that a corpus can train or be measured by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from inference.heads import TOPICS, Head, actor_head, stance_head
from inference.schema import STANCE_LABELS

from .public.cameo import CLASSES
from .public.plover import BINARY, ROOT_QUADS
from .public.tags import ENTITIES, ROLES

DSE = Head("dse", "pairs", STANCE_LABELS)
NEWSMTSC = Head("newsmtsc", "pairs", STANCE_LABELS)
PLOVER = Head("plover", "pairs", tuple(ROOT_QUADS))
PLOVER_QUAD = Head("plover_quad", "pairs", ("1", "2", "3", "4"))
"""Labels that are only measured against: they are never trained."""
AW = Head("aw", "pairs", tuple(BINARY.values()))
CAMEO = Head("cameo", "class", tuple(CLASSES.values()))
CAMEO_NER = Head("cameo_ner", "tags", ROLES)
RE3D = Head("re3d", "tags", ENTITIES)


MEASURED_WITH: Mapping[str, Head] = {PLOVER.name: PLOVER_QUAD}
"""What the scores of a head are measured against besides its own labels."""


def all_heads(topics: Sequence[str]) -> tuple[Head, ...]:
    """The three heads of records, then those of public corpora.

    Args:
        topics: the topic labels.
    """
    ours = (Head(TOPICS, "topics", tuple(topics)), stance_head(), actor_head())
    return (*ours, DSE, NEWSMTSC, PLOVER, AW, CAMEO, CAMEO_NER, RE3D)
