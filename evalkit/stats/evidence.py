"""Evidence: what the units of a sample say of one number, by one rule for every statistic.

A unit is a sample, or a cluster of samples. It has a value, whose mean is the number: the score itself for a
mean, the number plus the influence of the unit for a metric of the whole corpus. To the units comes one that
was not seen, at the most adverse value that is possible (Gaffke's bound): so identical answers, or a gap
without any spread, are never taken for certainty.

Of a difference half of the price of that unit comes back without breaking the error rate: p is the mean of
the p-values with and without it, but only where at least `GUARD` units each way move the number by half of
what the unseen one could or more. Exact for 0/1 means (Clopper-Pearson), and with the whole p for paired 0/1
(McNemar); conjectured for other bounded means; of first order for what is not linear. Over 2,500 enumerated
truths of paired 0/1 scores, n from 10 to 1,000, the largest error with the guard is .0499 of .05.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.core.errors import StatsError
from evalkit.stats.gaffke import Values
from evalkit.stats.units import Array, Clusters, cluster_codes, units

GUARD = 5
"""Units each way from which on half of the unseen unit's price is given back."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Units on both sides of a number."""

    worst: Values
    """The units with missing scores at their worst."""
    best: Values
    """The units with missing scores at their best; the same where none is missing."""
    lo: float
    """The least value of a unit that was not seen."""
    hi: float
    """The largest."""
    mid: bool = False
    """Whether half of the unseen unit's price is given back: a difference with enough units each way."""

    @property
    def n_units(self) -> int:
        """The number of units."""
        return int(self.worst.counts.sum())

    def p_above(self, m: float = 0.0) -> float:
        """The p-value of "the number is above m", missing scores at their worst."""
        return self.worst.above(m, self.lo, self.mid)

    def p_below(self, m: float = 0.0) -> float:
        """The p-value of "the number is below m", missing scores at their best."""
        return self.best.below(m, self.hi, self.mid)

    def shifted(self, by: float, sign: float = 1.0) -> Evidence:
        """The evidence on sign * (number - by)."""

        def move(values: Values) -> Values:
            return Values(sign * (values.means - by), values.weights, values.counts)

        ends = sorted((sign * (self.lo - by), sign * (self.hi - by)))
        low, high = (self.worst, self.best) if sign > 0 else (self.best, self.worst)
        return Evidence(move(low), move(high), ends[0], ends[1], self.mid)

    def interval(self, side: float) -> tuple[float, float]:
        """The interval each end of which errs with probability `side`; the same p-values decide verdicts."""
        return self.worst.lower(side, self.lo, self.mid), self.best.upper(side, self.hi, self.mid)


@dataclass(frozen=True, slots=True)
class Stratum:
    """One task of a mean over tasks."""

    worst: Array
    """A value of each sample, missing ones at their worst."""
    best: Array
    clusters: Clusters
    lo: float
    hi: float
    weight: float = 1.0
    """The task's weight; weights are divided by their sum."""


def make_evidence(
    worst: Array, best: Array, lo: float, hi: float, clusters: Clusters = None, mid: bool = False
) -> Evidence:
    """The evidence of values by sample, without and with the adverse end for missing ones."""
    low = Values.of(units(worst, clusters))
    high = low if best is worst else Values.of(units(best, clusters))
    return Evidence(low, high, lo, hi, mid)


def is_guarded(worst: Array, best: Array, reach: float, clusters: Clusters = None) -> bool:
    """Whether at least GUARD units each way move a difference by half of `reach` or more.

    Magnitudes count, not signs: noise of a hundredth beside rare falls of 1 tells nothing of those. Missing
    scores never count as a move.
    """
    half = reach / 2.0 * (1.0 - 1e-9)
    up = int((units(worst, clusters).contributions() >= half).sum())
    down = int((units(best, clusters).contributions() <= -half).sum())
    return min(up, down) >= GUARD


def pool(parts: Sequence[Evidence], weights: Sequence[float] | None = None, mid: bool = False) -> Evidence:
    """The evidence on a weighted mean over tasks, which are fixed: every sample with its share of the mean.

    parts: the evidence on each task's number, all on one scale; weights are divided by their sum and equal
    when None. The unseen unit belongs to the task whose samples weigh the most. One task gives its own
    evidence. mid: whether the numbers are differences, of which the guard may give half of the price back.
    Raises StatsError on a task without samples.
    """
    if not parts or min(part.n_units for part in parts) == 0:
        raise StatsError("a mean over tasks needs samples of every task")
    wanted = [1.0] * len(parts) if weights is None else list(weights)
    kept = [(part, weight) for part, weight in zip(parts, wanted, strict=True) if weight > 0.0]
    share = [weight / float((part.worst.weights * part.worst.counts).sum()) for part, weight in kept]
    most = max(share)

    def joined(sides: Sequence[Values]) -> Values:
        return Values(
            np.concatenate([side.means for side in sides]),
            np.concatenate([side.weights * each / most for side, each in zip(sides, share, strict=True)]),
            np.concatenate([side.counts for side in sides]),
        )

    worst, best = joined([part.worst for part, _ in kept]), joined([part.best for part, _ in kept])
    lo, hi = min(part.lo for part, _ in kept), max(part.hi for part, _ in kept)
    return Evidence(worst, best, lo, hi, mid and _guarded(worst, best, max(-lo, hi)))


