from __future__ import annotations

import random

import pytest
from datasets import Dataset

from training.corpora import PRACTICE
from training.recipe import RecipeError, Split
from training.splits import Parts, groups, split

from .rows import Row, dataset

DEFAULT = Split()
STRESSED = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("an", "el", "or", "ut") for c in ("ak", "im", "os", "ed")]


def test_near_duplicates_belong_together():
    rows = _stories(6)
    words = rows[2]["text"].split()
    words[5] = "reworded"
    rows.append({**rows[2], "id": "copy", "text": " ".join(words)})
    assert [2, 6] in groups(dataset(rows), DEFAULT)
    assert len(groups(dataset(rows), DEFAULT)) == 6


def test_articles_of_one_event_belong_together():
    rows = _stories(6)
    rows[1]["event"] = rows[4]["event"] = rows[5]["event"] = "summit"
    rows[0]["event"] = "cup"
    assert groups(dataset(rows), DEFAULT) == [[0], [1, 4, 5], [2], [3]]


def test_similar_stories_of_close_dates_belong_together():
    rows = _retold("2016-08-23", "2016-08-27")
    assert [0, 1] in groups(dataset(rows), DEFAULT)


def test_similar_stories_of_distant_dates_are_two_events():
    rows = _retold("2016-08-23", "2016-09-23")
    assert [0] in groups(dataset(rows), DEFAULT)
    assert [0, 1] in groups(dataset(rows), Split(event_days=40))


def test_similar_stories_without_dates_are_two_events():
    assert [0] in groups(dataset(_retold(None, None)), DEFAULT)


def test_a_month_counts_as_its_middle():
    assert [0, 1] in groups(dataset(_retold("2016-08", "2016-08-20")), DEFAULT)


def test_unlike_stories_of_one_day_are_two_events():
    rows = [{**story, "date": "2016-08-23"} for story in _stories(5)]
    assert groups(dataset(rows), DEFAULT) == [[0], [1], [2], [3], [4]]


def test_what_belongs_together_by_links_is_one_group():
    rows = _stories(4)
    rows[0]["event"] = rows[1]["event"] = "summit"
    rows.append({**rows[1], "id": "copy", "event": None})
    assert groups(dataset(rows), DEFAULT) == [[0, 1, 4], [2], [3]]


@pytest.mark.parametrize("by", ["chance", "date"])
@pytest.mark.parametrize("seed", range(4))
def test_no_group_is_split_and_every_article_has_one_part(by: str, seed: int):
    corpus = _corpus(seed)
    settings = Split.model_validate({"by": by})
    parts = split(corpus, settings, seed)
    rows = [*parts.train, *parts.validation, *parts.test]
    assert sorted(rows) == list(range(len(corpus)))
    assert min(len(parts.train), len(parts.validation), len(parts.test)) > 0
    members = groups(corpus, settings)
    assert max(map(len, members)) > 2
    for group in members:
        assert sum(bool(set(group) & set(part)) for part in (parts.train, parts.validation, parts.test)) == 1


def test_shares_are_about_right():
    parts = split(_corpus(0), Split(validation=0.2, test=0.3), 1)
    total = len(parts.train) + len(parts.validation) + len(parts.test)
    assert len(parts.validation) / total == pytest.approx(0.2, abs=0.05)
    assert len(parts.test) / total == pytest.approx(0.3, abs=0.05)


def test_by_date_the_latest_are_in_test_and_undated_ones_are_learned_from():
    rows = _stories(20)
    order = random.Random(3).sample(range(20), 20)
    for number, row in zip(order, rows, strict=True):
        row["date"] = f"20{number:02}-01-01" if number else None
    parts = split(dataset(rows), Split(by="date", validation=0.2, test=0.2), 0)
    assert sorted(order[row] for row in parts.test) == [16, 17, 18, 19]
    assert sorted(order[row] for row in parts.validation) == [12, 13, 14, 15]
    assert order.index(0) in parts.train


def test_by_date_no_part_has_articles_later_than_those_of_the_part_before():
    """The largest event does not fit where its turn comes."""
    rows = _stories(60)
    for year, row in enumerate(rows, start=1950):
        row["date"] = f"{year}-01-01"
        row["event"] = "a long war" if 1985 <= year < 2004 else None
    parts = split(dataset(rows), Split(by="date", validation=0.15, test=0.15), 0)
    assert min(parts.test) > max(parts.validation) > min(parts.validation) > max(parts.train)


def test_by_date_a_date_that_cannot_be_read_is_refused():
    rows = [{**row, "date": "03/12/2004"} for row in _stories(20)]
    with pytest.raises(RecipeError, match="the article s0 has '03/12/2004', expected a date such as 2016-08-23"):
        split(dataset(rows), Split(by="date"), 0)


