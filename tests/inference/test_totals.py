from __future__ import annotations

from collections import Counter

import pytest

from inference.totals import Totals, kind_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("a.jsonl, line 12: broken JSON: Expecting value: line 2 column 1 (char 10)", "broken JSON"),
        ("news, old/a.jsonl, line 4: not valid UTF-8 at byte 10", "not valid UTF-8 at byte …"),
        ("a.csv, line 7: found 3 cells, expected 12", "found … cells, expected …"),
        ("a.csv, line 7: column 'text2' is not valid UTF-8", "column 'text2' is not valid UTF-8"),
        ("a.parquet, row 7: cannot be read: year 20000 is out of range", "cannot be read"),
        ("`text` is int (5), expected a string", "`text` is int"),
        ("no `text`: found title", "no `text`"),
        ("", ""),
    ],
)
def test_errors_of_one_kind_are_one_reason(error: str, kind: str):
    assert kind_of(error) == kind


def test_counts_add_up_and_are_told_most_frequent_first():
    totals = Totals(Counter(ok=1, error=1), Counter({"broken JSON": 1}))
    totals.add(Totals(Counter(empty=2, error=2), Counter({"`text` is int": 2})))
    assert totals.rows == 6
    assert totals.lines() == ["6 articles: 1 ok, 2 empty, 3 error", "  2 × `text` is int", "  1 × broken JSON"]


def test_no_articles_are_counted_too():
    assert Totals().lines() == ["0 articles: 0 ok, 0 empty, 0 error"]


def test_counts_come_back_from_json():
    totals = Totals(Counter(ok=3, error=1), Counter({"broken JSON": 1}))
    assert Totals.from_dict(totals.to_dict()) == totals
