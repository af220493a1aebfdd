from __future__ import annotations

from pathlib import Path

import pytest

from inference.naming import ABROAD, HOME, Lexicon, Namer, is_home
from training.taxonomy import load_taxonomy

LEXICON = Lexicon(
    {
        "United States": "United States", "US": "United States", "U.S.": "United States", "Washington": "United States",
        "Donald Trump": "United States", "Trump": "United States", "John Kerry": "United States", "Iran": "Iran",
        "Iranian": "Iran", "Russia": "Russia", "Russian": "Russia", "Vladimir Putin": "Russia", "Putin": "Russia",
        "North Korea": "North Korea", "Kim Jong Un": "North Korea", "Syrian Democratic Forces": "SDF", "NATO": "NATO",
        "Côte d’Ivoire": "Ivory Coast", "Turkey": "Turkey", "Lloyd's": "Lloyd's of London",
        "Congress": "United States", "Jens Stoltenberg": "NATO",
    },
    {"Donald Trump": "Donald Trump", "Trump": "Donald Trump", "John Kerry": "John Kerry", "Putin": "Vladimir Putin",
     "Vladimir Putin": "Vladimir Putin", "Kim Jong Un": "Kim Jong Un", "Congress": "US Congress",
     "Jens Stoltenberg": "Jens Stoltenberg"},
    frozenset(["United States", "Iran", "Russia", "North Korea", "Ivory Coast", "Turkey"]),
)  # fmt: skip


def names(*mentions: str, home: bool = False) -> list[str]:
    return Namer(LEXICON, mentions, home).names()


def test_a_leader_or_organ_is_named_by_what_all_its_mentions_together_are_read_as():
    words = ["President Donald Trump", "Trump", "Congress", "Putin"]
    own = ["Donald Trump", "Donald Trump", "US Congress", "Vladimir Putin"]
    theirs = ["United States", "United States", "United States", "Russia"]
    for home in (False, True):
        assert Namer(LEXICON, words, home, [5.0, -8.0, -3.0, -3.0]).names() == own
        assert Namer(LEXICON, words, home, [-5.0, 8.0, 3.0, 3.0]).names() == theirs


def test_the_topics_decide_where_a_reading_is_in_doubt():
    for odds in (-1.0, 1.0):
        assert Namer(LEXICON, ["Trump", "US"], False, [odds, 9.0]).names() == ["United States", "United States"]
        assert Namer(LEXICON, ["Trump", "US"], True, [odds, 9.0]).names() == ["Donald Trump", "United States"]


def test_what_a_leader_runs_may_be_read_as_something_else_than_he():
    words = ["Trump", "Trump administration"]
    assert Namer(LEXICON, words, False, [-3.0, 1.0]).names() == ["Donald Trump", "United States"]


def test_who_speaks_for_what_is_no_country_never_goes_by_his_own_name():
    assert Namer(LEXICON, ["Jens Stoltenberg", "NATO"], True, [-3.0, -3.0]).names() == ["NATO", "NATO"]


@pytest.mark.parametrize(("odds", "name"), [(-1.0, "Iran"), (-3.0, "Javad Zarif")])
def test_an_officer_that_nobody_knows_is_named_by_what_he_is_read_as(odds: float, name: str):
    assert Namer(LEXICON, ["Iranian Minister Javad Zarif"], False, [odds]).names() == [name]


