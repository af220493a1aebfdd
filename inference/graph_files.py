"""Networks of actors as files: GraphML, an edge list in CSV, a picture in SVG."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from .errors import InputError
from .graph import Edge, actors
from .picture import Link, picture, xml_text
from .schema import OPPOSE, SUPPORT
from .writing import write_text

SUFFIXES = (".graphml", ".csv", ".svg")

_COLUMNS = {
    "support": "int", "oppose": "int", "support_score": "double", "oppose_score": "double", "first": "string",
    "last": "string", "articles": "string",
}  # fmt: skip
"""What files say of an edge besides its ends, in GraphML's types. `articles` is a JSON list of ids."""
_NAMESPACE = "http://graphml.graphdrawing.org/xmlns"


def check_output(path: str) -> None:
    """Make sure that a file's ending is one that can be written.

    Raises:
        InputError: it is not.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"{path}: found the ending {suffix or '(none)'!r}, expected one of {', '.join(SUFFIXES)}")


def write_graph(path: str, network: Sequence[Edge], top: int) -> None:
    """Write a network as the file's ending says; the file appears whole or not at all.

    Args:
        path: `.graphml`, `.csv` or `.svg`.
        network: the edges, the weightiest first.
        top: actors that a picture shows at most, the busiest; the other files have all.

    Raises:
        InputError: the ending is another, or the file cannot be written.
    """
    check_output(path)
    suffix = Path(path).suffix.lower()
    text = {".graphml": graphml, ".csv": edge_list}[suffix](network) if suffix != ".svg" else drawn(network, top)
    write_text(path, text)


def edge_list(network: Sequence[Edge]) -> str:
    """CSV with a header and a line an edge."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["source", "target", *_COLUMNS])
    rows.writerows([edge.source, edge.target, *_values(edge).values()] for edge in network)
    return out.getvalue()


def graphml(network: Sequence[Edge]) -> str:
    """GraphML with a node an actor, its name as `label`, and a directed edge a pair."""
    root = ElementTree.Element("graphml", xmlns=_NAMESPACE)
    keys = [("node", "label", "string"), ("node", "stances", "int")]
    for scope, name, kind in [*keys, *(("edge", name, kind) for name, kind in _COLUMNS.items())]:
        ElementTree.SubElement(root, "key", {"id": name, "for": scope, "attr.name": name, "attr.type": kind})
    graph = ElementTree.SubElement(root, "graph", edgedefault="directed")
    ids = {}
    for number, (name, count) in enumerate(actors(network).items()):
        ids[name] = f"n{number}"
        node = ElementTree.SubElement(graph, "node", id=ids[name])
        _data(node, {"label": name, "stances": count})
    for edge in network:
        _data(ElementTree.SubElement(graph, "edge", source=ids[edge.source], target=ids[edge.target]), _values(edge))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def drawn(network: Sequence[Edge], top: int) -> str:
    """The busiest actors and their stances towards each other as SVG."""
    shown = set(list(actors(network))[:top])
    links = [
        Link(edge.source, edge.target, label, count)
        for edge in network
        if {edge.source, edge.target} <= shown
        for label, count in ((SUPPORT, edge.support), (OPPOSE, edge.oppose))
        if count
    ]
    return picture(links)


def _data(parent: ElementTree.Element, values: dict[str, object]) -> None:
    for name, value in values.items():
        if value is not None:
            ElementTree.SubElement(parent, "data", key=name).text = xml_text(str(value))


def _values(edge: Edge) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(edge, name) for name in _COLUMNS}
    values |= {name: round(getattr(edge, name), 4) for name in ("support_score", "oppose_score")}
    return values | {"articles": json.dumps(edge.articles, ensure_ascii=False)}
