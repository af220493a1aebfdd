from __future__ import annotations

import fcntl
import io
import json
import os
import signal
import subprocess
import sys
import termios
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from inference.__main__ import main
from inference.predictor import Predictor
from tests.benchmarks import kill

from .conftest import records_of, write_articles
from .quick import Quick, alive, killed_at, workers

ROOT = Path(__file__).parents[2]


@pytest.fixture
def news(tmp_path):
    return write_articles(tmp_path / "news.jsonl", [{"id": "a", "text": "Russia praised Iran."}, {"text": ""}])


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_what_nobody_foresaw_exits_2_with_its_traceback(news, capsys, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Predictor, "load", broken)
    assert run("predict", news, "--model", "m", "-o", "-") == 2
    assert "out of luck" in capsys.readouterr().err


def test_streams_that_are_closed_are_as_if_empty(linear_bundle, news, tmp_path):
    command = [sys.executable, "-m", "inference", "predict", news, "--model", linear_bundle, "-o", tmp_path / "o.jsonl"]
    shell = " ".join(map(str, command)) + " <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", shell], cwd=ROOT, check=False).returncode == 0
    assert len(records_of(tmp_path / "o.jsonl")) == 2
    shell = shell.replace(str(tmp_path / "o.jsonl"), "-").replace("2>&-", "")
    done = subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: -: standard output is closed\n")


def test_show_does_not_write_over_its_article(linear_bundle, tmp_path, capsys):
    article = tmp_path / "article.txt"
    article.write_text("Russia praised Iran.", "utf-8")
    assert run("show", article, "--model", linear_bundle, "--html", article) == 2
    assert "is also the input" in capsys.readouterr().err
    assert article.read_text("utf-8") == "Russia praised Iran."


def test_a_pipe_is_not_replaced_and_a_link_leads_to_its_file(linear_bundle, news, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert run("predict", news, "--model", linear_bundle, "-o", tmp_path / "pipe.jsonl") == 2
    assert "pipe.jsonl: cannot be written: it is no file" in capsys.readouterr().err
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "real.jsonl")
    assert run("predict", news, "--model", linear_bundle, "-o", tmp_path / "link.jsonl") == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert len(records_of(tmp_path / "real.jsonl")) == 2


def test_predict(bundle, news, tmp_path, capsys):
    assert run("predict", news, "--model", bundle, "-o", tmp_path / "out.jsonl", "--threads", 1) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"2 articles: 1 ok, 1 empty, 0 error → {tmp_path / 'out.jsonl'}\n", "no bar off a terminal"
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(record["id"], record["status"]) for record in records] == [("a", "ok"), ("2", "empty")]


def test_predict_from_and_to_a_pipe(linear_bundle, monkeypatch, capfdbinary):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": "\xc3\xa9", "text": "Iran"}\n')))
    assert run("predict", "-", "--model", linear_bundle, "-o", "-") == 0
    (record,) = capfdbinary.readouterr().out.splitlines()
    assert json.loads(record)["id"] == "é"


