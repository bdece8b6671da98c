"""Ctrl-C and SIGTERM: the first lets a run finish what is in flight, the second ends it within a second.

Python hears a signal between two steps of its main thread. A thread that keeps all others from going on (a
pattern in C, a huge document) would keep it from hearing, so the command line has a watcher: a forked process
that is told of every signal by the C code that receives it, and ends a process which a second one has not
ended. Two signals within a tenth of a second are one: wrappers pass on what a terminal has sent already.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["INTERRUPTED", "catch", "count", "during", "leave"]

INTERRUPTED = 130
"""The exit code of a process that was told to stop."""
APART_S = 0.1
"""Signals closer together than this count as one."""
LAST_S = 0.6
"""Seconds that are left to a run after the second signal, to write what it has."""
_KILLED_S = 0.9
"""Seconds after the second signal at which the watcher ends the process."""
_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_SAID = b"Interrupted.\n"

_count = 0
_last = 0.0
_caught = False
_gentle: Callable[[], None] | None = None
_hard: Callable[[], None] | None = None


def catch() -> None:
    """Nothing; from now on, signals end this process as the module says. Called first by the command line."""
    global _caught
    if _caught or os.name == "nt":
        return
    _caught = True
    for number in _NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` and background jobs of a shell
            signal.signal(number, _hear)
    others = sys.unraisablehook

    def hook(lost: sys.UnraisableHookArgs) -> None:
        """An interrupt that came where Python lets no exception through, such as a callback of an import."""
        if isinstance(lost.exc_value, KeyboardInterrupt):
            leave()
        others(lost)

    sys.unraisablehook = hook
    _start_watcher()


def during(gentle: Callable[[], None], hard: Callable[[], None]) -> Callable[[], None]:
    """What ends the watch that begins here: the first signal calls `gentle`, the second `hard`.

    Both are called between two steps of whatever runs, so they may only tell others what to do. Only for the
    main thread.
    """
    global _gentle, _hard
    _gentle, _hard = gentle, hard
    before = {} if _caught else {number: signal.signal(number, _hear) for number in _NUMBERS}

    def release() -> None:
        global _gentle, _hard, _count
        _gentle = _hard = None
        for number, handler in before.items():
            signal.signal(number, handler)
        if before:
            _count = 0
            signal.setitimer(signal.ITIMER_REAL, 0)

    return release


def count() -> int:
    """How many signals have come so far."""
    return _count


def leave(*_: Any) -> None:
    """Never returns: the process ends here, whatever its threads do."""
    os.write(2, _SAID)
    os._exit(INTERRUPTED)


def _hear(number: int, frame: Any) -> None:
    """The handler of both signals."""
    global _count, _last
    now = time.monotonic()
    if _count and now - _last < APART_S:
        return
    _count, _last = _count + 1, now
    if _count == 1:
        if _gentle is None:
            raise KeyboardInterrupt
        _gentle()
    elif _count == 2 and _hard is not None:
        signal.signal(signal.SIGALRM, leave)
        signal.setitimer(signal.ITIMER_REAL, LAST_S)
        _hard()
    else:
        leave()


def _start_watcher() -> None:
    """Nothing; a process of its own hears of the signals too, as long as this one lives."""
    listening, telling = os.pipe()
    os.set_blocking(telling, False)
    parent = os.getpid()
    try:
        child = os.fork()
    except OSError:  # no more processes: signals are heard all the same, by all but what blocks in C
        os.close(listening)
        os.close(telling)
        return
    if child == 0:
        try:
            os.close(telling)
            _watch(listening, parent)
        finally:
            os._exit(0)
    os.close(listening)
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)


def _watch(listening: int, parent: int) -> None:
    """Nothing; returns when the parent has ended, and ends it where it does not heed a second signal."""
    import select

    for number in _NUMBERS:
        signal.signal(number, signal.SIG_IGN)
    for stream in (0, 1):
        os.close(stream)
    heard, last, until = 0, 0.0, None
    while True:
        patience = None if until is None else max(0.0, until - time.monotonic())
        if not select.select([listening], [], [], patience)[0]:
            os.write(2, _SAID)
            os.kill(parent, signal.SIGKILL)
            return
        told = os.read(listening, 64)
        if not told:
            return
        now = time.monotonic()
        if any(number in told for number in _NUMBERS) and (not heard or now - last >= APART_S):
            heard, last = heard + 1, now
            if heard == 2:
                until = now + _KILLED_S
