"""What takes long is named, once, with its task and sample; what does not is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit.core import watchdog

HOOK = """
import time
from evalkit import metric

@metric(higher_is_better=True)
def patient(case):
    if case.fields["question"] == "3":
        time.sleep(0.6)
    return 1.0
"""


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told, with little patience."""
    told: list[str] = []
    monkeypatch.setattr(watchdog, "PATIENCE_S", 0.15)
    monkeypatch.setattr(watchdog, "_tell", told.append)
    return told


def test_what_takes_long_is_told_once_while_it_lasts(heard: list[str]) -> None:
    """In its own words, and the shorter thing inside of it is not told."""
    with watchdog.doing("task.yaml", "prompt", "zero", "sample", 7):
        for _ in range(20):
            with watchdog.doing("something short"):
                time.sleep(0.01)
        time.sleep(0.6)
        assert [text.partition(":")[0] for text in heard] == ["task.yaml prompt zero sample 7"]
    assert len(heard) == 1


def test_the_watch_ends_when_there_is_nothing_to_look_at(heard: list[str]) -> None:
    """No thread stays behind in a notebook, and a later watch begins anew."""
    for _ in range(2):
        with watchdog.doing("a"):
            assert any(thread.name == "evalkit-watchdog" for thread in threading.enumerate())
        limit = time.monotonic() + 20
        while any(thread.name == "evalkit-watchdog" for thread in threading.enumerate()):
            assert time.monotonic() < limit
            time.sleep(0.05)
    assert heard == []


def test_items_are_watched_one_by_one(heard: list[str]) -> None:
    """Many quick items are no long one."""

    def items() -> Iterator[int]:
        for number in range(30):
            time.sleep(0.02)
            yield number

    assert list(watchdog.each(items, "task.py", "load_samples")) == list(range(30))
    assert heard == []


def test_a_slow_hook_is_named_with_its_sample(
    heard: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A metric of task.py that holds the run up for one of five samples."""
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"s{n}", "question": f"{n}", "answer": "x"} for n in range(5)]
    folder = tmp_path / "tasks" / "sums"
    write_task(folder, rows, name="sums", metrics=["patient"])
    (folder / "task.py").write_text(HOOK)
    evalkit.run(["mock/echo"], ["sums"], cache="off")
    assert len(heard) == 1
    assert heard[0].startswith(f"{folder / 'task.yaml'} what scores sample s3: this has taken")
