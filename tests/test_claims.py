"""Claims: what one process is asking, no other asks; what a dead one was asking, another asks soon."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from factories import make_request, make_sample

from evalkit.core.errors import CacheError, CallError
from evalkit.core.records import Request, Response
from evalkit.models.mock import MockModel
from evalkit.running.executors.local import Lane, LocalExecutor, RetryPolicy, Work
from evalkit.store.cache import Cache, claims
from evalkit.store.cache.owner import Owner, process_start, this_host, this_process

KEYS = [f"k{n}" for n in range(10)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Cache, Cache]]:
    """Two users of one cache, as two processes would be."""
    caches = (Cache(f"sqlite:///{tmp_path / 'c.db'}"), Cache(f"sqlite:///{tmp_path / 'c.db'}"))
    yield caches
    for cache in caches:
        cache.close()


def put(cache: Cache, *keys: str) -> None:
    """Keep an answer under each key."""

    async def work() -> None:
        await asyncio.gather(*(cache.put(key, make_request(key), Response(text=key)) for key in keys))

    asyncio.run(work())


def pretend(cache: Cache, **fields: Any) -> None:
    """Make the owners in the cache look like other processes."""
    table = cache._claims._owners
    with cache._engine.begin() as connection:
        connection.execute(sa.update(table).values(**fields))


def test_what_one_asks_the_other_waits_for(pair: tuple[Cache, Cache]) -> None:
    """A claimed key is foreign to the other, until the answer is there."""
    first, second = pair
    assert first.look_up(KEYS[:6]) == ({}, set())
    assert second.look_up(KEYS) == ({}, set(KEYS[:6]))
    assert first.look_up(KEYS[4:]) == ({}, set(KEYS[6:]))
    assert second.wait_for(KEYS[:6]) == ({}, [])
    put(first, *KEYS[:3])
    found, free = second.wait_for(KEYS[:6])
    assert (sorted(found), free) == (KEYS[:3], [])


def test_only_who_holds_the_claim_may_begin(pair: tuple[Cache, Cache]) -> None:
    """A question is asked by one of two, never by both."""
    first, second = pair
    first.look_up(["k"])
    second.look_up(["k"])
    assert (first.begin("k"), second.begin("k")) == (True, False)


def test_claims_leave_no_trace(pair: tuple[Cache, Cache]) -> None:
    """When answers are kept and the caches closed, the tables of the claims are empty."""
    first, second = pair
    first.look_up(KEYS)
    put(first, *KEYS)
    second.look_up(["other"])
    for cache in pair:
        cache.close()
    with first._engine.connect() as connection:
        for name in ("claims", "claim_owners"):
            assert connection.execute(sa.text(f"select count(*) from {name}")).scalar() == 0


def test_a_failed_call_frees_its_question(pair: tuple[Cache, Cache]) -> None:
    """Who gives up lets the other ask, within a moment."""
    first, second = pair
    first.look_up(["k"])
    second.look_up(["k"])
    first.release("k")
    until = time.monotonic() + 5
    while (outcome := second.wait_for(["k"])) == ({}, []) and time.monotonic() < until:
        time.sleep(0.01)
    assert outcome == ({}, ["k"])
    assert second.begin("k")


def test_a_dead_process_is_known_at_once(pair: tuple[Cache, Cache]) -> None:
    """The claims of a process of this host that is gone are taken without waiting."""
    first, second = pair
    first.look_up(KEYS)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    pretend(first, pid=gone.pid)
    assert second.look_up(KEYS) == ({}, set())


def test_a_number_that_was_used_again_is_not_taken_for_the_process(pair: tuple[Cache, Cache]) -> None:
    """A living process with the number of a dead one does not keep its claims alive."""
    first, second = pair
    first.look_up(KEYS)
    pretend(first, started="1")
    expected = set() if process_start(os.getpid()) else set(KEYS)
    assert second.look_up(KEYS) == ({}, expected)


@pytest.mark.parametrize(
    ("host", "patience"), [(this_host(), claims.PATIENCE_LIVING_S), ("elsewhere", claims.PATIENCE_S)]
)
def test_an_owner_that_stands_still_is_given_up_in_time(
    pair: tuple[Cache, Cache], monkeypatch: pytest.MonkeyPatch, host: str, patience: float
) -> None:
    """Only when the beats stand still for the observer's patience; a single beat begins it anew."""
    first, second = pair
    now = [1000.0]
    second._claims._clock = lambda: now[0]
    first.look_up(KEYS)
    monkeypatch.setattr(first._claims, "tick", lambda: None)  # it is stopped
    pretend(first, host=host, beat=5)
    assert second.look_up(KEYS)[1] == set(KEYS)
    now[0] += patience - 0.1
    assert second.wait_for(KEYS) == ({}, [])
    pretend(first, beat=6)
    assert second.wait_for(KEYS) == ({}, [])
    now[0] += patience - 0.1
    assert second.wait_for(KEYS) == ({}, [])
    now[0] += 0.2
    assert second.wait_for(KEYS) == ({}, KEYS)


