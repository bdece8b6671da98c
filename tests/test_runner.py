"""A run from plan to folder: statuses, resuming, interrupting, and bytes that do not depend on order."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import evalkit
from evalkit import MockModel
from evalkit.core.errors import CallError, StoreError
from evalkit.core.records import Request, Response, Usage
from evalkit.store.folders import StoredRun, load_run

TASK = """
name: colours
language: en
data: {file: samples.jsonl}
target: colour
prompts:
  plain: "The colour of {{ thing }}:"
extract: [strip]
metrics: [exact_match]
chance: 0.0
"""
THINGS = {"snow": "white", "coal": "black", "grass": "green", "blood": "red", "sky": "blue"}


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one task of five samples, made the current folder."""
    folder = tmp_path / "tasks" / "colours"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": thing, "thing": thing, "colour": colour} for thing, colour in THINGS.items()]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def right(request: Request) -> str:
    """The right colour."""
    return THINGS[request.sample_id]


def run(*models: MockModel, **options: object) -> StoredRun:
    """The run of these models on the task."""
    return evalkit.run(models=models, tasks=["colours"], **options)  # type: ignore[arg-type]


def test_run_is_complete_and_stored(workspace: Path) -> None:
    """The folder holds the run that was returned, and its samples in the order of the data."""
    stored = run(MockModel(right))
    assert stored.run.status == "complete"
    again = load_run(stored.folder)
    assert again.run == stored.run
    assert [result.sample_id for result in again.samples(again.run.cells[0].slug)] == list(THINGS)
    value = again.run.cells[0].metrics["exact_match"]
    assert (value.value, value.n) == (1.0, 5)


def test_failed_call_is_unscored_and_makes_the_run_incomplete(workspace: Path) -> None:
    """A call that fails leaves the mean, is counted, and the run says that it is incomplete."""

    def answer(request: Request) -> str | CallError:
        if request.sample_id == "coal":
            return CallError("too long", kind="context_length", action="fail_sample")
        return right(request)

    cell = run(MockModel(answer)).run.cells[0]
    assert (cell.counts.scored, cell.counts.unscored, cell.counts.errors) == (4, 1, 1)
    assert cell.metrics["exact_match"].value == 1.0
    assert cell.metrics["exact_match"].n == 4


def test_reply_without_an_answer_is_wrong_and_stays_in_the_mean(workspace: Path) -> None:
    """An empty reply scores 0 and is counted as no answer; the run is complete."""
    stored = run(MockModel(lambda request: "" if request.sample_id == "sky" else right(request)))
    cell = stored.run.cells[0]
    assert stored.run.status == "complete"
    assert cell.counts.no_answer == 1
    assert cell.metrics["exact_match"].value == pytest.approx(0.8)


def test_one_stopped_model_does_not_stop_the_others(workspace: Path) -> None:
    """A wrong key ends its own model once; the other model is finished."""
    asked: list[str] = []

    def refuse(request: Request) -> CallError:
        asked.append(request.sample_id)
        return CallError("wrong key", kind="authentication", action="stop_model")

    stored = run(MockModel(refuse, "mock/locked", max_connections=1), MockModel(right, "mock/open"))
    assert stored.run.status == "incomplete"
    assert stored.run.errors == {"mock/locked": "wrong key"}
    assert len(asked) == 1
    scored = {cell.model: cell.counts.scored for cell in stored.run.cells}
    assert scored == {"mock/locked": 0, "mock/open": 5}


def test_second_run_asks_nothing(workspace: Path) -> None:
    """Answers of a cacheable model are asked once; the second run takes them from the cache and says so."""
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(request.sample_id)
        return Response(text=right(request), usage=Usage(10, 2), cost_usd=0.25, latency_s=0.1)

    first = run(MockModel(answer, cacheable=True)).run.cells[0]
    second = run(MockModel(answer, cacheable=True)).run.cells[0]
    assert len(asked) == 5
    assert (first.cost_usd, first.cost_cached_usd) == (1.25, 0.0)
    assert (second.cost_usd, second.cost_cached_usd) == (0.0, 1.25)
    assert second.counts.cached == 5
    assert second.metrics == first.metrics


def test_failed_calls_are_asked_again_by_the_next_run(workspace: Path) -> None:
    """An error is never kept: the next run asks for just what failed."""
    broken = True
    asked: list[str] = []

    def answer(request: Request) -> str | CallError:
        asked.append(request.sample_id)
        if broken and request.sample_id in ("coal", "sky"):
            return CallError("down", kind="bad_request", action="fail_sample")
        return right(request)

    assert run(MockModel(answer, cacheable=True)).run.status == "incomplete"
    broken = False
    asked.clear()
    assert run(MockModel(answer, cacheable=True)).run.status == "complete"
    assert sorted(asked) == ["coal", "sky"]


