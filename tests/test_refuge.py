"""A full disk: what was paid for and cannot be kept is written where there is room, and said."""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from factories import make_result, make_run, write_task

import evalkit
from evalkit import MockModel
from evalkit.cli.cache import cache as cache_command
from evalkit.core.errors import CacheError, StoreError
from evalkit.core.records import Request
from evalkit.store.cache import Cache
from evalkit.store.folders import CellWriter, RunWriter
from evalkit.store.refuge import rescue

TEXT = "an answer of some length " * 40


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 kB; skipped where none can be mounted."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextlib.contextmanager
def files_of_at_most(n: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: EFBIG, as a disk that is full of quota says."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def refuge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that $TMPDIR names."""
    place = tmp_path / "refuge"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def run(home: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> tuple[list[str], Exception]:
    """The samples that a model answered in a run that fails, and how it failed."""
    rows = [{"id": f"s{n}", "question": str(n), "answer": str(n)} for n in range(600)]
    write_task(home / "tasks/sums", rows, prompts={"plain": "{{ question }}"})
    monkeypatch.chdir(home)
    answered: list[str] = []

    def answer(request: Request) -> str:
        answered.append(request.sample_id)
        return TEXT + request.sample_id

    model = MockModel(answer, name="paid")
    model.cacheable = True
    with pytest.raises((CacheError, StoreError)) as caught:
        evalkit.run([model], ["sums"], **options)  # type: ignore[arg-type]
    return answered, caught.value


def rescued(place: Path) -> list[dict[str, object]]:
    """The lines of all files in a folder."""
    return [json.loads(line) for file in place.glob("*.jsonl") for line in file.read_text().splitlines()]


def test_answers_that_the_cache_cannot_keep_come_back(
    tiny: Path, refuge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache whose disk is full: each answer is in it or in the refuge, which `cache import` reads."""
    answered, error = run(tmp_path / "home", monkeypatch, cache=str(tiny / "c.db"))
    (file,) = refuge.glob("evalkit-answers-*")
    assert f"evalkit cache import {file}" in str(error)
    assert file.stat().st_mode & 0o077 == 0
    big = tmp_path / "big.db"
    done = CliRunner().invoke(cache_command, ["import", str(file), "--cache", str(big)])
    assert done.exit_code == 0, done.output
    subprocess.run(f"cp {tiny}/c.db* {tmp_path}", shell=True, check=True)
    caches = [Cache(f"sqlite:///{place}") for place in (big, tmp_path / "c.db")]
    kept = {json.loads(row["response"])["text"] for cache in caches for row in cache.rows()}
    for cache in caches:
        cache.close()
    assert kept == {TEXT + name for name in answered}


def test_results_that_the_run_folder_cannot_hold_are_elsewhere(
    tiny: Path, refuge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache the run folder alone has the answers: what it has no room for is in the refuge."""
    answered, error = run(tmp_path / "home", monkeypatch, cache="off", out=str(tiny / "reports"))
    assert "results are in" in str(error)
    (journal,) = tiny.glob("reports/*/samples/*.jsonl")
    lines = [*journal.read_text().splitlines()]
    inside = {json.loads(line)["sample_id"] for line in lines}
    outside = {str(row["sample_id"]) for row in rescued(refuge) if "sample_id" in row}
    assert outside
    assert inside | outside == set(answered)


def test_a_limit_of_file_size_is_a_full_disk_too(refuge: Path, tmp_path: Path) -> None:
    """EFBIG in a journal: whole lines stay, the rest is elsewhere, nothing stands in both."""
    writer = CellWriter(tmp_path / "samples/x.jsonl")
    with files_of_at_most(30_000):
        for n in range(12):
            writer.append(n, make_result(f"s{n}", TEXT))
        with pytest.raises(StoreError, match="results are in"):
            writer.close()
    inside = [
        json.loads(line)["sample_id"] for line in (tmp_path / "samples/x.jsonl").read_text().splitlines()
    ]
    outside = [row["sample_id"] for row in rescued(refuge)]
    assert inside + outside == [f"s{n}" for n in range(12)]


def test_a_run_json_without_room_is_elsewhere(refuge: Path, tmp_path: Path) -> None:
    """The numbers of a finished run are no less dear."""
    writer = RunWriter(tmp_path / "run")
    with files_of_at_most(100), pytest.raises(StoreError, match=r"run\.json"):
        writer.write(make_run())
    assert not list((tmp_path / "run").glob("*"))


def test_stderr_is_the_last_resort(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no place has room, the content stands in the terminal."""
    with files_of_at_most(0):
        place, where = rescue("answers.jsonl", b'{"text": "paid"}\n')
    assert (place, where) == (None, "on stderr, above")
    assert '{"text": "paid"}' in capsys.readouterr().err


def test_the_first_place_with_room_is_taken(
    tmp_path: Path, refuge: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full $TMPDIR is passed over, and nothing of the attempt stays in it; a known file is appended to."""
    full = tmp_path / "nowhere"
    monkeypatch.setenv("TMPDIR", str(full))
    monkeypatch.setenv("TEMP", str(refuge))
    place, _ = rescue("answers.jsonl", b"1\n")
    assert place is not None
    assert place.parent == refuge
    assert rescue("answers.jsonl", b"2\n", place) == (place, f"in {place}")
    assert place.read_text() == "1\n2\n"