def test_predict_with_bad_rows_exits_1(linear_bundle, tmp_path, capsys):
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{\n')
    assert run("predict", tmp_path / "a.jsonl", "--model", linear_bundle, "-o", tmp_path / "out.parquet") == 1
    assert "2 articles: 1 ok, 0 empty, 1 error" in capsys.readouterr().err


def test_predict_says_what_is_wrong_with_bad_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: Quick())
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n{\n{"text": 5}\n{"text": 6}\n')
    assert run("predict", tmp_path / "a.jsonl", "--model", "m", "-o", tmp_path / "out.jsonl") == 1
    assert capsys.readouterr().err.splitlines()[-3:] == [
        f"4 articles: 1 ok, 0 empty, 3 error → {tmp_path / 'out.jsonl'}",
        "  2 × `text` is int",
        "  1 × broken JSON",
    ]


def test_predict_tells_how_far_it_is(news, tmp_path, monkeypatch):
    """In a process of its own, since pytest has its own ways with messages."""
    lines = (
        "import sys; from inference import progress; from inference.__main__ import main; from inference.predictor "
        "import Predictor; from tests.inference.quick import Quick; progress._LINE_SECONDS = 0.0; "
        "Predictor.load = lambda *_, **__: Quick(); sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["predict", news, "--model", "m", "-o", str(tmp_path / "out.jsonl")]
    process = subprocess.run([sys.executable, "-c", lines, *arguments], cwd=ROOT, capture_output=True, check=True)
    assert process.stderr.startswith(b"INFO: 2 of about 2 articles, ")


def test_predict_with_all_its_options(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: Quick())
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        write_articles(tmp_path / "in" / f"{name}.jsonl", [{"text": "x", "date": name}] * 3)
    metrics = tmp_path / "metrics.json"
    options = ["--keep", "date", "--part-rows", 4, "--workers", 1, "--resume", "--metrics", metrics]
    assert run("predict", tmp_path / "in", "--model", "m", "-o", f"{tmp_path}/out.jsonl/", *options) == 0
    assert [record["date"] for record in records_of(tmp_path / "out.jsonl")] == ["a", "a", "a", "b", "b", "b"]
    assert json.loads(metrics.read_text("utf-8"))["finished"]
    assert run("predict", tmp_path / "in", "--model", "m", "-o", "-", "--resume") == 2
    assert "error: --resume: what comes through a pipe is gone" in capsys.readouterr().err


def test_a_worker_that_is_killed_exits_2_and_the_run_goes_on(tmp_path, monkeypatch, capsys):
    path = write_articles(tmp_path / "a.jsonl", [{"text": "x"}] * 12)
    command = ["predict", path, "--model", "m", "-o", tmp_path / "out.jsonl", "--part-rows", 2, "--workers", 2]
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: Quick(partial(killed_at, "9")))
    assert run(*command) == 2
    assert capsys.readouterr().err.startswith("error: a process that scores was killed or ran out of memory; a run ")
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: Quick())
    assert run(*command) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert run(*command, "--resume") == 0
    assert len(records_of(tmp_path / "out.jsonl")) == 12


def test_predict_of_nothing_exits_0(linear_bundle, tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    assert run("predict", tmp_path / "a.jsonl", "--model", linear_bundle, "-o", tmp_path / "out.parquet") == 0


@pytest.mark.parametrize(
    ("input", "output", "message"),
    [
        ("nowhere.jsonl", "out.jsonl", "nowhere.jsonl: no such file"),
        ("news.jsonl", "out.xml", "expected one of .jsonl, .parquet"),
        ("news.jsonl", "nowhere/out.jsonl", "cannot be written"),
        ("body.csv", "out.jsonl", "body.csv, line 1: no column `text`; found body"),
        ("x" * 5000 + ".csv", "out.jsonl", "too long"),
    ],
)
def test_what_cannot_be_done_exits_2(linear_bundle, news, tmp_path, monkeypatch, capsys, input, output, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "body.csv").write_text("body\nx\n")
    assert run("predict", input, "--model", linear_bundle, "-o", output) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize("command", [["predict", "-", "-o", "-", "--model"], ["inspect"], ["show", "-", "--model"]])
def test_no_bundle_exits_2(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert run(*command, tmp_path) == 2
    assert "manifest.json is missing, so this is no bundle" in capsys.readouterr().err


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_wrong_usage_exits_2(threads, capsys):
    with pytest.raises(SystemExit) as error:
        run("predict", "-", "--model", "m", "-o", "-", "--threads", threads)
    assert error.value.code == 2
    assert "no number above zero" in capsys.readouterr().err


def test_inspect(bundle, capfd):
    assert run("inspect", bundle) == 0
    text = capfd.readouterr().out
    for fact in (
        "heads       topics, stances",
        "armed_conflict  0.400",
        "a dozen  Apache-2.0",
        "macro f1",
        "actors.json",
    ):
        assert fact in text
    assert run("inspect", bundle, "--json") == 0
    assert capfd.readouterr().out == (bundle / "manifest.json").read_text("utf-8")


def test_inspect_says_one_thing_at_a_time(bundle, capfd):
    with pytest.raises(SystemExit) as left:
        run("inspect", bundle, "--json", "--min-precision", "0.5")
    assert left.value.code == 2
    assert "--min-precision: not allowed with argument --json" in capfd.readouterr().err


def test_show(linear_bundle, tmp_path, capfd):
    (tmp_path / "a.txt").write_text("Iran and Russia\n\nRussia praised Iran on Monday. Envoys met for talks.")
    assert run("show", tmp_path / "a.txt", "--model", linear_bundle) == 0
    page = capfd.readouterr().out
    assert "  Russia praised Iran on Monday.[1] Envoys met for talks." in page
    assert "  [1] Russia → Iran  support" in page
    assert "\x1b" not in page


def test_show_takes_the_article_that_is_asked_for(linear_bundle, tmp_path, capfd):
    path = write_articles(tmp_path / "a.jsonl", [{"id": 1, "text": "Iran"}, {"id": 2, "text": "Syria"}])
    assert run("show", path, "--model", linear_bundle, "--id", 2) == 0
    assert "Syria" in capfd.readouterr().out
    assert run("show", path, "--model", linear_bundle, "--id", 3) == 2
    assert "no article with the id '3'" in capfd.readouterr().err


def test_show_of_an_empty_article(linear_bundle, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"  \n")))
    assert run("show", "-", "--model", linear_bundle) == 0
    assert "empty: `text` is empty" in capfd.readouterr().out


