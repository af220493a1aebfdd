from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.schema import Actor, Article, Evidence, ModelInfo, Prediction, Span, Stance, Topic
from inference.show import render
from inference.terminal import body, colours, fitted, lines, padded, painted, plain, visible, width

from .conftest import FORMS

TEXTS = st.lists(
    st.sampled_from([*FORMS, " praised ", ". ", "\n", "\r", "\x1b[2J", "中国", "e\u0301"]) | st.text(max_size=5)
).map("".join)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def words(text: str) -> str:
    """All that is not white space."""
    return "".join(text.split())


def shown(article: Article, prediction: Prediction, columns: int = 100) -> str:
    return render(article, prediction, columns, plain)


def example() -> tuple[Article, Prediction]:
    title, text = "Oil", "Russia thanked Iran. Iran condemned Syria and praised Russia."
    first, second = (Span("text", start, end, text[start:end]) for start, end in ((0, 20), (21, 61)))
    names = {"Russia": (0, 54), "Iran": (15, 21), "Syria": (36,)}
    return Article("7", text, title, "2020-01-02"), Prediction(
        "7",
        "ok",
        None,
        (Topic("diplomacy", 0.25, False), Topic("armed_conflict", 0.9, True)),
        tuple(
            Actor(name, tuple(Span("text", at, at + len(name), name) for at in places))
            for name, places in names.items()
        ),
        (
            Stance("Russia", "Iran", "support", 0.9, (Evidence(first, 0.9), Evidence(second, 0.5))),
            Stance("Iran", "Syria", "oppose", 0.8, (Evidence(second, 0.8),)),
        ),
        ModelInfo("0123456789abcdef", "detente", "3"),
    )


def test_the_page():
    assert shown(*example()).splitlines() == [
        "",
        "  Oil",
        "  2020-01-02 · 7",
        "",
        "  Russia thanked Iran.[1] Iran condemned Syria and praised Russia.[1][2]",
        "",
        "  Actors",
        "  Russia\u00a02  Iran\u00a02  Syria\u00a01",
        "",
        "  Topics",
        "  ● armed conflict ━━━━━━━━━━━  0.90    ○ diplomacy      ━━━          0.25",
        "",
        "  Stances",
        "  [1] Russia → Iran  support 0.90  “Russia thanked Iran.” +1",
        "  [2] Iran → Syria   oppose  0.80  “Iran condemned Syria and praised Russia.”",
        "",
        "  model detente 3 · 0123456789ab",
    ]


def test_a_narrow_page_puts_quotes_below():
    page = shown(*example(), columns=44).splitlines()
    assert max(map(len, page)) <= 44
    assert page[-6:-2] == [
        "  [1] Russia → Iran  support 0.90",
        "      “Russia thanked Iran.” +1",
        "  [2] Iran → Syria   oppose  0.80",
        "      “Iran condemned Syria and praised…”",
    ]


def test_colour_changes_nothing_but_the_look():
    article, prediction = example()
    coloured = render(article, prediction, 100, painted)
    assert "\x1b[1;38;5;33mRussia" in coloured
    assert "\x1b[1;38;5;33;4mRussia" in coloured, "an actor in a sentence of evidence is underlined too"
    assert ESCAPE.sub("", coloured).rstrip() == shown(article, prediction).rstrip()


@given(TEXTS, TEXTS, st.integers(1, 120))
def test_the_whole_text_is_there_and_fits(linear, title, text, columns):
    (prediction,) = linear.predict([{"title": title, "text": text}])
    article = Article("1", text, title)
    page = shown(article, prediction, columns)
    assert words(body(text)) in words(re.sub(r"\[\d+\]", "", page)) or "[" in text
    assert all(width(line) <= max(40, min(columns, 100)) for line in page.splitlines())


@given(TEXTS, st.text())
def test_nothing_commands_the_terminal(linear, text, hostile):
    article = Article(hostile, text, hostile, date="\x1b]0;x\x07")
    (prediction,) = linear.predict([{"title": hostile, "text": text, "actors": None}])
    named = Prediction(
        hostile,
        prediction.status,
        "\x1b[2J",
        (Topic("\x9b31m", 0.5, True),),
        (*prediction.actors, Actor("\x1b[H\u202e", ())),
        (Stance("\x1b[H\u202e", "\r", "\x1b", 0.5, (Evidence(Span("text", 0, 0, "\x1b"), 0.5),)),),
        ModelInfo("\x1b", "\x1b", "\x9b"),
    )
    # The target of the stance above stands in no list of actors: the page must not fall over it.
    page = shown(article, named)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize(("status", "error"), [("empty", "`text` is empty"), ("error", "`text` is int")])
def test_what_was_not_scored_says_so(status, error):
    page = shown(Article("1", "", "Only a title"), Prediction("1", status, error, (), (), (), ModelInfo("d")))
    assert "Only a title" in page
    assert f"{status}: {error}" in page
    assert "Topics" not in page


def test_bidirectional_and_control_marks_become_visible():
    assert visible("a\x1b[31mb\x7f\x9b\u202e\n") == "a␛[31mb␡��␊"
    assert body("a\r\nb\rc\td\u2028e") == "a \nb\nc d\ne"
    assert visible("👩‍👩‍👧 é 中 می‌خواهم") == "👩‍👩‍👧 é 中 می‌خواهم"


@given(st.text())
def test_offsets_stay(text):
    assert len(visible(text)) == len(body(text)) == len(text)


@given(st.text(), st.integers(2, 30))
def test_lines_lose_nothing_but_space(text, columns):
    text = body(text)
    found = list(lines(text, columns))
    kept = {index for start, end in found for index in range(start, end)}
    assert all(text[index] in " \n" for index in range(len(text)) if index not in kept)
    assert all(width(text[start:end]) <= columns for start, end in found)


@given(st.text(), st.integers(2, 30))
def test_fitted_and_padded(text, columns):
    text = body(text).replace("\n", " ")
    assert width(fitted(text, columns)) <= columns
    assert width(padded(text, columns)) == columns
    assert fitted(text, 10_000) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_when_there_are_colours(monkeypatch, environment, expected):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours(Terminal()) is expected
