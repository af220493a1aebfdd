from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.__main__ import main
from inference.errors import InputError
from inference.graph import Edge, actors, edges
from inference.graph_files import drawn, edge_list, graphml, write_graph
from inference.picture import Link, picture
from inference.writing import OUTPUTS, format_of

NAMESPACE = {"g": "http://graphml.graphdrawing.org/xmlns"}
SVG = "{http://www.w3.org/2000/svg}"


def stance(source: str, target: str, label: str, score: float = 0.5) -> dict[str, object]:
    return {"source": source, "target": target, "label": label, "score": score, "evidence": []}


RECORDS: list[dict[str, object]] = [
    {"id": "a", "date": "2016-08-02", "stances": [stance("Russia", "Iran", "support", 0.75)]},
    {"id": "b", "date": "2016-07-31", "stances": [stance("Russia", "Iran", "support"), stance("UN", "Iran", "oppose")]},
    {"id": "c", "stances": [stance("Russia", "Iran", "oppose", 0.25)]},
    {"id": "d", "date": None, "stances": []},
    {"id": "e", "date": "2017-01-01", "stances": None},
]


@pytest.fixture
def records(tmp_path: Path) -> str:
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    return str(path)


def test_stances_of_articles_become_edges(records: str):
    first, second = edges([records])
    assert first == Edge("Russia", "Iran", 2, 1, 1.25, 0.25, "2016-07-31", "2016-08-02", ["a", "b", "c"])
    assert (second.source, second.target, second.oppose, second.articles) == ("UN", "Iran", 1, ["b"])
    assert actors([first, second]) == {"Iran": 4, "Russia": 3, "UN": 1}


def test_an_article_with_both_stances_is_one_article(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    mixed = {"id": "a", "stances": [stance("UN", "Iran", "support"), stance("UN", "Iran", "oppose")]}
    path.write_text(json.dumps(mixed) + "\n", "utf-8")
    (edge,) = edges([str(path)])
    assert (edge.support, edge.oppose, edge.count, edge.articles) == (1, 1, 1, ["a"])


def test_several_files_are_one_network(records: str, tmp_path: Path):
    pq.write_table(pa.Table.from_pylist(RECORDS[:2]), tmp_path / "more.parquet")
    first, second = edges([records, str(tmp_path / "more.parquet")])
    assert (first.support, first.articles) == (4, ["a", "b", "c", "a", "b"])
    assert second.count == 2


def test_a_directory_of_records_may_hold_the_network_too(records: str, tmp_path: Path):
    write_graph(str(tmp_path / "net.csv"), edges([str(tmp_path)]), 5)
    assert edges([str(tmp_path)]) == edges([records])


def test_a_record_without_an_id_goes_by_its_place(tmp_path: Path):
    record = {"id": None, "stances": [{"source": "Iran", "target": "Russia", "label": "support", "score": 0.5}]}
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps(record) + "\n", "utf-8")
    (edge,) = edges([str(path)])
    assert edge.articles == [f"{path}, line 1"]


def test_records_may_be_compressed_and_in_directories(records: str, tmp_path: Path):
    (tmp_path / "parts.jsonl").mkdir()
    for number, (record, ending) in enumerate(zip(RECORDS, OUTPUTS, strict=False)):
        format = format_of(f"a{ending}")
        with format.open(tmp_path / "parts.jsonl" / f"part-{number}{ending}", {}) as append:
            append(format.encode([record]))
    first, _ = edges([str(tmp_path / "parts.jsonl")])
    assert first.articles == ["a", "b", "c"]
    assert edges([f"{tmp_path}/parts.*/part-[12]*"])[0].articles == ["b", "c"]
    with pytest.raises(InputError, match="no file matches"):
        edges([f"{tmp_path}/parts.*/part-9*"])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "records.jsonl, line 1: broken JSON"),
        ('{"id": "a", "stances": 5}', "line 1: no record: `stances` is 5, expected a list"),
        ('{"id": "a", "stances": []}\n{"id": "b"}', "line 2: no record: `stances` is '', expected a list"),
        ('{"id": "a", "text": "x"}', "line 1: no column `stances`; found id, text"),
        ('{"id": "a", "stances": [{"source": "Iran"}]}', r"line 1: stances\[0\] is not .* \(KeyError: 'target'\)"),
        ('{"id": "a", "stances": ["Iran"]}', r"line 1: stances\[0\] is not a record's stance"),
        (json.dumps({"id": "a", "stances": [stance("A", "B", "love")]}), r"stances\[0\] is not .*'love'"),
        (json.dumps({"id": "a", "stances": [stance("A", "B", "support") | {"score": "x"}]}), "could not convert"),
        (json.dumps({"id": "a", "stances": [stance("A", "B", "support") | {"source": 3}]}), "found 3, expected a name"),
    ],
)
def test_what_is_no_record_is_told_with_its_place(tmp_path: Path, line: str, message: str):
    path = tmp_path / "records.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(InputError, match=message):
        edges([str(path)])


