from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from urllib3.util import connection

from training import fetch as fetching
from training.catalogue import MIRROR, Catalogue, CatalogueError, load_catalogue
from training.fetch import fetch
from training.public import standoff
from training.public.rows import RowError
from training.public.standoff import digest, read

from .mirror import ENTRY, hashed, write_catalogue, write_standoff

DSE = {"train": "Norway met Peru.\n" * 9000, "test": "Chad met Mali.\n" * 20}
CAMEO = {"train": "Rain.\t0\n" * 30}
SESSION = fetching._session
TEXTS = {"a1": "Norway aided Peru.", "b2": "Rain fell in Chad.", "c3": "Mali — “waited”."}


@dataclass
class Upstream:
    """What a server has, how it behaves and what it was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    cut: int | None = None
    """Bytes after which the connection breaks in the middle of a longer answer."""
    refuse: int = 0
    """Requests that are answered with 503 before others are answered."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    address: str = ""

    def add(self, path: str, content: str) -> None:
        self.files[f"/{ENTRY['repository']}/{ENTRY['commit']}/{path}"] = content.encode()

    @property
    def names(self) -> list[str]:
        """Files that were asked for, in order."""
        return [path.rpartition("/")[2] for path, _ in self.asked]


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """A server of this machine's own; nothing is asked for twice by itself."""
    state = Upstream()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append((self.path, self.headers.get("Range")))
            if state.refuse:
                state.refuse -= 1
                self.send_error(503)
            elif self.path not in state.files:
                self.send_error(404)
            else:
                self._send(state.files[self.path])

        def _send(self, content: bytes) -> None:
            start = 0
            if state.ranges and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
                start = int(asked[1])
                if start >= len(content):
                    self.send_error(416)
                    return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: state.cut])

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "_session", requests.Session)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def catalogue(tmp_path: Path, upstream: Upstream) -> Catalogue:
    """Two corpora that the server has."""
    content = {}
    for name, splits in (("dse", DSE), ("cameo_class", CAMEO)):
        files = {}
        for split, text in splits.items():
            upstream.add(f"data/{name} {split}.txt", text)
            files[split] = {
                "path": f"data/{name} {split}.txt", "mirror": f"{name}/{split}.txt", "sha256": hashed(text),
            }  # fmt: skip
        content[name] = {**ENTRY, "heads": ["dse"], "files": files}
    upstream.files = {path.replace(" ", "%20"): raw for path, raw in upstream.files.items()}
    return load_catalogue(write_catalogue(tmp_path / "corpora.yaml", content))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "build" / "corpora"


def test_corpora_are_downloaded_and_verified(upstream: Upstream, catalogue: Catalogue, folder: Path):
    fetch([], catalogue, folder, upstream.address)
    assert _files(folder) == {
        "dse/train.txt": DSE["train"], "dse/test.txt": DSE["test"], "cameo_class/train.txt": CAMEO["train"],
    }  # fmt: skip
    assert upstream.asked[0] == (f"/nobody/rows/{'0' * 40}/data/dse%20train.txt", None)


def test_only_the_corpora_that_are_named_are_downloaded(upstream: Upstream, catalogue: Catalogue, folder: Path):
    fetch(["cameo_class"], catalogue, folder, upstream.address)
    assert list(_files(folder)) == ["cameo_class/train.txt"]
    with pytest.raises(CatalogueError, match="corpus wikipedia: not in the catalogue"):
        fetch(["dse", "wikipedia"], catalogue, folder, upstream.address)
    assert len(upstream.asked) == 1


def test_what_is_there_is_not_asked_for_again(upstream: Upstream, catalogue: Catalogue, folder: Path):
    fetch(["dse"], catalogue, folder, upstream.address)
    (folder / "dse" / "test.txt").unlink()
    upstream.asked.clear()
    fetch(["dse"], catalogue, folder, upstream.address)
    assert upstream.names == ["dse%20test.txt"]
    fetch(["dse"], catalogue, folder, upstream.address)
    assert len(upstream.asked) == 1


