from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from inference import predictor as module
from inference.decode import ArticleDecision
from inference.errors import BundleError, InputError
from inference.mentions import MentionFinder
from inference.naming import Lexicon
from inference.predictor import Predictor, Wanted
from inference.schema import Article, Prediction

from .conftest import FORMS, SCORED, TOPICS, edited

PIECES = st.lists(st.sampled_from([*FORMS, " ", ". ", "\n", "praised ", "condemned ", "The "]) | st.text(max_size=5))
TEXTS = PIECES.map("".join)
ROWS = st.lists(st.fixed_dictionaries({"text": TEXTS}, optional={"title": TEXTS}), max_size=6)


def one(predictor: Predictor, **row: object) -> Prediction:
    (prediction,) = predictor.predict([row])
    return prediction


def spans(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from (span for actor in record["actors"] for span in actor["mentions"])
    yield from (evidence["span"] for stance in record["stances"] for evidence in stance["evidence"])


def test_an_article(predictor, articles):
    (prediction,) = predictor.predict(articles[:1])
    assert (prediction.id, prediction.status, prediction.error) == ("a0", "ok", None)
    assert [topic.label for topic in prediction.topics] == list(TOPICS)
    assert [actor.name for actor in prediction.actors] == ["Iran", "Russia"]
    assert prediction.model.digest == predictor.bundle.digest


def test_the_linear_model_has_learnt_its_articles(linear):
    prediction = one(linear, text="Russia praised Iran on Monday. Troops shelled the town and soldiers died.")
    assert [topic.label for topic in prediction.topics if topic.assigned] == ["armed_conflict"]
    assert [(stance.source, stance.target, stance.label) for stance in prediction.stances] == [
        ("Russia", "Iran", "support")
    ]
    assert prediction.stances[0].evidence[0].span.quote == "Russia praised Iran on Monday."


@given(ROWS)
def test_every_quote_is_a_slice_of_its_field(predictor, rows):
    for row, prediction in zip(rows, predictor.predict(rows), strict=True):
        record = prediction.to_dict()
        for span in spans(record):
            assert row[span["field"]][span["start"] : span["end"]] == span["quote"] != ""
        assert prediction.status == ("ok" if row["text"].strip() else "empty")
        json.dumps(record, allow_nan=False).encode()


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 3))
@settings(max_examples=25)
def test_neighbours_order_and_buffers_change_nothing(predictor, rows, random, buffer):
    rows = [{**row, "id": str(number)} for number, row in enumerate(rows)]
    alone = {row["id"]: one(predictor, **row) for row in rows}
    random.shuffle(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUFFER_ARTICLES", buffer)
        together = list(predictor.predict(rows))
    assert [prediction.id for prediction in together] == [row["id"] for row in rows]
    for prediction in together:
        assert_same(prediction, alone[prediction.id])


def assert_same(found: Prediction, expected: Prediction) -> None:
    """Equal, but for what the rounding of a padded batch does to the last digits."""
    assert (found.status, found.error, found.actors) == (expected.status, expected.error, expected.actors)
    for left, right in zip(found.topics, expected.topics, strict=True):
        assert left.score == pytest.approx(right.score, abs=1e-5)
    ours, theirs = ({(item.source, item.target): item for item in each.stances} for each in (found, expected))
    for pair in ours.keys() | theirs.keys():
        assert ours[pair].label == theirs[pair].label
        assert ours[pair].score == pytest.approx(theirs[pair].score, abs=1e-5)


@given(st.permutations(["Russia", "Iran", "Syria"]))
def test_exchanging_a_pair_exchanges_its_rows(predictor, names):
    """One question a direction: which actor is asked for first makes no difference to what is answered."""
    document = predictor.document(Article("1", "Russia condemned Iran and praised Syria."))
    scores = predictor.score([document])[0].stances
    order = sorted(range(len(document.pairs)), key=lambda i: (names.index(document.pairs[i].source), i))
    turned = type(document)(
        document.article, document.mentions, document.sentences, tuple(document.pairs[i] for i in order)
    )
    assert predictor.score([turned])[0].stances == pytest.approx(scores[order], abs=1e-5)


@pytest.mark.parametrize("text", ["", " \n\t\u3000", None, math.nan, np.float32("nan"), pd.NA, pd.NaT])
def test_no_text_is_empty(predictor, text):
    prediction = one(predictor, text=text, title="Russia praised Iran")
    assert (prediction.status, prediction.error) == ("empty", "`text` is empty")
    assert (prediction.topics, prediction.actors, prediction.stances) == ((), (), ())


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"title": "x"}, "no `text`: found title"),
        ({}, "no `text`: found nothing"),
        ({"\ud800": 1}, "no `text`: found ?"),
        ({"text": 5}, "`text` is int (5), expected a string"),
        ({"text": b"x"}, "`text` is bytes (b'x'), expected a string"),
        ({"text": ["x"]}, "`text` is list"),
        ({"text": math.inf}, "`text` is float"),
        ({"text": "half \ud83d"}, "`text` is not valid UTF-8 at character 5"),
        ({"text": "x", "title": {"a": 1}}, "`title` is dict"),
        ({"text": "x", "id": "\udcff"}, "`id` is not valid UTF-8"),
        ({"text": "x", "actors": 5}, "`actors` is int, expected a list of names"),
        ({"text": "x", "actors": {"Iran": 1}}, "`actors` is dict, expected a list of names"),
        ({"text": "x", "actors": [{"name": 5}]}, "`actors` is int (5), expected a string"),
        ({"text": "x", "actors": '["Iran", '}, "`actors` begins with [ and is no JSON list"),
        ("just text", "found str, expected an Article or a mapping"),
        (None, "found NoneType, expected an Article or a mapping"),
    ],
)
def test_an_article_that_cannot_be_scored_says_why_and_the_others_are_scored(linear, row, error):
    first, bad, last = linear.predict([{"text": "Iran"}, row, {"text": "Syria"}])
    assert (first.status, bad.status, last.status) == ("ok", "error", "ok")
    assert bad.error.startswith(error)
    json.dumps(bad.to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("id", "expected"),
    [(7, "7"), (1.5, "1.5"), (True, "True"), ("", ""), (None, "1"), (math.nan, "1"), (np.int64(3), "3"), (pd.NA, "1")],
)
def test_ids_become_strings(linear, id, expected):
    assert one(linear, text="x", id=id).id == expected