def test_the_edge_list_has_a_line_an_edge(records: str):
    rows = list(csv.DictReader(io.StringIO(edge_list(edges([records])))))
    assert [(row["source"], row["target"], row["support"], row["oppose"]) for row in rows] == [
        ("Russia", "Iran", "2", "1"), ("UN", "Iran", "0", "1"),
    ]  # fmt: skip
    assert (rows[0]["support_score"], rows[0]["first"], rows[0]["last"]) == ("1.25", "2016-07-31", "2016-08-02")
    assert json.loads(rows[0]["articles"]) == ["a", "b", "c"]


def test_graphml_has_actors_and_edges(records: str):
    root = ElementTree.fromstring(graphml(edges([records])))  # noqa: S314
    names = {node.get("id"): _data(node)["label"] for node in root.iterfind("g:graph/g:node", NAMESPACE)}
    found = [
        (names[edge.get("source")], names[edge.get("target")], _data(edge))
        for edge in root.iterfind("g:graph/g:edge", NAMESPACE)
    ]
    assert [(source, target) for source, target, _ in found] == [("Russia", "Iran"), ("UN", "Iran")]
    assert found[0][2] == {
        "support": "2", "oppose": "1", "support_score": "1.25", "oppose_score": "0.25", "first": "2016-07-31",
        "last": "2016-08-02", "articles": '["a", "b", "c"]',
    }  # fmt: skip
    assert "first" in found[1][2]
    keys = {key.get("id") for key in root.iterfind("g:key", NAMESPACE)}
    assert keys == {"label", "stances", *found[0][2]}


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_can_be_written(source: str, target: str):
    network = [Edge(source, target + "'", 1, 0, 0.5)]
    ElementTree.fromstring(graphml(network))  # noqa: S314
    ElementTree.fromstring(drawn(network, 5))  # noqa: S314


def test_a_picture_has_an_arrow_a_leaning_and_the_busiest_actors(records: str):
    root = ElementTree.fromstring(drawn(edges([records]), top=2))  # noqa: S314
    arrows = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert [path.findtext(f"{SVG}title") for path in arrows] == [
        "Russia → Iran: oppose, 1",
        "Russia → Iran: support, 2",
    ]
    assert {text.findtext(f"{SVG}title") for text in root.iter(f"{SVG}text")} == {"Russia", "Iran"}


@pytest.mark.parametrize("actors", range(2, 16))
@pytest.mark.parametrize("label", ["support", "oppose"])
def test_nothing_of_a_picture_is_cut_off(actors: int, label: str):
    names = [f"A{number}" for number in range(actors)]
    links = [Link(one, other, label, 1) for one in names for other in names if one != other]
    root = ElementTree.fromstring(picture(links))  # noqa: S314
    left, top, wide, high = map(float, root.attrib["viewBox"].split())
    for path in (path for path in root.iter(f"{SVG}path") if path.get("marker-end")):
        x1, y1, x, y, x2, y2 = map(float, re.findall(r"-?[\d.]+", path.attrib["d"]))
        for at in (0.0, 0.25, 0.5, 0.75, 1.0):
            here = [(1 - at) ** 2 * a + 2 * at * (1 - at) * b + at**2 * c for a, b, c in ((x1, x, x2), (y1, y, y2))]
            assert left <= here[0] <= left + wide
            assert top <= here[1] <= top + high


def test_a_picture_of_nothing_is_one_all_the_same():
    assert ElementTree.fromstring(picture([])).tag == f"{SVG}svg"  # noqa: S314


def test_a_long_name_is_cut_and_told_whole():
    root = ElementTree.fromstring(picture([Link("A" * 50, "B", "support", 1)]))  # noqa: S314
    text = next(text for text in root.iter(f"{SVG}text") if text.findtext(f"{SVG}title") == "A" * 50)
    assert text.text is not None
    assert text.text.endswith("A…")


def test_the_command_writes_every_file_and_says_so(
    records: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["graph", records, "-o", "net.graphml", "-o", "net.csv", "-o", "net.svg"]) == 0
    assert capsys.readouterr().err == "3 actors, 2 edges → net.graphml, net.csv, net.svg\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.csv", "net.graphml", "net.svg", "records.jsonl"]


@pytest.mark.parametrize("output", ["net.png", "nowhere/net.csv", "net"])
def test_what_cannot_be_written_exits_2(
    records: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str
):
    monkeypatch.chdir(tmp_path)
    assert main(["graph", records, "-o", output]) == 2
    assert capsys.readouterr().err.startswith(f"error: {output}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["records.jsonl"]


def test_a_file_that_was_there_is_left_as_it_is_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "net.csv"
    path.write_text("before", "utf-8")

    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        write_graph(str(path), [], 5)
    assert path.read_text("utf-8") == "before"


def _data(element: ElementTree.Element) -> dict[str | None, str | None]:
    return {data.get("key"): data.text for data in element.iterfind("g:data", NAMESPACE)}
