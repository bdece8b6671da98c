"""What the cache costs a run: samples per second and CPU with and without it, interleaved.

    python benchmarks/cache/cost.py [--samples 6000] [--rounds 3] [--slow-commit 0.005]

The executor asks a mock; --slow-commit makes every commit as slow as that of a lesser disk. Every answer
waits for its commit before its connection is free again, so that what is measured includes that wait.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from factories import make_request, make_sample  # noqa: E402

from evalkit.core.records import Request, Response, Usage  # noqa: E402
from evalkit.models.mock import MockModel  # noqa: E402
from evalkit.running.executors.local import Lane, LocalExecutor, Work  # noqa: E402
from evalkit.store.cache import Cache  # noqa: E402

PROMPT = "A farmer has 12 apples and buys 30 more; how many does he have? Think step by step. " * 10


def run(n: int, connections: int, latency: float, url: str | None, slow: float) -> tuple[float, float]:
    """(samples per second, CPU milliseconds per sample) of one run."""

    async def answer(request: Request) -> Response:
        await asyncio.sleep(latency)
        return Response(text="The answer is 42." * 10, usage=Usage(input=200, output=40), latency_s=latency)

    model = MockModel(answer, cacheable=True, identity={"route": "mock/fn"})

    def works() -> Iterator[Work]:
        for i in range(n):
            yield Work(0, i, make_sample(str(i)), make_request(f"{i} {PROMPT}", sample_id=str(i)), model)

    cache = Cache(url) if url else None
    if cache is not None and slow:
        commit = cache._commit

        def slow_commit(*given: Any) -> None:
            commit(*given)
            time.sleep(slow)

        cache._commit = slow_commit  # type: ignore[method-assign]

    async def body() -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        lane = Lane("m", works(), connections=connections)
        await LocalExecutor(cache=cache).run([lane], lambda work, response: None)
        return n / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / n

    found = asyncio.run(body())
    if cache is not None:
        cache.close()
    return found


def main() -> None:
    """Nothing; prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow-commit", type=float, default=0.0, metavar="SECONDS")
    given = parser.parse_args()
    print(
        "connections | latency | cache off: samples/s, CPU ms | on | again (all known) | on, of off | ideal"
    )
    for connections, latency in ((64, 0.0), (512, 0.0), (64, 0.05), (512, 0.05)):
        rows = []
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as folder:
                url = f"sqlite:///{folder}/cache.db"
                off = run(given.samples, connections, latency, None, 0.0)
                on = run(given.samples, connections, latency, url, given.slow_commit)
                again = run(given.samples, connections, latency, url, 0.0)
                rows.append((*off, *on, *again))
        m = [statistics.median(column) for column in zip(*rows, strict=True)]
        ideal = f"{connections / latency:7.0f}/s" if latency else ""
        cells = [f"{m[i]:7.0f}, {m[i + 1]:.3f}" for i in (0, 2, 4)]
        print(
            f"{connections:11} | {latency * 1e3:4.0f} ms | {' | '.join(cells)} | {m[2] / m[0]:.2f}x | {ideal}"
        )


if __name__ == "__main__":
    main()
