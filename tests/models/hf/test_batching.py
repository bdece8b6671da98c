"""Batches by tokens, memory that ends, and the thread that computes for many coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from evalkit.core.errors import CallError
from evalkit.models.hf.batching import BatchSize, Worker, is_out_of_memory


def test_batches_are_filled_by_tokens() -> None:
    """Padded rows count as the longest of their batch; rows of a stream count as they are."""
    rows = [5, 5, 5, 2, 2, 2]
    size = BatchSize(12)
    assert [list(batch) for batch, _ in size.compute(rows, int, len)] == [[5, 5], [5, 2], [2, 2]]
    assert [list(batch) for batch, _ in size.compute(rows, int, len, padded=False)] == [[5, 5], [5, 2, 2, 2]]


def test_memory_that_ends_halves_the_batch_and_the_size_is_kept() -> None:
    """After an error for want of memory the rows are computed in smaller batches, and so are the next."""
    size = BatchSize(64)
    tried: list[int] = []

    def compute(batch: Sequence[int]) -> int:
        tried.append(sum(batch))
        if sum(batch) > 20:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return sum(batch)

    assert sum(total for _, total in size.compute([4] * 16, int, compute)) == 64
    assert size.tokens == 16
    assert "16 were used" in (size.note or "")
    tried.clear()
    assert sum(total for _, total in size.compute([4] * 8, int, compute)) == 32
    assert tried == [16, 16]


def test_a_row_too_large_for_memory_is_an_error() -> None:
    """A single row that does not fit fails with a cure, and other errors are not taken for it."""

    def compute(batch: Sequence[int]) -> int:
        raise MemoryError

    with pytest.raises(CallError, match=r"single input of 9 tokens.*dtype"):
        list(BatchSize(64).compute([9], int, compute))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_requests_that_wait_are_taken_up_together() -> None:
    """A burst of requests is one list, by kind; each gets its own result or its own error."""
    taken: list[tuple[str, int]] = []

    def work(kind: str, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        taken.append((kind, len(items)))
        for number, item in enumerate(items):
            yield number, CallError("no", kind="bad", action="fail_sample") if item == 3 else item * 2

    async def ask() -> list[Any]:
        worker = Worker(work)
        calls = [worker.ask("double", n) for n in range(100)] + [worker.ask("other", 1)]
        found = await asyncio.gather(*calls, return_exceptions=True)
        worker.close()
        return found

    found = asyncio.run(ask())
    assert taken == [("double", 100), ("other", 1)]
    assert isinstance(found[3], CallError)
    assert [value for n, value in enumerate(found) if n != 3] == [n * 2 for n in range(100) if n != 3] + [2]


def test_what_breaks_the_work_reaches_everyone_who_waits() -> None:
    """Results that came are kept; the others get the error, and the thread lives on."""
    broken = [True]

    def work(kind: str, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        yield 0, "first"
        if broken.pop() if broken else False:
            raise ValueError("broken")
        for number in range(1, len(items)):
            yield number, "later"

    async def ask() -> tuple[list[Any], list[Any]]:
        worker = Worker(work)
        first = await asyncio.gather(*(worker.ask("x", n) for n in range(3)), return_exceptions=True)
        second = await asyncio.gather(*(worker.ask("x", n) for n in range(2)))
        worker.close()
        return first, second

    first, second = asyncio.run(ask())
    assert first[0] == "first"
    assert [str(error) for error in first[1:]] == ["broken", "broken"]
    assert second == ["first", "later"]


def test_a_closed_worker_stops_after_its_batch_and_can_be_asked_again() -> None:
    """Closing ends the work at the next result; a new request begins anew."""
    computed: list[int] = []

    def work(kind: str, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for number, item in enumerate(items):
            computed.append(item)
            if item == 1:
                worker.close()
            yield number, item

    worker = Worker(work)

    async def ask() -> Any:
        waiting = [asyncio.ensure_future(worker.ask("x", n)) for n in range(5)]
        await asyncio.wait_for(waiting[1], 5)
        for task in waiting:
            task.cancel()
        return await asyncio.wait_for(worker.ask("x", 9), 5)

    assert asyncio.run(ask()) == 9
    worker.close()
    assert computed == [0, 1, 9]
