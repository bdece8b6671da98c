"""The limits of an account: how many calls at once, how many a minute, and when a model is given up."""

from __future__ import annotations

import asyncio

from evalkit.core.errors import CallError
from evalkit.running.executors.breaker import Breaker
from evalkit.running.executors.limiter import Limiter
from evalkit.running.executors.pace import Pace


class Clock:
    """A time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def rounds(limiter: Limiter, n: int) -> None:
    """So many rounds in which every connection is used and every call answered."""

    async def work() -> None:
        for _ in range(n):
            size = limiter.limit
            for _ in range(size):
                await limiter.acquire()
            for _ in range(size):
                limiter.release()
                limiter.succeeded(False)

    asyncio.run(work())


def test_limit_doubles_until_the_ceiling() -> None:
    """Slow start: one clean round after the other, and never above the ceiling."""
    limiter = Limiter(100, adaptive=True)
    found = []
    for _ in range(4):
        found.append(limiter.limit)
        rounds(limiter, 1)
    assert found == [32, 64, 100, 100]


def test_unused_limit_does_not_grow() -> None:
    """A limit that was not used says nothing about what the server can bear."""
    limiter = Limiter(100, adaptive=True)

    async def work() -> None:
        for _ in range(500):
            await limiter.acquire()
            limiter.release()
            limiter.succeeded(False)

    asyncio.run(work())
    assert limiter.limit == 32


def test_a_round_with_a_server_error_gives_no_growth() -> None:
    """A timeout or a server error keeps the limit where it is for that round, and cuts nothing."""
    limiter = Limiter(100, adaptive=True)
    limiter.troubled()
    rounds(limiter, 1)
    assert (limiter.limit, limiter.cuts) == (32, 0)
    rounds(limiter, 1)
    assert limiter.limit == 64


def test_one_congestion_is_one_cut_and_growth_comes_back() -> None:
    """Further 429s of the same congestion neither cut again nor put growth off."""
    clock = Clock()
    limiter = Limiter(100, adaptive=True, clock=clock)

    async def congest() -> None:
        began = [await limiter.acquire() for _ in range(32)]
        for at in began:
            clock.now += 0.01
            limiter.throttled(at)
            limiter.release()

    asyncio.run(congest())
    assert (limiter.limit, limiter.cuts) == (25, 1)
    for _ in range(10):  # late signals, until just before the cooldown ends
        clock.now += 0.4
        limiter.throttled(clock.now)
    assert limiter.cuts == 1
    clock.now += 1.0
    rounds(limiter, 2)
    assert limiter.limit > 25
    assert limiter.notes()


def test_connection_of_a_cancelled_waiter_is_not_lost() -> None:
    """A waiter that is cancelled at the moment of its turn passes the connection on."""
    limiter = Limiter(1)

    async def work() -> None:
        await limiter.acquire()
        first, second = asyncio.create_task(limiter.acquire()), asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        limiter.release()
        first.cancel()
        await asyncio.wait_for(second, 1)
        await asyncio.gather(first, return_exceptions=True)
        limiter.release()

    asyncio.run(work())
    assert limiter.in_flight == 0


def test_configured_rates_space_the_calls() -> None:
    """60 requests a minute are one a second; tokens count too and are corrected by what was used."""
    clock = Clock()
    pace = Pace(rpm=60, clock=clock)
    assert [round(pace.take(0), 1) for _ in range(4)] == [0, 0, 1, 2]
    pace = Pace(tpm=600, clock=clock)
    waits = [pace.take(10) for _ in range(3)]
    assert waits[0] == 0 < waits[1] < waits[2]
    pace.used(10, 0)
    assert pace.take(10) < waits[2] + 1


def test_rate_is_learnt_from_refusals_and_tried_again() -> None:
    """While a server refuses, what it accepts is its limit; without refusals more is tried."""
    clock = Clock()
    pace = Pace(clock=clock)
    for _ in range(200):
        clock.now += 0.01
        pace.refused()
        if round(clock.now * 100) % 10 == 0:
            pace.accepted()
    assert pace.learning
    learnt = pace.learnt_rpm[-1]
    assert 400 < learnt < 900  # ten a second, and a little hope
    for _ in range(60):
        clock.now += 1
        pace.take(0)
    assert not pace.learning


def test_random_refusals_are_no_rate() -> None:
    """Where most calls are taken, nothing is paced."""
    clock = Clock()
    pace = Pace(clock=clock)
    for n in range(1000):
        clock.now += 0.01
        pace.refused() if n % 10 == 0 else pace.accepted()
    assert not pace.learning


def test_breaker_says_once_why() -> None:
    """The first failures of one kind, and later a row of samples that were given up, stop a model."""
    failure = CallError("gone", kind="connection", action="retry")
    breaker = Breaker(2)
    for _ in range(5):
        assert breaker.stopped is None
        breaker.failed(failure)
    assert breaker.stopped == "the first 5 calls all failed (gone)"
    breaker = Breaker(2)
    breaker.answered()
    for _ in range(20):
        assert breaker.stopped is None
        breaker.failed(failure)
        breaker.gave_up(failure)
    assert breaker.stopped == "20 samples in a row failed for one cause (gone)"


def test_connections_that_somebody_named_are_there_from_the_beginning() -> None:
    """No slow start below a chosen number; a refusal brings it down all the same."""
    clock = Clock()
    limiter = Limiter(64, adaptive=True, wide=True, clock=clock)
    assert limiter.limit == 64
    began = asyncio.run(limiter.acquire())
    clock.now += 10
    limiter.throttled(began)
    assert limiter.limit < 64
