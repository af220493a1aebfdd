"""Downloads public corpora: with progress, going on where it was interrupted, and verified."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm

from .catalogue import MIRROR, Catalogue, CatalogueError, PublicCorpus, at_hand, entry, verify
from .public.rows import RowError
from .public.standoff import labelled, opening, read, read_labels

LOG = logging.getLogger(__name__)

UPSTREAM = "https://raw.githubusercontent.com"
_SECONDS = (10, 60)
"""To connect, and between two pieces of an answer."""
_PIECE = 1 << 13
_TRIES = 2
"""How often a connection that fails is tried again."""


def fetch(names: Sequence[str], catalogue: Catalogue, folder: Path, upstream: str = UPSTREAM) -> None:
    """Download what is not there yet, and verify what is. Where a mirror is named, its files are only verified.

    Args:
        names: of corpora; none stands for all.
        catalogue: knows them.
        folder: where files go, under their mirror names.
        upstream: address before owner and repository.

    Raises:
        CatalogueError: a corpus is not known; or, when all others are done, with each file that could not be had.
    """
    corpora = {name: entry(catalogue, name) for name in names or catalogue}
    problems = []
    with _session() as session:
        for name, corpus in corpora.items():
            for split in corpus.files:
                try:
                    if not os.environ.get(MIRROR):
                        _download(session, name, corpus, split, folder, upstream)
                    path = at_hand(name, corpus, split, folder)
                    if corpus.labels is not None:
                        list(read(path, corpus.labels, split))
                    LOG.info("%s: %s", name, path)
                except (CatalogueError, RowError) as error:
                    problems.append(str(error))
    if problems:
        raise CatalogueError("\n".join(problems))


def _download(
    session: requests.Session, name: str, corpus: PublicCorpus, split: str, folder: Path, upstream: str
) -> None:
    """Download a file unless it is there; what is cut short is gone on with, what is altered is begun anew."""
    file = corpus.files[split]
    path = folder / file.mirror
    url = f"{upstream}/{corpus.repository}/{corpus.commit}/{file.path}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if corpus.labels is not None:
            _texts(session, url, corpus.labels, path)
        elif not path.is_file():
            _whole(session, url, _partial(path))
            verify(name, file, _partial(path))
            _partial(path).replace(path)
    except (requests.RequestException, OSError, RowError) as error:
        expected = f"a file with sha256 {file.sha256}" if file.sha256 else f"the texts that {corpus.labels} is about"
        raise CatalogueError(
            f"corpus {name}: {url}: {_cause(error)}; expected {expected}; `python -m training fetch {name}` goes on "
            f"where this stopped; if you have a copy, name its folder in ${MIRROR}"
        ) from error
    except CatalogueError:
        _partial(path).unlink()
        raise


def _whole(session: requests.Session, url: str, partial: Path) -> None:
    """Download one file, after what is there of it."""
    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {"Accept-Encoding": "identity"}
    with session.get(quote(url, safe=":/"), headers=headers, stream=True, timeout=_SECONDS) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # all of it is there, or more, which its digest will show
        answer.raise_for_status()
        goes_on = answer.status_code == requests.codes.partial_content
        size = int(answer.headers.get("Content-Length", 0)) + (have if goes_on else 0)
        with (
            partial.open("ab" if goes_on else "wb") as out,
            tqdm(total=size or None, initial=have if goes_on else 0, unit="B", unit_scale=True, desc=partial.stem,
                 disable=None, leave=False) as bar,
        ):  # fmt: skip
            for piece in answer.iter_content(_PIECE):
                out.write(piece)
                bar.update(len(piece))


def _texts(session: requests.Session, url: str, labels: Path, path: Path) -> None:
    """Download the texts of stand-off labels, those that are not there yet."""
    wanted = list(read_labels(labels))
    have = {row["id"]: row for file in (path, _partial(path)) for row in labelled(file, wanted)}
    if path.is_file() and len(have) == len(wanted):
        return
    with _partial(path).open("w", encoding="utf-8") as out:
        for row in have.values():
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
        for label in tqdm(wanted, path.stem, unit="text", disable=None, leave=False):
            if label["id"] not in have:
                answer = session.get(url.replace("{id}", quote(label["id"])), timeout=_SECONDS)
                answer.raise_for_status()
                out.write(json.dumps(opening(answer.content, label), ensure_ascii=False) + "\n")
    _partial(path).replace(path)


def _partial(path: Path) -> Path:
    """Where a download lies until it is whole and verified."""
    return path.with_name(f"{path.name}.partial")


def _session() -> requests.Session:
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=_TRIES))
    return session


def _cause(error: Exception) -> str:
    if isinstance(error, requests.HTTPError):
        return f"upstream answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.RequestException):
        return f"upstream does not answer ({type(error).__name__})"
    return str(error)
