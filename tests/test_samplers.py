"""The choice of worked examples: fixed by seed and sample, never the sample itself, and quick."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.records import Sample
from evalkit.tasks.samplers import SAMPLERS, Pool, Shots

NAMES = sorted(SAMPLERS)


def sample(identity: str, label: str = "x", **fields: Any) -> Sample:
    """A sample with these columns."""
    return Sample(identity, fields or {"q": identity}, (label,))


def pool_of(n: int, n_classes: int = 3) -> list[Sample]:
    """A pool with classes of equal size."""
    return [sample(f"s{i}", f"c{i % n_classes}") for i in range(n)]


@given(st.sampled_from(NAMES), st.integers(0, 30), st.integers(0, 12), st.integers(0, 40), st.integers(0, 3))
def test_never_itself_never_twice_and_as_many_as_there_are(
    name: str, n: int, count: int, asked: int, seed: int
) -> None:
    """Whatever the sizes: `count` different examples, or all others, without the sample itself."""
    shots = pool_of(n)
    target = sample(f"s{asked}")
    chosen = SAMPLERS[name](Pool(shots), target, count, f"{seed}:{target.id}")
    ids = [shot.id for shot in chosen]
    assert len(ids) == len(set(ids)) == min(count, len([s for s in shots if s.id != target.id]))
    assert target.id not in ids
    assert chosen == SAMPLERS[name](Pool(shots), target, count, f"{seed}:{target.id}")


def test_random_draws_as_from_the_pool_without_the_sample() -> None:
    """Leaving the sample out by its place gives what a list without it would give."""
    shots = pool_of(50)
    for asked in range(60):
        others = [shot for shot in shots if shot.id != f"s{asked}"]
        expected = random.Random(f"0:{asked}").sample(others, 7)
        assert SAMPLERS["random"](Pool(shots), sample(f"s{asked}"), 7, f"0:{asked}") == expected


@pytest.mark.parametrize("name", NAMES)
def test_copy_under_another_id_is_the_sample_itself(name: str) -> None:
    """Equal columns, in any order, are the same sample."""
    shots = [sample("copy", a="1", b="2", n=3), sample("near", a="1", b="2", n=4)]
    chosen = SAMPLERS[name](Pool(shots), sample("asked", n=3, b="2", a="1"), 2, "0:asked")
    assert [shot.id for shot in chosen] == ["near"]


def test_balanced_is_balanced_by_the_right_option_of_a_choice() -> None:
    """Of a choice the class is where the right option stands, not its text."""
    shots = [
        Sample(f"s{i}", {"q": str(i)}, (f"text {i}",), choices=("a", "b"), gold=(int(i < 15),))
        for i in range(20)
    ]
    chosen = SAMPLERS["balanced"](Pool(shots), sample("asked"), 6, "0:asked")
    assert Counter(shot.gold for shot in chosen) == {(0,): 3, (1,): 3}


@pytest.mark.parametrize("name", NAMES)
def test_large_pool_costs_no_more_than_a_small_one(name: str) -> None:
    """Choosing takes a time that does not grow with the pool, up to noise."""

    def seconds(n: int) -> float:
        pool = Pool(pool_of(n))
        asked = [sample(f"s{i}") for i in range(100)]
        SAMPLERS[name](pool, asked[0], 5, "warm")
        times = []
        for _ in range(3):
            start = time.process_time()
            for each in asked:
                SAMPLERS[name](pool, each, 5, f"0:{each.id}")
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(30_000) < 5 * seconds(300) + 0.01


def test_first_shots_read_no_more_than_they_need() -> None:
    """Five worked examples of a train split of a million rows read six of them."""
    read: list[int] = []

    def rows() -> Iterator[Sample]:
        for number in range(1_000_000):
            read.append(number)
            yield Sample(f"shot-{number}", {"q": str(number)}, ("a",))

    shots = Shots(rows())
    chosen = SAMPLERS["first"](Pool(shots), Sample("s", {"q": "3"}), 5, "0:s")
    assert [shot.id for shot in chosen] == ["shot-0", "shot-1", "shot-2", "shot-4", "shot-5"]
    assert len(read) <= 7
    assert shots
    assert shots[1].id == "shot-1"
    assert [shot.id for shot in shots[:2]] == ["shot-0", "shot-1"]


def test_shots_are_a_sequence() -> None:
    """Whoever wants all of them gets all of them, however far they were read."""
    shots = Shots(Sample(str(number), {}) for number in range(4))
    assert next(iter(shots)).id == "0"
    assert len(shots) == 4
    assert [shot.id for shot in shots] == list("0123")
    assert shots[-1].id == "3"
    assert not Shots(())