def test_what_is_there_and_altered_is_told_and_left(upstream: Upstream, catalogue: Catalogue, folder: Path):
    fetch(["dse"], catalogue, folder, upstream.address)
    path = folder / "dse" / "test.txt"
    path.write_text("Mine.", "utf-8")
    with pytest.raises(CatalogueError, match=rf"corpus dse: {path} is cut short or altered: .* once it is deleted"):
        fetch(["dse"], catalogue, folder, upstream.address)
    assert path.read_text("utf-8") == "Mine."


def test_an_interrupted_download_is_gone_on_with(upstream: Upstream, catalogue: Catalogue, folder: Path):
    upstream.cut = 100_000
    with pytest.raises(CatalogueError) as raised:
        fetch(["dse"], catalogue, folder, upstream.address)
    message = str(raised.value)
    assert f"corpus dse: {upstream.address}/nobody/rows/{'0' * 40}/data/dse train.txt: upstream does not" in message
    assert "`python -m training fetch dse` goes on where this stopped" in message
    assert not (folder / "dse" / "train.txt").exists()
    (partial,) = (folder / "dse").glob("*.partial")
    have = partial.stat().st_size
    assert 0 < have <= 100_000

    upstream.cut = None
    upstream.asked.clear()
    fetch(["dse"], catalogue, folder, upstream.address)
    assert [asked for _, asked in upstream.asked] == [f"bytes={have}-"]
    assert _files(folder) == {"dse/train.txt": DSE["train"], "dse/test.txt": DSE["test"]}


def test_a_server_without_ranges_starts_over(upstream: Upstream, catalogue: Catalogue, folder: Path):
    upstream.cut, upstream.ranges = 100_000, False
    with pytest.raises(CatalogueError):
        fetch(["dse"], catalogue, folder, upstream.address)
    upstream.cut = None
    fetch(["dse"], catalogue, folder, upstream.address)
    assert _files(folder)["dse/train.txt"] == DSE["train"]


def test_a_download_that_ended_before_it_was_verified_is_verified(
    upstream: Upstream, catalogue: Catalogue, folder: Path
):
    (folder / "dse").mkdir(parents=True)
    for split in ("train", "test"):
        (folder / "dse" / f"{split}.txt.partial").write_text(DSE[split], "utf-8")
    fetch(["dse"], catalogue, folder, upstream.address)
    assert _files(folder) == {"dse/train.txt": DSE["train"], "dse/test.txt": DSE["test"]}


def test_an_altered_file_is_an_error_and_nothing_is_left_of_it(upstream: Upstream, catalogue: Catalogue, folder: Path):
    good = dict(upstream.files)
    upstream.files = {path: raw.replace(b"Norway", b"Sweden") for path, raw in upstream.files.items()}
    with pytest.raises(CatalogueError, match=r"corpus dse: .* is cut short or altered") as raised:
        fetch(["dse"], catalogue, folder, upstream.address)
    assert f"expected {hashed(DSE['train'])}" in str(raised.value)
    assert _files(folder) == {"dse/test.txt": DSE["test"]}
    upstream.files = good
    fetch(["dse"], catalogue, folder, upstream.address)
    assert _files(folder)["dse/train.txt"] == DSE["train"]


def test_a_partial_download_of_another_file_is_begun_anew(upstream: Upstream, catalogue: Catalogue, folder: Path):
    partial = folder / "dse" / "train.txt.partial"
    partial.parent.mkdir(parents=True)
    partial.write_text("Something else.", "utf-8")
    with pytest.raises(CatalogueError, match="altered"):
        fetch(["dse"], catalogue, folder, upstream.address)
    assert not partial.exists()
    fetch(["dse"], catalogue, folder, upstream.address)
    assert _files(folder)["dse/train.txt"] == DSE["train"]


def test_all_others_are_fetched_when_one_cannot_be_had(upstream: Upstream, catalogue: Catalogue, folder: Path):
    upstream.files = {path: raw for path, raw in upstream.files.items() if "dse%20train" not in path}
    with pytest.raises(CatalogueError) as raised:
        fetch([], catalogue, folder, upstream.address)
    assert len(str(raised.value).splitlines()) == 1
    assert "dse train.txt: upstream answers 404" in str(raised.value)
    assert f"expected a file with sha256 {hashed(DSE['train'])}" in str(raised.value)
    assert "name its folder in $DETENTE_MIRROR" in str(raised.value)
    assert _files(folder) == {"dse/test.txt": DSE["test"], "cameo_class/train.txt": CAMEO["train"]}


