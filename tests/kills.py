"""Runs that are killed at random moments and started again, and what the server saw of it.

A call is in flight from the moment at which it is sent until its answer is on the disk. The server notes
every request with the process that sent it (each process has an API key of its own), and the cache is read
while nobody can write: after the kill, with the other process stopped for that moment. So for every kill it
is known which calls were in flight, and any other repeated call is a broken promise.
"""

from __future__ import annotations

import collections
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from server import Call, Server, serve

CONNECTIONS = 8
TASK = """
name: sums
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "What is {{ n }} + {{ n }}?"}
generation: {temperature: 0, max_tokens: 20}
extract: [last_number]
metrics: [exact_match]
"""


@dataclass
class Outcome:
    """What one round of kills came to."""

    in_flight: list[int] = field(default_factory=list)
    """For each kill, how many calls were in flight."""
    repeated: int = 0
    """Answers asked for more than once, each further time counted."""
    unexplained: dict[str, int] = field(default_factory=dict)
    """Prompt -> how often it was asked again although no kill had caught it in flight."""
    scores: bytes = b""
    shared: int = 0
    """Processes that asked something and were answered from the others' answers too."""

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return len(self.in_flight)


class Stage:
    """A project, its server, and the processes that run it."""

    def __init__(self, work: Path, server: Server, asked: list[tuple[str, str]], n: int) -> None:
        self.work = work
        self.server = server
        self.asked = asked
        """(name of the process, prompt) of every request, in order of arrival."""
        self.n = n
        self._started = 0

    def start(self, cache: str, out: str) -> tuple[str, subprocess.Popen[bytes]]:
        """(name, process) of a run."""
        self._started += 1
        name = f"process-{self._started}"
        command = [sys.executable, "-m", "evalkit", "run", "--models", "m", "--tasks", "sums", "--quiet"]
        command += ["--cache", cache, "--out", out, "--max-connections", str(CONNECTIONS)]
        environment = {**os.environ, "TEST_KEY": name}
        errors = (self.work / f"{name}.err").open("wb")
        process = subprocess.Popen(
            command, cwd=self.work, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        errors.close()
        return name, process

    def finish(self, cache: str, out: str, name: str, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of a run, which must be a good one.

        On a machine that is very busy the server may not answer in time before the first call; nothing was
        asked then, and the command is given again, as a user would.
        """
        for _ in range(5):
            code = process.wait(240)
            told = (self.work / f"{name}.err").read_text()
            if code == 0:
                return
            assert code == 2, (code, told)
            assert "no answer within" in told, told
            name, process = self.start(cache, out)
        raise AssertionError(told)

    def undisturbed(self) -> bytes:
        """The scores of a run that nobody kills, without a cache."""
        self.finish("off", "undisturbed", *self.start("off", "undisturbed"))
        return self.scores("undisturbed")

    def scores(self, out: str) -> bytes:
        """What must not change: the metrics of the cells of the newest run, as JSON."""
        newest = max((self.work / out).glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
        run = json.loads(newest.read_bytes())
        assert run["status"] == "complete", run["status"]
        return json.dumps([[cell["slug"], cell["metrics"]] for cell in run["cells"]], sort_keys=True).encode()

    def round(self, cache: str, rng: random.Random, *, processes: int = 1, kills: int = 1) -> Outcome:
        """The outcome of one run (or several at once) that is killed so many times and then finished.

        Of several processes one or all are killed, by lot; those that live go on.
        """
        self.asked.clear()
        outcome = Outcome()
        caught: collections.Counter[str] = collections.Counter()
        waiting: list[tuple[str, set[str]]] = []
        running = [self.start(cache, f"out{i}") for i in range(processes)]
        for number in range(kills):
            goal = int(self.n * (number + rng.random()) / kills)
            self._until(goal, [process for _, process in running])
            time.sleep(rng.uniform(0, 0.05))
            doomed = [i for i, (_, process) in enumerate(running) if process.poll() is None]
            if len(doomed) > 1 and rng.random() < 0.6:
                doomed = [rng.choice(doomed)]
            for i in doomed:
                waiting.append((running[i][0], self._kill(i, running, cache)))
            for i, (_, process) in enumerate(running):
                if process.poll() == -signal.SIGKILL:
                    running[i] = self.start(cache, f"out{i}")
        for i, (name, process) in enumerate(running):
            self.finish(cache, f"out{i}", name, process)
        for name, durable in waiting:
            lost = {prompt for sender, prompt in self.asked if sender == name} - durable
            outcome.in_flight.append(len(lost))
            caught.update(lost)
        counted = collections.Counter(prompt for _, prompt in self.asked)
        assert len(counted) == self.n
        outcome.repeated = sum(count - 1 for count in counted.values())
        outcome.unexplained = {
            prompt: count - 1 - caught[prompt]
            for prompt, count in counted.items()
            if count - 1 > caught[prompt]
        }
        found = {self.scores(f"out{i}") for i in range(processes)}
        outcome.scores = found.pop() if len(found) == 1 else b"the processes differ"
        outcome.shared = len({name for name, _ in self.asked})
        return outcome

    def _until(self, goal: int, running: list[subprocess.Popen[bytes]]) -> None:
        began = time.monotonic()
        while len(self.asked) < goal and time.monotonic() - began < 60:
            if all(process.poll() is not None for process in running):
                return
            time.sleep(0.002)

    def _kill(self, i: int, running: list[tuple[str, subprocess.Popen[bytes]]], cache: str) -> set[str]:
        """The prompts whose answers are on the disk when the process is dead."""
        others = [process for _, process in running if process.poll() is None and process != running[i][1]]
        for process in others:
            process.send_signal(signal.SIGSTOP)
        running[i][1].send_signal(signal.SIGKILL)
        running[i][1].wait()
        durable = kept_prompts(cache)
        for process in others:
            process.send_signal(signal.SIGCONT)
        return durable


def kept_prompts(cache: str) -> set[str]:
    """The prompts whose answers a cache holds."""
    if "://" not in cache and not Path(cache).exists():
        return set()
    engine = sa.create_engine(cache if "://" in cache else f"sqlite:///{cache}")
    try:
        if not sa.inspect(engine).has_table("responses"):
            return set()
        with engine.connect() as connection:
            rows = connection.execute(sa.text("SELECT request FROM responses"))
            return {json.loads(bytes(row[0]))["messages"][0]["content"] for row in rows}
    finally:
        engine.dispose()


@contextmanager
def stage(work: Path, n: int, latency: float = 0.02) -> Iterator[Stage]:
    """A project with a task of `n` sums, a third of which the model gets wrong, and a server that answers."""
    folder = work / "tasks" / "sums"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": f"s{i}", "n": i, "answer": str(2 * i if i % 3 else i)} for i in range(n)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked: list[tuple[str, str]] = []

    def arrived(call: Call) -> float:
        asked.append((call.headers["authorization"].removeprefix("Bearer "), call.prompt))
        return latency

    with serve(lambda call: str(2 * int(call.prompt.split()[2])), latency=arrived, keep=False) as server:
        model = {"model": "hosted_vllm/gpt-4", "api_base": server.url, "api_key_env": "TEST_KEY"}
        (work / "evalkit.yaml").write_text(json.dumps({"models": {"m": model}}))
        yield Stage(work, server, asked, n)
