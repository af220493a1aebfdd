"""One article for a person: its text with actors and evidence marked, and what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .marks import actor_order, segments
from .schema import SUPPORT, Article, Field, Prediction, Stance, Topic
from .terminal import Paint, body, fitted, lines, padded, visible, width

MIN_COLUMNS, MAX_COLUMNS = 40, 100
"""Narrower is not worth breaking for; wider is hard to read."""

_ACTORS = ("38;5;33", "38;5;208", "38;5;170", "38;5;37", "38;5;178", "38;5;141", "38;5;109", "38;5;137")
_SUPPORT, _OPPOSE = "38;5;71", "38;5;167"
_BOLD, _DIM, _UNDERLINED = "1", "2", "4"
_INDENT = "  "
_BAR = 12
_QUOTE = 30
"""Columns below which a quote gets a line of its own."""

Piece = tuple[str, str]
"""Text and the codes of its look."""


def render(article: Article, prediction: Prediction, columns: int, paint: Paint) -> str:
    """The whole picture.

    Nothing of the article is left out or changed, but for characters that could command the terminal,
    which are shown as symbols. Numbers in brackets after a sentence name the stances that it shows.

    Args:
        article: the article.
        prediction: what was found in it.
        columns: the terminal's width.
        paint: `terminal.painted` or `terminal.plain`.

    Returns:
        Lines, each with its line feed.
    """
    page = _Page(article, prediction, max(MIN_COLUMNS, min(columns, MAX_COLUMNS)) - 2 * len(_INDENT), paint)
    return "".join(f"{_INDENT}{line}".rstrip() + "\n" for line in page.lines())


class _Page:
    """An article on its way to the terminal."""

    def __init__(self, article: Article, prediction: Prediction, columns: int, paint: Paint) -> None:
        self._article = article
        self._prediction = prediction
        self._columns = columns
        self._paint = paint
        self._looks = _looks(prediction)

    def lines(self) -> Iterator[str]:
        """The page line by line, without indent and line feeds."""
        yield ""
        if self._article.title:
            yield from self._wrapped(self._field("title", _BOLD))
        facts = (self._article.date, self._article.id)
        yield self._paint(fitted(" · ".join(visible(fact) for fact in facts if fact), self._columns), _DIM)
        yield ""
        yield from self._wrapped(self._field("text", ""))
        yield ""
        if self._prediction.status != "ok":
            yield f"{self._prediction.status}: {visible(self._prediction.error or '')}"
        for name, part in (("Actors", self._actors()), ("Topics", self._topics()), ("Stances", self._stances())):
            rows = list(part)
            if rows:
                yield self._paint(name, _BOLD)
                yield from rows
                yield ""
        yield self._paint(self._model(), _DIM)

    def _field(self, field: Field, look: str) -> list[Piece]:
        """A field in pieces: actors in their colours, evidence underlined and numbered."""
        text = body(self._article.field(field))
        pieces: list[Piece] = []
        for segment in segments(self._prediction, field, len(text)):
            actor = self._looks[segment.actor] if segment.actor is not None else ""
            codes = [look, actor, _UNDERLINED if segment.stances else ""]
            pieces.append((text[segment.start : segment.end], ";".join(code for code in codes if code)))
            if segment.last:
                pieces += [(f"[{number + 1}]", _side(self._prediction.stances[number])) for number in segment.stances]
        return pieces

    def _actors(self) -> Iterator[str]:
        pieces: list[Piece] = []
        for actor in sorted(self._prediction.actors, key=lambda actor: -len(actor.mentions)):
            pieces += [("  ", "")] if pieces else []
            # A no-break space keeps the number on the line of its name.
            pieces += [(visible(actor.name), self._looks[actor.name]), (f"\u00a0{len(actor.mentions)}", _DIM)]
        return self._wrapped(pieces) if pieces else iter(())

    def _topics(self) -> Iterator[str]:
        """Bars, the assigned topics first, in two columns where there is room."""
        topics = sorted(self._prediction.topics, key=lambda topic: (not topic.assigned, -topic.score))
        longest = max((width(visible(topic.label)) for topic in topics), default=0)
        cell = longest + _BAR + len("●   0.00")
        half = (len(topics) + 1) // 2 if 2 * cell + 4 <= self._columns else len(topics)
        for left in range(half):
            yield "    ".join(self._topic(topic, longest) for topic in topics[left::half])

    def _topic(self, topic: Topic, longest: int) -> str:
        dot, look = ("●", _BOLD) if topic.assigned else ("○", _DIM)
        label = padded(visible(topic.label).replace("_", " "), longest)
        return self._paint(f"{dot} {label} {_bar(topic.score)} {topic.score:.2f}", look)

    def _stances(self) -> Iterator[str]:
        stances = self._prediction.stances
        number = len(str(len(stances)))
        pair = min(max((_pair_width(stance) for stance in stances), default=0), self._columns - number - 18)
        for index, stance in enumerate(stances, start=1):
            look = _side(stance)
            head = self._paint(f"[{index}]".ljust(number + 2), look) + " " + self._pair(stance, pair)
            head += "  " + self._paint(f"{visible(stance.label):<7} {stance.score:.2f}", look)
            yield from self._with_quote(head, number + 3 + pair + 14, stance)

    def _pair(self, stance: Stance, columns: int) -> str:
        """Source and target in their colours, cut to fit."""
        source = fitted(visible(stance.source), (columns - 3) // 2 if _pair_width(stance) > columns else columns)
        target = fitted(visible(stance.target), columns - 3 - width(source))
        gap = " " * (columns - 3 - width(source) - width(target))
        painted = (self._paint(source, self._looks[stance.source]), self._paint(target, self._looks[stance.target]))
        return " → ".join(painted) + gap

    def _with_quote(self, head: str, used: int, stance: Stance) -> Iterator[str]:
        more = f" +{len(stance.evidence) - 1}" if len(stance.evidence) > 1 else ""
        quote = body(stance.evidence[0].span.quote)
        if self._columns - used - 2 >= _QUOTE:
            yield f"{head}  {_quoted(quote, self._columns - used - 2 - len(more))}{self._paint(more, _DIM)}"
        else:
            yield head
            yield f"    {_quoted(quote, self._columns - 4 - len(more))}{self._paint(more, _DIM)}"

    def _model(self) -> str:
        model = self._prediction.model
        name = " ".join(visible(part) for part in (model.name, model.version) if part)
        return f"model {name + ' · ' if name else ''}{visible(model.digest[:12])}"

    def _wrapped(self, pieces: Sequence[Piece]) -> Iterator[str]:
        """Pieces broken into lines, each piece in its look."""
        text = "".join(piece for piece, _ in pieces)
        rest = iter(_offsets(pieces))
        begin, end, look = next(rest, (0, 0, ""))
        for first, last in lines(text, self._columns):
            line, at = "", first
            while at < last:
                while end <= at:
                    begin, end, look = next(rest)
                cut = min(end, last)
                line += self._paint(text[max(at, begin) : cut], look)
                at = cut
            yield line


def _looks(prediction: Prediction) -> dict[str, str]:
    """A colour for each actor, those with stances first; when colours run out, bold."""
    order = enumerate(actor_order(prediction))
    return {name: ";".join((_BOLD, *_ACTORS[index : index + 1])) for index, name in order}


def _offsets(pieces: Iterable[Piece]) -> Iterator[tuple[int, int, str]]:
    at = 0
    for text, look in pieces:
        yield at, at + len(text), look
        at += len(text)


def _pair_width(stance: Stance) -> int:
    return width(visible(stance.source)) + 3 + width(visible(stance.target))


def _side(stance: Stance) -> str:
    return _SUPPORT if stance.label == SUPPORT else _OPPOSE


def _quoted(quote: str, columns: int) -> str:
    return f"“{fitted(' '.join(quote.split()), columns - 2)}”"


def _bar(score: float) -> str:
    halves = round(max(0.0, min(score, 1.0)) * _BAR * 2)
    return ("━" * (halves // 2) + "╸" * (halves % 2)).ljust(_BAR)
