from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from inference.actors import ActorFinder
from inference.schema import Article

from .conftest import FORMS

PIECES = st.lists(
    st.sampled_from([*FORMS, " ", "\n", "’s", "n", ".", "😀", "é", "\u0301", "RUSSIA"]) | st.text(max_size=3)
)


def names(finder: ActorFinder, text: str) -> list[str]:
    return [mention.name for mention in finder.find(Article("1", text))]


@given(PIECES, PIECES)
def test_mentions_are_forms_in_order_without_overlap(title, text):
    finder = ActorFinder(FORMS)
    article = Article("1", "".join(text), "".join(title))
    mentions = finder.find(article)
    assert mentions == sorted(mentions, key=lambda mention: (mention.field == "text", mention.start))
    for mention in mentions:
        quote = article.field(mention.field)[mention.start : mention.end]
        assert finder.resolve(quote) == mention.name
    for left, right in pairwise(mentions):
        assert left.field != right.field or left.end <= right.start


def test_longest_form_wins(finder):
    longer = ActorFinder({"Korea": "Korea", "North Korea": "North Korea", "North": "North"})
    assert names(longer, "North Korea and Korea") == ["North Korea", "Korea"]


def test_only_whole_words(finder):
    assert names(finder, "Iranian Prussia Syrians Iran's Iran-backed (Iran)") == ["Iran"] * 3


def test_case_counts_but_capitals_pass(finder):
    assert names(finder, "iran RUSSIA IRAN") == ["Russia"]  # four capitals could be an acronym


def test_typography_is_folded(finder):
    assert names(finder, "Côte d'Ivoire, Côte\u00a0d’Ivoire, United\nStates") == ["Ivory Coast"] * 2 + ["United States"]


def test_other_scripts(finder):
    assert names(finder, "한국 中国 روسيا") == ["South Korea", "China", "Russia"]


def test_extended_knows_new_names_and_keeps_old_ones(finder):
    wider = finder.extended(["Acme", "Iran"])
    assert names(wider, "Acme and Tehran") == ["Acme", "Iran"]
    assert names(finder, "Acme") == []
    assert finder.extended(["Tehran"]) is finder
