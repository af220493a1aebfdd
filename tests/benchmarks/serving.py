"""Load-tests a model that MLflow serves: `python -m tests.benchmarks.serving MODEL [--requests 10000]`.

The server runs on this machine, and 1, 4 and 16 clients post the texts of the starter corpus to it, an article a
request. The exit code is 1 where a request failed, or where the server's memory grew by more than a tenth after the
first tenth of the requests.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice
from pathlib import Path
from time import monotonic, perf_counter, sleep

import numpy as np
import psutil  # type: ignore[import-untyped]

from inference.bundle import Bundle
from inference.errors import DetenteError
from training.registry import tracking_uri
from training.tracking import log_bundle

from .articles import starter

HOST = "127.0.0.1"
JSON = {"Content-Type": "application/json"}

_TEXTS = 1000
_CLIENTS = (1, 4, 16)
_MOST_GROWTH = 0.1
_START_SECONDS = 120
_ANSWER_SECONDS = 90
"""More than the 60 after which the server itself gives a request up."""


class ServingError(DetenteError):
    """The server does not start."""


@dataclass(frozen=True, slots=True)
class Server:
    """A scoring server on this machine.

    Args:
        port: where it listens.
        pid: the process that began it.
    """

    port: int
    pid: int

    def memory(self) -> float:
        """Resident memory of it and of all that it began, in MB; what they share counts for each."""
        first = psutil.Process(self.pid)
        resident: int = sum(each.memory_info().rss for each in (first, *first.children(recursive=True)))
        return resident / 1e6


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a number of requests.

    Args:
        clients: how many posted at a time.
        wall: seconds that it all took.
        latencies: seconds of each request that was answered with a record.
        failed: how many were not.
    """

    clients: int
    wall: float
    latencies: Sequence[float]
    failed: int

    def row(self, name: str, memory: float) -> str:
        """A row of the table, with the server's memory in MB after it."""
        cells = [name, f"{len(self.latencies) + self.failed}", f"{len(self.latencies) / self.wall:.1f}"]
        quantiles = np.quantile(self.latencies or [math.nan], [0.5, 0.9, 0.99])
        cells += [f"{1000 * seconds:.1f}" for seconds in quantiles]
        return f"| {' | '.join([*cells, str(self.failed), f'{memory:.0f}'])} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, post, print; returns the exit code."""
    parser = argparse.ArgumentParser(description="Load test of a served model.")
    parser.add_argument("model", metavar="MODEL", help="a bundle's directory or an MLflow URI")
    parser.add_argument("--requests", type=int, default=10_000, metavar="N", help="100 or more (default: 10000)")
    options = parser.parse_args(arguments)
    if options.requests < 100:
        parser.error(f"--requests: found {options.requests}, expected 100 or more")
    # What is not yet done when the server is killed may still be written for a moment.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        try:
            uri, store = _registered(options.model, Path(temporary))
            with served(uri, store, Path(temporary)) as server:
                return _measure(server, options.requests)
        except DetenteError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2


@contextmanager
def served(model: str, store: str, folder: Path) -> Iterator[Server]:
    """Let `mlflow models serve` serve a model for as long as the block runs.

    Args:
        model: its MLflow URI.
        store: the tracking URI.
        folder: where the server runs, logs, and keeps what it fetches.

    Raises:
        ServingError: it does not answer in two minutes; the message ends in what it logged last.
    """
    port, log = _free_port(), folder / "server.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model, "--env-manager", "local"]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # by which MLflow finds uvicorn
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "TMPDIR": str(folder),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--host", HOST, "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a process group of its own, to be ended as one
        )
    try:
        _wait(process, port, log)
        yield Server(port, process.pid)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _registered(model: str, folder: Path) -> tuple[str, str]:
    """The MLflow URI of a model and where it is tracked; a bundle is logged and registered in a store in `folder`."""
    if "://" in model or model.startswith(("models:", "runs:")):
        return model, tracking_uri()
    store = f"sqlite:///{folder / 'runs' / 'mlflow.db'}"
    os.environ |= {"MLFLOW_TRACKING_URI": store, "MLFLOW_DISABLE_TELEMETRY": "true"}
    os.environ.pop("MLFLOW_REGISTRY_URI", None)  # this version is nobody's but ours
    logged = log_bundle(Bundle.open(Path(model)))
    return f"models:/{logged.model}/{logged.version}", store


def _measure(server: Server, requests: int) -> int:
    """Post the requests and print a row for each number of clients; returns the exit code."""
    bodies = cycle(_bodies())
    idle, first = server.memory(), requests // 10
    print("| clients | requests | articles/s | p50 ms | p90 ms | p99 ms | failed | memory MB |")
    print(f"|{' ---: |' * 8}", flush=True)
    # With the most clients first: threads and ONNX Runtime keep the memory that they once needed.
    loads = [_load(server, list(islice(bodies, first)), _CLIENTS[-1])]
    warm = last = server.memory()
    print(loads[0].row(f"{_CLIENTS[-1]}, to warm up", warm), flush=True)
    for place, clients in enumerate(_CLIENTS):
        share = (requests - first + place) // len(_CLIENTS)
        loads.append(_load(server, list(islice(bodies, share)), clients))
        last = server.memory()
        print(loads[-1].row(str(clients), last), flush=True)
    failed, growth = sum(load.failed for load in loads), last / warm - 1
    print(f"{requests} requests, {failed} failed; {os.cpu_count()} cores, which the clients share")
    print(f"memory: {idle:.0f} MB at first, {warm:.0f} after {first} requests, {last:.0f} after all ({growth:+.1%})")
    return int(failed > 0 or growth > _MOST_GROWTH)


def _bodies() -> list[bytes]:
    """A request for each article of the starter corpus."""
    rows = [{"id": article.id, "title": article.title, "text": article.text} for article in starter(_TEXTS)]
    return [json.dumps({"dataframe_records": [row]}).encode() for row in rows]


def _load(server: Server, bodies: Sequence[bytes], clients: int) -> Load:
    """Post bodies, each client its share of them one after the other."""
    started = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        shares = [bodies[first::clients] for first in range(clients)]
        latencies = [each for found in pool.map(partial(_posted, server.port), shares) for each in found]
    return Load(clients, perf_counter() - started, latencies, len(bodies) - len(latencies))


def _posted(port: int, bodies: Sequence[bytes]) -> list[float]:
    """Post bodies on one connection, and give up where the server breaks it.

    Returns:
        Seconds of each that was answered with a record.
    """
    connection = HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    found = []
    with suppress(OSError, HTTPException):
        for body in bodies:
            started = perf_counter()
            connection.request("POST", "/invocations", body, JSON)
            response = connection.getresponse()
            # To parse it would take time from the server; in a text of the article the quotes would be escaped.
            if b'"status": "ok"' in response.read() and response.status == 200:
                found.append(perf_counter() - started)
    connection.close()
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the server answers.

    Raises:
        ServingError: it ended, or the time is up.
    """
    end = monotonic() + _START_SECONDS
    while process.poll() is None and monotonic() < end:
        if _answers(port):
            return
        sleep(0.1)
    last = log.read_text("utf-8", errors="replace").splitlines()[-20:]
    raise ServingError("\n".join(["`mlflow models serve` does not answer; it logged last:", *last]))


def _answers(port: int) -> bool:
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
