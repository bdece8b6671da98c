"""The local executor: every question asked once, within its limits, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from factories import make_request, make_sample

from evalkit.core.errors import CacheError, CallError
from evalkit.core.records import IMPOSSIBLE, Loglikelihood, Request, Response
from evalkit.models.mock import MockModel
from evalkit.models.settings import Price
from evalkit.running.executors.budget import Budget
from evalkit.running.executors.local import Lane, LocalExecutor, RetryPolicy, Work
from evalkit.store.cache import Cache

FAST = RetryPolicy(max_retries=8, first_wait_s=0.001, longest_wait_s=0.002, total_s=5)


def fail(kind: str = "server", action: Any = "retry", retry_after: float | None = None) -> CallError:
    """A failed call."""
    return CallError(f"{kind}!", kind=kind, action=action, retry_after=retry_after)


@dataclass
class Server:
    """A model that counts: how often it was asked, how many calls were open at a time."""

    answer: Callable[[Request, int], Any] = lambda request, call: request.messages[0].text
    delay_s: float = 0.0
    calls: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    async def __call__(self, request: Request) -> Any:
        number = len(self.calls)
        self.calls.append(request.messages[0].text if request.messages else request.text)
        self.times.append(time.monotonic())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await asyncio.sleep(self.delay_s)
            reply = self.answer(request, number)
            return await reply if isinstance(reply, Awaitable) else reply
        finally:
            self.open -= 1

    def model(self, *, cacheable: bool = True, **settings: Any) -> MockModel:
        """The model, as a lane asks it."""
        return MockModel(self, cacheable=cacheable, identity={"route": "mock/fn"}, **settings)


def work_for(model: MockModel, questions: list[str], kind: str = "generate", **fields: Any) -> Iterator[Work]:
    """Work that asks these questions in order."""
    for position, question in enumerate(questions):
        request = make_request(question, kind=kind, sample_id=str(position), **fields)
        yield Work(0, position, make_sample(str(position)), request, model)


@dataclass
class Outcome:
    """What was delivered, by position and in order of arrival."""

    responses: dict[int, Response] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def deliver(self, work: Work, response: Response) -> None:
        """Take a response; a second one for the same place would be a fault."""
        assert work.position not in self.responses
        self.responses[work.position] = response
        self.order.append(work.position)

    @property
    def statuses(self) -> list[str]:
        """Status, or the kind of error, by position."""
        return [item.error.kind if item.error else item.status for _, item in sorted(self.responses.items())]


def run(
    server: Server,
    questions: list[str],
    *,
    connections: int = 4,
    price: Price | None = None,
    cacheable: bool = True,
    during: Callable[[LocalExecutor], Awaitable[None]] | None = None,
    kind: str = "generate",
    fields: dict[str, Any] | None = None,
    **settings: Any,
) -> tuple[Outcome, Lane, LocalExecutor]:
    """The outcome of a lane with these questions, within ten seconds."""
    outcome = Outcome()
    settings.setdefault("retry", FAST)
    capabilities = ("generate", "loglikelihood", "rolling")
    model = server.model(cacheable=cacheable, capabilities=capabilities)
    lane = Lane("m", work_for(model, questions, kind, **(fields or {})), connections=connections, price=price)

    async def body() -> LocalExecutor:
        executor = LocalExecutor(**settings)
        watch = asyncio.create_task(during(executor)) if during else None
        await asyncio.wait_for(executor.run([lane], outcome.deliver), 10)
        if watch is not None:
            watch.cancel()
        return executor

    return outcome, lane, asyncio.run(body())


QUESTIONS = [f"q{n}" for n in range(40)]


@pytest.mark.parametrize("connections", [1, 3, 64])
@pytest.mark.parametrize("cacheable", [True, False])
def test_every_work_gets_its_own_answer(connections: int, cacheable: bool) -> None:
    """Answers that arrive in any order reach the sample that asked."""
    rng = random.Random(1)
    pauses = {question: rng.random() / 100 for question in QUESTIONS}

    async def answer(request: Request) -> str:
        await asyncio.sleep(pauses[request.messages[0].text])
        return request.messages[0].text

    server = Server(lambda request, call: answer(request))
    outcome, _, executor = run(server, QUESTIONS, connections=connections, cacheable=cacheable)
    assert [outcome.responses[n].text for n in range(40)] == QUESTIONS
    assert (outcome.order != sorted(outcome.order)) is (connections > 1)
    assert (executor.progress.done, executor.progress.in_flight, executor.progress.errors) == (40, 0, 0)


@pytest.mark.parametrize("connections", [1, 3, 8])
def test_calls_open_at_a_time_never_pass_the_limit(connections: int) -> None:
    """A model has as many calls open as it has connections, and no more."""
    server = Server(delay_s=0.002)
    run(server, QUESTIONS, connections=connections)
    assert server.most_open == connections


def test_connection_is_free_while_a_request_waits_to_retry() -> None:
    """A request that waits half a second holds nobody up: the others use its connection meanwhile."""

    def answer(request: Request, call: int) -> Any:
        return fail("rate_limit", retry_after=0.15) if call == 0 else "ok"

    server = Server(answer)
    outcome, _, executor = run(server, QUESTIONS[:10], connections=1)
    assert outcome.order[-1] == 0
    assert server.calls == [*QUESTIONS[:10], "q0"]
    assert outcome.responses[0].retries == executor.progress.retries == 1


def test_retry_after_is_honoured() -> None:
    """The server's own wait is kept, neither shortened nor multiplied."""
    server = Server(lambda request, call: fail("rate_limit", retry_after=0.1) if call < 2 else "ok")
    run(server, ["q"])
    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:], strict=False)]
    assert len(waits) == 2
    assert all(0.1 <= wait < 0.3 for wait in waits)


