"""Where a run's code, libraries and data come from."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset

from .catalogue import Catalogue
from .corpora import SHIPPED_LICENCE
from .recipe import SHIPPED, Corpus

_LIBRARIES = (
    "ahocorasick_rs", "numpy", "onnxruntime", "pandas", "pyarrow", "safetensors", "threadpoolctl", "tokenizers", "tqdm",
    "scikit-learn", "skops", "torch", "transformers", "accelerate", "datasets", "mlflow",
)  # fmt: skip
_ROOT = Path(__file__).parent.parent


def library_versions() -> dict[str, str]:
    """Versions of the libraries that a model depends on, those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def source_commit() -> str | None:
    """The checkout's commit, with `+` where there are uncommitted changes; None outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    return None if commit is None else commit + ("+" if _git("status", "--porcelain") else "")


def corpus_facts(
    corpora: Sequence[Corpus], dataset: Dataset, tested: Sequence[int], catalogue: Catalogue
) -> list[dict[str, Any]]:
    """Name, licence, source, size, label counts and digests of each corpus, as used.

    Args:
        corpora: the recipe's.
        dataset: their rows.
        tested: numbers of the rows of the test part.
        catalogue: knows the public ones.
    """
    names, chosen = np.array(dataset["corpus"]), np.array(tested, dtype=np.int64)
    facts = []
    for corpus in corpora:
        rows = np.flatnonzero(names == corpus.name)
        test = dataset.select(np.intersect1d(rows, chosen))
        digest = dataset_digest(test) if len(test) else None
        facts.append({**_facts(corpus, dataset.select(rows), catalogue), "tested_sha256": digest})
    return facts


def dataset_digest(rows: Dataset) -> str:
    """The sha256 of all rows, in order."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode())
    return digest.hexdigest()


def _facts(corpus: Corpus, rows: Dataset, catalogue: Catalogue) -> dict[str, Any]:
    topics = Counter(topic for labels in rows["topics"] for topic in labels or ())
    stances = Counter(stance["label"] for labels in rows["stances"] for stance in labels or ())
    licence, source = corpus.licence, corpus.hub or [file.name for file in corpus.files or ()]
    if corpus.name in SHIPPED:
        licence, source = SHIPPED_LICENCE, "training/starter"
    elif corpus.public:
        known = catalogue[corpus.name]
        licence, source = known.licence, f"{known.repository}@{known.commit}"
    return {
        "name": corpus.name,
        "licence": licence,
        "source": source,
        "articles": len(rows),
        "topics": dict(topics.most_common()),
        "stances": dict(stances.most_common()),
        "sha256": dataset_digest(rows),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
