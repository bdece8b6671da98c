"""A user's function in a thread of its own that is stopped when its time is over, as far as Python can.

An exception is raised in the thread, which ends it at its next step of Python. What waits inside a library
(a socket, a lock, a sleep) is not reached: it is left behind and said to be, at most `MOST_LEFT` times.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import Any

from evalkit.core.errors import SolverError

MOST_LEFT = 16
"""Threads that could not be stopped, beyond which no more are begun."""
_GRACE_S = 1.0
"""Seconds in which a thread that was told to stop can do so."""
_left: set[threading.Thread] = set()


class _StopError(BaseException):
    """Raised in a thread whose time is over; no `except Exception` of the function catches it."""


class OvertimeError(SolverError):
    """The function gave no result in its time; the text says whether it still runs."""


async def call_in_thread(function: Callable[..., Any], arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """What the function returns, or raises. Raises OvertimeError after its time."""
    _left.intersection_update({thread for thread in _left if thread.is_alive()})
    if len(_left) >= MOST_LEFT:
        raise OvertimeError(f"not begun: {len(_left)} earlier calls are over their time and still running")
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(value)
        else:
            outcome.set_exception(error)

    def work() -> None:
        value: Any = None
        error: Exception | None = None
        try:
            value = function(**arguments)
        except _StopError:
            return
        except StopIteration as found:  # which a future does not take
            error = RuntimeError(f"StopIteration: {found}")
        except BaseException as found:
            error = (
                found if isinstance(found, Exception) else RuntimeError(f"{type(found).__name__}: {found}")
            )
        with contextlib.suppress(RuntimeError):  # the loop may be closed by then
            loop.call_soon_threadsafe(settle, value, error)

    # Not one of asyncio's own threads: the end of a run waits for those.
    thread = threading.Thread(target=work, name=f"tool-{getattr(function, '__name__', 'call')}", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(outcome, timeout_s)
    except TimeoutError:
        if outcome.done() and not outcome.cancelled():
            raise  # the function's own error, not the end of its time
        stopped = await _stop(thread)
        end = "it was stopped" if stopped else "it could not be stopped and still runs"
        raise OvertimeError(f"no result after {timeout_s:g} s; {end}") from None


async def _stop(thread: threading.Thread) -> bool:
    """Whether the thread has ended after it was told to."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_StopError))
    for _ in range(100):
        if not thread.is_alive():
            return True
        await asyncio.sleep(_GRACE_S / 100)
    _left.add(thread)
    return not thread.is_alive()
