"""How many records a run has made, of which kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PLACE = re.compile(r"^.*?, (?:line|row) \d+: ")
_NUMBER = re.compile(r"(?<![\w-])\d+")


@dataclass(slots=True)
class Totals:
    """Counts of records.

    Args:
        statuses: by status.
        reasons: of those with the status `error`, by what is wrong; see `kind_of`.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @classmethod
    def from_dict(cls, counts: Mapping[str, Any]) -> Totals:
        """Read what `to_dict` gives."""
        return cls(Counter(counts["statuses"]), Counter(counts["reasons"]))

    def to_dict(self) -> dict[str, dict[str, int]]:
        """The counts as JSON knows them."""
        return {"statuses": dict(self.statuses), "reasons": dict(self.reasons)}

    @property
    def rows(self) -> int:
        """Records in all."""
        return self.statuses.total()

    def add(self, other: Totals) -> None:
        """Count others, too."""
        self.statuses.update(other.statuses)
        self.reasons.update(other.reasons)

    def lines(self) -> list[str]:
        """The counts in words: all in one line, and a line for each reason, most frequent first."""
        parts = ", ".join(f"{self.statuses[status]} {status}" for status in ("ok", "empty", "error"))
        reasons = [f"  {count} × {reason}" for reason, count in self.reasons.most_common()]
        return [f"{self.rows} articles: {parts}", *reasons]


def kind_of(error: str) -> str:
    """What an error is, apart from where and with which value it was met: `broken JSON`, `text` is int."""
    what = _PLACE.sub("", error, count=1)
    return _NUMBER.sub("…", re.split(r": | \(", what, maxsplit=1)[0])
