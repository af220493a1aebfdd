from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference.document import Document
from inference.heads import actor_head
from inference.mentions import MentionFinder
from inference.naming import Lexicon
from inference.schema import Article
from inference.tags import Tags

from .conftest import FORMS
from .test_show import TEXTS

FINDER = MentionFinder(Lexicon(FORMS, {}, frozenset(FORMS.values())))


def found(text: str, *tagged: str, title: str = "", actors: tuple[str, ...] | None = None) -> list[tuple[str, str]]:
    """The words and the name of each mention, where a model takes some words of the text for mentions."""
    article = Article("1", text, title, actors=actors)
    places = [(text.index(words), text.index(words) + len(words)) for words in tagged]
    return [
        (article.field(each.field)[each.start : each.end], each.name)
        for each in FINDER.find(article, tags(article, sorted(places)))
    ]


def tags(article: Article, places: Sequence[tuple[int, int]], outside: float = 0.5, label: str = "country") -> Tags:
    """Tags of an article's words: an actor in these places of its text, else outside with this probability."""
    head = actor_head()
    begins = 1 + 2 * head.labels.index(label)
    tokens: list[tuple[int, int, int]] = []
    scores: list[list[float]] = []
    for field, text in enumerate((article.title, article.text)):
        for word in re.finditer(r"\w+|[^\w\s]", text):
            tokens.append((field, *word.span()))
            inside = [start for start, end in places if field and start <= word.start() and word.end() <= end]
            scores.append([outside, *[(1 - outside) / 4] * 4])
            if inside:
                scores[-1] = [0.05] * 5
                scores[-1][begins if inside[0] == word.start() else begins + 1] = 0.8
    shape = np.array(tokens, dtype=np.int64).reshape(-1, 3)
    return Tags.of(Document.split(article), head, shape, np.log(np.array(scores)).reshape(-1, head.outputs))


def test_what_either_finds_is_found():
    assert found("Marco Rubio praised Iran.", "Marco Rubio") == [("Marco Rubio", "Marco Rubio"), ("Iran", "Iran")]


def test_the_longer_is_the_mention_and_the_lexicon_says_whom_it_names():
    text = "Iran Foreign Minister Javad Zarif met United States envoys."
    assert found(text, "Iran Foreign Minister Javad Zarif", "States") == [
        ("Iran Foreign Minister Javad Zarif", "Iran"), ("United States", "United States"),
    ]  # fmt: skip


def test_titles_come_first():
    assert found("Iran won.", title="Moscow lost") == [("Moscow", "Russia"), ("Iran", "Iran")]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, None), (("Tehran", "Blackwater"), {"Iran", "Blackwater"}), (("Moscow",), {"Russia"})],
)
def test_the_actors_that_are_asked_for(asked: tuple[str, ...] | None, expected: set[str] | None):
    assert FINDER.asked(Article("1", "", actors=asked)) == expected


def test_a_leader_that_is_asked_for_is_also_his_country():
    finder = MentionFinder(Lexicon({"Trump": "United States"}, {"Trump": "Donald Trump"}, frozenset(["United States"])))
    assert finder.asked(Article("1", "", actors=("Trump",))) == {"United States", "Donald Trump"}


@pytest.mark.parametrize(("label", "name"), [("country", "United States"), ("other", "Donald Trump")])
def test_tags_tell_whether_a_leader_stands_for_his_country(label: str, name: str):
    finder = MentionFinder(Lexicon({"Trump": "United States"}, {"Trump": "Donald Trump"}, frozenset(["United States"])))
    article = Article("1", "On Monday Trump won.")
    for home in (False, True):
        (mention,) = finder.find(article, tags(article, [(10, 15)], label=label), home)
        assert (mention.start, mention.name) == (10, name)


def test_names_that_are_asked_for_are_found():
    assert found("Blackwater left Iran.", actors=("Blackwater",)) == [("Blackwater", "Blackwater"), ("Iran", "Iran")]


