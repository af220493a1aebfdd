"""One article for people, as a page that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from .marks import Segment, actor_order, segments
from .picture import Link, picture, xml_text
from .schema import SUPPORT, Article, Field, Prediction, Stance, Topic

_COLOURS = 8
"""Actors that have a colour of their own; further ones share a plain look."""

_STYLE = """
:root { --paper: #fffefb; --ink: #22242a; --dim: #6b6f78; --line: #e3e1da; --support: #1f7a4d; --oppose: #b3344a;
  --a0: #1c5fb0; --a1: #a65300; --a2: #93308f; --a3: #00707a; --a4: #7a6200; --a5: #5a45b5; --a6: #3d6478;
  --a7: #86452f; }
@media (prefers-color-scheme: dark) { :root { --paper: #17191d; --ink: #e6e4de; --dim: #9a9ea8; --line: #33363d;
  --support: #56c28b; --oppose: #ef7d90; --a0: #7db3f5; --a1: #f0a35e; --a2: #dd8ad8; --a3: #5ecad4; --a4: #d8bf4e;
  --a5: #afa1f2; --a6: #9cc3d6; --a7: #dba189; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1.1rem 3rem; max-width: 44rem; background: var(--paper); color: var(--ink);
  font: 1.05rem/1.6 Georgia, "Times New Roman", serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .3rem; text-wrap: balance; }
h2 { font: 600 .85rem/1 system-ui, sans-serif; text-transform: uppercase; letter-spacing: .06em; color: var(--dim);
  margin: 2.2rem 0 .8rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
p.facts, footer, table, ol, .actors, figure { font-family: system-ui, sans-serif; font-size: .92rem;
  line-height: 1.45; }
p.facts, footer { color: var(--dim); margin: 0 0 1.4rem; }
.text { white-space: pre-line; }
b { font-weight: 650; }
.evidence { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: .2em;
  text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); }
a { color: inherit; text-decoration: none; }
sup a { font: 600 .72rem/1 system-ui, sans-serif; padding: .1em .35em; margin-left: .15em; border-radius: .6em;
  border: 1px solid currentColor; }
.support { color: var(--support); } .oppose { color: var(--oppose); }
table { border-collapse: collapse; width: 100%; } td { padding: .22rem 0; vertical-align: middle; }
td.label { white-space: nowrap; padding-right: .9rem; } td.score { width: 3rem; text-align: right;
  font-variant-numeric: tabular-nums; }
.bar { display: block; height: .55rem; border-radius: .3rem; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--dim); } .assigned .bar i { background: var(--ink); }
.assigned .label { font-weight: 650; } tr:not(.assigned) { color: var(--dim); }
ol { padding-left: 1.5rem; } li { margin-bottom: .9rem; } li:target, sup:target { background: var(--line); }
li .head { font-weight: 600; } blockquote { margin: .25rem 0 0; padding-left: .8rem; border-left: 2px solid var(--line);
  font: 1rem/1.5 Georgia, serif; }
.actors { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; } .actors li { margin: 0; }
figure { margin: 0; } svg { width: 100%; height: auto; max-height: 34rem; color: var(--ink); }
""" + "\n".join(f".a{number} {{ color: var(--a{number}); }}" for number in range(_COLOURS))


def page(article: Article, prediction: Prediction) -> str:
    """A whole HTML document.

    The article with actors in colours and sentences of evidence underlined; each of these ends with the numbers of the
    stances that it shows, which lead to them; a stance leads back to the first of its sentences. It can be read without
    colours, a mouse or a wide screen.

    Args:
        article: the article.
        prediction: what was found in it.
    """
    return "\n".join(_Page(article, prediction).lines()) + "\n"


class _Page:
    """An article on its way to a page."""

    def __init__(self, article: Article, prediction: Prediction) -> None:
        self._article = article
        self._prediction = prediction
        self._led: set[int] = set()
        self._looks = {name: f"a{place}" for place, name in enumerate(actor_order(prediction)[:_COLOURS])}

    def lines(self) -> Iterator[str]:
        """The document in pieces."""
        name = self._article.title or self._article.id
        yield "<!doctype html>"
        yield '<html lang="en"><head><meta charset="utf-8">'
        yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
        yield f"<title>{_text(name)}</title>"
        yield f"<style>{_STYLE}</style></head><body>"
        yield f"<article>{self._heading()}"
        yield f'<div class="text">{self._field("text")}</div></article>'
        if self._prediction.status != "ok":
            yield f"<p>{self._prediction.status}: {_text(self._prediction.error or '')}</p>"
        if self._prediction.stances:
            yield f"<h2>Stances</h2><figure>{self._graph()}</figure>"
            yield f"<ol>{''.join(map(self._stance, range(len(self._prediction.stances))))}</ol>"
        if self._prediction.topics:
            topics = sorted(self._prediction.topics, key=lambda topic: (not topic.assigned, -topic.score))
            yield f"<h2>Topics</h2><table>{''.join(map(_topic, topics))}</table>"
        if self._prediction.actors:
            yield f'<h2>Actors</h2><ul class="actors">{"".join(self._actors())}</ul>'
        yield f"<footer><h2>Model</h2>{self._model()}</footer></body></html>"

    def _heading(self) -> str:
        title = f"<h1>{self._field('title')}</h1>" if self._article.title else ""
        facts = " · ".join(_text(fact) for fact in (self._article.date, self._article.id) if fact)
        return f'{title}<p class="facts">{facts}</p>'

    def _field(self, field: Field) -> str:
        text = self._article.field(field)
        return "".join(self._segment(segment, text) for segment in segments(self._prediction, field, len(text)))

    def _segment(self, segment: Segment, text: str) -> str:
        words = _text(text[segment.start : segment.end])
        if segment.actor is not None:
            words = self._actor(segment.actor, words)
        if segment.stances:
            words = f'<span class="evidence">{words}</span>'
        if segment.last:
            words += "".join(self._number(number) for number in segment.stances)
        return words

    def _actor(self, name: str, words: str) -> str:
        look = self._looks.get(name, "")
        return f'<b class="{look}" title="{_text(name)}">{words}</b>'

    def _number(self, number: int) -> str:
        """What leads from a sentence to a stance; the stance leads back to the first that names it."""
        stance = self._prediction.stances[number]
        place = "" if number in self._led else f' id="e{number + 1}"'
        self._led.add(number)
        said = _text(f"{stance.source} {stance.label}s {stance.target}")
        link = f'<a href="#s{number + 1}" aria-label="{said}">{number + 1}</a>'
        return f'<sup class="{stance.label}"{place}>{link}</sup>'

    def _stance(self, number: int) -> str:
        stance = self._prediction.stances[number]
        source, target = (self._actor(name, _text(name)) for name in (stance.source, stance.target))
        verb = "supports" if stance.label == SUPPORT else "opposes"
        back = f'<a href="#e{number + 1}" aria-label="to the sentence">↑</a>'
        head = f'{source} <span class="{stance.label}">{verb}</span> {target} {stance.score:.2f} {back}'
        quotes = "".join(f"<blockquote>{_text(evidence.span.quote)}</blockquote>" for evidence in stance.evidence)
        return f'<li id="s{number + 1}"><span class="head">{head}</span>{quotes}</li>'

    def _graph(self) -> str:
        return picture([_link(stance) for stance in self._prediction.stances])

    def _actors(self) -> Iterator[str]:
        for actor in sorted(self._prediction.actors, key=lambda actor: -len(actor.mentions)):
            yield f"<li>{self._actor(actor.name, _text(actor.name))} {len(actor.mentions)}</li>"

    def _model(self) -> str:
        model = self._prediction.model
        return " · ".join(_text(part) for part in (model.name, model.version, model.digest[:12]) if part)


def _link(stance: Stance) -> Link:
    return Link(stance.source, stance.target, stance.label, round(stance.score, 2))


def _topic(topic: Topic) -> str:
    look = ' class="assigned"' if topic.assigned else ""
    bar = f'<span class="bar"><i style="width:{100 * topic.score:.0f}%"></i></span>'
    label = _text(topic.label.replace("_", " "))
    return f'<tr{look}><td class="label">{label}</td><td>{bar}</td><td class="score">{topic.score:.2f}</td></tr>'


def _text(text: str) -> str:
    """`text` as HTML shows it; what no document may hold is left out."""
    return escape(xml_text(text))
