from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference.actors import ActorFinder
from inference.document import Document
from inference.schema import Article

from .conftest import FORMS

FINDER = ActorFinder(FORMS)
PIECES = st.lists(st.sampled_from(["Russia", "Iran", "Syria", ". ", " ", "\n", "left", "The "]), max_size=30)


def build(title: str, text: str, only: set[str] | None = None) -> Document:
    article = Article("1", text, title)
    return Document.build(article, FINDER.find(article), only)


@given(PIECES, PIECES)
def test_every_mention_and_pair_has_its_sentence(title, text):
    document = build("".join(title), "".join(text))
    placed = [mention for sentence in document.sentences for mention in sentence.mentions]
    assert sorted(placed, key=document.mentions.index) == list(document.mentions) == placed
    for pair in document.pairs:
        assert {pair.source, pair.target} <= set(document.sentences[pair.sentence].names)
        assert pair.source != pair.target
        assert type(pair)(pair.sentence, pair.target, pair.source) in document.pairs
    assert len(set(document.pairs)) == len(document.pairs)


def test_title_comes_first_and_is_no_part_of_the_text():
    document = build("Russia and Iran", "Syria and Iran met.")
    assert [sentence.field for sentence in document.sentences] == ["title", "text"]
    assert document.text_of(document.sentences[1]) == "Syria and Iran met."


def test_only_named_actors_are_paired():
    document = build("", "Russia, Iran and Syria met.", only={"Russia", "Syria"})
    assert {(pair.source, pair.target) for pair in document.pairs} == {("Russia", "Syria"), ("Syria", "Russia")}
    assert len(document.mentions) == 3


def test_one_actor_makes_no_pair():
    assert build("", "Moscow, that is Russia, spoke.").pairs == ()
