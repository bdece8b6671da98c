"""The circuit breaker: when a model is given up, and when it is not."""

from __future__ import annotations

import pytest

from evalkit.core.errors import CallError
from evalkit.running.executors.breaker import Breaker

LOST = CallError("gone", kind="connection", action="retry")
SLOW = CallError("slow", kind="timeout", action="retry")


def alive(parallel: int = 1) -> Breaker:
    """The breaker of a model that has answered."""
    breaker = Breaker(parallel)
    breaker.answered()
    return breaker


def given_up(breaker: Breaker, n: int, failure: CallError = LOST) -> bool:
    """Whether the model is stopped after n samples that were given up."""
    for _ in range(n):
        breaker.gave_up(failure)
    return breaker.stopped is not None


def test_an_answer_ends_a_row_of_failures() -> None:
    """Only twenty samples in a row end a model: nineteen, an answer and nineteen more do not."""
    breaker = alive()
    for _ in range(3):
        assert not given_up(breaker, 19)
        breaker.answered()
    assert not given_up(breaker, 19)
    assert given_up(breaker, 1)


def test_another_cause_ends_a_row_of_failures() -> None:
    """A row is of one cause; another begins a new one, at one."""
    breaker = alive()
    assert not given_up(breaker, 19)
    assert not given_up(breaker, 19, SLOW)
    assert given_up(breaker, 1, SLOW)


def test_a_row_is_at_least_as_long_as_what_is_in_flight_at_once() -> None:
    """Thirty calls that fail together are one event, not a row of twenty."""
    breaker = alive(parallel=30)
    assert not given_up(breaker, 29)
    assert given_up(breaker, 1)


def test_a_samples_own_fault_is_no_part_of_a_row() -> None:
    """A prompt that is turned away neither lengthens a row nor ends it."""
    breaker = alive()
    own = CallError("too long", kind="connection", action="fail_sample")
    assert not given_up(breaker, 19)
    assert not given_up(breaker, 5, own)
    assert given_up(breaker, 1)


@pytest.mark.parametrize(("kind", "stopped"), [("connection", True), ("rate_limit", False)])
def test_a_server_that_asks_for_patience_is_alive(kind: str, stopped: bool) -> None:
    """First calls that are all refused for their rate do not end a model, as those of another cause do."""
    breaker = Breaker(1)
    for _ in range(5):
        breaker.failed(CallError("no", kind=kind, action="retry"))
    assert (breaker.stopped is not None) == stopped


def test_first_failures_of_two_causes_do_not_end_a_model() -> None:
    """Where the first calls fail for different causes, nothing is known of the model itself."""
    breaker = Breaker(1)
    breaker.failed(SLOW)
    for _ in range(20):
        breaker.failed(LOST)
    assert breaker.stopped is None
