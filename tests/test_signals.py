"""Ctrl-C and SIGTERM at any moment, in real processes: one line, 130; a second one ends whatever hangs."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalkit.store.folders import load_run

TASK = """
name: words
language: en
data: {file: samples.jsonl}
target: answer
prompts: {plain: "{{ q }}"}
extract: [strip]
metrics: [METRIC]
"""
HOOKS = {
    "python": "def hang():\n    while True:\n        pass\n",
    "asleep": "def hang():\n    import time\n    time.sleep(3600)\n",
    "pattern": "def hang():\n    import re\n    re.search('(a+)+$', 'a' * 60 + '!')\n",
    "number": "def hang():\n    9 ** 9 ** 9\n",
    "thread": "def hang():\n    import re, threading\n"
    "    threading.Thread(target=re.search, args=('(a+)+$', 'a' * 60 + '!'), daemon=True).start()\n"
    "    threading.Event().wait(3600)\n",
}
"""Ways to hang: in Python, in a call that lets others go on, in C in the main thread, in C beside it."""


def workspace(folder: Path, metric: str = "exact_match", hook: str = "") -> None:
    """Nothing; the folder holds a task of twenty words."""
    task = folder / "tasks" / "words"
    task.mkdir(parents=True)
    (task / "task.yaml").write_text(TASK.replace("METRIC", metric))
    (task / "samples.jsonl").write_text(
        "".join(f'{{"id": "{n}", "q": "w{n}", "answer": "ok"}}\n' for n in range(20))
    )
    if hook:
        (task / "task.py").write_text(
            f"from evalkit import metric\n\n{hook}\n\n"
            "@metric\ndef hangs(case):\n    open('reached', 'w').close()\n    hang()\n    return 1.0\n"
        )


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """A running `evalkit run`."""
    command = [sys.executable, "-m", "evalkit", "run", "--tasks", "words", "--cache", "off", *options]
    return subprocess.Popen(
        command, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    """Nothing, once something in the folder is called so."""
    until = time.monotonic() + 60
    while not any(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until, f"no {pattern}"
        time.sleep(0.02)


def end(process: subprocess.Popen[str], patience: float = 3.0) -> tuple[int, str]:
    """(exit code, what stands on stderr), within so many seconds."""
    began = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - began < patience
    assert "Traceback" not in said
    return process.returncode, said


@pytest.mark.parametrize("hook", HOOKS)
def test_a_second_signal_ends_whatever_hangs(hook: str, tmp_path: Path) -> None:
    """Within a second; what could not hear it is killed by the watcher, all else ends with 130."""
    workspace(tmp_path, "hangs", HOOKS[hook])
    process = start(tmp_path, "--models", "mock/fixed:ok")
    wait_for(tmp_path, "reached", process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, said = end(process)
    assert said.count("Interrupted.") == 1
    assert code == (-signal.SIGKILL if hook == "thread" else 130)


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM),
                                     (signal.SIGINT, signal.SIGTERM)])  # fmt: skip
def test_two_signals_of_a_run_that_waits(numbers: tuple[int, int], tmp_path: Path) -> None:
    """The run is written as interrupted, and the command ends with 130."""
    workspace(tmp_path)
    process = start(tmp_path, "--models", "mock/delay:60000")
    wait_for(tmp_path, "reports/*/samples", process)
    time.sleep(0.5)
    process.send_signal(numbers[0])
    time.sleep(0.3)
    process.send_signal(numbers[1])
    code, _ = end(process, 5)
    assert code == 130
    (folder,) = (tmp_path / "reports").iterdir()
    assert load_run(folder).run.status in ("interrupted", "running")


def test_two_signals_at_one_moment_are_one(tmp_path: Path) -> None:
    """What is in flight is finished."""
    workspace(tmp_path)
    process = start(tmp_path, "--models", "mock/delay:1500:ok", "--max-connections", "2")
    wait_for(tmp_path, "reports/*/samples", process)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    code, said = end(process, 20)
    assert code == 130
    assert "Stopping: 2 calls" in said
    (folder,) = (tmp_path / "reports").iterdir()
    stored = load_run(folder)
    assert stored.run.status == "interrupted"
    assert len(list(stored.samples(stored.run.cells[0].slug))) >= 2


def test_a_signal_at_any_moment_of_the_start_ends_in_one_line(tmp_path: Path) -> None:
    """While Python loads the program as well, but for its own first milliseconds."""
    rng = random.Random(0)
    for number in range(8):
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "evalkit", "tasks", "list"],
            cwd=tmp_path, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if line.rstrip().endswith("evalkit.core.signals"):
                break
        process.stderr.readline()  # the next one to be loaded: the handlers are there
        time.sleep(rng.uniform(0.0, 0.08))  # the listing itself takes about 0.2 s
        process.send_signal((signal.SIGINT, signal.SIGTERM)[number % 2])
        _, rest = process.communicate(timeout=20)
        said = "".join(line for line in rest.splitlines(True) if not line.startswith("import time:"))
        code = process.returncode
        assert "Traceback" not in said
        if code:  # else it was finished already
            assert code == 130, said
            assert rest.count("Interrupted.") == 1  # it may stand behind half a line of Python's


def test_the_watcher_ends_with_the_process(tmp_path: Path) -> None:
    """Also where that is killed: nothing of it is left behind."""
    workspace(tmp_path)
    process = start(tmp_path, "--models", "mock/delay:60000")
    wait_for(tmp_path, "reports/*/samples", process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=10)
    until = time.monotonic() + 5
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < until
        time.sleep(0.05)
