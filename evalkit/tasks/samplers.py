"""The choice of worked examples: a function of the seed and the sample alone, quick whatever the pool.

first      the first of the pool, in its order
random     drawn without replacement
balanced   by turns from each class (position of the right option, else first target), members drawn
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import overload

from evalkit.core.records import Sample


class Shots(Sequence[Sample]):
    """Samples that are read as far as somebody asks: of a large train split often the first five."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._rest = iter(samples)
        self._read: list[Sample] = []

    def __len__(self) -> int:
        """All of them, which are read now."""
        return len(self._upto(None))

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._upto(1))

    @overload
    def __getitem__(self, place: int) -> Sample: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Sample]: ...

    def __getitem__(self, place: int | slice) -> Sample | Sequence[Sample]:
        """The sample at a place, or those of a slice."""
        if isinstance(place, slice):
            return self._upto(place.stop if (place.stop or 0) >= 0 else None)[place]
        return self._upto(place + 1 if place >= 0 else None)[place]

    def __iter__(self) -> Iterator[Sample]:
        """One after the other, read as they are taken."""
        place = 0
        while len(self._upto(place + 1)) > place:
            yield self._read[place]
            place += 1

    def _upto(self, n: int | None) -> list[Sample]:
        """What was read, now at least `n` samples where there are so many; all for None."""
        wanted = None if n is None else max(n - len(self._read), 0)
        self._read.extend(itertools.islice(self._rest, wanted))
        return self._read


class Pool:
    """The samples from which worked examples are chosen, indexed so that a sample finds itself."""

    def __init__(self, shots: Sequence[Sample]) -> None:
        self.source = shots

    @functools.cached_property
    def shots(self) -> tuple[Sample, ...]:
        """All of them."""
        return tuple(self.source)

    @functools.cached_property
    def _places(self) -> tuple[dict[str, list[int]], dict[frozenset[str], list[int]]]:
        """The places of each id, and of each set of texts."""
        by_id: dict[str, list[int]] = {}
        by_texts: dict[frozenset[str], list[int]] = {}
        for place, shot in enumerate(self.shots):
            by_id.setdefault(shot.id, []).append(place)
            by_texts.setdefault(_texts(shot), []).append(place)
        return by_id, by_texts

    def places_of(self, sample: Sample) -> list[int]:
        """The places, in order, of what is this sample itself: by id, or by equal columns."""
        by_id, by_texts = self._places
        alike = by_texts.get(_texts(sample), ())
        found = {place for place in alike if self.shots[place].fields == sample.fields}
        return sorted(found.union(by_id.get(sample.id, ())))

    @functools.cached_property
    def classes(self) -> list[list[int]]:
        """The places of each class, in the order in which the classes appear."""
        classes: dict[object, list[int]] = {}
        for place, shot in enumerate(self.shots):
            classes.setdefault(shot.gold[:1] or shot.target[:1], []).append(place)
        return list(classes.values())

    @functools.cached_property
    def spots(self) -> list[tuple[int, int]]:
        """For each place, which class it is in and where in it."""
        found = {
            place: (number, i)
            for number, members in enumerate(self.classes)
            for i, place in enumerate(members)
        }
        return [found[place] for place in range(len(self.shots))]


Sampler = Callable[[Pool, Sample, int, str], list[Sample]]


def _texts(sample: Sample) -> frozenset[str]:
    """The columns that are texts, whatever their order: equal where the columns are equal."""
    return frozenset(value for value in sample.fields.values() if type(value) is str)


def _first(pool: Pool, sample: Sample, count: int, seed: str) -> list[Sample]:
    chosen: list[Sample] = []
    for shot in pool.source:  # no further than needed: the rest of the pool is never read
        if len(chosen) == count:
            break
        if shot.id != sample.id and shot.fields != sample.fields:
            chosen.append(shot)
    return chosen


def _random(pool: Pool, sample: Sample, count: int, seed: str) -> list[Sample]:
    own = pool.places_of(sample)
    places = _draw(random.Random(seed), len(pool.shots), own, count)
    return [pool.shots[place] for place in places]


def _balanced(pool: Pool, sample: Sample, count: int, seed: str) -> list[Sample]:
    rng = random.Random(seed)
    order = list(range(len(pool.classes)))
    rng.shuffle(order)
    excluded: dict[int, list[int]] = {}
    for place in pool.places_of(sample):
        number, i = pool.spots[place]
        excluded.setdefault(number, []).append(i)
    rooms = {number: len(pool.classes[number]) - len(excluded.get(number, ())) for number in order}
    wanted = _share(count, [rooms[number] for number in order])
    chosen = [
        pool.shots[pool.classes[number][i]]
        for number, n in zip(order, wanted, strict=True)
        if n
        for i in _draw(rng, len(pool.classes[number]), excluded.get(number, []), n)
    ]
    rng.shuffle(chosen)
    return chosen


def _share(count: int, rooms: Sequence[int]) -> list[int]:
    """How many each class gives when they give by turns, the first ones first, as far as they reach."""
    given = [0] * len(rooms)
    open_ = [number for number, room in enumerate(rooms) if room]
    while count and open_:
        for number in open_[:count]:
            given[number] += 1
        count -= min(count, len(open_))
        open_ = [number for number in open_ if given[number] < rooms[number]]
    return given


def _draw(rng: random.Random, size: int, own: Sequence[int], count: int) -> list[int]:
    """Places below `size` without those in `own`, which is in order, drawn without replacement."""
    rest = size - len(own)
    drawn = rng.sample(range(rest), min(count, rest))
    for place in own:  # the places behind one that is left out move up
        drawn = [each + (each >= place) for each in drawn]
    return drawn


SAMPLERS: Mapping[str, Sampler] = {"first": _first, "random": _random, "balanced": _balanced}