def test_a_date_may_be_of_any_kind():
    for date in ("2020", datetime.date(2020, 1, 2), pd.Timestamp("2020-01-02"), 2020):
        assert str(Article.from_mapping({"text": "x", "date": date}, "1").date).startswith("2020")
    assert Article.from_mapping({"text": "x", "date": pd.NaT}, "1").date is None


@pytest.mark.parametrize(
    "actors",
    [
        ["Tehran", "Syria"],
        ("Tehran", " Syria ", "", None),
        np.array(["Tehran", "Syria"]),
        "Tehran; Syria",
        '["Tehran", "Syria"]',
        [{"name": "Tehran", "mentions": []}, {"name": "Syria"}],
    ],
)
def test_actors_restrict_the_stances(linear, actors):
    article = Article.from_mapping({"text": "Russia, Iran and Syria met.", "actors": actors}, "1")
    assert {(pair.source, pair.target) for pair in linear.document(article).pairs} == {
        ("Iran", "Syria"),
        ("Syria", "Iran"),
    }


@pytest.mark.parametrize("actors", [None, [], [" "], "", " ; ", math.nan])
def test_no_actors_restrict_nothing(linear, actors):
    article = Article.from_mapping({"text": "Russia, Iran and Syria met.", "actors": actors}, "1")
    assert len(linear.document(article).pairs) == 6


def test_an_actor_that_the_lexicon_lacks_is_looked_for(linear):
    prediction = one(linear, text="Acme praised Iran.", actors=["Acme", "Iran"])
    assert [actor.name for actor in prediction.actors] == ["Acme", "Iran"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "Russia" * 200_000,
        "NUL \x00 and \x1b[31m Russia praised Iran\x00.",
        "한국 praised 中国. روسيا condemned 한국! 😀👩‍👩‍👧‍👦 e\u0301\u0301\u0301",
        "\u202eRussia praised Iran\u202c",
        "\ufeffRussia praised Iran.",
        "🇷🇺" * 1000,
    ],
)
def test_strange_texts_are_scored(predictor, text):
    prediction = one(predictor, text=text)
    assert prediction.status == "ok"
    for span in spans(prediction.to_dict()):
        assert text[span["start"] : span["end"]] == span["quote"]


