"""The circuit breaker: a model that cannot answer is given up once, not once for each of its samples."""

from __future__ import annotations

from collections.abc import Callable

from evalkit.errors import CallError

FIRST_FAILURES = 5
"""So many first calls that all fail for one cause stop a model: it will not get better by asking on."""
_ROW = 20
"""So many samples in a row, each given up for the same cause, stop a model that has answered before."""


class Breaker:
    """Judges the failures of one model. `stopped` says why it is not asked any more."""

    def __init__(self, parallel: int, tell: Callable[[str], None] | None = None) -> None:
        """`parallel` calls may be in flight before a healthy server has given its first answer.

        `tell` hears why the model is given up, once, at that moment.
        """
        self.stopped: str | None = None
        self._tell = tell
        self._parallel = parallel
        self._answered = False
        self._first = 0
        self._first_kinds: set[str] = set()
        self._row = 0
        self._row_kind = ""

    def answered(self) -> None:
        """Take note of an answer: the model lives."""
        self._answered = True
        self._row = 0

    def failed(self, failure: CallError) -> None:
        """Take note of a failed attempt; a wrong key, or only failures of one kind so far, stop the model."""
        if failure.action == "stop_model":
            self._stop(str(failure))
            return
        if self._answered or failure.kind == "rate_limit":
            return  # a server that asks for patience is alive
        self._first += 1
        self._first_kinds.add(failure.kind)
        if self._first >= max(FIRST_FAILURES, self._parallel) and len(self._first_kinds) == 1:
            self._stop(f"the first {self._first} calls all failed ({failure})")

    def gave_up(self, failure: CallError) -> None:
        """Take note of a sample that was given up after all its attempts."""
        if failure.action != "retry":
            return  # the sample's own fault
        self._row = self._row + 1 if failure.kind == self._row_kind else 1
        self._row_kind = failure.kind
        if self._row >= max(_ROW, self._parallel):
            self._stop(f"{self._row} samples in a row failed for one cause ({failure})")

    def _stop(self, why: str) -> None:
        if self.stopped is None:
            self.stopped = why
            if self._tell is not None:
                self._tell(why)
