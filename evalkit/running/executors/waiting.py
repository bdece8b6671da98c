"""Questions that another process is asking: their answers are waited for, and looked for all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass

from evalkit.core.records import Response
from evalkit.running.executors.work import Work
from evalkit.store.cache import Cache

MOST_WAITING = 512
"""Questions of a lane whose answers may be waited for; it takes up other work meanwhile."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.03, 0.3


class NotAskedError(Exception):
    """The run was stopped before this request was sent: there is no response, not even a failed one."""


@dataclass(slots=True)
class Question:
    """A work on its way to its answer."""

    work: Work
    key: str = ""
    """The request's place in the cache; empty when the model is not cached."""
    space: str = ""
    answer: asyncio.Future[Response] | None = None
    """The answer that equal requests share; None when each is asked for itself."""
    asks: bool = False
    """Whether this is the one of the equal requests that is asked."""
    elsewhere: bool = False
    """Whether another process was asking this when the cache was looked up."""

    @property
    def known(self) -> bool:
        """Whether the answer is there already."""
        return self.answer is not None and self.answer.done()


class WaitingRoom:
    """Where questions wait for the answers of other processes."""

    def __init__(
        self, cache: Cache, ask_again: Collection[str], stop: asyncio.Event, read_cache: bool
    ) -> None:
        self._cache = cache
        self._read_cache = read_cache
        self._ask_again = ask_again
        self._stop = stop
        self._waiting: dict[str, asyncio.Future[Response | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def enter(self, question: Question) -> Response | None:
        """The answer that came from elsewhere; None once the question is this process' to ask.

        Raises NotAskedError when the run is stopped meanwhile, CacheError when the cache fails.
        """
        cache, key = self._cache, question.key
        while not cache.begin(key) and self._read_cache:
            if question.elsewhere:
                question.elsewhere = False
                response = await self._wait(key)
                if response is not None:
                    return response
            else:  # it waited long for its turn, and others may have asked meanwhile
                found, others = await asyncio.to_thread(cache.look_up, [key], self._ask_again)
                if found:
                    return found[key]
                question.elsewhere = key in others
        return None

    async def _wait(self, key: str) -> Response | None:
        """The answer of the other process; None when that gave up or died: the claim is this process' now."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look_after())
        return await asyncio.shield(future)

    async def _look_after(self) -> None:
        pause = _FIRST_PAUSE_S
        try:
            while self._waiting:
                if await self._stopped_within(pause):
                    raise NotAskedError
                keys = list(self._waiting)
                found, free = await asyncio.to_thread(self._cache.wait_for, keys, self._ask_again)
                for key in (*found, *free):
                    self._waiting.pop(key).set_result(found.get(key))
                pause = _FIRST_PAUSE_S if found or free else min(1.5 * pause, _LONGEST_PAUSE_S)
        except BaseException as error:
            for future in self._waiting.values():
                future.set_exception(error)
                future.exception()  # nobody may be waiting any more
            self._waiting.clear()
            if not isinstance(error, Exception):
                raise

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), timeout=seconds)
        except TimeoutError:
            return False
        return True
