"""A user's function in a thread: its result, its own errors, and the end of its time are told apart."""

from __future__ import annotations

import asyncio

import pytest

from evalkit.tasks.solvers.contained import OvertimeError, call_in_thread


def test_a_timeout_of_the_function_is_its_own_error() -> None:
    """What a library inside of the function raises is not taken for the end of the tool's time."""

    def ask() -> None:
        raise TimeoutError("the server is slow")

    with pytest.raises(TimeoutError, match="the server is slow") as caught:
        asyncio.run(call_in_thread(ask, {}, 30))
    assert not isinstance(caught.value, OvertimeError)


def test_a_function_without_end_is_stopped() -> None:
    """Its thread ends at its next step of Python, and the error says so."""

    def spin() -> None:
        while True:
            pass

    with pytest.raises(OvertimeError, match="was stopped"):
        asyncio.run(call_in_thread(spin, {}, 0.2))
