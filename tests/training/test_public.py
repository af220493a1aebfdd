from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.document import UNNAMED
from training.public import cameo, dse, newsmtsc, plover, standoff, tags
from training.public.rows import RowError, without_tags

Row = dict[str, Any]

WORDS = st.text("abcDEF'’\"é,.", min_size=1, max_size=6)
PHRASES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
HOLDS = [("support", "1", False), ("support", "2", True), ("oppose", "3", False), ("oppose", "4", True)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that examples of one property overwrite."""
    return tmp_path_factory.mktemp("public") / "rows"


# DSE


def test_dse_names_both_entities_by_their_places(path: Path):
    (row,) = _rows(
        dse.read, path, "On Monday [Norway] thanked [the Swiss envoy] at length.\tNorway\tthe Swiss envoy\t1\n"
    )
    assert row["id"] == "1"
    assert row["sentence"] is True
    assert row["text"] == "On Monday Norway thanked the Swiss envoy at length."
    assert _mentions(row) == {"p": ["Norway"], "q": ["the Swiss envoy"]}


@pytest.mark.parametrize(("label", "kind", "turned"), HOLDS)
def test_a_leaning_of_dse_is_of_one_direction_and_the_other_is_neutral(path: Path, label: str, kind: str, turned: bool):
    (row,) = _rows(dse.read, path, f"[Norway] met [Peru].\tNorway\tPeru\t{kind}\n")
    forward, backward = ("neutral", label) if turned else (label, "neutral")
    for head in ("dse", "stances"):
        assert _pairs(row, head) == [("p", "q", forward), ("q", "p", backward)]


def test_no_leaning_of_dse_is_neutral_both_ways(path: Path):
    (row,) = _rows(dse.read, path, "[Norway] met [Peru].\tNorway\tPeru\t0\n")
    for head in ("dse", "stances"):
        assert _pairs(row, head) == [("p", "q", "neutral"), ("q", "p", "neutral")]


def test_letters_behind_a_bracket_of_dse_belong_to_the_word_and_spaces_do_not(path: Path):
    (row,) = _rows(dse.read, path, "The [Norwegian]s, not[ Per]u's, met.\t\t\t0\n")
    assert row["text"] == "The Norwegians, not Peru's, met."
    assert _mentions(row) == {"p": ["Norwegians"], "q": ["Peru"]}


def test_a_table_in_csv_quotes_is_read_without_them(path: Path):
    (row,) = _rows(dse.read, path, '"""[Norway] won,"" said [Peru]."\tNorway\tPeru\t0\n')
    assert row["text"] == '"Norway won," said Peru.'
    assert _mentions(row) == {"p": ["Norway"], "q": ["Peru"]}


@given(parts=st.tuples(PHRASES, PHRASES, PHRASES, PHRASES, PHRASES), kind=st.sampled_from("01234"))
def test_a_marked_sentence_of_dse_is_read_back(shared: Path, parts: tuple[str, ...], kind: str):
    before, first, between, second, after = parts
    marked = f"{before} [{first}] {between} [{second}] {after}"
    (row,) = _rows(dse.read, shared, _table([[marked, first, second, kind]]))
    assert row["text"] == " ".join(parts)
    assert _mentions(row) == {"p": [first], "q": [second]}


# NewsMTSC


def test_targets_of_newsmtsc_are_actors_of_their_own_and_the_author_is_not_named(path: Path):
    text = "Norway won and Peru, poor Peru, lost."
    targets = [_target(text, "Norway", 6.0), _target(text, "Peru", 2.0), _target(text, "poor Peru", 4.0)]
    (row,) = _rows(newsmtsc.read, path, _json({"sentence_normalized": text, "targets": targets}))
    assert row["text"] == text
    assert sorted(_words(row)) == ["Norway", "Peru", "poor Peru"]
    names = {text[mention["start"] : mention["end"]]: mention["name"] for mention in row["actors"]}
    for head in ("newsmtsc", "stances"):
        assert _pairs(row, head) == [
            (UNNAMED, names["Norway"], "support"),
            (UNNAMED, names["Peru"], "oppose"),
            (UNNAMED, names["poor Peru"], "neutral"),
        ]


def test_offsets_of_newsmtsc_are_code_points(path: Path):
    text = "𝄞 Ñandú met Peru."
    (row,) = _rows(newsmtsc.read, path, _json({"sentence_normalized": text, "targets": [_target(text, "Peru", 4)]}))
    assert _words(row) == ["Peru"]


# PLOVER


def test_a_relation_of_plv_has_codes_and_a_stance_of_the_coded_direction_alone(path: Path):
    content = _plv(
        [("<s>Norway</s> aided <t>Peru</t>.", "AID", "2"), ("<t>Peru</t> fears <s>Chad</s>.", "THREATEN", "3")]
    )
    first, second = _rows(plover.read_plv, path, content)
    assert (first["id"], first["text"], first["sentence"]) == ("2", "Norway aided Peru.", True)
    assert _mentions(first) == {"source": ["Norway"], "target": ["Peru"]}
    assert _pairs(first, "plover") == [("source", "target", "AID")]
    assert _pairs(first, "plover_quad") == [("source", "target", "2")]
    assert _pairs(first, "stances") == [("source", "target", "support")]
    assert (second["id"], second["text"]) == ("3", "Peru fears Chad.")
    assert _mentions(second) == {"source": ["Chad"], "target": ["Peru"]}
    assert _pairs(second, "stances") == [("source", "target", "oppose")]


def test_the_quad_code_of_plv_is_what_the_file_says_not_what_the_root_implies(path: Path):
    (row,) = _rows(plover.read_plv, path, _plv([("<s>Norway</s> struck <t>Peru</t>.", "ASSAULT", "1")]))
    assert _pairs(row, "plover") == [("source", "target", "ASSAULT")]
    assert _pairs(row, "plover_quad") == [("source", "target", "1")]
    assert _pairs(row, "stances") == [("source", "target", "support")]


@pytest.mark.parametrize(
    ("marked", "pair", "mentions"),
    [
        ("Rebels struck <t>Peru</t>.", (UNNAMED, "target"), {"target": ["Peru"]}),
        ("<s>Rebels</s> struck.", ("source", UNNAMED), {"source": ["Rebels"]}),
        ("<s>Rebels</s> struck <t>Peru.", ("source", UNNAMED), {"source": ["Rebels"]}),
        ("<s>Rebels</s> and <s>troops</s> struck <t>Peru</t>.", ("source", "target"),
         {"source": ["Rebels", "troops"], "target": ["Peru"]}),
    ],
    ids=["no source", "no target", "target not closed", "two sources"],
)  # fmt: skip
def test_a_side_without_a_mark_is_somebody_unnamed(
    path: Path, marked: str, pair: tuple[str, str], mentions: dict[str, list[str]]
):
    (row,) = _rows(plover.read_plv, path, _plv([(marked, "ASSAULT", "4")]))
    assert _pairs(row, "plover") == [(*pair, "ASSAULT")]
    assert _mentions(row) == mentions
    assert "<" not in row["text"]


@pytest.mark.parametrize(("code", "label", "stance"), [("0", "cooperation", "support"), ("1", "conflict", "oppose")])
def test_a_relation_of_aw_is_cooperation_or_conflict(path: Path, code: str, label: str, stance: str):
    content = _table([["uid", "marked_sentence", "gold_binary"], ["7", "<s>Norway</s> met <t>Peru</t>.", code]])
    (row,) = _rows(plover.read_aw, path, content)
    assert row["text"] == "Norway met Peru."
    assert _pairs(row, "aw") == [("source", "target", label)]
    assert _pairs(row, "stances") == [("source", "target", stance)]


def test_every_root_code_has_a_quad_code(path: Path):
    for code, quad in plover.ROOT_QUADS.items():
        (row,) = _rows(plover.read_gsr, path, json.dumps([_record(event=code)]))
        assert _pairs(row, "plover") == [("Norway", "Peru", code)]
        assert _pairs(row, "stances") == [("Norway", "Peru", "support" if quad in "12" else "oppose")]


def test_a_record_labels_every_source_with_every_target_that_stand_in_its_text(path: Path):
    record = _record(source=["Norway", "Chad"], target=["Peru", "Mali"], text="Chad and Norway aided Peru.")
    (row,) = _rows(plover.read_gsr, path, json.dumps([{"id": "0", "event": "DOCUMENT"}, record]))
    assert row["id"] == "r1"
    assert _mentions(row) == {"Norway": ["Norway"], "Chad": ["Chad"], "Peru": ["Peru"]}
    assert _pairs(row, "plover") == [("Norway", "Peru", "AID"), ("Chad", "Peru", "AID")]


@pytest.mark.parametrize("target", ["SOURCE", None])
def test_a_record_without_targets_is_about_its_sources_among_each_other(path: Path, target: str | None):
    record = _record(source=["Norway", "Peru"], text="Norway and Peru aided each other.") | {"target": target}
    (row,) = _rows(plover.read_gsr, path, json.dumps([record]))
    assert _pairs(row, "plover") == [("Norway", "Peru", "AID"), ("Peru", "Norway", "AID")]


@pytest.mark.parametrize(
    ("earlier", "later"), [("CONCEDE", "YIELD"), ("FIGHT", "ASSAULT"), ("DEMAND", "REQUEST"), ("INVESTIGATE", "ACCUSE")]
)
def test_codes_of_the_first_version_are_read_as_the_later_ones(path: Path, earlier: str, later: str):
    (row,) = _rows(plover.read_gsr, path, json.dumps([_record(event=earlier)]))
    assert _pairs(row, "plover") == [("Norway", "Peru", later)]


def test_records_that_cannot_be_placed_are_counted(path: Path, caplog: pytest.LogCaptureFixture):
    records = [_record(), _record(text="Nobody aided anybody."), _record(source=["Norway"], target=["Norway"])]
    with caplog.at_level(logging.INFO):
        assert len(_rows(plover.read_gsr, path, json.dumps(records))) == 1
    assert "rows: 2 of 3 records left out: no source and target in the text" in caplog.text


SPANS = st.lists(st.tuples(st.sampled_from(["s", "t", ""]), PHRASES), min_size=1, max_size=6)


@given(parts=SPANS)
def test_marked_parts_of_a_sentence_are_read_back(parts: list[tuple[str, str]]):
    marked = " ".join(f"<{side}>{words}</{side}>" if side else words for side, words in parts)
    text, found = without_tags(marked)
    assert text == " ".join(words for _, words in parts)
    for side in "st":
        expected = [words for other, words in parts if other == side]
        assert [text[start:end] for start, end in found[side]] == expected


@pytest.mark.parametrize(
    ("marked", "text", "sources"),
    [
        ("<s>Norway met Peru.", "Norway met Peru.", []),
        ("Norway</s> met Peru.", "Norway met Peru.", []),
        ("<s>Norway <s>and</s> Chad</s> met.", "Norway and Chad met.", ["and"]),
        ("<s>Norway, <t>Peru</s> met.", "Norway, Peru met.", ["Norway, Peru"]),
        ("<b>Norway</b> met.", "<b>Norway</b> met.", []),
    ],
    ids=["not closed", "not opened", "twice", "across", "other"],
)
def test_a_tag_without_its_other_marks_nothing_and_is_no_word(marked: str, text: str, sources: list[str]):
    found, spans = without_tags(marked)
    assert found == text
    assert [found[start:end] for start, end in spans["s"]] == sources
    assert spans["t"] == []


# Classes and tags


def test_the_classes_of_cameo_are_named(path: Path):
    content = _table([[f"Norway met Peru {code} times.", code] for code in "01234"])
    rows = _rows(cameo.read, path, content)
    names = ["none", "verbal_cooperation", "material_cooperation", "verbal_conflict", "material_conflict"]
    assert [row["classes"] for row in rows] == [[{"head": "cameo", "label": name}] for name in names]
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {row["actors"] for row in rows} == {None}
    assert rows[2]["text"] == "Norway met Peru 2 times."


def test_words_are_joined_by_spaces_and_a_blank_line_ends_a_sentence(path: Path):
    content = "\nNorway B-S\nmet B-R\n. O\n\n\nPeru\tB-T\nwaited\tO"
    first, second = _rows(tags.read_ner, path, content)
    assert (first["id"], first["text"], second["id"], second["text"]) == ("2", "Norway met .", "7", "Peru waited")
    assert _spans(first, "cameo_ner") == [("Norway", "S"), ("met", "R")]
    assert _spans(second, "cameo_ner") == [("Peru", "T")]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("B-S I-S O", [("a b", "S")]),
        ("B-S B-S O", [("a", "S"), ("b", "S")]),
        ("B-S I-T O", [("a", "S"), ("b", "T")]),
        ("I-S I-S O", [("a b", "S")]),
        ("O I-S B-S", [("b", "S"), ("c", "S")]),
        ("B-S O I-S", [("a", "S"), ("c", "S")]),
        ("B-S I-T I-S", [("a", "S"), ("b", "T"), ("c", "S")]),
        ("O O O", []),
    ],
)
def test_an_inside_that_goes_on_nothing_begins_a_span(path: Path, marks: str, expected: list[tuple[str, str]]):
    content = "\n".join(f"{word} {tag}" for word, tag in zip("abc", marks.split(), strict=True))
    (row,) = _rows(tags.read_ner, path, content)
    assert _spans(row, "cameo_ner") == expected