def command(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "inference", *map(str, arguments)], cwd=ROOT, stderr=subprocess.PIPE, **options
    )


def test_help_names_the_commands():
    process = command("--help", stdout=subprocess.PIPE)
    text = process.communicate()[0].decode()
    assert text.startswith("usage: python -m inference ")
    assert all(name in text for name in ("predict", "inspect", "show"))


def test_messages_command_no_terminal(linear_bundle, tmp_path):
    path = write_articles(tmp_path / "a.jsonl", [{"id": "\x1b[2J", "text": 5}])
    scored = command("predict", path, "--model", linear_bundle, "-o", tmp_path / "\x1b[31m.jsonl")
    refused = command("predict", "\x1b[31m.jsonl", "--model", linear_bundle, "-o", "-", stdout=subprocess.DEVNULL)
    messages = [process.communicate()[1] for process in (scored, refused)]
    assert [scored.returncode, refused.returncode] == [1, 2]
    assert "id ␛[2J: `text` is int (5)".encode() in messages[0]
    assert b"\x1b" not in b"".join(messages)


def test_a_reader_that_goes_away(encoder_bundle, tmp_path):
    """As with `detente predict … -o - | head -1`: no traceback, and not 0, since not all was delivered."""
    path = write_articles(tmp_path / "a.jsonl", [{"text": "Iran. " * 50}] * 2000)
    process = command("predict", path, "--model", encoder_bundle, "-o", "-", stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_an_interrupt_leaves_no_output(encoder_bundle, tmp_path):
    reader, writer = os.pipe()
    process = command("predict", "-", "--model", encoder_bundle, "-o", tmp_path / "out.jsonl", stdin=reader)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "wb") as articles:
        articles.write(b'{"text": "Iran"}\n' * 300)
        articles.flush()
        while any(fcntl.ioctl(reader, termios.FIONREAD, bytes(4))):  # until all is read
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 130
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_keeps_parts_to_go_on_with(encoder_bundle, tmp_path):
    path = write_articles(tmp_path / "a.jsonl", [{"text": "Russia praised Iran. " * 9}] * 5000)
    arguments = ["predict", path, "--model", encoder_bundle, "-o", tmp_path / "out.jsonl", "--part-rows", 64]
    process = command(*arguments, "--workers", 2)
    parts = tmp_path / ".out.jsonl.parts"
    while not (parts / "part-000001.jsonl").exists():
        assert process.poll() is None
        sleep(0.01)
    children, began = workers(process.pid), monotonic()
    assert children
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert process.stderr is not None
    assert process.stderr.read() == b""
    assert monotonic() - began < 20
    assert alive(children, 20) == []
    assert {each.name for each in tmp_path.iterdir()} == {"a.jsonl", parts.name}
    assert (parts / "part-000001.jsonl").read_bytes().count(b"\n") == 64


def test_an_interrupt_of_all_processes_is_told_by_none(encoder_bundle, tmp_path):
    """A terminal sends it to the workers, too, which may not even have begun."""
    path = write_articles(tmp_path / "a.jsonl", [{"text": "Russia praised Iran."}] * 5000)
    arguments = ["predict", path, "--model", encoder_bundle, "-o", tmp_path / "out.jsonl", "--workers", 2]
    process = command(*arguments, start_new_session=True)
    while len(workers(process.pid)) < 2:
        assert process.poll() is None
    sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate()[1] == b""
    assert process.returncode == 130
    assert [each.name for each in tmp_path.iterdir()] == ["a.jsonl"]


def test_runs_that_are_killed_and_go_on_come_to_the_same(encoder_bundle, capsys):
    assert kill.main([str(encoder_bundle), "--articles", "600", "--kills", "3"]) == 0
    assert "the same bytes each time, and nothing left over" in capsys.readouterr().out
