"""What the numbers of a cell need of its samples, in arrays: a million samples take megabytes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise


class Columns:
    """Samples in the order of their arrival, with the scores and statistics of each metric."""

    def __init__(self, n_metrics: int) -> None:
        self._positions = array("q")
        self._ids: list[str] = []
        self._clusters: dict[int, str] = {}
        self._scores = [array("d") for _ in range(n_metrics)]
        self._scored = [bytearray() for _ in range(n_metrics)]
        self._stats = [array("d") for _ in range(n_metrics)]
        self._ends = [array("q", [0]) for _ in range(n_metrics)]

    def __len__(self) -> int:
        """Samples so far."""
        return len(self._ids)

    def append(
        self,
        position: int,
        sample_id: str,
        cluster: str | None,
        scores: Sequence[float | None],
        stats: Sequence[Sequence[float]],
    ) -> None:
        """Take a sample; `position` is its place in the data, the rest goes by metric."""
        if cluster is not None:
            self._clusters[len(self._ids)] = cluster
        self._positions.append(position)
        self._ids.append(sample_id)
        for column, score in enumerate(scores):
            self._scores[column].append(0.0 if score is None else score)
            self._scored[column].append(score is not None)
            self._stats[column].extend(stats[column])
            self._ends[column].append(len(self._stats[column]))

    def order(self) -> Sequence[int]:
        """The samples' numbers in the order of the data."""
        positions = self._positions
        if all(before <= after for before, after in pairwise(positions)):
            return range(len(positions))
        return sorted(range(len(positions)), key=positions.__getitem__)

    def ids(self, order: Sequence[int]) -> list[str]:
        """The samples' ids."""
        return [self._ids[i] for i in order]

    def clusters(self, order: Sequence[int]) -> list[str | None] | None:
        """The samples' clusters; None when none has one."""
        return [self._clusters.get(i) for i in order] if self._clusters else None

    def scores(self, column: int, order: Sequence[int]) -> list[float | None]:
        """A metric's score of each sample; None where it has none."""
        values, known = self._scores[column], self._scored[column]
        return [values[i] if known[i] else None for i in order]

    def stats(self, column: int, order: Sequence[int]) -> list[tuple[float, ...]]:
        """A metric's statistics of each sample; empty where it has none."""
        values, ends = self._stats[column], self._ends[column]
        if not values:
            return [()] * len(order)
        return [tuple(values[ends[i] : ends[i + 1]]) for i in order]