def test_wait_grows_with_full_jitter() -> None:
    """Without a word from the server the wait is drawn from a range that doubles up to its end."""
    policy, rng = RetryPolicy(first_wait_s=1, longest_wait_s=8), random.Random(0)
    for attempt, longest in [(0, 1), (1, 2), (2, 4), (3, 8), (9, 8)]:
        waits = [policy.wait(attempt, None, rng) for _ in range(300)]
        assert 0 <= min(waits) < 0.1 * longest
        assert 0.9 * longest < max(waits) <= longest
    assert 30 <= policy.wait(0, 30.0, rng) <= 31


def test_retries_are_counted_and_end() -> None:
    """A call that goes on failing ends as a failed response with its cause."""
    server = Server(lambda request, call: fail("server"))
    outcome, _, executor = run(
        server, ["q"], retry=RetryPolicy(max_retries=3, first_wait_s=0.001), connections=64
    )
    assert len(server.calls) == 4
    assert (outcome.statuses, outcome.responses[0].retries) == (["server"], 3)
    assert outcome.responses[0].error is not None
    assert outcome.responses[0].error.message == "server!"
    assert executor.progress.errors == 1


def test_no_attempt_starts_after_the_total_time() -> None:
    """A wait that would end too late is not begun."""
    server = Server(lambda request, call: fail("rate_limit", retry_after=100))
    started = time.monotonic()
    outcome, _, _ = run(server, ["q"], retry=RetryPolicy(total_s=50))
    assert time.monotonic() - started < 5
    assert (outcome.statuses, len(server.calls)) == (["rate_limit"], 1)


def test_failed_sample_is_not_asked_again() -> None:
    """A request that can never succeed fails at once, and its neighbours go on."""
    server = Server(lambda request, call: fail("bad_request", "fail_sample") if call == 3 else "ok")
    outcome, lane, _ = run(server, QUESTIONS, connections=1)
    assert outcome.statuses.count("bad_request") == 1
    assert (len(server.calls), lane.stopped) == (40, None)


ENDS = ("authentication", "permission", "not_found", "quota")
"""Kinds of failures that end a model."""