def test_five_megabytes_are_read_to_the_end(linear):
    filler = "Envoys met for talks at the summit and signed a treaty. " * 90_000
    text = f"Russia praised Iran on Monday. {filler}France condemned Syria on Monday."
    assert len(text) > 5_000_000
    prediction = one(linear, text=text)
    quotes = [stance.evidence[0].span.quote for stance in prediction.stances]
    assert set(quotes) >= {"Russia praised Iran on Monday.", "France condemned Syria on Monday."}
    assert prediction.actors[-1].mentions[-1].end == len(text) - len(" on Monday.")


def test_an_encoder_reads_every_sentence_of_a_long_text(encoder_bundle):
    predictor = Predictor.load(encoder_bundle, threads=1)
    text = "Russia praised Iran. " * 5000
    document = predictor.document(Article("1", text))
    scores = predictor.score([document])[0].stances
    assert len(scores) == 10_000
    assert (scores[:, 1] > -29).all(), "a pair kept the score of what nobody read"


def test_predicting_is_lazy(linear):
    def endless() -> Iterator[dict[str, str]]:
        while True:
            yield {"text": "Iran"}

    assert next(linear.predict(endless())).status == "ok"


def test_nothing_in_nothing_out(predictor):
    assert list(predictor.predict([])) == []


def test_heads_that_were_not_trained_say_nothing(linear_bundle, tmp_path):
    topics, stances = (
        Predictor.load(edited(linear_bundle, tmp_path / head.name, heads=[asdict(head)])) for head in SCORED
    )
    assert one(topics, text="Russia praised Iran.").stances == ()
    assert one(stances, text="Russia praised Iran.").topics == ()


def test_an_unknown_device_is_refused(encoder_bundle):
    with pytest.raises(InputError, match="device tpu"):
        one(Predictor.load(encoder_bundle, device="tpu"), text="Iran")


def test_no_bundle_there(tmp_path):
    with pytest.raises(BundleError, match="no such directory"):
        Predictor.load(tmp_path / "nowhere")


# Actors that the model finds


@pytest.fixture(scope="module")
def tagging(tagging_bundle: Path) -> Predictor:
    return Predictor.load(tagging_bundle, threads=1)


def test_a_model_that_tags_finds_actors_that_the_lexicon_lacks(tagging: Predictor):
    text = "yesterday Marco Rubio of Texas praised Iran. Then Rubio left."
    prediction = one(tagging, text=text)
    found = {actor.name: [span.quote for span in actor.mentions] for actor in prediction.actors}
    assert found["Marco Rubio"] == ["Marco Rubio", "Rubio"]
    assert found["Iran"] == ["Iran"]
    assert all(text[span.start : span.end] == span.quote for actor in prediction.actors for span in actor.mentions)


def test_a_tagged_actor_stands_in_pairs(tagging: Predictor, monkeypatch: pytest.MonkeyPatch):
    lenient = replace(tagging.bundle.manifest.decisions, articles=ArticleDecision(support=0.0, oppose=0.0))
    monkeypatch.setattr(tagging, "_decisions", lenient)
    stances = one(tagging, text="today Marco Rubio praised Iran").stances
    assert {(each.source, each.target) for each in stances} == {("Marco Rubio", "Iran"), ("Iran", "Marco Rubio")}
    assert {each.evidence[0].span.quote for each in stances} == {"today Marco Rubio praised Iran"}


def test_records_do_not_depend_on_their_neighbours_where_actors_are_tagged(tagging: Predictor, articles: list[Article]):
    whole = list(tagging.predict(articles))
    alone = [next(tagging.predict([article])) for article in articles]
    for ours, theirs in zip(whole, alone, strict=True):
        assert ours.actors == theirs.actors
        assert [(each.source, each.target, each.label) for each in ours.stances] == [
            (each.source, each.target, each.label) for each in theirs.stances
        ]


@given(TEXTS)
def test_quotes_are_slices_where_actors_are_tagged(tagging: Predictor, text: str):
    for actor in one(tagging, text=text).actors:
        assert actor.name
        assert all(text[span.start : span.end] == span.quote for span in actor.mentions)


