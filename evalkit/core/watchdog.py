"""What takes long is named: a template or hook of a task that holds all up, with its task and sample.

A thread looks once a second, as long as there is something to look at, and tells each case once. It ends
nothing: how long an honest hook may take is its author's affair, and a second Ctrl-C ends the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 10.0
"""Seconds after which something is told; an ordinary template takes microseconds."""
_LOOK_S = 1.0
_IDLE_LOOKS = 5
"""Looks at nothing after which the thread ends; the next thing to be watched begins another."""


class _End:
    """Nothing more comes."""


_END = _End()
_doing: dict[int, tuple[float, tuple[object, ...]]] = {}
"""Thread -> since when, and what it does."""
_lock = threading.Lock()
_thread: threading.Thread | None = None


def _log(text: str) -> None:
    import logging

    logging.getLogger("evalkit").warning(text)


_tell: Callable[[str], None] = _log


def listen(tell: Callable[[str], None]) -> None:
    """From now on `tell` hears what takes long, in a thread; by default the logger `evalkit` does."""
    global _tell
    _tell = tell


@contextmanager
def doing(*what: object) -> Iterator[None]:
    """The words of `what` name what is done in this block, if it takes long."""
    thread = threading.get_ident()
    outer = _doing.get(thread)
    _doing[thread] = (time.monotonic(), what)
    if _thread is None:
        _begin()
    try:
        yield
    finally:
        if outer is None:
            del _doing[thread]
        else:
            _doing[thread] = outer


def each(make: Callable[[], Iterable[T]], *what: object) -> Iterator[T]:
    """The items that are made, the making of each watched by itself."""
    with doing(*what):
        items = iter(make())
    while True:
        with doing(*what):
            item = next(items, _END)
        if isinstance(item, _End):
            return
        yield item


def _begin() -> None:
    global _thread
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_look, name="evalkit-watchdog", daemon=True)
            _thread.start()


def _ended() -> bool:
    """Whether the watch ends here: what begins at this moment is seen by it, or begins another."""
    global _thread
    with _lock:
        if not _doing:
            _thread = None
        return _thread is None


def _look() -> None:
    """Nothing; returns when there was nothing to look at for a while."""
    told: set[tuple[float, tuple[object, ...]]] = set()
    idle = 0
    while not (idle >= _IDLE_LOOKS and _ended()):
        time.sleep(min(_LOOK_S, PATIENCE_S / 2))
        now = list(_doing.values())
        idle = 0 if now else idle + 1
        for since, what in now:
            if time.monotonic() - since >= PATIENCE_S and (since, what) not in told:
                told.add((since, what))
                _tell(
                    f"{' '.join(map(str, what))}: this has taken {PATIENCE_S:g} s and holds all else up; "
                    "Ctrl-C twice ends it"
                )
