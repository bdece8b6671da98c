"""The local executor: asyncio, one lane per model, many requests in flight.

A lane takes its work from an iterator, so that a run of a million samples holds only what is in flight. It
looks up the cache in chunks, asks each distinct question once (what another process asks now is waited for),
holds a connection until the answer is on the disk, frees it while it waits to retry, and delivers every
response, failed ones too.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Request, Response, ResponseError
from evalkit.models.documents import writable
from evalkit.running.executors.backoff import RetryPolicy
from evalkit.running.executors.breaker import Breaker
from evalkit.running.executors.budget import Budget, dearest, likely_tokens
from evalkit.running.executors.call import call
from evalkit.running.executors.limiter import Limiter
from evalkit.running.executors.pace import Pace
from evalkit.running.executors.waiting import MOST_WAITING, NotAskedError, Question, WaitingRoom
from evalkit.running.executors.work import Ask, Asker, Deliver, Lane, Progress, Solve, Work
from evalkit.store.cache import Cache, cache_key

__all__ = ["Ask", "Lane", "LocalExecutor", "Progress", "RetryPolicy", "Solve", "Work", "describe"]

_CHUNK, _LARGEST_CHUNK = 64, 512
"""Requests whose cache entries are looked up at once."""


@dataclass(slots=True)
class _Course:
    """A lane that is being worked off."""

    lane: Lane
    limiter: Limiter
    breaker: Breaker
    n_wasted: int = 0
    """Replies that were paid for and could not be used."""
    wasted_usd: float | None = 0.0
    """What they cost, US dollars; None when one is of unknown price."""

    def paid_for(self, failure: CallError) -> None:
        """Take note of a failure that was paid for."""
        if failure.paid:
            self.n_wasted += 1
            known = self.wasted_usd is not None and failure.paid_usd is not None
            self.wasted_usd = (self.wasted_usd or 0.0) + (failure.paid_usd or 0.0) if known else None

    def notes(self) -> tuple[str, ...]:
        """What became of the lane's limits, and of what was paid for in vain."""
        if not self.n_wasted:
            return self.limiter.notes()
        cost = "their cost is unknown" if self.wasted_usd is None else f"they cost ${self.wasted_usd:.3g}"
        replies = "1 reply was" if self.n_wasted == 1 else f"{self.n_wasted:,} replies were"
        return (*self.limiter.notes(), f"warning: {replies} paid for and could not be used; {cost}")