TAGGED = st.lists(
    st.tuples(st.sampled_from([*tags.ENTITIES, ""]), st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5
)


@given(sentences=st.lists(TAGGED, min_size=1, max_size=3))
def test_tagged_sentences_are_read_back(shared: Path, sentences: list[list[tuple[str, list[str]]]]):
    lines = []
    for spans in sentences:
        for label, words in spans:
            insides = [f"I-{label}"] * (len(words) - 1)
            marks = [f"B-{label}", *insides] if label else ["O"] * len(words)
            lines += [f"{word}\t{tag}" for word, tag in zip(words, marks, strict=True)]
        lines.append("")
    rows = _rows(tags.read_re3d, shared, "\n".join(lines))
    assert [row["text"] for row in rows] == [" ".join(" ".join(words) for _, words in spans) for spans in sentences]
    for row, spans in zip(rows, sentences, strict=True):
        assert _spans(row, "re3d") == [(" ".join(words), label) for label, words in spans if label]


# Labels apart from their texts


def test_texts_are_joined_to_the_labels_of_a_part(tmp_path: Path):
    one, two = _article("a1", "Norway aided Peru."), _article("b2", "Rain in Chad.")
    labels = _labels(tmp_path, [_label(one, "train"), _label(two, "test")])
    texts = _texts(tmp_path, [two, {**one, "id": "news-of-a1"}])
    (row,) = standoff.read(texts, labels, "train")
    assert (row["id"], row["title"], row["date"], row["text"]) == ("a1", "A title", "2016-08-23", "Norway aided Peru.")
    assert row["all_actors"] is True
    assert row["topics"] == ["sport"]
    assert _mentions(row) == {"Norway": ["Norway"]}
    assert row["stances"] == []
    assert [row["id"] for row in standoff.read(texts, labels, "test")] == ["b2"]


@pytest.mark.parametrize("change", [{"text": "Norway aided"}, {"text": "Norway aided Peru!"}, {"title": "Another"}])
def test_a_text_that_is_not_the_labelled_one_is_refused(tmp_path: Path, change: dict[str, str]):
    article = _article("a1", "Norway aided Peru.")
    label = _label(article, "train")
    texts = _texts(tmp_path, [article | change])
    with pytest.raises(RowError, match="the text a1 is cut short or altered") as raised:
        list(standoff.read(texts, _labels(tmp_path, [label]), "train"))
    assert str(texts) in str(raised.value)
    assert f"expected {label['sha256']}" in str(raised.value)


def test_a_text_that_is_not_there_is_named(tmp_path: Path):
    label = _label(_article("a1", "Norway aided Peru."), "train")
    with pytest.raises(RowError, match=r"texts\.jsonl: no text with the id a1, which labels\.jsonl has labels of"):
        list(standoff.read(_texts(tmp_path, [_article("b2", "Rain.")]), _labels(tmp_path, [label]), "train"))


def test_the_opening_of_a_publishers_article_is_what_was_labelled():
    article = _article("a1", "Norway aided Peru.")
    label = _label(article, "train")
    upstream = {"title": "A title", "date": "2016-08-23", "content_original": article["text"] + " More of it."}
    assert standoff.opening(json.dumps(upstream).encode(), label) == article


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<html>", r"a1: not an article \(JSONDecodeError"),
        (b"[]", r"a1: not an article \(TypeError"),
        (b'{"title": "A title"}', r"a1: not an article \(KeyError: 'date'"),
        (b'{"title": "A title", "date": null, "content_original": "Rain."}', r"a1: sha256 [0-9a-f]{64}, expected"),
    ],
)
def test_what_is_no_such_article_is_explained(raw: bytes, expected: str):
    with pytest.raises(RowError, match=expected):
        standoff.opening(raw, _label(_article("a1", "Norway aided Peru."), "train"))