def test_an_owner_that_was_given_up_notices(pair: tuple[Cache, Cache]) -> None:
    """Who wakes up after its claims were taken looks again before it asks."""
    first, second = pair
    now = [1000.0]
    first._claims._clock = lambda: now[0]
    first.look_up(KEYS)
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    pretend(first, pid=gone.pid)
    second.look_up(KEYS)
    now[0] += 6  # it has slept
    assert not first.begin(KEYS[0])
    assert first.look_up(KEYS) == ({}, set(KEYS))
    assert not first.begin(KEYS[0])


def test_a_question_that_waits_long_for_its_turn_is_given_up(pair: tuple[Cache, Cache]) -> None:
    """A slow process does not keep a fast one from what it has not begun; what it has begun stays its own."""
    first, second = pair
    now = [1000.0]
    first._claims._clock = lambda: now[0]
    first.look_up(["begun", "idle"])
    assert first.begin("begun")
    now[0] += 11
    first._claims.tick()
    assert second.look_up(["begun", "idle"]) == ({}, {"begun"})
    assert not first.begin("idle")


def test_no_clock_of_the_calendar_counts(pair: tuple[Cache, Cache], monkeypatch: pytest.MonkeyPatch) -> None:
    """A jump of the clock by a year, either way, frees no claim and holds none."""
    first, second = pair
    first.look_up(KEYS)
    real = time.time
    for jump in (3e7, -3e7):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        assert second.look_up(KEYS) == ({}, set(KEYS))
    put(first, *KEYS)
    assert sorted(second.look_up(KEYS)[0]) == KEYS


def test_prune_spares_what_comes_from_the_future(tmp_path: Path) -> None:
    """Answers kept while the clock was ahead are not older than anything; those before are."""
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    put(cache, "past", "future")
    with cache._engine.begin() as connection:
        connection.execute(sa.text("update responses set created = '2001-01-01' where key = 'past'"))
        connection.execute(sa.text("update responses set created = '2099-01-01' where key = 'future'"))
    assert cache.prune(before="2026-01-01T00:00:00+00:00") == 1
    assert list(cache.get_many(["past", "future"])) == ["future"]
    cache.close()


def test_a_cache_that_can_only_be_read_serves_and_stops_before_the_first_call(tmp_path: Path) -> None:
    """What is there is answered; what is missing ends the run before anything is paid, with a cure."""
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    put(cache, *KEYS)
    cache.close()
    readable = Cache(f"sqlite:///file:{tmp_path / 'c.db'}?mode=ro&uri=true")
    assert sorted(readable.look_up(KEYS)[0]) == KEYS
    with pytest.raises(CacheError, match="the place cannot be written: name another by --cache PATH"):
        readable.look_up([*KEYS, "new"])
    readable.close()
    assert not list(tmp_path.glob("file:*"))


def test_a_cache_of_an_evalkit_without_claims_gets_them(tmp_path: Path) -> None:
    """The tables of the claims are made when the first claim is; until then nothing is written."""
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    put(cache, "k")
    assert not sa.inspect(cache._engine).has_table("claims")
    assert cache.look_up(["k", "new"])[1] == set()
    assert sa.inspect(cache._engine).has_table("claims")
    cache.close()


def test_a_zombie_and_a_stranger() -> None:
    """A process that has ended but was not fetched is dead; of another host's processes nothing is known."""
    me = this_process("me")
    assert me.lives is True
    assert dataclasses.replace(me, host="elsewhere").lives is None
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    try:
        until = time.monotonic() + 10
        while process_start(zombie.pid) and time.monotonic() < until:
            time.sleep(0.01)
        assert Owner("z", me.host, zombie.pid, "").lives is (not process_start(os.getpid()))
    finally:
        zombie.wait()


# Executors that share a cache, as the runs of two processes do.

Answer = Callable[[Request], Awaitable[Any]]


def run_both(
    tmp_path: Path, answers: tuple[Answer, Answer], questions: list[str], **options: Any
) -> list[dict[int, Response]]:
    """The responses that each of two executors delivers; every one has a cache object of its own."""
    delivered: list[dict[int, Response]] = [{}, {}]

    async def body() -> None:
        async def one(number: int) -> None:
            cache = Cache(f"sqlite:///{tmp_path / 'c.db'}", replace_entries="read_cache" in options)
            model = MockModel(answers[number], cacheable=True, identity={"route": "mock/fn"})
            works = (
                Work(0, n, make_sample(str(n)), make_request(question, sample_id=str(n)), model)
                for n, question in enumerate(questions)
            )

            def deliver(work: Work, response: Response) -> None:
                delivered[number][work.position] = response

            retry = RetryPolicy(max_retries=0)
            executor = LocalExecutor(cache=cache, retry=retry, **options)
            await executor.run([Lane("m", works, connections=4)], deliver)
            await asyncio.to_thread(cache.close)

        await asyncio.wait_for(asyncio.gather(one(0), one(1)), 20)

    asyncio.run(body())
    return delivered


