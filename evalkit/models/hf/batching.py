"""One thread computes what many coroutines ask for, in batches filled by tokens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from evalkit.core.errors import CallError

__all__ = ["BatchSize", "Job", "Worker", "is_out_of_memory"]

Row = TypeVar("Row")
Result = TypeVar("Result")

_GATHER_S = 0.02
"""The queue is taken up once nothing has come for this long: a cell's requests come in a burst."""
_GATHER_AT_MOST_S = 0.25


class BatchSize:
    """How many tokens a forward pass takes; found by halving when memory ends, and kept."""

    def __init__(self, tokens: int) -> None:
        self.asked = tokens
        self.tokens = tokens
        """At present, padding included."""

    def compute(
        self,
        rows: Sequence[Row],
        length: Callable[[Row], int],
        compute: Callable[[Sequence[Row]], Result],
        *,
        padded: bool = True,
    ) -> Iterator[tuple[Sequence[Row], Result]]:
        """What `compute` makes of each batch of the rows, in their order.

        A batch holds as many rows as fit: when all are as long as the longest (`padded`; sort them by length
        first), or as long as they are. Raises CallError when memory ends on a single row.
        """
        start = 0
        while start < len(rows):
            batch = self._fill(rows, start, length, padded)
            try:
                result = compute(batch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(batch, length)
                continue
            yield batch, result
            start += len(batch)

    def _fill(
        self, rows: Sequence[Row], start: int, length: Callable[[Row], int], padded: bool
    ) -> Sequence[Row]:
        longest, total, end = 0, 0, start
        while end < len(rows):
            longest = max(longest, length(rows[end]))
            total += length(rows[end])
            if end > start and (longest * (end + 1 - start) if padded else total) > self.tokens:
                break
            end += 1
        return rows[start:end]

    def _halve(self, batch: Sequence[Row], length: Callable[[Row], int]) -> None:
        release_memory()
        if len(batch) == 1:
            raise CallError(
                f"memory ended on a single input of {length(batch[0])} tokens; a smaller dtype "
                "(--param dtype=bfloat16) or max_length needs less",
                kind="out_of_memory",
                action="fail_sample",
            ) from None
        used = max(map(length, batch)) * len(batch)
        self.tokens = max(1, min(self.tokens, used) // 2)

    @property
    def note(self) -> str | None:
        """What a reader should know of the size; None when it is the one asked for."""
        if self.tokens == self.asked:
            return None
        return f"memory ended at batches of {self.asked} tokens: {self.tokens} were used"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error says that a device, or the machine, has no memory left."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in words or "can't allocate memory" in words or "not enough memory" in words
    )


def release_memory() -> None:
    """Nothing; gives cached blocks back to the device."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@dataclass(slots=True)
class Job(Generic[Row, Result]):
    """One item that waits for its result."""

    kind: str
    item: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


class Worker:
    """The thread that owns the model. Whatever is queued is taken up together."""

    def __init__(self, work: Callable[[str, Sequence[Any]], Iterator[tuple[int, Any]]]) -> None:
        """`work(kind, items)` yields (position, result); an exception as a result fails that item."""
        self._work = work
        self._waiting: list[Job[Any, Any]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    async def ask(self, kind: str, item: Any) -> Any:
        """The item's result. Raises what the work raises for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        with self._changed:
            self._waiting.append(Job(kind, item, loop, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="evalkit-hf", daemon=True)
                self._thread.start()
            self._changed.notify()
        return await future

    def close(self) -> None:
        """Nothing; ends the thread after the batch that it computes now. A later `ask` starts another."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    @property
    def _current(self) -> bool:
        """Whether this thread is still the one that works: a closed worker's thread ends."""
        return self._thread is threading.current_thread()

    def _run(self) -> None:
        while True:
            jobs = self._take()
            if jobs is None:
                return
            for kind in dict.fromkeys(job.kind for job in jobs):
                self._compute(kind, [job for job in jobs if job.kind == kind])

    def _take(self) -> list[Job[Any, Any]] | None:
        """Everything that waits, once the burst is over; None when closed."""
        with self._changed:
            while not self._waiting and self._current:
                self._changed.wait()
            began, seen = time.monotonic(), -1
            while self._current and len(self._waiting) != seen:
                seen = len(self._waiting)
                if time.monotonic() - began > _GATHER_AT_MOST_S:
                    break
                self._changed.wait_for(lambda: not self._current, timeout=_GATHER_S)
            if not self._current:
                return None
            jobs = [job for job in self._waiting if not job.future.cancelled()]
            self._waiting = []
            return jobs

    def _compute(self, kind: str, jobs: Sequence[Job[Any, Any]]) -> None:
        left = set(range(len(jobs)))
        failure: BaseException
        try:
            for number, result in self._work(kind, [job.item for job in jobs]):
                left.discard(number)
                _settle(jobs[number], result)
                if not self._current:  # nobody waits any more
                    return
            failure = CallError(
                f"no result came for a {kind} request", kind="invalid_response", action="fail_sample"
            )
        except Exception as error:  # whatever a model's code raises must reach those who wait
            failure = error
        for number in sorted(left):
            _settle(jobs[number], failure)


def _settle(job: Job[Any, Any], result: Any) -> None:
    """Nothing; hands the result over on the loop that waits for it."""

    def hand_over() -> None:
        if job.future.done():
            return
        if isinstance(result, BaseException):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)

    if not job.loop.is_closed():
        job.loop.call_soon_threadsafe(hand_over)
