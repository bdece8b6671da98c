"""A server's limit of requests a minute is found out and used up, in a time that no machine disturbs."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any

import pytest
from factories import make_request, make_sample

from evalkit.core.errors import CallError
from evalkit.core.records import Request, Response
from evalkit.models.mock import MockModel
from evalkit.running.executors.limiter import Limiter
from evalkit.running.executors.local import Lane, LocalExecutor, RetryPolicy, Work
from evalkit.running.executors.pace import Pace


class Timeless(selectors.SelectSelector):
    """Waits for nothing: when all sleep, the time is at once that at which the first wakes."""

    now = 100.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready; the time that would have been waited has passed."""
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time passes only while everybody sleeps: a busy machine changes nothing."""

    def __init__(self) -> None:
        self.selector = Timeless()
        super().__init__(self.selector)

    def time(self) -> float:
        """Seconds of the time in which nobody computes."""
        return self.selector.now


class Limited:
    """A server that lets so many calls a second in, with a second's worth at the beginning."""

    def __init__(self, loop: Loop, rate: float, latency: float) -> None:
        self.loop, self.rate, self.latency = loop, rate, latency
        self.tokens, self.at = rate, loop.time()
        self.accepted: list[float] = []
        self.refused = 0

    async def __call__(self, request: Request) -> str:
        """An answer; raises a 429 with the time to wait when the limit is reached."""
        await asyncio.sleep(self.latency)
        now = self.loop.time()
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1:
            self.refused += 1
            wait = max(0.05, (1 - self.tokens) / self.rate)
            raise CallError("slow down", kind="rate_limit", action="retry", retry_after=wait)
        self.tokens -= 1
        self.accepted.append(now)
        return "ok"


def run(loop: Loop, work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in the loop's own time."""
    try:
        loop.run_until_complete(work)
    finally:
        loop.close()


@pytest.mark.parametrize("connections", [16, 100])
@pytest.mark.parametrize(("rate", "n"), [(5, 200), (40, 600), (300, 3000)])
def test_a_limit_is_used_up_without_configuration(
    monkeypatch: pytest.MonkeyPatch, connections: int, rate: float, n: int
) -> None:
    """At least nine tenths of the allowed rate are used, all is answered, and refusals are those of learning.

    These are ten tries of each connection at most, or a quarter of the calls where these are many.
    """
    loop = Loop()
    kept = Limiter.__init__.__kwdefaults__
    monkeypatch.setattr(Limiter.__init__, "__kwdefaults__", {**kept, "clock": loop.time})
    monkeypatch.setattr(Pace.__init__, "__defaults__", (None, None, loop.time))
    server = Limited(loop, rate, latency=0.02)
    model = MockModel(server, cacheable=True, identity={"route": "mock/fn"})
    works = (
        Work(0, i, make_sample(str(i)), make_request(f"q{i}", sample_id=str(i)), model) for i in range(n)
    )
    delivered: list[Response] = []

    async def body() -> None:
        executor = LocalExecutor(retry=RetryPolicy())
        lane = Lane("m", works, connections=connections, adaptive=True)
        await executor.run([lane], lambda work, response: delivered.append(response))

    run(loop, body())
    assert [response.status for response in delivered] == ["ok"] * n
    allowed = rate * (server.accepted[-1] - server.accepted[0]) + rate
    print(f"rate {rate}, {connections} connections: {n / allowed:.3f} used, {server.refused / n:.2f} refused")
    assert n >= 0.9 * allowed
    assert server.refused <= max(10 * connections, n / 4)
