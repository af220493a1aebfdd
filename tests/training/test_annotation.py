from __future__ import annotations

import json
from typing import Any

import pytest

from inference.schema import Article
from training.annotation import AnnotationError, annotate

from .rows import FINDER, TOPICS, row


def test_labels_become_offsets_and_canonical_names():
    content = row()
    labels = _annotated(content)
    text, title = content["text"], content["title"]
    assert labels["topics"] == ["diplomacy"]
    assert labels["all_actors"] is True
    places = {"title": title, "text": text}
    found = [(actor["name"], places[actor["field"]][actor["start"] : actor["end"]]) for actor in labels["actors"]]
    assert found == [("France", "Paris"), ("Russia", "Russia"), ("Iran", "Iran"), ("Iran", "Tehran")]
    assert labels["stances"] == [
        {"field": "text", "start": 0, "end": 30, "source": "Russia", "target": "Iran", "label": "support"}
    ]


def test_what_is_absent_is_not_labelled():
    assert _annotated(row(topics=None, actors=None, stances=None)) == {
        "topics": None, "all_actors": False, "actors": None, "stances": None,
    }  # fmt: skip


def test_empty_lists_are_labelled_with_nothing():
    assert _annotated(row(topics=[], actors=[], stances=[])) == {
        "topics": [], "all_actors": True, "actors": [], "stances": [],
    }  # fmt: skip


def test_stances_alone_name_actors_by_the_lexicon():
    stance = {"sentence": "Tehran said nothing", "source": "Tehran", "target": "nothing", "label": "oppose"}
    labels = _annotated(row(actors=None, stances=[stance]))
    assert labels["all_actors"] is False
    assert [(labels["stances"][0][side]) for side in ("source", "target")] == ["Iran", "nothing"]
    assert [actor["name"] for actor in labels["actors"]] == ["Iran", "nothing"]


def test_a_row_may_name_an_actor_otherwise_than_the_lexicon():
    actors = [{"mention": "Russia", "name": "Soviet Union"}, {"mention": "Iran", "name": "Iran"}]
    assert _annotated(row(actors=actors))["stances"][0]["source"] == "Soviet Union"


def test_topics_may_be_one_string():
    assert _annotated(row(topics=" sanctions;diplomacy; sanctions;"))["topics"] == ["diplomacy", "sanctions"]
    assert _annotated(row(topics=";"))["topics"] == []


def test_actors_and_stances_may_be_json_strings():
    content = row()
    texts = row(actors=json.dumps(content["actors"]), stances=json.dumps(content["stances"]))
    assert _annotated(texts) == _annotated(content)


def test_a_stance_may_quote_the_title():
    stance = {"sentence": "Paris scolds Tehran", "source": "Paris", "target": "Tehran", "label": "oppose"}
    labels = _annotated(row(title="Paris scolds Tehran", stances=[stance]))
    assert (labels["stances"][0]["field"], labels["stances"][0]["start"]) == ("title", 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"topics": ["weather"]}, "`topics`: unknown label 'weather'; allowed: diplomacy, sanctions, sport"),
        ({"topics": "diplomacy;weather"}, "`topics`: unknown label 'weather'"),
        ({"topics": 7}, "`topics`: found 7, expected a list of labels"),
        ({"actors": "[{"}, "`actors`: broken JSON in the cell"),
        ({"actors": {"mention": "Iran"}}, "`actors`: found {'mention': 'Iran'}, expected a list of objects"),
        ({"actors": ["Iran"]}, "`actors`: found ['Iran'], expected a list of objects"),
        ({"actors": [{"mention": "Iran"}]}, "`actors`: found None as `name`, expected a string"),
        ({"actors": [{"mention": "", "name": "Iran"}]}, "`actors`: found '' as `mention`, expected a string"),
        (
            {"actors": [{"mention": "Cuba", "name": "Cuba"}]},
            "the mention 'Cuba' is neither in the text nor in the title",
        ),
        (
            {"actors": [{"mention": "Iran", "name": "Iran"}, {"mention": "Iran", "name": "Persia"}]},
            "'Iran' stands for both 'Iran' and 'Persia'",
        ),
        ({"stances": 3}, "`stances`: found 3, expected a list of objects"),
        ({"stance": {"label": "love"}}, "`stances`: unknown label 'love'; allowed: neutral, support, oppose"),
        (
            {"stance": {"sentence": "Iran praised Russia."}},
            "the sentence 'Iran praised Russia.' is neither in the text",
        ),
        ({"stance": {"target": "Tehran"}}, "the target 'Tehran' is not in the sentence 'Russia praised Iran"),
        ({"stance": {"source": "Monday"}}, "the source 'Monday' is not among the mentions in `actors`"),
        ({"stance": {"target": "Russia"}}, "source and target are both 'Russia'"),
        ({"stance": {"label": None}}, "`stances`: found None as `label`, expected a string"),
    ],
)
def test_labels_that_do_not_fit_are_explained(changes: dict[str, Any], expected: str):
    if "stance" in changes:
        changes = {"stances": [row()["stances"][0] | changes["stance"]]}
    with pytest.raises(AnnotationError) as raised:
        _annotated(row(**changes))
    assert expected in str(raised.value)


def test_a_stance_of_two_sentences_is_explained():
    quote = "Russia struck Syria. Then Iran spoke up."
    actors = [{"mention": name, "name": name} for name in ("Russia", "Iran")]
    stance = {"sentence": quote, "source": "Iran", "target": "Russia", "label": "oppose"}
    with pytest.raises(AnnotationError, match=r"no single sentence of 'Russia .*up\.' names both 'Iran' and 'Russia'"):
        _annotated(row(text=f"{quote} It rained.", actors=actors, stances=[stance]))


def _annotated(content: dict[str, Any]) -> dict[str, Any]:
    return annotate(Article.from_mapping({**content, "actors": None}, "a"), content, TOPICS, FINDER)
