"""Times the scoring of the bundles in build/, side by side: `make bench`.

Every bundle scores the texts of the starter corpus in turn, so that what else the machine does falls
on all of them alike; the best of three rounds counts.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from time import perf_counter, process_time

from inference.bundle import MANIFEST
from inference.predictor import Predictor
from inference.reading import read_rows

_ROUNDS = 3
_STARTER = Path(__file__).parents[2] / "training" / "starter"


def main() -> int:
    """Print one line a bundle; returns the exit code."""
    bundles = sorted(path.parent for path in Path("build").glob(f"*/{MANIFEST}"))
    if not bundles:
        print("error: no bundle in build/; `make train` makes one", file=sys.stderr)
        return 2
    articles = [row.content for file in sorted(_STARTER.glob("*.jsonl")) for row in read_rows(str(file))]
    texts = [{"title": row["title"], "text": row["text"]} for row in articles if isinstance(row, dict)]
    predictors = {bundle: Predictor.load(bundle) for bundle in bundles}
    wall = dict.fromkeys(bundles, float("inf"))
    cpu = dict.fromkeys(bundles, float("inf"))
    for _ in range(_ROUNDS):
        for bundle, predictor in predictors.items():
            started, used = perf_counter(), process_time()
            scored = sum(1 for _ in predictor.predict(texts))
            wall[bundle] = min(wall[bundle], perf_counter() - started)
            cpu[bundle] = min(cpu[bundle], process_time() - used)
            assert scored == len(texts)
    print(f"{len(texts)} articles, best of {_ROUNDS} rounds")
    print(f"{'bundle':20}{'family':>11}{'articles/s':>12}{'CPU ms each':>13}{'size MB':>9}")
    for bundle in bundles:
        family = json.loads((bundle / MANIFEST).read_text())["family"]
        size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e6
        speed = f"{len(texts) / wall[bundle]:>12.0f}{1000 * cpu[bundle] / len(texts):>13.1f}"
        print(f"{bundle.name:20}{family:>11}{speed}{size:>9.1f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, all bundles loaded")
    return 0


if __name__ == "__main__":
    sys.exit(main())