def test_what_is_only_practised_on_is_all_learned_from():
    rows = [{**row, "corpus": f"c{number % 2}"} for number, row in enumerate(_stories(40))]
    parts = split(dataset(rows), DEFAULT, 0, practice=["c1"])
    assert set(range(1, 40, 2)) < set(parts.train)
    public = [*_public(["train", "validation"], "c1"), *_public(["train"] * 30, "c0")]
    assert {0, 1} < set(split(dataset(public), DEFAULT, 0, practice=["c1"]).train)
    assert parts.validation
    assert parts.test


def test_the_seed_decides():
    corpus = dataset(_stories(40))
    assert split(corpus, DEFAULT, 1) == split(corpus, DEFAULT, 1)
    assert split(corpus, DEFAULT, 1) != split(corpus, DEFAULT, 2)


def test_parts_name_their_articles():
    corpus = dataset(_stories(5))
    assert Parts((0, 3), (1,), (2, 4)).ids(corpus) == {
        "train": ["s0", "s3"], "validation": ["s1"], "test": ["s2", "s4"],
    }  # fmt: skip


def test_a_public_corpus_is_parted_as_it_says():
    own = _stories(20)
    public = _public(["train", "validation", "train", "validation", "train", "train"])
    alone, parts = split(dataset(own), DEFAULT, 5), split(dataset([*public, *own]), DEFAULT, 5)
    assert [row for row in parts.train if row < 6] == [0, 2, 4, 5]
    assert [row for row in parts.validation if row < 6] == [1, 3]
    for mixed, plain in zip(
        (parts.train, parts.validation, parts.test), (alone.train, alone.validation, alone.test), strict=True
    ):
        assert tuple(row - 6 for row in mixed if row >= 6) == plain, "our own articles are parted as without it"


def test_a_public_corpus_without_a_validation_part_gets_one_and_no_test_part():
    public = _public(["train"] * 40)
    for number in range(40):
        public[number]["event"] = f"e{number // 2}"
    parts = split(dataset(public), Split(validation=0.25, test=0.25), 5)
    assert parts.test == ()
    assert len(parts.validation) == 10
    assert sorted([*parts.train, *parts.validation]) == list(range(40))
    assert {row // 2 for row in parts.validation}.isdisjoint(row // 2 for row in parts.train), "whole groups"


def test_each_public_corpus_is_parted_by_itself():
    one, other = _public(["train"] * 20), _public(["train"] * 20, "other")
    parts = split(dataset([*one, *other]), Split(validation=0.2), 5)
    assert sum(row < 20 for row in parts.validation) == sum(row >= 20 for row in parts.validation) == 4


def test_nothing_is_learned_that_another_corpus_has_held_out():
    one, other = _public(["train"] * 20), _public(["train"] * 20, "other")
    for number, row in enumerate(other):
        row["text"] = one[-1 - number]["text"]  # the same sentences in another order
    practice = {**_public([PRACTICE], "practice")[0], "text": one[0]["text"]}
    rows = [*one, *other, practice]
    parts = split(dataset(rows), Split(validation=0.2), 5)
    held = {rows[row]["text"] for row in parts.validation}
    assert len(held) > 4, "each corpus has held out other sentences"
    assert held.isdisjoint(rows[row]["text"] for row in parts.train if row < 40)
    assert len(parts.train) == 1 + 2 * (20 - len(held))
    assert 40 in parts.train, "what is only practised on is no article"


def _public(parts: list[str], corpus: str = "public") -> list[Row]:
    """Sentences of a public corpus, one a part."""
    rows = zip(_stories(len(parts)), parts, strict=True)
    return [{**row, "id": f"{corpus}-{row['id']}", "corpus": corpus, "part": part} for row, part in rows]


def _stories(count: int) -> list[Row]:
    """Stories with no word in common."""
    words = iter([f"{word}{number}" for number in range(9) for word in STRESSED])
    return [{"id": f"s{n}", "text": " ".join(next(words) for _ in range(24)), "event": None} for n in range(count)]


def _retold(first: str | None, second: str | None) -> list[Row]:
    """Two tellings of one story in another order of words, and others."""
    one, *others = _stories(6)
    words = one["text"].split()
    again = " ".join(reversed(words))
    return [{**one, "date": first}, {"id": "again", "text": again, "date": second}, *others]


def _corpus(seed: int) -> Dataset:
    """Sixty stories, some told two or three times."""
    generator = random.Random(seed)
    rows: list[Row] = []
    for number, story in enumerate(_stories(60)):
        date = f"2016-{generator.randint(1, 12):02}-{generator.randint(1, 28):02}"
        copies = generator.choice((1, 1, 1, 2, 3))
        rows += [{**story, "id": f"{number}-{copy}", "date": date} for copy in range(copies)]
    generator.shuffle(rows)
    return dataset(rows)