@pytest.mark.parametrize("kind", ENDS)
def test_stopped_model_is_not_asked_again(kind: str) -> None:
    """After a wrong key no further call is made; every sample is delivered with the reason."""
    server = Server(lambda request, call: fail(kind, "stop_model"))
    outcome, lane, _ = run(server, QUESTIONS, connections=1)
    assert len(server.calls) == 1
    assert lane.stopped == f"{kind}!"
    assert outcome.statuses == [kind] + ["stopped"] * 39


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("connections", [2, 64])
def test_a_wrong_key_stops_a_model_whose_calls_are_in_flight(kind: str, connections: int) -> None:
    """Those in flight are the last ones, in whatever order they fail."""
    rng = random.Random(2)

    async def answer() -> CallError:
        await asyncio.sleep(rng.random() / 50)
        return fail(kind, "stop_model")

    outcome, lane, _ = run(Server(lambda request, call: answer()), [f"q{n}" for n in range(300)],
                           connections=connections)  # fmt: skip
    assert lane.stopped == f"{kind}!"
    assert (outcome.statuses.count(kind), outcome.statuses.count("stopped")) == (
        connections,
        300 - connections,
    )


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("connections", [1, 8, 64])
def test_one_prompt_turned_away_is_that_samples_failure(kind: str, connections: int) -> None:
    """A proxy may block a prompt in the words of a wrong key; the model has answered others."""
    answer = lambda request, call: fail(kind, "stop_model") if call % 7 == 3 else "ok"  # noqa: E731
    outcome, lane, executor = run(Server(answer), QUESTIONS * 3, connections=connections, cacheable=False)
    assert lane.stopped is None
    assert outcome.statuses.count(kind) == executor.progress.kinds[kind] == 17
    assert outcome.statuses.count("ok") == 103


@pytest.mark.parametrize("connections", [2, 64])
def test_a_refusal_that_overtakes_the_first_answers_stops_nothing(connections: int) -> None:
    """What is turned away is told sooner than what is answered: the calls in flight are waited for."""

    async def answer(request: Request) -> Any:
        if request.messages[0].text == "q0":
            return fail("permission", "stop_model")
        await asyncio.sleep(0.05)
        return "ok"

    questions = [f"q{n}" for n in range(200)]
    server = Server(lambda request, call: answer(request))
    outcome, lane, _ = run(server, questions, connections=connections)
    assert lane.stopped is None
    assert outcome.statuses == ["permission"] + ["ok"] * 199


def test_while_a_model_is_suspected_nothing_more_is_asked() -> None:
    """One in flight is slow: the rest waits for what it says, and the model is asked no more."""

    async def answer(call: int) -> CallError:
        await asyncio.sleep(0.2 if call == 1 else 0)
        return fail("authentication", "stop_model")

    server = Server(lambda request, call: answer(call))
    _, lane, _ = run(server, QUESTIONS, connections=4)
    assert lane.stopped == "authentication!"
    assert len(server.calls) == 4


def test_a_refusal_among_calls_that_may_yet_succeed_stops_nothing() -> None:
    """A busy server tells nothing of the key: the calls are made again."""
    answer = lambda request, call: (  # noqa: E731
        fail("permission", "stop_model") if call == 2 else fail("rate_limit") if call < 8 else "ok"
    )
    outcome, lane, _ = run(Server(answer, delay_s=0.01), QUESTIONS, connections=8)
    assert lane.stopped is None
    assert sorted(set(outcome.statuses)) == ["ok", "permission"]


@pytest.mark.parametrize("kind", ENDS)
def test_an_unbroken_row_stops_a_model_that_has_answered(kind: str) -> None:
    """A key that is revoked, or credit that is used up, in the middle of a run."""
    server = Server(lambda request, call: "ok" if call < 10 else fail(kind, "stop_model"))
    outcome, lane, _ = run(server, QUESTIONS, connections=1)
    assert outcome.statuses == ["ok"] * 10 + [kind] * 20 + ["stopped"] * 10
    assert lane.stopped == f"20 samples in a row failed for one cause ({kind}!)"


@pytest.mark.parametrize("kind", ["bad_request", "context_length", "litellm", "unsupported"])
def test_one_permanent_failure_of_all_first_calls_stops_a_model(kind: str) -> None:
    """What is wrong with every request is not asked a thousand times."""
    outcome, lane, _ = run(Server(lambda request, call: fail(kind, "fail_sample")), QUESTIONS, connections=3)
    assert lane.stopped is not None
    assert outcome.statuses.count(kind) <= 8


def test_a_wait_beyond_all_patience_is_told() -> None:
    """The sample fails at once, and its message says what the server asked for and what we give."""
    server = Server(lambda request, call: fail("rate_limit", retry_after=3600) if call == 2 else "ok")
    outcome, _, _ = run(server, QUESTIONS, connections=1)
    (failed,) = [each.error for each in outcome.responses.values() if each.error]
    assert failed.message == (
        "rate_limit!; the server asks to wait 3,600 s; evalkit waits at most 5 s for one call"
    )