def test_nobody_listening_is_told_for_each_file(catalogue: Catalogue, folder: Path):
    with socket.socket() as holder:  # bound and not listening: every connection is refused
        holder.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{holder.getsockname()[1]}"
        with pytest.raises(CatalogueError) as raised:
            fetch(["dse"], catalogue, folder, address)
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert all("upstream does not answer (ConnectionError)" in line and address in line for line in lines)
    assert not _files(folder)


def test_a_connection_that_fails_is_tried_again(
    upstream: Upstream, catalogue: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    connect, failures = connection.create_connection, [OSError("no route"), OSError("no route")]

    def failing(*arguments: Any, **options: Any) -> socket.socket:
        if failures:
            raise failures.pop()
        return connect(*arguments, **options)

    def session() -> requests.Session:
        made = SESSION()
        made.mount("http://", made.get_adapter("https://"))
        return made

    monkeypatch.setattr(fetching, "_session", session)
    monkeypatch.setattr(connection, "create_connection", failing)
    fetch(["cameo_class"], catalogue, folder, upstream.address)
    assert not failures
    assert _files(folder) == {"cameo_class/train.txt": CAMEO["train"]}


def test_a_server_that_is_busy_is_told(upstream: Upstream, catalogue: Catalogue, folder: Path):
    upstream.refuse = 1
    with pytest.raises(CatalogueError, match="upstream answers 503 Service Unavailable"):
        fetch(["cameo_class"], catalogue, folder, upstream.address)
    assert not _files(folder)
    fetch(["cameo_class"], catalogue, folder, upstream.address)
    assert _files(folder) == {"cameo_class/train.txt": CAMEO["train"]}


@pytest.mark.parametrize("whole", [True, False])
def test_a_mirror_is_verified_and_nothing_is_downloaded(
    upstream: Upstream, catalogue: Catalogue, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
):
    mirror = tmp_path / "mirror"
    (mirror / "cameo_class").mkdir(parents=True)
    (mirror / "cameo_class" / "train.txt").write_text(CAMEO["train"] if whole else "Rain.\t0\n", "utf-8")
    monkeypatch.setenv(MIRROR, str(mirror))
    if whole:
        fetch(["cameo_class"], catalogue, folder, upstream.address)
    else:
        with pytest.raises(CatalogueError, match="cut short or altered"):
            fetch(["cameo_class"], catalogue, folder, upstream.address)
    with pytest.raises(CatalogueError, match=r"dse/train\.txt .*: the mirror in \$DETENTE_MIRROR lacks it"):
        fetch(["dse"], catalogue, folder, upstream.address)
    assert not upstream.asked
    assert not folder.exists()


# Texts of labels that stand apart from them


@pytest.fixture
def labelled(tmp_path: Path, upstream: Upstream) -> Catalogue:
    """A corpus of which the project has the labels and the server the texts, longer than what was labelled."""
    for id, text in TEXTS.items():
        upstream.add(f"data/{id}.json", _upstream(text))
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(_label(id)) + "\n" for id in TEXTS), "utf-8")
    file = {"path": "data/{id}.json", "mirror": "allsides/articles.jsonl"}
    content = {
        **ENTRY, "heads": ["topics"], "labels": "labels.jsonl", "files": {"train": file, "test": file},
    }  # fmt: skip
    return load_catalogue(write_catalogue(tmp_path / "corpora.yaml", {"allsides": content}))


def test_texts_are_fetched_one_by_one_and_once_for_all_splits(
    upstream: Upstream, labelled: Catalogue, folder: Path, tmp_path: Path
):
    fetch([], labelled, folder, upstream.address)
    assert upstream.names == ["a1.json", "b2.json", "c3.json"]
    assert list(_files(folder)) == ["allsides/articles.jsonl"]
    rows = list(read(folder / "allsides" / "articles.jsonl", tmp_path / "labels.jsonl", "train"))
    assert {row["id"]: row["text"] for row in rows} == TEXTS
    fetch([], labelled, folder, upstream.address)
    assert len(upstream.asked) == 3


