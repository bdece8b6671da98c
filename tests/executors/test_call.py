"""A model whose own code fails loses that sample and no other; one that always fails is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from factories import make_request, make_sample

from evalkit.core.errors import CallError
from evalkit.core.records import Request, Response
from evalkit.models.mock import MockModel
from evalkit.running.executors.call import call
from evalkit.running.executors.local import Lane, LocalExecutor, RetryPolicy, Work

KEY = "sk-test-9876543210abcdef"


def works(function: Callable[[Request], Any], n: int) -> Iterator[Work]:
    """Work for a model that is this function."""
    model = MockModel(function)
    for position in range(n):
        yield Work(0, position, make_sample(str(position)), make_request(str(position)), model)


def run(
    function: Callable[[Request], Any], n: int
) -> tuple[dict[int, Response], Lane, list[tuple[str, str]]]:
    """(responses, the lane, what was said while it ran) of a model that is this function."""
    found: dict[int, Response] = {}
    said: list[tuple[str, str]] = []
    lane = Lane("mine", works(function, n), connections=4)

    async def body() -> None:
        executor = LocalExecutor(retry=RetryPolicy(first_wait_s=0.001))
        executor.on_stop = lambda name, why: said.append((name, why))
        await executor.run([lane], lambda work, response: found.__setitem__(work.position, response))

    asyncio.run(body())
    return found, lane, said


def failing_at(*numbers: int) -> Callable[[Request], str]:
    """A function with a defect that shows on some samples."""

    def answer(request: Request) -> str:
        if int(request.messages[0].text) in numbers:
            raise ZeroDivisionError("division by zero")
        return "fine"

    return answer


def test_an_exception_is_that_samples_error() -> None:
    """The others are answered; the error says what was raised and on which line."""
    found, lane, said = run(failing_at(7), 20)
    assert sorted(found) == list(range(20))
    error = found[7].error
    assert error is not None
    assert error.kind == "exception"
    assert "ZeroDivisionError: division by zero (test_call.py, line " in error.message
    assert [found[n].status for n in range(20) if n != 7] == ["ok"] * 19
    assert lane.stopped is None
    assert said == []


def test_a_model_that_always_raises_is_given_up_and_said_once() -> None:
    """A defect that hits every sample is not waited for 1,000 times."""
    calls: list[int] = []

    def broken(request: Request) -> str:
        calls.append(1)
        raise RuntimeError("no such attribute")

    found, lane, said = run(broken, 1000)
    assert len(calls) < 20
    assert len(found) == 1000
    assert lane.stopped is not None
    assert said == [("mine", lane.stopped)]
    assert "calls all failed" in lane.stopped
    assert "RuntimeError: no such attribute" in lane.stopped


@pytest.mark.parametrize("returned", [42, None, object()])
def test_a_function_that_returns_nonsense_is_an_error_of_its_samples(returned: Any) -> None:
    """A wrong type is as good as an exception."""
    found, _, _ = run(lambda request: returned if request.messages[0].text == "3" else "fine", 10)
    error = found[3].error
    assert error is not None
    assert "the function returned" in error.message
    assert sum(response.status == "ok" for response in found.values()) == 9


def test_keys_in_exceptions_are_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may print its settings when it fails."""
    monkeypatch.setenv("MY_API_KEY", KEY)

    def raising(request: Request) -> str:
        raise RuntimeError(f"401 for key {KEY}\n{'x' * 5000}")

    (work,) = works(raising, 1)
    with pytest.raises(CallError) as caught:
        asyncio.run(call(work))
    assert KEY not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


def test_cancellation_is_no_error_of_the_sample() -> None:
    """Whoever stops the run is not told that a sample failed."""

    async def forever(request: Request) -> str:
        await asyncio.sleep(60)
        return ""

    async def body() -> None:
        (work,) = works(forever, 1)
        task = asyncio.create_task(call(work))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())