def test_a_reply_that_litellm_cannot_read_is_asked_for_once_more() -> None:
    """The server was paid for it: eight retries would be paid too."""
    server = Server(lambda request, call: fail("litellm") if request.messages[0].text == "q1" else "ok")
    outcome, _, _ = run(server, QUESTIONS, connections=1)
    assert server.calls.count("q1") == 2
    assert outcome.statuses.count("litellm") == 1


@pytest.mark.parametrize(("price", "told"), [(0.25, "they cost $0.5"), (None, "their cost is unknown")])
def test_a_reply_malformed_the_same_way_twice_is_not_asked_a_third_time(
    price: float | None, told: str
) -> None:
    """Where the server counts it; the run says how many there were and what they cost."""

    def answer(request: Request, call: int) -> Any:
        failure = fail("invalid_response")
        failure.paid, failure.paid_usd = True, price
        return failure if request.messages[0].text == "q1" else "ok"

    server = Server(answer)
    outcome, lane, _ = run(server, QUESTIONS, connections=1)
    assert server.calls.count("q1") == 2
    assert outcome.statuses.count("invalid_response") == 1
    assert f"warning: 2 replies were paid for and could not be used; {told}" in lane.notes


def test_replies_malformed_in_turn_in_other_ways_and_unpaid_ones_are_asked_on() -> None:
    """They may come right: a proxy's page is no answer, and another flaw is another draw."""

    def answer(request: Request, call: int) -> Any:
        flaw = "ab"[server.calls.count("q1") % 2]
        failure = CallError(f"m: {flaw}", kind="invalid_response", action="retry")
        failure.paid = request.messages[0].text == "q1"
        return failure if request.messages[0].text in ("q1", "q2") else "ok"

    server = Server(answer)
    run(server, QUESTIONS[:3], connections=1)
    assert server.calls.count("q1") == server.calls.count("q2") == 1 + FAST.max_retries


def test_a_failed_call_that_was_paid_counts_against_the_limit() -> None:
    """An answer that broke off is not kept, and its tokens are paid for all the same."""

    def answer(request: Request, call: int) -> CallError:
        failure = fail()
        failure.paid_usd = 0.25
        return failure

    outcome, _, executor = run(
        Server(answer), QUESTIONS, connections=1, budget=Budget(1.0), price=Price(0.0, 0.0)
    )
    assert executor.budget.spent >= 1.0
    assert executor.stopping or "stopped" in outcome.statuses


def test_texts_that_cannot_be_written_are_mended() -> None:
    """Half of a surrogate pair, from any model or in any message, reaches neither cache nor files."""
    answer = lambda request, call: (  # noqa: E731
        CallError("no \ud83d", kind="bad_request", action="fail_sample") if call == 1 else "so \udc00!"
    )
    outcome, _, _ = run(Server(answer), QUESTIONS[:2], connections=1)
    assert outcome.responses[0].text == "so \ufffd!"
    assert "U+FFFD" in outcome.responses[0].notes[0]
    error = outcome.responses[1].error
    assert error is not None
    assert error.message == "no \ufffd"


def test_stopped_model_does_not_stop_the_others() -> None:
    """One lane's trouble is its own."""
    bad, good = Server(lambda request, call: fail("not_found", "stop_model")), Server()
    outcomes = (Outcome(), Outcome())
    lanes = [
        Lane("bad", work_for(bad.model(), QUESTIONS)),
        Lane("good", work_for(good.model(), [f"g{q}" for q in QUESTIONS])),
    ]

    def deliver(work: Work, response: Response) -> None:
        outcomes[work.request.messages[0].text.startswith("g")].deliver(work, response)

    async def body() -> None:
        await LocalExecutor(retry=FAST).run(lanes, deliver)

    asyncio.run(body())
    assert set(outcomes[0].statuses) == {"not_found", "stopped"}
    assert outcomes[1].statuses == ["ok"] * 40


