"""CPU per sample of the whole pipeline, prompt to journal, beside that of the call alone; and from the cache.

    python benchmarks/wire/pipeline.py [--samples 10000] [--connections 64]

The server answers at once and runs in a process of its own. `evalkit run` is a process too; its start-up, a
small run, is taken off. The call alone is the fast lane in this process, on the same prompts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from calls import timed
from whole_command import TASK

from evalkit.core.records import Message, Request
from evalkit.models.resolution import resolve_model
from evalkit.models.served import Served
from evalkit.models.settings import ModelSettings

TEXT = "A farmer has {n} apples and buys {m} more. " * 8 + "How many apples? End with #### and the number."


def project(folder: Path, url: str, samples: int) -> None:
    """A task of so many samples, and the model on the server."""
    task = folder / "tasks" / "farm"
    task.mkdir(parents=True)
    rows = [{"id": f"q{n}", "question": TEXT.format(n=n, m=n % 7), "answer": "42"} for n in range(samples)]
    (task / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (task / "task.yaml").write_text(TASK)
    model = {"model": "hosted_vllm/bench", "api_base": url}
    (folder / "evalkit.yaml").write_text(json.dumps({"models": {"bench": model}}))


def run(folder: Path, cache: str, *options: str) -> tuple[float, float]:
    """(CPU, wall) seconds of one `evalkit run`."""
    command = [sys.executable, "-m", "evalkit", "run", "--models", "bench", "--tasks", "farm", "--quiet"]
    command += ["--cache", str(folder / cache), "--out", str(folder / "runs"), *options]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "user")}
    subprocess.run(command, cwd=folder, check=True, env=environment)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


async def calls(url: str, samples: int, connections: int) -> float:
    """CPU milliseconds of a call on the fast lane alone."""
    lane = Served(resolve_model("m", {"m": ModelSettings("hosted_vllm/bench", api_base=url)}))

    async def call(number: int) -> None:
        text = TEXT.format(n=number, m=number % 7)
        params = {"temperature": 0, "max_tokens": 256}
        await lane.call(Request("generate", "hosted_vllm/bench", (Message("user", text),), params=params))

    await timed(call, 200, connections)  # its templates
    found = [await timed(call, samples // 4, connections) for _ in range(4)]
    await lane.aclose()
    return min(cpu for cpu, _ in found)


def main(arguments: Sequence[str] | None = None) -> None:
    """Nothing; measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args(arguments)
    many = ("--max-connections", str(given.connections))
    server = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with (
        subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            project(folder, url, given.samples)
            run(folder, "first.db", *many, "--limit", "20")  # LiteLLM compiles the requests
            small, _ = run(folder, "small.db", *many, "--limit", "200")
            fresh, fresh_wall = run(folder, "big.db", *many)
            start, start_wall = run(folder, "big.db", *many, "--limit", "1")
            again, again_wall = run(folder, "big.db", *many)
            call = asyncio.run(calls(url, min(given.samples, 4000), given.connections))
        finally:
            process.terminate()
    each = 1e3 * (fresh - small) / (given.samples - 200)
    print(f"{given.samples:,} samples, {given.connections} connections, {fresh_wall:.1f} s wall")
    print(f"whole pipeline {each:.3f} ms CPU a sample ({1e3 / each:,.0f} samples a CPU second)")
    print(f"the call alone {call:.3f} ms; beyond the call {each - call:.3f} ms")
    print(
        f"from the cache: {again - start:.2f} s CPU ({again_wall - start_wall:.2f} s wall) beyond start-up "
        f"({start:.2f} s CPU), {1e3 * (again - start) / given.samples:.3f} ms a sample"
    )


if __name__ == "__main__":
    main()