class LocalExecutor:
    """Asks all requests of all lanes and delivers the responses in the order of arrival."""

    def __init__(
        self,
        *,
        cache: Cache | None = None,
        read_cache: bool = True,
        ask_again: Collection[str] = (),
        retry: RetryPolicy | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._cache = cache
        self._read_cache = read_cache
        self._ask_again = frozenset(ask_again)
        self._retry = retry or RetryPolicy()
        self.budget = budget or Budget()
        self.progress = Progress()
        self.on_stop: Callable[[str, str], None] = lambda name, why: None
        """Hears of a model that is given up, and why, at that moment."""
        self._stop = asyncio.Event()
        self._room = (
            WaitingRoom(cache, self._ask_again, self._stop, read_cache) if cache is not None else None
        )
        self._answers: dict[str, asyncio.Future[Response]] = {}
        self._released = asyncio.Event()
        self._rng = random.Random(0)
        self._judges: dict[str, _Course] = {}

    def stop(self) -> None:
        """Take up no more work; what is in flight is finished."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    async def run(self, lanes: list[Lane], deliver: Deliver, judges: Sequence[Lane] = ()) -> None:
        """Work off all lanes side by side, those of one turn one after the other.

        `judges` are the lanes of the models that judge answers. Raises what `deliver` or the cache raises.
        """
        turns: dict[str, list[Lane]] = {}
        for number, lane in enumerate(lanes):
            turns.setdefault(f"turn {lane.turn}" if lane.turn is not None else f"lane {number}", []).append(
                lane
            )
        limiters = self._limiters([*lanes, *judges])
        for lane in judges:
            limiter = limiters[lane.account or lane.name]
            self._judges[lane.name] = _Course(lane, limiter, self._breaker(lane, limiter))
        try:
            async with asyncio.TaskGroup() as group:
                for same in turns.values():
                    group.create_task(self._run_turn(same, limiters, deliver))
        finally:
            for course in self._judges.values():
                course.lane.stopped, course.lane.notes = course.breaker.stopped, course.notes()

    async def _run_turn(self, lanes: Sequence[Lane], limiters: dict[str, Limiter], deliver: Deliver) -> None:
        for lane in lanes:
            limiter = limiters[lane.account or lane.name]
            course = _Course(lane, limiter, self._breaker(lane, limiter))
            try:
                await self._run_lane(course, deliver)
            finally:
                lane.stopped, lane.notes = course.breaker.stopped, course.notes()

    def _breaker(self, lane: Lane, limiter: Limiter) -> Breaker:
        return Breaker(limiter.start, functools.partial(self.on_stop, lane.name))

    def _limiters(self, lanes: Sequence[Lane]) -> dict[str, Limiter]:
        """One limiter for each account; where its lanes differ, the tightest word counts."""
        limiters: dict[str, Limiter] = {}
        for account in dict.fromkeys(lane.account or lane.name for lane in lanes):
            same = [lane for lane in lanes if (lane.account or lane.name) == account]
            pace = Pace(
                min((lane.rpm for lane in same if lane.rpm), default=None),
                min((lane.tpm for lane in same if lane.tpm), default=None),
            )
            ceiling = min(lane.connections for lane in same)
            limiters[account] = Limiter(
                ceiling,
                adaptive=all(lane.adaptive for lane in same),
                wide=all(lane.wide for lane in same),
                pace=pace,
            )
        return limiters

    async def _run_lane(self, course: _Course, deliver: Deliver) -> None:
        lane = course.lane
        # Requests that sleep before a retry hold no connection but stay in memory: twice the connections.
        # An answer that waits for its judge holds none either.
        widest = max([lane.connections, *(course.lane.connections for course in self._judges.values())])
        window = asyncio.Semaphore(widest * 2)
        elsewhere = asyncio.Semaphore(MOST_WAITING)
        size = _CHUNK
        async with asyncio.TaskGroup() as group:
            while not self.stopping:
                chunk = [self._question(work) for work in itertools.islice(lane.work, size)]
                if not chunk:
                    return
                waiting = iter(chunk)
                try:
                    if await self._look_up(chunk):  # one's own work first, so that nobody waits in a circle
                        waiting = iter(sorted(chunk, key=lambda question: question.elsewhere))
                    known = all(question.known for question in chunk)  # where much is known, more may be
                    size = min(2 * size, _LARGEST_CHUNK) if known else _CHUNK
                    for question in waiting:
                        if self._at_once(lane, question):
                            # Nothing to wait for: no task is worth its cost.
                            await self._work_off(course, question, deliver)
                            continue
                        places = elsewhere if question.elsewhere else window
                        await places.acquire()
                        task = self._work_off(course, question, deliver)
                        group.create_task(task).add_done_callback(functools.partial(_leave, places))
                        if self.stopping:
                            return
                finally:
                    for question in waiting:
                        self._give_up(question)
                await asyncio.sleep(0)

    def _at_once(self, lane: Lane, question: Question) -> bool:
        work = question.work
        if work.assess is not None or lane.slow_delivery:
            return False
        plain = work.solve is None and work.complete is None
        return question.known or (lane.connections == 1 and not work.model.cacheable and plain)

    def _question(self, work: Work, space: str = "") -> Question:
        """The work with the answer that it shares with equal requests, the first of which asks."""
        if not work.model.cacheable or work.solve is not None or work.complete is not None:
            return Question(work)
        key = cache_key(work.request, work.model.identity)
        answer = self._answers.get(space + key)
        if answer is not None:
            return Question(work, key, space, answer)
        answer = self._answers[space + key] = asyncio.get_running_loop().create_future()
        return Question(work, key, space, answer, asks=True)

    async def _look_up(self, questions: Sequence[Question]) -> bool:
        """Whether other processes are asking some of these now; the others are answered, or claimed."""
        asking = [question for question in questions if question.asks]
        if self._cache is None or not asking:
            return False
        keys = [question.key for question in asking]
        if not self._read_cache:
            await asyncio.to_thread(self._cache.claim, keys)  # so that others wait for what is asked anew
            return False
        found, others = await asyncio.to_thread(self._cache.look_up, keys, self._ask_again)
        for question in asking:
            question.elsewhere = question.key in others
            response = found.get(question.key)
            if response is not None:
                self._settle(question, response)
        return bool(others)

    def _settle(self, question: Question, response: Response) -> None:
        del self._answers[question.space + question.key]
        if question.answer is not None:
            question.answer.set_result(response)

    def _give_up(self, question: Question) -> None:
        """Let those go who wait for an answer that will not come."""
        if question.asks and question.answer is not None and not question.answer.done():
            del self._answers[question.space + question.key]
            if self._cache is not None:
                self._cache.release(question.key)
            question.answer.set_exception(NotAskedError())
            question.answer.exception()  # nobody may be waiting

    async def _work_off(self, course: _Course, question: Question, deliver: Deliver) -> None:
        work = question.work
        asker = Asker(
            lambda request: self._ask_step(course, work, request),
            lambda name, request: self._consult(name, work, request),
        )
        try:
            if work.complete is not None:
                completed = await work.complete(asker)
                if isinstance(completed, Response):
                    await self._deliver(work, completed, deliver)
                    return
                work = completed
            if work.solve is None:
                response = await self._ask_once(course, question)
            else:
                response = await work.solve(asker)
            if work.assess is not None and response.status != "error":
                response = await work.assess(
                    response, lambda name, request: self._consult(name, work, request)
                )
        except NotAskedError:
            return  # the run was stopped; what was not asked is counted as planned and never come
        await self._deliver(work, response, deliver)

    async def _consult(self, name: str, work: Work, request: Request) -> Response:
        """The response of a judge about the answer to a work."""
        course = self._judges[name]
        if course.lane.model is None:
            raise ModelError(f"the lane of the judge {name} has no model")
        return await self._ask_step(course, replace(work, model=course.lane.model), request)

    async def _ask_step(self, course: _Course, work: Work, request: Request) -> Response:
        """The response to one of the calls that a sample takes, from the cache if it is there."""
        # In a space of their own: a step must never wait for a sample that waits for its place.
        step = self._question(replace(work, request=request, solve=None, complete=None), "step:")
        try:
            await self._look_up([step])
            return await self._ask_once(course, step)
        finally:
            self._give_up(step)

    async def _deliver(self, work: Work, response: Response, deliver: Deliver) -> None:
        progress = self.progress
        progress.done += 1
        progress.cached += response.from_cache
        if response.status == "error":
            progress.errors += 1
            kind = response.error.kind if response.error else "error"
            progress.kinds[kind] = progress.kinds.get(kind, 0) + 1
        later = deliver(work, response)
        if later is not None:
            await later

    async def _ask_once(self, course: _Course, question: Question) -> Response:
        """The response; of equal requests that were taken up together, one is asked and the others share."""
        work, answer = question.work, question.answer
        if answer is None:
            return await self._ask(course, work)
        if answer.done() or not question.asks:
            shared = answer.result() if answer.done() else await asyncio.shield(answer)
            kept = shared.from_cache or shared.status == "error"
            return shared if kept else replace(shared, from_cache=True)
        try:
            elsewhere = await self._room.enter(question) if self._room is not None else None
            response = elsewhere or await self._ask(course, work, question.key)
        except BaseException:
            self._give_up(question)
            raise
        if response.status == "error" and self._cache is not None:
            self._cache.release(question.key)
        self._settle(question, response)
        return response

    async def _keep(self, key: str, work: Work, response: Response) -> None:
        """Put an answer into the cache; returns when it is on the disk."""
        if self._cache is not None:
            await self._cache.put(
                key, work.request, response, identity=work.model.identity, replace_entry=bool(self._ask_again)
            )

    async def _ask(self, course: _Course, work: Work, key: str = "") -> Response:
        """The response after retries, kept under its key; a failed call is a response with status error."""
        limiter, breaker = course.limiter, course.breaker
        amount = dearest(work.request, course.lane.price) if self.budget.limit is not None else None
        tokens = likely_tokens(work.request) if limiter.pace.counts_tokens else 0.0
        started = time.monotonic()
        attempt = 0
        failed: Response | None = None
        before: CallError | None = None
        while True:
            if self.stopping:
                if failed is None:
                    raise NotAskedError
                return failed
            await breaker.clear()
            if breaker.stopped is not None:
                return failed or _failed("stopped", breaker.stopped, attempt)
            if not await self._reserve(amount):
                if self.stopping:
                    continue
                self.stop()
                return _failed(
                    "budget", f"the cost limit of {self.budget.limit} US dollars is reached", attempt
                )
            failure: CallError | None = None
            began = await limiter.acquire()
            try:
                pause = limiter.pace.take(tokens)
                if pause:
                    await self._sleep(pause)
                if self.stopping or breaker.stopped is not None or breaker.suspects:
                    self._release(amount, _failed("stopped", "", attempt))
                    continue
                self.progress.in_flight += 1
                breaker.began()
                try:
                    response = await call(work)
                    breaker.answered()
                    if attempt:
                        response = replace(response, retries=attempt)
                    if key:  # while it holds its connection: what may be asked again is what is in flight
                        await self._keep(key, work, response)
                except CallError as error:
                    failure = self._retry.told(error, time.monotonic() - started)
                    breaker.failed(failure)
                finally:
                    breaker.ended()
                    self.progress.in_flight -= 1
            finally:
                limiter.release()
            if failure is None:
                self._release(amount, response)
                limiter.succeeded(attempt > 0)
                if tokens:
                    limiter.pace.used(tokens, _tokens(response))
                return response
            failed = _failed(failure.kind, str(failure), attempt)
            self._release(amount, failed)
            self.budget.spent += failure.paid_usd or 0.0
            course.paid_for(failure)
            if failure.kind == "rate_limit":
                limiter.throttled(began, failure.retry_after)
            elif failure.action == "retry":
                limiter.troubled()
            wait = self._retry.wait(attempt, failure.retry_after, self._rng)
            elapsed = time.monotonic() - started
            if self.stopping or self._retry.gives_up(failure, attempt, elapsed, wait, before):
                if not self.stopping:
                    breaker.gave_up(failure)
                return failed
            attempt, before = attempt + 1, failure
            self.progress.retries += 1
            await self._sleep(wait)

    async def _reserve(self, amount: float | None) -> bool:
        """Whether the amount fits into the budget, once calls in flight have turned out cheaper."""
        while not self.budget.reserve(amount):
            if not self.budget.pending:
                return False
            self._released.clear()
            await self._released.wait()
        return True

    def _release(self, amount: float | None, response: Response) -> None:
        self.budget.settle(amount, response)
        self._released.set()

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not longer than until the run is to stop."""
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=seconds)
        except TimeoutError:
            return


def _leave(places: asyncio.Semaphore, _: asyncio.Task[None]) -> None:
    places.release()


def _failed(kind: str, message: str, retries: int) -> Response:
    return Response(status="error", error=ResponseError(kind, writable(message)), retries=retries)


def _tokens(response: Response) -> int | None:
    usage = response.usage
    return None if usage.input is None or usage.output is None else usage.input + usage.output


def describe(error: BaseException) -> Any:
    """The first error inside nested exception groups, or the error itself."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
