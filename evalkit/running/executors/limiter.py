"""How many calls an account has in flight: found out from what the server says, never above a ceiling.

Additive increase, multiplicative decrease. The limit doubles with every clean round until the first 429, then
grows by a twentieth a round; it grows only where it was used. A 429 cuts it by a fifth, once for all calls
that were in flight at the cut: later signals of the same congestion neither cut again nor put growth off
(https://github.com/UKGovernmentBEIS/inspect_ai/issues/5137 shows what happens if they do). Server errors and
timeouts only keep it from growing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from evalkit.running.executors.pace import Pace

SLOW_START = 32
"""Connections at the beginning, where the ceiling allows and nobody asked for more."""
_CUT = 0.8
_COOLDOWN_S = 5.0
_SATURATED = 0.8
_HISTORY = 200


class Limiter:
    """The connections of one account on one model; shared by all lanes that ask it."""

    def __init__(
        self,
        ceiling: int,
        *,
        adaptive: bool = False,
        wide: bool = False,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wide` begins at the ceiling, which somebody chose; the server may still bring it down."""
        self.ceiling = ceiling
        self.adaptive = adaptive
        self.limit = min(ceiling, SLOW_START) if adaptive and not wide else ceiling
        self.start = self.limit
        self.pace = pace or Pace(clock=clock)
        self.in_flight = 0
        self.cuts = 0
        self.history: list[tuple[float, int]] = [(0.0, self.limit)]
        """(seconds since the beginning, limit) of every change, the latest 200."""
        self._clock = clock
        self._began = clock()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._slow_start = True
        self._successes = 0
        self._peak = 0
        self._troubled = False
        self._cut_at = float("-inf")

    async def acquire(self) -> float:
        """The time at which a connection was got, for `throttled`; waits for one."""
        if self.in_flight >= self.limit or self._waiting:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():  # handed over already: pass it on
                    self.release()
                raise
        else:
            self.in_flight += 1
        self._peak = max(self._peak, self.in_flight)
        return self._clock()

    def release(self) -> None:
        """Give a connection back, to whoever has waited longest."""
        self.in_flight -= 1
        self._hand_over()

    def _hand_over(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            future = self._waiting.popleft()
            if not future.done():
                self.in_flight += 1
                future.set_result(None)

    def succeeded(self, retried: bool) -> None:
        """Take note of an answer; one that came at the first attempt counts for growth."""
        self.pace.accepted()
        if not self.adaptive or retried:
            return
        self._successes += 1
        if self._successes < max(self.limit, 4):
            return
        clean, saturated = not self._troubled, self._peak >= _SATURATED * self.limit
        self._successes, self._peak, self._troubled = 0, self.in_flight, False
        if clean and saturated and self._clock() - self._cut_at >= _COOLDOWN_S:
            step = self.limit if self._slow_start else max(1, self.limit // 20)
            self._change(min(self.ceiling, self.limit + step))

    def throttled(self, began: float, retry_after: float | None = None) -> None:
        """Take note of a 429 to a call that began at `began`."""
        if retry_after is not None:
            self.pace.refused()
        if not self.adaptive:
            return
        self._slow_start = False
        self._troubled = True
        now = self._clock()
        if self.pace.learning or began <= self._cut_at or now - self._cut_at < _COOLDOWN_S:
            return
        self._cut_at = now
        self.cuts += 1
        used = max(1, min(self.limit, self._peak))
        self._successes, self._peak = 0, 0
        self._change(max(1, int(used * _CUT)))

    def troubled(self) -> None:
        """Take note of a server error or a timeout: the present round gives no growth."""
        self._troubled = True

    def _change(self, limit: int) -> None:
        if limit == self.limit:
            return
        self.limit = limit
        self.history.append((round(self._clock() - self._began, 3), limit))
        if len(self.history) > _HISTORY:
            del self.history[1]
        self._hand_over()

    def notes(self) -> tuple[str, ...]:
        """What a reader of the run should know of the limits; empty when the server never complained."""
        found = []
        if self.cuts:
            limits = [limit for _, limit in self.history]
            path = " > ".join(map(str, limits if len(limits) <= 12 else [*limits[:6], "...", *limits[-5:]]))
            found.append(f"the server asked for patience: connections {path} ({self.cuts} cuts)")
        if self.pace.learnt_rpm:
            rates = self.pace.learnt_rpm
            found.append(
                f"paced at about {sorted(rates)[len(rates) // 2]:g} requests a minute, as the server allows"
            )
        return tuple(found)
