from __future__ import annotations

import errno
import fcntl
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from inference import parts
from inference.batch import predict_files
from inference.errors import InputError
from inference.journal import Journal
from inference.predictor import Wanted
from inference.workers import WorkerError
from inference.writing import SCHEMA, JsonLines, Parquet

from .conftest import records_of, write_articles
from .quick import Quick, crashed, killed_at

OUTPUTS = ["out.jsonl", "out.jsonl.gz", "out.jsonl.zst", "out.parquet"]
FOLDERS = [f"{name}/" for name in OUTPUTS]


@pytest.fixture
def news(tmp_path: Path) -> list[str]:
    """Ten articles in two files."""
    (tmp_path / "in").mkdir()
    rows = [{"id": str(number), "text": "x" if number % 4 else 5} for number in range(1, 11)]
    return [
        write_articles(tmp_path / "in" / name, part) for name, part in (("a.jsonl", rows[:4]), ("b.jsonl", rows[4:]))
    ]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where nothing is but what a run leaves."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk takes its time, and no test here cuts the power."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def run(news: list[str], output: str, **options: Any) -> None:
    predict_files(options.pop("predictor", Quick()), news, output, **({"workers": 1, "part_rows": 3} | options))


def content(path: Path) -> Any:
    """All that is in a folder, or the bytes of a file."""
    return {each.name: content(each) for each in path.iterdir()} if path.is_dir() else path.read_bytes()


def undisturbed(news: list[str], tmp_path: Path, name: str) -> Any:
    (tmp_path / "undisturbed").mkdir(exist_ok=True)
    run(news, f"{tmp_path / 'undisturbed'}/{name}")
    return content(tmp_path / "undisturbed")


def interrupted(news: list[str], output: str, at: str = "9") -> None:
    """A run that ends where two parts are finished."""

    def stop(id: str) -> None:
        if id == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(news, output, predictor=Quick(stop))


# What is left at the end