def test_a_countrys_own_words_are_its_name_whatever_they_are_read_as():
    assert Namer(LEXICON, ["Iranian", "Iran"], False, [-9.0, -9.0]).names() == ["Iran", "Iran"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Iran", "Iran"),
        ("IRANIAN", "Iran"),
        ("U.S", "United States"),
        ("Iran's", "Iran"),
        ("Cote d'Ivoire", "Cote d'Ivoire"),
        ("Côte d'Ivoire", "Ivory Coast"),
        ("Iranian officials", "Iran"),
        ("Russian Foreign Minister Sergei Lavrov", "Russia"),
        ("US Secretary of State John Kerry", "United States"),
        ("the Russian Defense Ministry", "Russia"),
        ("Russian President Vladimir Putin", "Russia"),
        ("Secretary of State Mike Pompeo", "United States"),
        ("Sen. Marco Rubio", "Marco Rubio"),
        ("Retired Gen. John R. Allen", "John Allen"),
        ("American aid worker Peter Kassig", "Peter Kassig"),
        ("Ann Kerry", "Ann Kerry"),
        ("Denzel Washington", "Denzel Washington"),
        ("President Trump", "United States"),
        ("Bank of New York", "Bank of New York"),
        ("Latinos for New York", "Latinos for New York"),
        ("the Taliban", "Taliban"),
        ("AMY GOODMAN", "Amy Goodman"),
        ("BBC", "BBC"),
        ("Lloyd's", "Lloyd's of London"),
        ("Center for the National Interest", "Center for the National Interest"),
        ("Republican Governors Association", "Republican Governors Association"),
        ("General Mills", "General Mills"),
        ("Russian Air Force", "Russia"),
        ("NATO Vice President Jens Someone", "Jens Someone"),
        ("'s", "'s"),
    ],
)
def test_who_words_name(words: str, name: str):
    assert names(words) == [name]


def test_a_short_form_is_whom_the_longer_one_is():
    assert names("Mr. Rubio", "Rubio", "Senator Marco Rubio") == ["Marco Rubio"] * 3
    assert names("Lavrov", "Russian Foreign Minister Sergei Lavrov") == ["Russia"] * 2
    assert names("Kim", "Kim Jong Un") == ["North Korea"] * 2
    assert names("the North", "North Korea") == ["North Korea"] * 2
    assert names("Tamerlan", "Tamerlan Tsarnaev") == ["Tamerlan Tsarnaev"] * 2
    assert names("Ohio", "Ohio Department of Transportation")[0] == "Ohio"


@pytest.mark.parametrize(
    ("long", "short", "name"),
    [
        ("Ayaan Hirsi Ali", "Hirsi Ali", "Ayaan Hirsi Ali"),
        ("Judge Amy Berman Jackson", "Judge Berman Jackson", "Amy Berman Jackson"),
        ("Center for Public Integrity", "Public Integrity", "Center for Public Integrity"),
        ("Charles McCullough III", "Mr. McCullough", "Charles McCullough III"),
        ("Naef al-Asaad", "Asaad", "Naef al-Asaad"),
        ("Martin O’Malley", "O'Malley", "Martin O'Malley"),
        ("Sheriff Paul Babeu", "Babeu", "Paul Babeu"),
    ],
)
def test_the_last_words_are_whom_the_whole_name_is(long: str, short: str, name: str):
    assert names(short, long) == [name, name]


def test_initials_are_whom_the_long_form_is():
    assert names("Free Aceh Movement", "FAM", "XYZ") == ["Free Aceh Movement", "Free Aceh Movement", "XYZ"]


def test_leaders_go_by_their_own_names_at_home_alone():
    mentions = ("Trump", "Donald Trump", "Putin", "US", "Washington")
    abroad = ["United States", "United States", "Russia", "United States", "United States"]
    assert names(*mentions) == abroad
    at_home = ["Donald Trump", "Donald Trump", "Russia", "United States", "United States"]
    assert names(*mentions, home=True) == at_home
    assert names("Secretary of State Mike Pompeo", "US", home=True) == ["Mike Pompeo", "United States"]


def test_an_organ_is_of_the_country_that_is_named_most():
    assert names("Iran", "Iranian", "US", "Parliament")[3] == "Iran"
    assert names("Parliament") == ["Parliament"]


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (("domestic_politics",), True),
        (("domestic_politics", "trade_economy"), True),
        (("domestic_politics", "diplomacy"), False),
        (("trade_economy",), False),
        ((), False),
    ],
)
def test_home_politics(topics: tuple[str, ...], expected: bool):
    assert is_home(topics) is expected


def test_the_labels_that_decide_it_are_of_the_shipped_taxonomy():
    labels = load_taxonomy(Path("configs/taxonomy.yaml")).labels
    assert {HOME} | ABROAD <= set(labels)


def test_a_lexicon_is_written_and_read():
    assert Lexicon.from_dict(LEXICON.to_dict()) == LEXICON
