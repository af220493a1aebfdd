"""NewsMTSC: the author's leaning towards a target in a news sentence (Hamborg and Donnay 2021).

A leaning of the author is a stance whose source no mention names: polarity 2 is oppose, 4 neutral, 6 support. The head
is `newsmtsc`; with `stances` a recipe teaches it as a stance of the codebook.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.document import UNNAMED
from inference.schema import NEUTRAL, OPPOSE, SUPPORT

from .rows import RowError, choice, pair, sentence

_POLARITIES = {"2.0": OPPOSE, "4.0": NEUTRAL, "6.0": SUPPORT}


def read(path: Path) -> Iterator[dict[str, Any]]:
    """One row a sentence, with all of its targets; each target is an actor of its own, the span its name.

    Raises:
        RowError: a line is not JSON of this form, or a span does not hold its mention.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            place = f"{path}:{number}"
            try:
                row = json.loads(line)
                text, targets = row["sentence_normalized"], row["targets"]
                found = [
                    (int(target["from"]), int(target["to"]), str(target["mention"]), float(target["polarity"]))
                    for target in targets
                ]
            except (ValueError, KeyError, TypeError) as error:
                message = f"{place}: not a sentence with its targets ({type(error).__name__}: {error})"
                raise RowError(message) from None
            spans, labels = {}, []
            for start, end, mention, polarity in found:
                if text[start:end] != mention:
                    raise RowError(
                        f"{place}: {mention!r:.40} is not at {start} to {end}: found {text[start:end]!r:.40}"
                    )
                label = choice(place, str(polarity), _POLARITIES, "polarity")
                name = f"{start}-{end}"
                spans[name] = [(start, end)]
                labels += [pair(head, UNNAMED, name, label) for head in ("newsmtsc", "stances")]
            yield sentence(str(number), text, spans, pairs=labels)