def test_fresh_asks_again(workspace: Path) -> None:
    """With fresh, the cache is not read, and the new answers replace the old."""
    answers = iter(["old"] * 5 + ["new"] * 5)
    model = MockModel(lambda request: next(answers), cacheable=True)
    run(model)
    run(model, fresh=True)
    stored = run(model)
    texts = {result.response.text for result in stored.samples(stored.run.cells[0].slug)}
    assert texts == {"new"}


def test_order_of_arrival_changes_no_byte(workspace: Path) -> None:
    """Samples and scores are the same whichever answer comes first."""

    def delayed(seed: int) -> MockModel:
        rng = random.Random(seed)

        async def answer(request: Request) -> str:
            await asyncio.sleep(rng.uniform(0, 0.02))
            return right(request)

        return MockModel(answer, max_connections=5)

    runs = [run(delayed(seed), repeats=3) for seed in (1, 2)]
    files = [(r.folder / "samples" / f"{r.run.cells[0].slug}.jsonl").read_bytes() for r in runs]
    assert files[0] == files[1]
    assert runs[0].run.cells == runs[1].run.cells


def test_source_date_epoch_makes_the_whole_folder_reproducible(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SOURCE_DATE_EPOCH set, two runs of the same inputs write the same run.json."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = run(MockModel(right), out=workspace / "a")
    second = run(MockModel(right), out=workspace / "b")
    assert (first.folder / "run.json").read_bytes() == (second.folder / "run.json").read_bytes()


def test_repeats_are_averaged_inside_a_sample(workspace: Path) -> None:
    """Three repeats of five samples are n = 5, and a sample right once in three counts a third."""
    stored = run(MockModel(lambda r: right(r) if r.repeat == 0 else "no"), repeats=3)
    value = stored.run.cells[0].metrics["exact_match"]
    assert value.n == 5
    assert value.value == pytest.approx(1 / 3)


def test_folder_that_cannot_be_written_is_a_clear_error(workspace: Path) -> None:
    """Where a file stands in place of the folder of runs, the error names it."""
    (workspace / "reports").write_text("in the way")
    with pytest.raises(StoreError, match="reports"):
        run(MockModel(right))


def test_run_inside_a_running_loop(workspace: Path) -> None:
    """As in a notebook, where a loop runs already, the run takes a thread of its own."""

    async def cell() -> StoredRun:
        return run(MockModel(right))

    assert asyncio.run(cell()).run.status == "complete"


SCRIPT = """
import asyncio, sys, evalkit
from evalkit import MockModel

async def answer(request):
    print(request.sample_id, flush=True)
    await asyncio.sleep({delay})
    return "white"

stored = evalkit.run(models=[MockModel(answer, cacheable=True, max_connections=1)], tasks=["colours"])
print(stored.run.status, flush=True)
"""


def _start(delay: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(delay=delay)], stdout=subprocess.PIPE, text=True
    )


def _wait_for_lines(process: subprocess.Popen[str], count: int) -> Sequence[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def test_interrupt_finishes_what_is_in_flight(workspace: Path) -> None:
    """Ctrl-C keeps the answer that was on its way, and the run says interrupted."""
    process = _start(0.3)
    asked = _wait_for_lines(process, 2)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output.split()[-1] == "interrupted"
    (folder,) = (workspace / "reports").iterdir()
    stored = load_run(folder)
    finished = [result.sample_id for result in stored.samples(stored.run.cells[0].slug)]
    assert set(asked) <= set(finished)
    assert len(finished) < len(THINGS)


def test_killed_run_repeats_only_what_was_in_flight(workspace: Path) -> None:
    """After kill -9 the next run asks only for what had no answer yet."""
    process = _start(0.6)
    asked = _wait_for_lines(process, 3)
    time.sleep(0.3)  # the third question is out, and the second answer has reached the disk
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    again = _start(0.0)
    output, _ = again.communicate(timeout=20)
    assert output.split() == [*list(THINGS)[len(asked) - 1 :], "complete"]


def test_interrupt_twice_stops_at_once(workspace: Path) -> None:
    """A second Ctrl-C does not wait for a call that takes long."""
    process = _start(30)
    _wait_for_lines(process, 1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode is not None


def test_runs_of_one_second_get_folders_of_their_own(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight runs that begin at the same time, in threads, are stored side by side."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    with ThreadPoolExecutor(8) as pool:
        ids = {stored.run.id for stored in pool.map(lambda _: run(MockModel(right)), range(8))}
    assert len(ids) == 8