def test_leaders_go_by_their_own_names_in_home_politics_where_no_model_tags(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
):
    forms, states = {"Trump": "United States", "US": "United States"}, frozenset(["United States"])
    lexicon = Lexicon(forms, {"Trump": "Donald Trump"}, states)
    monkeypatch.setattr(predictor, "_mentions", MentionFinder(lexicon))
    for home, expected in ((True, {"Donald Trump", "United States"}), (False, {"United States"})):
        monkeypatch.setattr("inference.mentions.is_home", lambda _, home=home: home)
        assert {actor.name for actor in one(predictor, text="in the US they like Trump").actors} == expected


def test_numpy_multiplies_with_one_thread_while_articles_are_scored(predictor, monkeypatch):
    def threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    def watched(documents):
        seen.extend(threads())
        return read(documents)

    seen: list[int] = []
    before, read = threads(), predictor._scorer.read
    monkeypatch.setattr(predictor._scorer, "read", watched)
    assert [record.status for record in predictor.predict([{"text": "Iran praised Russia."}])] == ["ok"]
    assert seen
    assert set(seen) == {1}
    assert threads() == before


def test_an_article_beyond_all_measure_is_an_error_of_its_own(predictor, monkeypatch):
    monkeypatch.setattr("inference.predictor.MOST_CHARACTERS", 30)
    rows = [{"id": "a", "text": "Iran praised Russia."}, {"id": "b", "text": "x" * 31}, {"id": "c", "text": "Iran."}]
    records = list(predictor.predict(rows))
    assert [record.status for record in records] == ["ok", "error", "ok"]
    assert records[1].error == "title and text have 31 characters, at most 30 are scored"


def test_what_is_not_wanted_is_left_out(bundle, articles):
    both = list(Predictor.load(bundle).predict(articles))
    topics = list(Predictor.load(bundle, wanted=Wanted(stances=False)).predict(articles))
    stances = list(Predictor.load(bundle, wanted=Wanted(topics=False)).predict(articles))
    assert [record.topics for record in topics] == [record.topics for record in both]
    assert {(record.actors, record.stances) for record in topics} == {((), ())}
    assert [(record.actors, record.stances) for record in stances] == [
        (record.actors, record.stances) for record in both
    ]
    assert {record.topics for record in stances} == {()}


def test_all_pairs_have_their_likelier_leaning(bundle):
    article = {"text": "Iran met Russia and France in Geneva."}
    some = next(Predictor.load(bundle).predict([article])).stances
    every = next(Predictor.load(bundle, wanted=Wanted(all_pairs=True)).predict([article])).stances
    assert len({(stance.source, stance.target) for stance in every}) == 6
    assert set(some) <= set(every)


def test_a_precision_that_was_never_reached_leaves_nothing(bundle, articles):
    records = list(Predictor.load(bundle, wanted=Wanted(min_precision=0.9)).predict(articles))
    assert not any(topic.assigned for record in records for topic in record.topics)
    assert not any(record.stances for record in records)


def test_actors_go_by_the_same_names_whatever_precision_is_asked_for(tagging: Predictor, monkeypatch):
    seen: list[list[str]] = []

    def noted(topics: list[str]) -> bool:
        seen.append(topics)
        return False

    monkeypatch.setattr("inference.mentions.is_home", noted)
    article = {"text": "Troops shelled the town and soldiers died. Iran praised Russia."}
    for wanted in (Wanted(), Wanted(min_precision=0.9)):
        next(Predictor.load(tagging.bundle.path, wanted=wanted).predict([article]))
    assert seen[0] == seen[1] != []


def test_what_scores_is_what_was_opened(linear_bundle: Path, encoder_bundle: Path, tmp_path: Path):
    place = tmp_path / "bundle"
    place.symlink_to(linear_bundle)
    predictor = Predictor.load(place)
    place.unlink()
    place.symlink_to(encoder_bundle)
    with pytest.raises(BundleError, match=f"{place}: holds another bundle now"):
        predictor.ready()
    place.unlink()
    place.symlink_to(linear_bundle)
    assert one(predictor.ready(), text="Iran praised Russia.").status == "ok"


def test_integers_are_for_a_cpu(encoder_bundle, tmp_path):
    path = edited(encoder_bundle, tmp_path / "light", precision="int8")
    with pytest.raises(InputError, match="is in 8-bit integers, for CPUs; train it with"):
        next(Predictor.load(path, device="cuda").predict([{"text": "Iran praised Russia."}]))
