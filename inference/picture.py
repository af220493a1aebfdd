"""Stances as a drawing: actors on a circle, an arrow for who supports or opposes whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import atan2, cos, degrees, hypot, pi, sin, sqrt

from .schema import OPPOSE, SUPPORT

Point = tuple[float, float]

GREEN, RED = "#2a9d62", "#d1495b"
_RADIUS = 190.0
_LABEL = 170.0
"""Room for names beside the circle."""
_ROW = 14.0
_DOT = 5.0
_LONGEST = 26
"""Letters of a name that fit."""
_TURNED = 14
"""Actors from which names stand along the rays, so that they do not meet."""


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow: `source` holds `label` (support or oppose) towards `target`, with a weight above zero."""

    source: str
    target: str
    label: str
    weight: float


def picture(links: Sequence[Link]) -> str:
    """An SVG document that needs nothing else; its text takes the colour of what is around it.

    Args:
        links: the weightiest are drawn last, on top.
    """
    names = _order(links)
    places = {name: _at(number, len(names)) for number, name in enumerate(names)}
    heaviest = max((link.weight for link in links), default=1.0)
    arrows = [_arrow(link, places, heaviest) for link in sorted(links, key=lambda link: link.weight)]
    turned = len(names) >= _TURNED
    dots = [_actor(name, place, turned) for name, place in places.items()]
    wide = _RADIUS + _LABEL
    edges = [y for _, y in places.values()] + [_middle(link, places)[1] for link in links]
    high = wide if turned else max(map(abs, edges), default=0.0) + 3 * _ROW
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-wide:g} {-high:g} {2 * wide:g} {2 * high:g}" '
        'role="img" font-family="system-ui, sans-serif" font-size="13" color="#222">\n'
        f"<title>Who supports (green) or opposes (red) whom: {len(names)} actors, {len(links)} stances</title>\n"
        f"{_heads()}{''.join(arrows)}{''.join(dots)}</svg>\n"
    )


def xml_text(text: str) -> str:
    """`text` without what XML 1.0 cannot hold: control characters and halves of surrogate pairs."""
    return "".join(sign for sign in text if sign in "\t\n\r" or (sign >= " " and not "\ud800" <= sign <= "\udfff"
                   and sign not in "\ufffe\uffff"))  # fmt: skip


def _order(links: Sequence[Link]) -> list[str]:
    """Actors so that those with much between them stand side by side."""
    ties: dict[str, dict[str, float]] = {}
    for link in links:
        for one, other in ((link.source, link.target), (link.target, link.source)):
            ties.setdefault(one, {}).setdefault(other, 0.0)
            ties[one][other] += link.weight
    left = sorted(ties, key=lambda name: (-sum(ties[name].values()), name))
    order: list[str] = left[:1]
    left = left[1:]
    while left:
        last = ties[order[-1]]
        order.append(max(left, key=lambda name: last.get(name, 0.0)))
        left.remove(order[-1])
    return order


def _at(number: int, count: int) -> Point:
    """A place on the circle, clockwise from its left, so that two actors face each other in a line."""
    angle = pi + 2 * pi * number / max(1, count)
    return _RADIUS * cos(angle), _RADIUS * sin(angle)


def _arrow(link: Link, places: dict[str, Point], heaviest: float) -> str:
    """A curve that bends towards the middle, and to its right, so that there and back do not meet."""
    bend = _bend(link, places)
    start, end = _towards(places[link.source], bend, _DOT + 3), _towards(places[link.target], bend, _DOT + 5)
    colour = GREEN if link.label == SUPPORT else RED
    share = sqrt(link.weight / max(heaviest, 1e-9))
    said = f"{link.source} → {link.target}: {link.label}, {link.weight:g}"
    look = f'stroke="{colour}" stroke-width="{0.7 + 3.3 * share:.1f}" stroke-opacity="{0.25 + 0.65 * share:.2f}"'
    return (
        f'<path d="M{start[0]:.1f} {start[1]:.1f}Q{bend[0]:.1f} {bend[1]:.1f} {end[0]:.1f} {end[1]:.1f}" fill="none" '
        f'{look} marker-end="url(#{link.label})">'
        f"<title>{escape(xml_text(said))}</title></path>\n"
    )


def _bend(link: Link, places: dict[str, Point]) -> Point:
    """What a link's curve is drawn towards."""
    (x1, y1), (x2, y2) = places[link.source], places[link.target]
    side = 0.16 if link.label == SUPPORT else 0.26
    return 0.3 * (x1 + x2) - (y2 - y1) * side, 0.3 * (y1 + y2) + (x2 - x1) * side


def _middle(link: Link, places: dict[str, Point]) -> Point:
    """The middle of a link's curve."""
    (x1, y1), (x, y), (x2, y2) = places[link.source], _bend(link, places), places[link.target]
    return (x1 + 2 * x + x2) / 4, (y1 + 2 * y + y2) / 4


def _actor(name: str, place: Point, turned: bool) -> str:
    """A dot and its name: along the ray where names are turned, else beside the dot, or above or below it."""
    x, y = place
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    out = 1 + 12 / _RADIUS
    at, anchor, turn = (x * out, y * out), "end" if x < 0 else "start", ""
    if turned:
        angle = degrees(atan2(-y, -x) if x < 0 else atan2(y, x))
        turn = f' transform="rotate({angle:.1f} {at[0]:.1f} {at[1]:.1f})"'
    elif abs(x) < _RADIUS / 5:
        at, anchor = (x, y + (_ROW if y > 0 else -_ROW)), "middle"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_DOT:g}" fill="currentColor"/>'
        f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" dy="0.35em" text-anchor="{anchor}" '
        f'fill="currentColor"{turn}>{escape(xml_text(shown))}<title>{escape(xml_text(name))}</title></text>\n'
    )


def _towards(point: Point, other: Point, distance: float) -> Point:
    """The place so far from a point on the way to another."""
    length = hypot(other[0] - point[0], other[1] - point[1]) or 1.0
    return point[0] + (other[0] - point[0]) * distance / length, point[1] + (other[1] - point[1]) * distance / length


def _heads() -> str:
    """Arrow heads, one a label."""
    shape = 'viewBox="0 0 8 8" refX="6" refY="4" markerWidth="11" markerHeight="11" markerUnits="userSpaceOnUse"'
    heads = (
        f'<marker id="{label}" {shape} orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for label, colour in ((SUPPORT, GREEN), (OPPOSE, RED))
    )
    return f"<defs>{''.join(heads)}</defs>\n"