@pytest.mark.parametrize("name", OUTPUTS + FOLDERS)
@pytest.mark.parametrize("part_rows", [1, 3, 1000])
def test_parts_become_the_same_records(news: list[str], out: Path, name: str, part_rows: int):
    run(news, f"{out}/{name}", part_rows=part_rows)
    assert [path.name for path in out.iterdir()] == [name.rstrip("/")]
    records = records_of(out / name)
    assert [record["id"] for record in records] == [str(number) for number in range(1, 11)]
    assert records[7]["error"] == "`text` is int (5), expected a string"
    if name.endswith("/"):
        ending = name.rstrip("/").removeprefix("out")
        names = [f"part-{number:06d}{ending}" for number in range(-(-10 // part_rows))]
        assert sorted(path.name for path in (out / name).iterdir()) == names


@pytest.mark.parametrize(("name", "form"), [("out.parquet/", "parquet"), ("out.jsonl/", "json")])
def test_a_directory_of_parts_is_a_data_set(news: list[str], out: Path, name: str, form: str):
    run(news, f"{out}/{name}")
    ids = ds.dataset(out / name, SCHEMA, format=form).to_table().column("id").to_pylist()
    assert sorted(map(int, ids)) == list(range(1, 11))


@pytest.mark.parametrize("name", ["out.parquet", "out.parquet/"])
def test_parquet_names_its_schema_and_model(news: list[str], out: Path, name: str):
    run(news, f"{out}/{name}")
    for file in (out / name).iterdir() if name.endswith("/") else [out / name]:
        metadata = pq.read_schema(file).metadata
        assert (metadata[b"detente.schema"], metadata[b"detente.model"]) == (b"1", b"quick")


@pytest.mark.parametrize("name", OUTPUTS + FOLDERS)
def test_no_rows_make_a_valid_output(tmp_path: Path, out: Path, name: str):
    run([write_articles(tmp_path / "a.jsonl", [])], f"{out}/{name}")
    assert records_of(out / name) == []
    assert [path.name for path in out.iterdir()] == [name.rstrip("/")]


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet"])
def test_an_older_output_stays_until_the_new_one_is_whole(news: list[str], out: Path, name: str):
    (out / name).write_text("old")
    interrupted(news, f"{out}/{name}")
    assert (out / name).read_text() == "old"
    run(news, f"{out}/{name}", resume=True)
    assert len(records_of(out / name)) == 10


def test_an_empty_directory_is_filled_and_a_full_one_is_not(news: list[str], out: Path):
    (out / "out.jsonl").mkdir()
    run(news, f"{out}/out.jsonl/")
    with pytest.raises(InputError, match=r"out.jsonl/: is there already and is not empty"):
        run(news, f"{out}/out.jsonl/")
    with pytest.raises(InputError, match=r"it is a directory; .*out.jsonl/ makes it one of parts"):
        run(news, f"{out}/out.jsonl")
    assert [path.name for path in out.iterdir()] == ["out.jsonl"]


@pytest.mark.parametrize("make", [lambda path: path.write_text("old"), lambda path: path.symlink_to(path.parent)])
def test_what_is_no_directory_is_refused_before_any_row(news: list[str], out: Path, make: Callable[[Path], object]):
    make(out / "out.jsonl")
    with pytest.raises(InputError, match=r"it is no directory|is not empty"):
        run(news, f"{out}/out.jsonl/", predictor=Quick(lambda _: pytest.fail("an article was scored")))
    assert [path.name for path in out.iterdir()] == ["out.jsonl"]


# Runs that end early and go on


@pytest.mark.parametrize("name", ["out.jsonl.gz", "out.parquet/"])
def test_a_crash_at_any_step_costs_nothing_but_time(news: list[str], tmp_path: Path, out: Path, name: str):
    expected = undisturbed(news, tmp_path, name)
    at, output = 1, f"{out}/{name}"
    while crashed(partial(run, news, output), at):
        run(news, output, resume=True)
        assert content(out) == expected
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        at += 1
    assert at > 30


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl/"])
def test_crash_after_crash_it_comes_to_the_same(news: list[str], tmp_path: Path, out: Path, name: str):
    expected, moments, crashes = undisturbed(news, tmp_path, name), random.Random(13), 0
    while crashed(partial(run, news, f"{out}/{name}", resume=True), moments.randint(1, 40)):
        crashes += 1
    assert crashes > 1
    assert content(out) == expected


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.jsonl/"])
@pytest.mark.parametrize("step", ["append", "settle", "add", "join", "sync_folder"])
def test_an_error_at_any_step_leaves_nothing_that_looks_finished(
    news: list[str], tmp_path: Path, out: Path, name: str, step: str, monkeypatch: pytest.MonkeyPatch
):
    expected, output = undisturbed(news, tmp_path, name), f"{out}/{name}"
    for at in range(1, 9):
        with monkeypatch.context() as patch:
            steps = fails_at(patch, step, at, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            try:
                run(news, output)
            except InputError as error:
                assert str(error) == f"{output}: cannot be written: No space left on device"
                if step != "sync_folder":
                    assert not (out / name).exists()
            else:
                assert len(steps) < at
                break
        run(news, output, resume=True)
        assert content(out) == expected
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert content(out) == expected


def fails_at(patch: pytest.MonkeyPatch, step: str, at: int, error: BaseException) -> list[str]:
    """Let a step fail when it is taken for the so-manieth time; returns what is told of each time."""
    taken: list[str] = []

    def failing(call: Callable[..., Any], *arguments: Any) -> Any:
        taken.append(step)
        if len(taken) == at:
            raise error
        return call(*arguments)

    if step in ("settle", "sync_folder"):
        patch.setattr(parts, step, partial(failing, getattr(parts, step)))
    elif step == "add":
        add = Journal.add
        patch.setattr(Journal, "add", lambda journal, part: failing(add, journal, part))
    else:
        for format in (JsonLines, Parquet):
            if step == "join":
                join = format.join
                patch.setattr(format, "join", lambda *arguments, join=join: failing(join, *arguments))
            else:
                patch.setattr(format, "open", _opened(format.open, failing))
    return taken


def _opened(open: Callable[..., Any], failing: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def opened(*arguments: Any) -> Iterator[Callable[[bytes], Any]]:
        with open(*arguments) as append:
            yield partial(failing, append)

    return opened


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl/"])
def test_what_a_crash_left_half_written_goes(news: list[str], tmp_path: Path, out: Path, name: str):
    expected = undisturbed(news, tmp_path, name)
    interrupted(news, f"{out}/{name}")
    folder = out / ".out.jsonl.parts"
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("part-")) == [
        "part-000000.jsonl",
        "part-000001.jsonl",
    ]
    (folder / "part-000002.jsonl").write_text('{"id": "to')
    (folder / "joined.jsonl").write_text('{"id": "1')
    with (folder / "_journal.jsonl").open("a") as journal:
        journal.write('{"totals": {"sta')
    run(news, f"{out}/{name}", resume=True)
    assert content(out) == expected


def test_only_what_was_not_finished_is_scored_again(news: list[str], out: Path):
    interrupted(news, f"{out}/out.jsonl")
    scored: list[str] = []
    totals = predict_files(Quick(scored.append), news, f"{out}/out.jsonl", workers=1, part_rows=3, resume=True)
    assert scored == ["7", "9", "10"]
    assert totals.statuses == {"ok": 8, "error": 2}
    assert totals.reasons == {"`text` is int": 2}


def test_a_run_that_was_scored_but_not_joined_is_joined(
    news: list[str], tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
):
    expected = undisturbed(news, tmp_path, "out.parquet")
    with monkeypatch.context() as patch:
        fails_at(patch, "join", 1, OSError(errno.EIO, "broken"))
        with pytest.raises(InputError):
            run(news, f"{out}/out.parquet")
    run(news, f"{out}/out.parquet", resume=True, predictor=Quick(lambda _: pytest.fail("an article was scored")))
    assert content(out) == expected


def test_resuming_where_nothing_is_begins_anew(news: list[str], tmp_path: Path, out: Path):
    run(news, f"{out}/out.jsonl", resume=True)
    assert content(out) == undisturbed(news, tmp_path, "out.jsonl")


def test_an_interrupted_run_is_not_overwritten(news: list[str], out: Path):
    interrupted(news, f"{out}/out.jsonl")
    before = content(out)
    with pytest.raises(InputError, match="holds 6 articles of a run that was interrupted; --resume goes on with it"):
        run(news, f"{out}/out.jsonl")
    assert content(out) == before


def test_a_run_of_something_else_does_not_go_on(news: list[str], tmp_path: Path, out: Path):
    output = f"{out}/out.jsonl"
    interrupted(news, output)
    before, demanding = content(out), Quick()
    demanding.wanted = Wanted(min_precision=0.9)
    for options, message in (
        (
            {"predictor": demanding},
            'wanted is {.*"min_precision": 0.9}, when it began it was {.*"min_precision": null}',
        ),
        (
            {"predictor": Quick(digest="other")},
            'model is {"digest": "other".* it was {"digest": "quick"',
        ),
        ({"keep": ["date"]}, r'keep is \["date"\], when it began it was \[\]'),
        ({"part_rows": 4}, "part_rows is 4, when it began it was 3"),
    ):
        with pytest.raises(InputError, match=f"this run cannot go on: {message}"):
            run(news, output, resume=True, **options)
    for inputs in (news[:1], news[::-1]):
        with pytest.raises(InputError, match="this run cannot go on: inputs is"):
            run(inputs, output, resume=True)
    path, times = Path(news[1]), Path(news[1]).stat()
    path.write_bytes(path.read_bytes().replace(b'"x"', b'"y"', 1))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (times.st_size, times.st_mtime_ns)
    with pytest.raises(InputError, match="this run cannot go on: inputs is"):
        run(news, output, resume=True)
    assert content(out) == before


def test_a_part_that_is_gone_is_missed(news: list[str], out: Path):
    interrupted(news, f"{out}/out.jsonl")
    (out / ".out.jsonl.parts" / "part-000000.jsonl").unlink()
    with pytest.raises(InputError, match=r"part-000000.jsonl is missing, which the journal names"):
        run(news, f"{out}/out.jsonl", resume=True)


def test_an_interrupt_before_the_first_part_leaves_nothing(news: list[str], out: Path):
    interrupted(news, f"{out}/out.jsonl", at="2")
    assert list(out.iterdir()) == []


def test_a_worker_that_is_killed_leaves_parts_to_go_on_with(news: list[str], tmp_path: Path, out: Path):
    with pytest.raises(WorkerError):
        run(news, f"{out}/out.jsonl", workers=2, predictor=Quick(partial(killed_at, "10")))
    assert [path.name for path in out.iterdir()] == [".out.jsonl.parts"]
    run(news, f"{out}/out.jsonl", resume=True)
    assert content(out) == undisturbed(news, tmp_path, "out.jsonl")


# Runs that meet


def test_a_second_run_on_the_same_output_is_refused_and_the_first_goes_on(news: list[str], tmp_path: Path, out: Path):
    met = []

    def second(id: str) -> None:
        if id in ("1", "9"):
            for resume in (False, True):
                with pytest.raises(InputError, match="another run is writing there"):
                    run(news, f"{out}/out.jsonl", resume=resume)
                met.append(id)

    run(news, f"{out}/out.jsonl", predictor=Quick(second))
    assert met == ["1", "1", "9", "9"]
    assert content(out) == undisturbed(news, tmp_path, "out.jsonl")


def test_a_lock_that_another_process_holds_is_told(news: list[str], out: Path):
    folder = out / ".out.jsonl.parts"
    folder.mkdir()
    with (folder / "_lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another run is writing there"):
            run(news, f"{out}/out.jsonl")
        assert [path.name for path in folder.iterdir()] == ["_lock"]
    run(news, f"{out}/out.jsonl")
    assert len(records_of(out / "out.jsonl")) == 10


# A disk that is full


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a quarter of a megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "out.jsonl/"])
@pytest.mark.parametrize("text", [600, 1500])
def test_a_disk_that_is_full_is_told_and_more_space_is_enough(tmp_path: Path, disk: Path, name: str, text: int):
    """With the shorter texts there is room for the parts, but not for both them and the file."""
    drawn = random.Random(13)
    rows = [{"text": "x", "more": f"{drawn.getrandbits(4 * text):x}"} for _ in range(250)]
    news, options = [write_articles(tmp_path / "a.jsonl", rows)], {"keep": ["more"], "part_rows": 30}
    if text == 600 and name.endswith("/"):
        run(news, f"{disk}/{name}", **options)
        return
    with pytest.raises(InputError) as error:
        run(news, f"{disk}/{name}", **options)
    assert str(error.value) == f"{disk}/{name}: cannot be written: No space left on device"
    assert [path.name for path in disk.iterdir()] == [f".{name.rstrip('/')}.parts"]
    subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
    run(news, f"{disk}/{name}", resume=True, **options)
    (tmp_path / "undisturbed").mkdir()
    run(news, f"{tmp_path}/undisturbed/{name}", **options)
    assert content(disk) == content(tmp_path / "undisturbed")