@pytest.mark.parametrize("tagged", [(), ("Acme Corp",), ("Iran praised",)])
def test_names_that_are_asked_for_are_found_whatever_the_tags_say(tagged: tuple[str, ...]):
    text = "Iran praised Acme Corp and McDonald's."
    article = Article("1", text, actors=("Acme", "McDonald's", "Iran"))
    places = [(text.index(words), text.index(words) + len(words)) for words in tagged]
    mentions = FINDER.find(article, tags(article, places, 0.999))
    names = {each.name for each in mentions}
    assert {"Acme", "McDonald's"} <= names
    asked = FINDER.asked(article)
    assert asked == {"Acme", "McDonald's", "Iran"}
    pairs = Document.build(article, mentions, asked).pairs
    assert ("Acme", "McDonald's") in {(pair.source, pair.target) for pair in pairs}


def test_no_mention_runs_over_the_end_of_a_sentence():
    text = "By Barack Obama\nVladimir Putin praised Iran"
    article = Article("1", text)
    found = FINDER.find(article, tags(article, [(3, 30)]))
    assert [text[each.start : each.end] for each in found] == ["Barack Obama", "Vladimir Putin", "Iran"]


@pytest.mark.parametrize("tagged", ["the", "pair met", "President"])
def test_a_tag_on_what_is_no_name_is_no_mention(tagged: str):
    assert found("Russia, the Nordic pair met. President!", tagged) == [("Russia", "Russia")]


@pytest.mark.parametrize(
    ("text", "tagged", "words"),
    [
        ("Russia and the Nordic pair met.", "the Nordic pair", "Nordic pair"),
        ("A Kiev-backed force left.", "Kiev-backed", "Kiev"),
        ("A Kiev- and Oslo-led force left.", "Kiev-", "Kiev"),
        ("Ban Ki-moon left.", "Ban Ki-moon", "Ban Ki-moon"),
        ("A.J. Clark left.", "A.J. Clark", "A.J. Clark"),
        ("北京 protested.", "北京", "北京"),
    ],
)
def test_a_tagged_mention_is_the_name_alone(text: str, tagged: str, words: str):
    assert words in [mention for mention, _ in found(text, tagged)]


@pytest.mark.parametrize(
    "text", ["MOSCOW — Iran won.", "MOSCOW (AP) -- Iran won.", "MOSCOW, Aug. 23 (Reuters) - Iran won."]
)
def test_where_an_article_was_sent_from_is_no_actor(text: str):
    assert found(text) == [("Iran", "Iran")]
    assert ("MOSCOW", "Russia") in found(text.replace("MOSCOW", "Iran and MOSCOW"))


def test_a_tag_on_signs_alone_is_no_mention():
    assert found("Iran — it won.", "—") == [("Iran", "Iran")]


def test_what_a_model_is_sure_about_is_no_mention():
    article = Article("1", "Chad Wolf met Iran.")
    finder = MentionFinder(Lexicon({"Chad": "Chad", "Iran": "Iran"}))
    assert [each.name for each in finder.find(article)] == ["Chad", "Iran"]
    assert [each.name for each in finder.find(article, tags(article, [], 0.6))] == ["Chad", "Iran"]
    assert [each.name for each in finder.find(article, tags(article, [(14, 18)], 0.999))] == ["Iran"]


@given(TEXTS, st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=4))
@example("A", [(0, 1)])
@example("A b", [(0, 2)])
def test_mentions_are_in_order_and_overlap_nowhere(text: str, cuts: list[tuple[int, int]]):
    words = [word.span() for word in re.finditer(r"\w+", text)]
    places, free = [], 0
    for first, count in sorted(cuts):
        if free <= first and first + count <= len(words):
            places.append((words[first][0], words[first + count - 1][1]))
            free = first + count
    article = Article("1", text)
    mentions = [(each.start, each.end) for each in FINDER.find(article, tags(article, places))]
    assert mentions == sorted(mentions)
    assert all(end <= start for (_, end), (start, _) in pairwise(mentions))
    for start, end in places:
        name = re.sub(r"^(the|an?)(\s+|$)", "", text[start:end], flags=re.IGNORECASE)
        if name.islower() or not any(map(str.isalnum, name)):
            continue  # it is no name
        assert any(first < end and start < last for first, last in mentions), "found, or part of something longer"