@pytest.mark.parametrize("connections", [1, 4, 8])
def test_first_failures_stop_a_model(connections: int) -> None:
    """A server whose first calls all fail for one cause is not asked a thousand times."""
    server = Server(lambda request, call: fail("connection"))
    outcome, lane, _ = run(server, QUESTIONS * 5, connections=connections, cacheable=False)
    assert len(server.calls) <= max(5, connections) + connections
    assert lane.stopped is not None
    assert "calls all failed (connection!)" in lane.stopped
    assert len(outcome.responses) == 200
    assert set(outcome.statuses) <= {"connection", "stopped"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda request, call: "ok" if call == 3 else fail("server"),  # one answer proves that it lives
        lambda request, call: fail("rate_limit") if call < 12 else "ok",  # it is alive, only busy
        lambda request, call: fail(("server", "timeout")[call % 2]) if call < 12 else "ok",  # several causes
    ],
    ids=["answered", "rate_limit", "mixed"],
)
def test_breaker_does_not_stop_a_model_that_lives(answer: Callable[[Request, int], Any]) -> None:
    """An answer, a rate limit or changing causes are no reason to give a model up."""
    _, lane, _ = run(Server(answer), QUESTIONS[:12], connections=2, cacheable=False)
    assert lane.stopped is None


@pytest.mark.parametrize("connections", [1, 2, 64])
@pytest.mark.parametrize("with_cache", [True, False])
def test_equal_requests_are_one_call(tmp_path: Path, connections: int, with_cache: bool) -> None:
    """Samples that ask the same share one call, however few connections there are; nobody pays twice."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}") if with_cache else None
    server = Server(
        lambda request, call: Response(text=request.messages[0].text, cost_usd=1.0), delay_s=0.001
    )
    outcome, _, executor = run(server, ["a", "b", "a"] * 20, connections=connections, cache=cache)
    assert sorted(server.calls) == ["a", "b"]
    assert [outcome.responses[n].text for n in range(60)] == ["a", "b", "a"] * 20
    assert sum(not response.from_cache for response in outcome.responses.values()) == 2
    assert executor.progress.cached == 58
    if cache is not None:
        cache.close()


def test_equal_requests_are_one_call_however_far_apart(tmp_path: Path) -> None:
    """With a cache, an answer is found again in every later part of the work."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    server = Server(delay_s=0.0005)
    run(server, [f"q{n % 90}" for n in range(400)], connections=8, cache=cache)
    cache.close()
    assert sorted(server.calls) == sorted(f"q{n}" for n in range(90))


def test_repeats_are_calls_of_their_own() -> None:
    """The same question for another repeat is asked again."""
    server = Server()
    model = server.model()
    outcome = Outcome()
    lane = Lane(
        "m", (Work(0, n, make_sample(), make_request("q", repeat=n), model) for n in range(3)), connections=2
    )

    async def body() -> None:
        await LocalExecutor().run([lane], outcome.deliver)

    asyncio.run(body())
    assert len(server.calls) == 3


def test_models_that_need_no_cache_are_asked_each_time(tmp_path: Path) -> None:
    """A built-in model answers for each sample itself, and nothing of it is kept."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    server = Server()
    outcome, _, _ = run(server, ["a"] * 10, cache=cache, cacheable=False)
    cache.close()
    assert len(server.calls) == 10
    assert not any(response.from_cache for response in outcome.responses.values())


def test_cached_answers_cost_no_call(tmp_path: Path) -> None:
    """A second run asks only what the first left open; failed calls are among it."""
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    cache = Cache(url)
    first = Server(lambda request, call: fail("bad_request", "fail_sample") if call == 5 else "ok")
    outcome, _, _ = run(first, QUESTIONS, cache=cache, connections=1)
    failed = first.calls[5]
    second = Server(lambda request, call: "ok")
    again, _, _ = run(second, [*QUESTIONS, "new"], cache=cache)
    cache.close()
    assert outcome.statuses.count("bad_request") == 1
    assert sorted(second.calls) == sorted([failed, "new"])
    assert sum(response.from_cache for response in again.responses.values()) == 39


def test_fresh_runs_do_not_read_the_cache(tmp_path: Path) -> None:
    """Without reading the cache everything is asked again, and is kept anew."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    run(Server(), QUESTIONS, cache=cache)
    server = Server()
    run(server, QUESTIONS, cache=cache, read_cache=False)
    cache.close()
    assert sorted(server.calls) == sorted(QUESTIONS)


