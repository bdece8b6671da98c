"""Requests per second and CPU per call, interleaved: raw aiohttp, LiteLLM as it comes, our three lanes.

    python benchmarks/wire/calls.py [--connections 32,128] [--rounds 3]

The server runs in a process of its own; CPU is this process' alone. Ratios come from the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import server as bench_server

from evalkit.core.records import Message, Request
from evalkit.models import _litellm
from evalkit.models.resolution import resolve_model
from evalkit.models.served import Served
from evalkit.models.settings import ModelSettings

PROMPT = "A farmer has 12 apples and buys 30 more; how many does he have? Think step by step. " * 20
ECHO = "".join(bench_server.TOKENS)
Call = Callable[[int], Awaitable[Any]]
Rows = list[tuple[float, float]]


async def timed(call: Call, n: int, connections: int) -> tuple[float, float]:
    """(CPU milliseconds per call, calls per second) of n calls."""
    numbers = iter(range(n))

    async def work() -> None:
        for number in numbers:
            await call(number)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return 1e3 * (time.process_time() - cpu) / n, n / (time.perf_counter() - wall)


async def measure(url: str, connections: int, rounds: int) -> None:
    """Nothing; prints a table for this many connections."""
    import aiohttp

    litellm = _litellm.load()
    route = "hosted_vllm/bench"
    resolved = resolve_model("m", {"m": ModelSettings(route, api_base=url)})
    safe, fast, scoring = Served(resolved, "safe"), Served(resolved, "fast"), Served(resolved, "fast")
    plain = Served(resolved, "stock")
    params = {"temperature": 0, "max_tokens": 256}

    def request(number: int) -> Request:
        return Request("generate", route, (Message("user", f"{number} {PROMPT}"),), params=params)

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def raw(number: int) -> None:
        body = {"model": "bench", "messages": [{"role": "user", "content": f"{number} {PROMPT}"}], **params}
        async with session.post(f"{url}/chat/completions", json=body) as reply:
            (await reply.json())["choices"][0]["message"]["content"]

    async def raw_echo(number: int) -> None:
        body = {"model": "bench", "prompt": ECHO, "echo": True, "logprobs": 1, "max_tokens": 1}
        async with session.post(f"{url}/completions", json=body) as reply:
            (await reply.json())["choices"][0]["logprobs"]["token_logprobs"]

    async def stock(number: int) -> None:
        messages = [{"role": "user", "content": f"{number} {PROMPT}"}]
        await litellm.acompletion(model=route, api_base=url, messages=messages, num_retries=0, **params)

    async def echo(number: int) -> None:
        head, tail = ECHO[: -4 * 20], ECHO[-4 * 20 :]
        await scoring.call(Request("loglikelihood", route, (Message("user", head),), (tail,)))

    variants: dict[str, tuple[Call, int]] = {
        "raw aiohttp": (raw, 1500),
        "fast lane": (lambda number: fast.call(request(number)), 1500),
        "safe lane": (lambda number: safe.call(request(number)), 400),
        "stock lane": (lambda number: plain.call(request(number)), 300),
        "stock litellm.acompletion": (stock, 300),
        "raw aiohttp, echo": (raw_echo, 600),
        "fast lane, echo of 200 tokens": (echo, 600),
    }
    found: dict[str, Rows] = {name: [] for name in variants}
    for call, _ in variants.values():
        await timed(call, 3 * connections, connections)  # warm: connections, code, templates
    for _ in range(rounds):
        for name, (call, n) in variants.items():
            found[name].append(await timed(call, n, connections))
    print(
        f"\n{connections} connections, {rounds} rounds: CPU ms a call | calls/s | calls/s of raw, of stock | "
        "CPU of raw, of stock"
    )

    def ratio(rows: Rows, base: Rows, column: int) -> float:
        return statistics.median(row[column] / other[column] for row, other in zip(rows, base, strict=True))

    stocks = found["stock litellm.acompletion"]
    for name, rows in found.items():
        base = found["raw aiohttp, echo" if "echo" in name else "raw aiohttp"]
        cpu, rate = (statistics.median(row[column] for row in rows) for column in (0, 1))
        speed = f"{ratio(rows, base, 1):5.2f}x {ratio(rows, stocks, 1):6.2f}x"
        cost = f"{ratio(rows, base, 0):6.2f}x {ratio(rows, stocks, 0):5.2f}x"
        print(f"{name:32} | {cpu:6.3f} | {rate:7.0f} | {speed} | {cost}")
    await session.close()
    for lane in (safe, fast, scoring, plain):
        await lane.aclose()
    await litellm.close_litellm_async_clients()


def main() -> None:
    """Nothing; starts the server and measures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", default="32,128")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            for connections in map(int, given.connections.split(",")):
                asyncio.run(measure(url, connections, given.rounds))
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