# Bad rows


def test_a_bad_line_of_labels_is_named(tmp_path: Path):
    label = _label(_article("a1", "Rain."), "train")
    path = _labels(tmp_path, [label, {key: label[key] for key in label if key != "part"}])
    with pytest.raises(RowError, match=r"labels\.jsonl:2: keys .*, expected actors, id, length, part, sha256"):
        list(standoff.read_labels(path))
    actors: list[Any] = [[], {"Chad": [[0, 4]]}, {"Chad": {"body": [[0, 4]]}}, {"Chad": {"text": [0]}}]
    for line, expected in (
        ("{", "not JSON"),
        ("[1]", "found list, expected an object"),
        *((json.dumps(label | {"actors": each}), "actors .*, expected {name") for each in actors),
    ):
        path.write_text(f"{json.dumps(label)}\n{line}\n", "utf-8")
        with pytest.raises(RowError, match=rf"labels\.jsonl:2: {expected}"):
            list(standoff.read_labels(path))


GOOD = {
    "dse": "[Norway] met [Peru].\tNorway\tPeru\t0\n",
    "newsmtsc": '{"sentence_normalized": "Rain.", "targets": []}\n',
    "plv": "marked_sentence\tgold_root\tgold_penta\n<s>Norway</s> met <t>Peru</t>.\tCONSULT\t1\n",
    "aw": "gold_binary\tmarked_sentence\n1\t<s>Norway</s> met <t>Peru</t>.\n",
    "cameo": "Rain.\t0\n",
    "ner": "Norway B-S\n",
    "re3d": "Norway B-Location\n",
}
READERS: dict[str, Callable[[Path], Any]] = {
    "dse": dse.read, "newsmtsc": newsmtsc.read, "plv": plover.read_plv, "aw": plover.read_aw, "cameo": cameo.read,
    "ner": tags.read_ner, "re3d": tags.read_re3d,
}  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "bad", "expected"),
    [
        ("dse", "Norway met [Peru].\tNorway\tPeru\t0", ":2: 1 opening brackets, expected two entities in brackets"),
        ("dse", "[Norway] met [Peru] and [Chad].\tNorway\tPeru\t0", ":2: 3 opening brackets, expected two entities"),
        ("dse", "[Norway met [Peru].\tNorway\tPeru\t0", ":2: 2 opening brackets, expected two entities"),
        ("dse", "[Norway] met [Peru].\tNorway\tPeru\t5", ":2: class '5', expected one of 0, 1, 2, 3, 4"),
        ("dse", "[Norway] met [Peru].\tNorway\tPeru", ":2: 3 columns, expected 4"),
        ("newsmtsc", "{broken", r":2: not a sentence with its targets \(JSONDecodeError"),
        ("newsmtsc", '{"targets": []}', r":2: not a sentence with its targets \(KeyError: 'sentence_normalized'"),
        ("newsmtsc", '{"sentence_normalized": "Rain.", "targets": [{"from": 0, "to": 4, "mention": "Rain"}]}',
         r":2: not a sentence with its targets \(KeyError: 'polarity'"),
        ("newsmtsc", '{"sentence_normalized": "Rain.", "targets": [{"from": 1, "to": 4, "mention": "Rain", '
         '"polarity": 4}]}', ":2: 'Rain' is not at 1 to 4: found 'ain'"),
        ("newsmtsc", '{"sentence_normalized": "Rain.", "targets": [{"from": 0, "to": 4, "mention": "Rain", '
         '"polarity": 3}]}', ":2: polarity '3.0', expected one of 2.0, 4.0, 6.0"),
        ("plv", "<s>Norway</s> met <t>Peru</t>.\tMEET\t1", ":3: root code 'MEET', expected one of AGREE, CONSULT"),
        ("plv", "<s>Norway</s> met <t>Peru</t>.\tCONSULT\t0", ":3: quad code '0', expected one of 1, 2, 3, 4"),
        ("plv", "<s>Norway</s> met <t>Peru</t>.\tCONSULT", ":3: 2 columns, expected 3"),
        ("aw", "2\t<s>Norway</s> met <t>Peru</t>.", ":3: binary code '2', expected one of 0, 1"),
        ("aw", "1", ":3: 1 columns, expected 2"),
        ("cameo", "Rain.\t9", ":2: class '9', expected one of 0, 1, 2, 3, 4"),
        ("cameo", "Rain.", ":2: 1 columns, expected 2"),
        ("ner", "met", ":2: found 'met', expected a word and one of B-R, B-S, B-T, I-R, I-S, I-T, O"),
        ("ner", "met V B-R", ":2: found 'met V B-R', expected a word and one of"),
        ("ner", "met B-Location", ":2: found 'met B-Location', expected a word and one of"),
        ("re3d", "met B-S", ":2: found 'met B-S', expected a word and one of B-DocumentReference, B-Location"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_file_its_line_and_what_was_expected(
    path: Path, reader: str, bad: str, expected: str
):
    read = READERS[reader]
    assert len(_rows(read, path, GOOD[reader])) == 1
    with pytest.raises(RowError, match=expected) as raised:
        _rows(read, path, f"{GOOD[reader]}{bad}\n")
    assert str(raised.value).startswith(f"{path}:")


@pytest.mark.parametrize("reader", ["plv", "aw"])
def test_a_column_that_is_not_there_is_named(path: Path, reader: str):
    first, rest = GOOD[reader].split("\n", 1)
    with pytest.raises(RowError, match=r"rows:1: no column 'marked_sentence'; found (sentence, )?gold_"):
        _rows(READERS[reader], path, first.replace("marked_sentence", "sentence") + "\n" + rest)


def test_a_bad_record_is_told_by_its_number(path: Path):
    with pytest.raises(RowError, match=r"rows: record 2: event 'MEET', expected one of AGREE"):
        _rows(plover.read_gsr, path, json.dumps([_record(), _record(event="MEET")]))
    with pytest.raises(RowError, match=r"rows: not a list of records \(JSONDecodeError"):
        _rows(plover.read_gsr, path, "[{]")


def _rows(read: Callable[[Path], Any], path: Path, content: str) -> list[Row]:
    path.write_text(content, "utf-8", newline="")
    return list(read(path))


def _mentions(row: Row) -> dict[str, list[str]]:
    """The words of each actor's mentions, by its name."""
    found: dict[str, list[str]] = {}
    for mention in row["actors"] or ():
        assert mention["field"] == "text"
        found.setdefault(mention["name"], []).append(row["text"][mention["start"] : mention["end"]])
    return found


def _words(row: Row) -> list[str]:
    return [words for mentions in _mentions(row).values() for words in mentions]


def _pairs(row: Row, head: str) -> list[tuple[str, str, str]]:
    return [(each["source"], each["target"], each["label"]) for each in row["pairs"] if each["head"] == head]


def _spans(row: Row, head: str) -> list[tuple[str, str]]:
    """Words and label of every tagged span."""
    (found,) = row["tags"]
    assert found["head"] == head
    return [(row["text"][span["start"] : span["end"]], span["label"]) for span in found["spans"]]


def _table(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter="\t", lineterminator="\n").writerows(rows)
    return out.getvalue()


def _json(*rows: Row) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _plv(relations: Sequence[tuple[str, str, str]]) -> str:
    """A file of relations, with columns that are not read around those that are."""
    head = ["", "gold_penta", "sentence", "marked_sentence", "gold_root", "silver_root"]
    rows = [[str(number), quad, "-", marked, root, "-"] for number, (marked, root, quad) in enumerate(relations)]
    return _table([head, *rows])


def _target(text: str, mention: str, polarity: float) -> Row:
    start = text.index(mention)
    return {"from": start, "to": start + len(mention), "mention": mention, "polarity": polarity}


def _record(
    event: str = "AID",
    source: Sequence[str] = ("Norway",),
    target: Sequence[str] = ("Peru",),
    text: str = "Norway aided Peru.",
) -> Row:
    sides = {"source": source, "target": target}
    actors = {side: [{"actorText": name, "code": "XXX"} for name in names] for side, names in sides.items()}
    return {"id": "r1", "event": event, "text": text, **actors}


def _article(id: str, text: str) -> Row:
    return {"id": id, "title": "A title", "date": "2016-08-23", "text": text}


def _label(article: Row, part: str) -> Row:
    """The labels of an article whose first word is an actor."""
    end = len(article["text"].split()[0])
    actors = {"Norway": {"text": [[0, end]]}}
    digest = standoff.digest(article["title"], article["text"])
    return {
        "id": article["id"], "part": part, "length": len(article["text"]), "sha256": digest, "topics": ["sport"],
        "actors": actors, "stances": [],
    }  # fmt: skip


def _labels(folder: Path, labels: Sequence[Row]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text(_json(*labels), "utf-8")
    return path


def _texts(folder: Path, articles: Sequence[Row]) -> Path:
    path = folder / "texts.jsonl"
    path.write_text(_json(*articles), "utf-8")
    return path


@pytest.mark.parametrize(
    "changes", [{"polarity": "good"}, {"polarity": None}, {"polarity": [4]}, {"from": "first"}, {"to": None}]
)
def test_a_target_of_another_form_is_told_by_its_line(path: Path, changes: dict[str, Any]):
    target = {"from": 0, "to": 4, "mention": "Rain", "polarity": 4, **changes}
    with pytest.raises(RowError, match="rows:1: not a sentence with its targets"):
        _rows(newsmtsc.read, path, json.dumps({"sentence_normalized": "Rain.", "targets": [target]}))


@pytest.mark.parametrize(
    "content",
    [
        5, {"id": "r1"}, ["AID"], [{"id": "r1", "event": "AID", "source": [{"actorText": "A"}], "target": []}],
        [{"id": "r1", "event": "AID", "text": "A aided B.", "source": ["A"], "target": ["B"]}],
    ],
)  # fmt: skip
def test_records_of_another_form_are_told(path: Path, content: object):
    with pytest.raises(RowError, match="rows: not a list of records"):
        _rows(plover.read_gsr, path, json.dumps(content))


def test_empty_brackets_are_no_entity(path: Path):
    with pytest.raises(RowError, match="rows:1: found nothing in brackets"):
        _rows(dse.read, path, "[] met [Peru].\t\tPeru\t0\n")
