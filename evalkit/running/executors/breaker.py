"""The circuit breaker: a model that cannot answer is given up once, not once for each of its samples."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from evalkit.core.errors import CallError

FIRST_FAILURES = 5
"""So many first calls that all fail for one cause stop a model: it will not get better by asking on."""
_ROW = 20
"""So many samples in a row, each given up for the same cause, stop a model that has answered before."""


class Breaker:
    """Judges the failures of one model. `stopped` says why it is not asked any more.

    A failure that would end a model (a wrong key, a model that does not exist) ends it at once where nothing
    was answered and nothing is in flight. While other calls are in flight it is only suspected: nothing more
    is asked until one of them tells. After an answer it is that sample's failure, since a filter or a proxy
    may turn one prompt away in the same words; only an unbroken row of them ends the model.
    """

    def __init__(self, parallel: int, tell: Callable[[str], None] | None = None) -> None:
        """`parallel` calls may be in flight before a healthy server has given its first answer.

        `tell` hears why the model is given up, once, at that moment.
        """
        self.stopped: str | None = None
        self._tell = tell
        self._parallel = parallel
        self._answered = False
        self._in_flight = 0
        self._suspicion: CallError | None = None
        self._other_causes = False
        self._settled: asyncio.Event | None = None
        self._first = 0
        self._first_kinds: set[str] = set()
        self._row = 0
        self._row_kind = ""

    async def clear(self) -> None:
        """Nothing, once it is known whether the model may be asked; look at `stopped` afterwards."""
        while self._suspicion is not None and self.stopped is None:
            if self._settled is None:
                self._settled = asyncio.Event()
            await self._settled.wait()

    def began(self) -> None:
        """Take note of a call that goes out."""
        self._in_flight += 1

    def ended(self) -> None:
        """Take note that a call which went out is over, whatever became of it, once that has been told."""
        self._in_flight -= 1
        if self._suspicion is None or self._in_flight > 0:
            return
        if self._other_causes:  # some failed for what may pass: the next calls will tell
            self._settle()
        else:
            self._stop(str(self._suspicion))

    @property
    def suspects(self) -> bool:
        """Whether the calls in flight will tell if the model is to be asked at all."""
        return self._suspicion is not None

    def answered(self) -> None:
        """Take note of an answer: the model lives."""
        self._answered = True
        self._row = 0
        self._settle()

    def failed(self, failure: CallError) -> None:
        """Take note of a failed attempt; a wrong key, or only failures of one kind so far, stop the model."""
        if self._answered:
            return
        if failure.action == "stop_model":
            if self._suspicion is None:
                self._suspicion, self._other_causes = failure, False
            if self._in_flight <= 1 and not self._other_causes:  # none but this one
                self._stop(str(self._suspicion))
            return
        self._other_causes = True
        if failure.kind == "rate_limit":
            return  # a server that asks for patience is alive
        self._first += 1
        self._first_kinds.add(failure.kind)
        if self._first >= max(FIRST_FAILURES, self._parallel) and len(self._first_kinds) == 1:
            self._stop(f"the first {self._first} calls all failed ({failure})")

    def gave_up(self, failure: CallError) -> None:
        """Take note of a sample that was given up after all its attempts."""
        if failure.action == "fail_sample":
            return  # the sample's own fault
        self._row = self._row + 1 if failure.kind == self._row_kind else 1
        self._row_kind = failure.kind
        if self._row >= max(_ROW, self._parallel):
            self._stop(f"{self._row} samples in a row failed for one cause ({failure})")

    def _settle(self) -> None:
        self._suspicion = None
        if self._settled is not None:
            self._settled.set()
            self._settled = None

    def _stop(self, why: str) -> None:
        if self.stopped is None:
            self.stopped = why
            if self._tell is not None:
                self._tell(why)
        self._settle()