def test_interrupted_texts_are_gone_on_with(upstream: Upstream, labelled: Catalogue, folder: Path, tmp_path: Path):
    kept = dict(upstream.files)
    upstream.files = {path: raw for path, raw in kept.items() if not path.endswith("b2.json")}
    with pytest.raises(CatalogueError, match=r"corpus allsides: .*\{id\}\.json: upstream answers 404") as raised:
        fetch([], labelled, folder, upstream.address)
    assert "expected the texts that " in str(raised.value)
    assert not (folder / "allsides" / "articles.jsonl").exists()
    upstream.files = kept
    upstream.asked.clear()
    fetch([], labelled, folder, upstream.address)
    assert upstream.names == ["b2.json", "c3.json"]
    rows = list(read(folder / "allsides" / "articles.jsonl", tmp_path / "labels.jsonl", "train"))
    assert {row["id"]: row["text"] for row in rows} == TEXTS


def test_a_line_that_was_cut_in_the_middle_is_fetched_again(
    upstream: Upstream, labelled: Catalogue, folder: Path, tmp_path: Path
):
    fetch([], labelled, folder, upstream.address)
    path = folder / "allsides" / "articles.jsonl"
    content = path.read_bytes()
    path.with_name("articles.jsonl.partial").write_bytes(content[:-20])
    path.unlink()
    upstream.asked.clear()
    fetch([], labelled, folder, upstream.address)
    assert upstream.names == ["c3.json"]
    assert path.read_bytes() == content


def test_an_altered_text_is_an_error_and_nothing_looks_finished(upstream: Upstream, labelled: Catalogue, folder: Path):
    upstream.add("data/b2.json", _upstream("Rain fell in Mali."))
    with pytest.raises(CatalogueError, match=rf"b2: sha256 [0-9a-f]+, expected {_label('b2')['sha256']}"):
        fetch([], labelled, folder, upstream.address)
    assert not (folder / "allsides" / "articles.jsonl").exists()


def test_texts_in_a_mirror_are_verified_by_their_reader(
    upstream: Upstream, labelled: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    mirror = tmp_path / "mirror"
    fetch([], labelled, mirror, upstream.address)
    monkeypatch.setenv(MIRROR, str(mirror))
    upstream.asked.clear()
    fetch([], labelled, tmp_path / "elsewhere", upstream.address)
    path = mirror / "allsides" / "articles.jsonl"
    path.write_text(path.read_text("utf-8").replace("Chad", "Mali"), "utf-8")
    with pytest.raises(RowError, match="the text b2 is cut short or altered"):
        list(read(path, tmp_path / "labels.jsonl", "train"))
    assert not upstream.asked


def _files(folder: Path) -> dict[str, str]:
    """Content of everything that looks finished."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"), reverse=True)
        if path.is_file() and path.suffix != ".partial"
    }


def _label(id: str) -> Mapping[str, Any]:
    text = TEXTS[id]
    return {
        "id": id, "part": "train", "length": len(text), "sha256": digest("A title", text), "topics": [], "actors": {},
        "stances": [],
    }  # fmt: skip


def _upstream(text: str) -> str:
    return json.dumps({"title": "A title", "date": None, "content_original": text + " And so on."})


def test_texts_with_odd_line_ends_are_gone_on_with(tmp_path: Path):
    texts = ["One.\u2028Two.", "Three.\x85Four."]
    labels = [{"id": f"a{number}", "sha256": digest("", text)} for number, text in enumerate(texts)]
    rows = [{"id": f"a{number}", "title": "", "date": None, "text": text} for number, text in enumerate(texts)]
    path = tmp_path / "articles.jsonl.partial"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) + '{"id": "a2", "ti', "utf-8")
    assert list(standoff.labelled(path, labels)) == rows


def test_a_text_that_newer_labels_are_about_is_asked_for(tmp_path: Path):
    entry = write_standoff(tmp_path, ["Rain in Chad.", "Sun in Mali."])
    catalogue = load_catalogue(write_catalogue(tmp_path / "corpora.yaml", {"allsides": entry}))
    path = tmp_path / "mirror" / "allsides" / "articles.jsonl"
    path.write_text(path.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    with pytest.raises(CatalogueError, match=r"corpus allsides: .* upstream does not answer"):
        fetch([], catalogue, tmp_path / "mirror", "http://127.0.0.1:9")