def test_answer_is_on_the_disk_before_it_is_delivered(tmp_path: Path) -> None:
    """What was delivered is never asked again, whatever happens afterwards."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    server, seen = Server(), []
    model = server.model()

    def deliver(work: Work, response: Response) -> None:
        from evalkit.store.cache import cache_key

        seen.append(
            cache_key(work.request, model.identity)
            in cache.get_many([cache_key(work.request, model.identity)])
        )

    async def body() -> None:
        await LocalExecutor(cache=cache).run([Lane("m", work_for(model, QUESTIONS))], deliver)

    asyncio.run(body())
    cache.close()
    assert seen == [True] * 40


@pytest.mark.parametrize("connections", [1, 4])
def test_stop_finishes_what_is_in_flight_and_asks_no_more(connections: int) -> None:
    """After stop() the open calls are finished and delivered; no call is begun, also none that was queued."""
    gate = asyncio.Event()

    async def answer() -> str:
        await gate.wait()
        return "ok"

    server = Server(lambda request, call: answer())

    async def during(executor: LocalExecutor) -> None:
        while server.open < connections:
            await asyncio.sleep(0.001)
        executor.stop()
        await asyncio.sleep(0.01)
        gate.set()

    outcome, _, executor = run(server, QUESTIONS, connections=connections, during=during)
    assert executor.stopping
    assert len(server.calls) == connections
    assert outcome.statuses == ["ok"] * connections


def test_stop_ends_the_waiting_for_a_retry() -> None:
    """A request that waits for its next attempt ends as it failed, at once and without another call."""
    server = Server(lambda request, call: fail("rate_limit", retry_after=100))

    async def during(executor: LocalExecutor) -> None:
        while len(server.calls) < 8:
            await asyncio.sleep(0.001)
        executor.stop()

    started = time.monotonic()
    outcome, _, _ = run(server, QUESTIONS, connections=4, during=during, retry=RetryPolicy())
    assert time.monotonic() - started < 5
    assert len(server.calls) == 8
    assert outcome.statuses == ["rate_limit"] * 8


def test_stop_lets_go_who_waits_for_an_equal_request() -> None:
    """Equal requests of several models that wait for one answer do not hang when the run stops."""
    gate = asyncio.Event()

    async def answer() -> str:
        await gate.wait()
        return "ok"

    server = Server(lambda request, call: answer())
    # The first lane, which would ask what both share, does not get so far.
    lanes = [
        Lane("first", work_for(server.model(), ["a", "b", "d", "shared"]), connections=1),
        Lane("second", work_for(server.model(), ["c", "shared"]), connections=1),
    ]

    async def body() -> None:
        executor = LocalExecutor()
        running = asyncio.create_task(
            executor.run(lanes, lambda work, response: delivered.append(work.request.messages[0].text))
        )
        while server.open < 2:
            await asyncio.sleep(0.001)
        executor.stop()
        gate.set()
        await asyncio.wait_for(running, 5)

    delivered: list[str] = []
    asyncio.run(body())
    assert sorted(server.calls) == sorted(delivered) == ["a", "c"]


def test_budget_is_never_passed() -> None:
    """With a cost limit, what is paid stays below it, although the calls turn out dear."""
    price = Price(input=0.0, output=0.01)  # 10 tokens at most: 0.10 dollars a call
    server = Server(lambda request, call: Response(text="x", cost_usd=0.10), delay_s=0.001)
    budget = Budget(limit=1.05)
    outcome, _, executor = run(
        server, QUESTIONS, connections=8, price=price, budget=budget, fields={"params": {"max_tokens": 10}}
    )
    assert len(server.calls) == 10
    assert budget.spent == pytest.approx(1.0)
    assert outcome.statuses == ["ok"] * 10 + ["budget"]
    assert executor.stopping


def test_budget_is_used_up_although_reservations_are_dear() -> None:
    """Calls that cost less than was set aside make room for more: the run goes on until money is spent."""
    price = Price(input=0.0, output=0.01)
    server = Server(lambda request, call: Response(text="x", cost_usd=0.01), delay_s=0.001)
    budget = Budget(limit=0.25)  # two reservations fit at a time
    outcome, _, _ = run(
        server, QUESTIONS, connections=8, price=price, budget=budget, fields={"params": {"max_tokens": 10}}
    )
    assert 0.14 < budget.spent <= 0.25
    assert len(server.calls) >= 15
    assert server.most_open <= 2
    assert outcome.statuses[-1] == "budget"


def test_failed_attempts_give_their_reservation_back() -> None:
    """A call that fails and is asked again does not use the budget up."""
    price = Price(input=0.0, output=0.01)
    asked: set[str] = set()

    def answer(request: Request, call: int) -> Response:
        if request.digest not in asked:
            asked.add(request.digest)
            return fail()
        return Response(text="x", cost_usd=0.01)

    server = Server(answer)
    budget = Budget(limit=1.0)
    outcome, _, _ = run(
        server, QUESTIONS, connections=2, price=price, budget=budget, fields={"params": {"max_tokens": 10}}
    )
    assert outcome.statuses == ["ok"] * 40
    assert budget.spent == pytest.approx(0.40)
    assert budget.reserved == 0.0


@pytest.mark.parametrize("cacheable", [True, False])
def test_memory_does_not_grow_with_the_work(cacheable: bool) -> None:
    """However much there is to do, only a bounded part of it is taken up before the rest is delivered."""
    taken = 0
    farthest = 0
    server = Server(delay_s=0.0)
    outcome = Outcome()
    model = server.model(cacheable=cacheable)

    def endless() -> Iterator[Work]:
        nonlocal taken, farthest
        for work in work_for(model, [f"q{n}" for n in range(2000)]):
            taken += 1
            farthest = max(farthest, taken - len(outcome.order))
            yield work

    async def body() -> None:
        await LocalExecutor().run([Lane("m", endless(), connections=4)], outcome.deliver)

    asyncio.run(body())
    assert len(outcome.order) == 2000
    assert farthest <= 64 + 2 * 4 + 1


def test_nothing_is_remembered_of_finished_work() -> None:
    """The executor holds no answers once they are delivered."""
    _, _, executor = run(Server(), QUESTIONS)
    assert executor._answers == {}


def test_error_of_the_receiver_ends_the_run() -> None:
    """What `deliver` raises (a full disk) ends the run with that error; nothing goes on behind it."""
    server = Server(delay_s=0.001)

    def deliver(work: Work, response: Response) -> None:
        raise CacheError("disk full")

    async def body() -> None:
        await LocalExecutor().run([Lane("m", work_for(server.model(), QUESTIONS), connections=2)], deliver)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(asyncio.wait_for(body(), 5))
    assert caught.group_contains(CacheError, match=r"disk full")
    assert len(server.calls) < 10


def test_likelihoods_that_json_cannot_hold_are_made_finite() -> None:
    """Minus infinity, which is no JSON, becomes the lowest number; the order of the choices stays."""
    server = Server(lambda request, call: [-math.inf, -5.0, Loglikelihood(-math.inf, 3, False)])
    outcome, _, _ = run(server, ["q"], kind="loglikelihood", fields={"continuations": ("a", "b", "c")})
    assert outcome.responses[0].loglikelihoods == (
        Loglikelihood(IMPOSSIBLE),
        Loglikelihood(-5.0),
        Loglikelihood(IMPOSSIBLE, 3, False),
    )


def test_likelihood_that_is_no_number_is_a_failed_call() -> None:
    """A server that sends NaN is asked again, and then counted as an error, never as a score."""
    nan = Response(loglikelihoods=(Loglikelihood(math.nan),))
    server = Server(lambda request, call: nan if call == 0 else [-1.0])
    outcome, _, _ = run(server, ["q"], kind="loglikelihood", fields={"continuations": ("a",)})
    assert (outcome.responses[0].loglikelihoods, outcome.responses[0].retries) == ((Loglikelihood(-1.0),), 1)


def test_sample_of_several_calls_is_solved_through_cache_and_limits(tmp_path: Path) -> None:
    """Each step of a sample that takes several calls is cached, limited and shared like any request."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    server = Server(delay_s=0.001)
    model = server.model()

    async def solve(ask: Callable[[Request], Awaitable[Response]]) -> Response:
        first = await ask(make_request("same for all"))
        rest = await asyncio.gather(*(ask(make_request(f"step {n}")) for n in range(4)))
        return Response(text=" ".join(str(item.text) for item in (first, *rest)))

    outcome = Outcome()
    works = (Work(0, n, make_sample(), make_request("whole"), model, solve) for n in range(10))

    async def body() -> None:
        await LocalExecutor(cache=cache).run([Lane("m", works, connections=2)], outcome.deliver)

    asyncio.run(asyncio.wait_for(body(), 10))
    cache.close()
    assert sorted(server.calls) == ["same for all", *(f"step {n}" for n in range(4))]
    assert server.most_open <= 2
    assert {item.text for item in outcome.responses.values()} == {"same for all step 0 step 1 step 2 step 3"}
    assert len(outcome.order) == 10