def _guarded(worst: Values, best: Values, reach: float) -> bool:
    half = reach / 2.0 * (1.0 - 1e-9)
    up = worst.counts[worst.weights * worst.means >= half].sum()
    down = best.counts[best.weights * best.means <= -half].sum()
    return bool(min(up, down) >= GUARD)


def pool_centred(strata: Sequence[Stratum]) -> Evidence:
    """The evidence on a weighted mean over tasks with every task centred at its own mean.

    Narrower than `pool` where tasks are unlike, and of first order: for intervals that are shown, not for
    verdicts. One task gives its own evidence. Falls back on `pool` where a task has a single unit.
    """
    counts = [int(cluster_codes(stratum.clusters, len(stratum.worst)).max()) + 1 for stratum in strata]
    if min(counts) < 2:
        parts = [make_evidence(s.worst, s.best, s.lo, s.hi, s.clusters) for s in strata]
        return pool(parts, [s.weight for s in strata])
    total = sum(stratum.weight for stratum in strata)
    n, n_units = sum(len(stratum.worst) for stratum in strata), sum(counts)
    found: list[tuple[Array, float, float]] = []
    for side in ("worst", "best"):
        means = [float(getattr(stratum, side).mean()) for stratum in strata]
        value = sum(s.weight * mean for s, mean in zip(strata, means, strict=True)) / total
        values, ends = [], []
        for stratum, mean, g in zip(strata, means, counts, strict=True):
            factor = stratum.weight / total * n / len(stratum.worst)
            unbiased = (g / (g - 1.0) * (n_units - 1.0) / n_units) ** 0.5
            values.append(value + factor * unbiased * (getattr(stratum, side) - mean))
            ends.append((value + factor * (stratum.lo - mean), value + factor * (stratum.hi - mean)))
        low, high = min(end[0] for end in ends), max(end[1] for end in ends)
        found.append((np.clip(np.concatenate(values), low, high), low, high))
    own: list[tuple[int, Hashable]] | None = None
    if any(stratum.clusters is not None for stratum in strata):
        codes = [cluster_codes(stratum.clusters, len(stratum.worst)) for stratum in strata]
        own = [(t, int(code)) for t, part in enumerate(codes) for code in part]
    return Evidence(
        Values.of(units(found[0][0], own)), Values.of(units(found[1][0], own)), found[0][1], found[1][2]
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """One task of a mean over tasks of which only these numbers are known."""

    mean: float
    stderr: float
    n: float
    weight: float
    lo: float = 0.0
    hi: float = 1.0

    @property
    def is_two_valued(self) -> bool:
        """Whether the error is that of scores at the ends of the range, each sample alone: 0 or 1."""
        spread = (self.mean - self.lo) * (self.hi - self.mean)
        return abs(self.stderr**2 * (self.n - 1.0) - spread) <= 1e-6 * (self.hi - self.lo) ** 2

    def points(self) -> tuple[Array, Array]:
        """Scores with this mean and this error, and how often each occurs."""
        span = self.hi - self.lo
        if self.is_two_valued:
            right = self.n * (self.mean - self.lo) / span
            values, counts = np.array([self.lo, self.hi]), np.array([self.n - right, right])
        else:
            # With clusters the error is larger than scores can spread: fewer samples with all the spread.
            spread = (self.mean - self.lo) * (self.hi - self.mean)
            n = min(self.n, 1.0 + spread / self.stderr**2) if self.stderr > 0.0 else self.n
            size = self.stderr * max(n - 1.0, 1.0) ** 0.5
            values = np.array([self.mean - size, self.mean + size])
            counts = np.array([n / 2.0, n / 2.0])
        keep = counts > 0.0
        return values[keep], counts[keep]


def pool_summaries(parts: Sequence[Summary]) -> Evidence:
    """The evidence on a weighted mean over tasks of which means, errors and sizes are known, each centred.

    As `pool_centred` where all scores are at the ends of the range; else scores of the same mean and error
    stand in, which is approximate. Raises StatsError on a task with fewer than two samples.
    """
    if not parts or min(part.n for part in parts) < 2:
        raise StatsError("a mean over tasks needs two samples of every task")
    total = sum(part.weight for part in parts)
    value = sum(part.weight * part.mean for part in parts) / total
    found = [part.points() for part in parts]
    sizes = [float(counts.sum()) for _, counts in found]
    n = sum(sizes)
    values, ends = [], []
    for part, (points, _), size in zip(parts, found, sizes, strict=True):
        factor = part.weight / total * n / size
        unbiased = (size / (size - 1.0) * (n - 1.0) / n) ** 0.5 if size > 1.0 else 1.0
        values.append(value + factor * unbiased * (points - part.mean))
        ends.append((value + factor * (part.lo - part.mean), value + factor * (part.hi - part.mean)))
    lo, hi = min(end[0] for end in ends), max(end[1] for end in ends)
    means = np.clip(np.concatenate(values), lo, hi)
    both = Values(means, np.ones(len(means)), np.concatenate([counts for _, counts in found]))
    return Evidence(both, both, lo, hi)
