from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given

from inference.__main__ import main
from inference.page import page
from inference.picture import xml_text
from inference.predictor import Predictor
from inference.schema import Actor, Article, ModelInfo, Prediction, Span

from .conftest import write_articles
from .test_show import TEXTS, example

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "br", "link", "img", "input"}


class Checker(HTMLParser):
    """Reads a document and holds its ids, its links, its outside addresses and the words of an element."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        if tag not in VOID and not given.get("/"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def body_text(document: str) -> str:
    """The article's text as a browser would copy it, the numbers of stances left out."""
    (inner,) = re.findall(r'<div class="text">(.*?)</div></article>', document, re.DOTALL)
    return unescape(re.sub(r"<[^>]*>", "", re.sub(r"<sup.*?</sup>", "", inner)))


def test_a_page_marks_actors_and_evidence_and_leads_to_and_fro():
    document = page(*example())
    found = Checker(document)
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert {link.removeprefix("#") for link in found.links} <= set(found.ids)
    assert '<b class="a0" title="Russia">Russia</b>' in document
    assert document.count('<span class="evidence">') > 0
    assert re.findall(r'aria-label="[^"]*">(\d)</a>', document) == ["1", "1", "2"]
    assert "Russia supports Iran" in unescape(document)
    assert re.search(r'<tr class="assigned"><td class="label">armed conflict</td>', document)
    assert {f"#{prefix}{number}" for prefix in "es" for number in (1, 2)} == set(found.links)
    assert body_text(document) == example()[0].text


def test_a_page_needs_no_network_and_no_script():
    document = page(*example())
    assert not re.findall(r"<script|<link|@import|url\((?!#)|src=", document)
    assert set(re.findall(r'https?://[^"\' ]+', document)) == {"http://www.w3.org/2000/svg"}


@given(TEXTS, TEXTS)
def test_nothing_of_an_article_is_lost_or_taken_for_markup(predictor: Predictor, title: str, text: str):
    article = Article("1", text, title)
    document = page(article, next(predictor.predict([article])))
    assert Checker(document).open == []
    assert body_text(document) == xml_text(text)


def test_words_that_look_like_markup_are_words():
    article = Article('"><script>', "<b>Iran</b> & co.", "<h1>")
    iran = Actor("<i>Iran", (Span("text", 3, 7, "Iran"),))
    document = page(article, Prediction("x", "error", "a < b", (), (iran,), (), ModelInfo("0" * 64)))
    assert "<script" not in document
    assert "&lt;b&gt;" in document
    assert "a &lt; b" in document
    assert body_text(document) == article.text


def test_the_command_writes_a_page(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    news = write_articles(tmp_path / "news.jsonl", [{"id": "a", "title": "Oil", "text": "Russia praised Iran."}])
    assert main(["show", news, "--model", str(bundle), "--html", str(tmp_path / "a.html")]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"→ {tmp_path / 'a.html'}\n")
    assert body_text((tmp_path / "a.html").read_text("utf-8")) == "Russia praised Iran."
    assert main(["show", news, "--model", str(bundle), "--html", str(tmp_path / "none" / "a.html")]) == 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 1200])
def test_a_browser_shows_it_within_its_width(tmp_path: Path, width: int):
    assert CHROMIUM is not None
    (tmp_path / "page.html").write_text(page(*example()), "utf-8")
    (tmp_path / "frame.html").write_text(
        f'<iframe src="page.html" style="width:{width}px;height:900px;border:0" onload="document.title ='
        " [this.contentDocument.documentElement.scrollWidth, this.contentDocument.querySelectorAll('svg path').length]"
        '"></iframe>',
        "utf-8",
    )
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--dump-dom",
         "--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    title = re.search(r"<title>(\d+),(\d+)</title>", done.stdout)
    assert title, done.stdout + done.stderr
    assert int(title[1]) <= width, "nothing sticks out"
    assert int(title[2]) == 4, "two arrows and their two heads"