def test_two_runs_at_once_pay_once_and_share_the_work(tmp_path: Path) -> None:
    """Each question is asked by one of the two; both get all answers, and both have asked."""
    calls: list[list[str]] = [[], []]

    def answer(number: int) -> Answer:
        async def ask(request: Request) -> str:
            calls[number].append(request.messages[0].text)
            await asyncio.sleep(0.005)
            return request.messages[0].text

        return ask

    questions = [f"q{n}" for n in range(300)]
    delivered = run_both(tmp_path, (answer(0), answer(1)), questions)
    assert sorted(calls[0] + calls[1]) == sorted(questions)
    assert min(map(len, calls)) > 50
    for found in delivered:
        assert [found[n].text for n in range(300)] == questions


def test_what_the_one_cannot_ask_the_other_asks(tmp_path: Path) -> None:
    """The failures of one run are its own: the other asks the same questions and gets its answers."""

    async def fail(request: Request) -> str:
        await asyncio.sleep(0.002)
        raise CallError("no", kind="bad_request", action="fail_sample")

    async def answer(request: Request) -> str:
        await asyncio.sleep(0.002)
        return "yes"

    failed, answered = run_both(tmp_path, (fail, answer), [f"q{n}" for n in range(80)])
    assert len(failed) == len(answered) == 80
    assert {response.text for response in answered.values()} == {"yes"}


def test_two_fresh_runs_each_ask_everything_once(tmp_path: Path) -> None:
    """--fresh is an order to pay: neither waits for the other, and the cache holds each answer once."""
    calls: list[str] = []

    async def answer(request: Request) -> str:
        calls.append(request.messages[0].text)
        await asyncio.sleep(0.002)
        return "fresh"

    questions = [f"q{n}" for n in range(80)]
    run_both(tmp_path, (answer, answer), questions, read_cache=False)
    assert sorted(calls) == sorted(questions * 2)
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    assert sum(cache.count_by_model().values()) == 80
    cache.close()


def test_a_connection_is_held_until_the_answer_is_on_the_disk(tmp_path: Path) -> None:
    """However slow the disk, never more calls are sent and not yet kept than there are connections."""
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    commit, kept, sent, most = cache._commit, [0], [0], [0]

    def slow(rows: Any, replacing: bool = False) -> None:
        rows = list(rows)
        time.sleep(0.01)
        commit(rows, replacing)
        kept[0] += len(rows)

    cache._commit = slow  # type: ignore[method-assign]

    async def answer(request: Request) -> str:
        sent[0] += 1
        most[0] = max(most[0], sent[0] - kept[0])
        return "yes"

    model = MockModel(answer, cacheable=True, identity={"route": "mock/fn"})
    works = (Work(0, n, make_sample(str(n)), make_request(f"q{n}"), model) for n in range(200))

    async def body() -> None:
        lane = Lane("m", works, connections=16)
        await LocalExecutor(cache=cache).run([lane], lambda work, response: None)

    asyncio.run(asyncio.wait_for(body(), 20))
    cache.close()
    assert (sent[0], kept[0]) == (200, 200)
    assert most[0] == 16


def test_a_stopped_run_waits_for_nobody(tmp_path: Path) -> None:
    """A run that waits for another's answers ends at once when it is stopped, and asks nothing."""
    other = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    cache = Cache(f"sqlite:///{tmp_path / 'c.db'}")
    calls: list[str] = []
    model = MockModel(lambda request: calls.append("x") or "x", cacheable=True, identity={"route": "r"})
    works = [Work(0, n, make_sample(str(n)), make_request(f"q{n}"), model) for n in range(20)]
    from evalkit.store.cache import cache_key

    other.look_up([cache_key(work.request, model.identity) for work in works])
    delivered: list[Work] = []

    async def body() -> None:
        executor = LocalExecutor(cache=cache)
        lane = Lane("m", iter(works), connections=4)
        running = asyncio.create_task(executor.run([lane], lambda work, response: delivered.append(work)))
        await asyncio.sleep(0.1)
        executor.stop()
        await asyncio.wait_for(running, 5)

    asyncio.run(body())
    assert (calls, delivered) == ([], [])
    other.close()
    cache.close()
