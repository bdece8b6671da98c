"""Early stopping: a verdict as soon as it is certain, with the guarantee intact.

A test by betting: wealth is bet on the candidate being good enough (and, mirrored, on its being worse) in a
game that is fair where the claim is false; wealth of 1/a then occurs with probability at most a, at any time
(Ville). Results must be consumed as a prefix of an order that was drawn at random and stored before the
first call: in the order of completion slow samples are judged last, and false passes reach 37 %.
Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", Journal of
the Royal Statistical Society B 86 (2024), section 4, and arXiv:2006.04347 for sampling without replacement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.gaffke import gaffke_p_greater, gaffke_p_less
from evalkit.stats.units import SLACK, Array, bounded, check_alpha, check_level
from evalkit.stats.verdicts import Target, Verdict, decide

Stop = Literal["off", "fail", "both"]
"""Which verdicts may come early."""

# Fixed for all data, hence no tuning: shares of the wealth that are bet (statistics.md, section 6).
BETS = np.geomspace(0.01, 0.98, 24)
# The share of alpha spent on early verdicts; the rest is for the test at the end.
EARLY = 0.2
CHUNK = 512


class EProcess:
    """The wealth of a gambler who bets that the mean of e is above 0, when e in [lo, hi] comes one by one.

    With n_total, e is drawn without replacement from n_total values whose mean is in question.
    """

    def __init__(self, lo: float, hi: float, n_total: int | None = None) -> None:
        """Nothing consumed, wealth 1; raises StatsError unless lo < 0 <= hi or lo <= 0 < hi."""
        if not lo <= 0.0 <= hi or lo == hi:
            raise StatsError(f"the contributions must be able to lie on both sides of 0, not in [{lo}, {hi}]")
        self.lo, self.hi, self.n_total = lo, hi, n_total
        self.n = 0
        self.log_wealth = 0.0
        self.log_peak = 0.0
        self._sum = 0.0
        self._logs: Array = np.zeros(len(BETS))

    @property
    def p(self) -> float:
        """The p-value that is valid at any time: one over the largest wealth so far."""
        return float(np.exp(-self.log_peak))

    def extend(self, e: npt.ArrayLike) -> Array:
        """The logarithm of the wealth after each further value; inf when the rest cannot undo the claim."""
        values = bounded(e, self.lo, self.hi, "e") if np.size(e) else np.zeros(0)
        parts = [self._extend(values[i : i + CHUNK]) for i in range(0, len(values), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _extend(self, e: Array) -> Array:
        """The path over one chunk, so that memory stays bounded."""
        y = (e - self.lo) / (self.hi - self.lo)
        null = -self.lo / (self.hi - self.lo)
        sums = self._sum + np.cumsum(y)
        if self.n_total is None:
            fair = np.full(len(y), null)
            certain = np.full(len(y), null == 0.0) & (sums > SLACK)
        else:
            left = self.n_total - self.n - np.arange(len(y))
            if left[-1] < 1:
                raise StatsError(f"{self.n + len(y)} results for {self.n_total} registered samples")
            fair = (self.n_total * null - np.append(self._sum, sums[:-1])) / left
            certain = sums > self.n_total * null + SLACK
        # Where the fair value is 0, a positive y makes the claim certain and y = 0 changes nothing.
        playing = fair > SLACK
        odds = np.where(playing, y / np.where(playing, fair, 1.0) - 1.0, 0.0)
        logs = self._logs + np.cumsum(np.log1p(BETS * odds[:, None]), axis=0)
        top = logs.max(axis=1)
        path: Array = top + np.log(np.exp(logs - top[:, None]).mean(axis=1))
        path[np.logical_or.accumulate(certain) | np.isinf(self.log_wealth)] = np.inf
        self.n += len(y)
        self._sum, self._logs = float(sums[-1]), logs[-1]
        self.log_wealth, self.log_peak = float(path[-1]), max(self.log_peak, float(path.max()))
        return path


class Sequential:
    """A gate that watches contributions arrive and stops as soon as a verdict is certain.

    Positions count units in the registered order, from 0; a unit is a sample with all its repeats, or a
    whole cluster, which contributes the mean of its e times its size over the largest registered size.
    Results that arrive out of order wait until the prefix reaches them; after the verdict they still move the
    p-values. Each wrong verdict has probability at most alpha. population: early verdicts use 0.2 alpha and
    the test after n_total units 0.8 alpha; a verdict that may not come early (stop="fail", "off") keeps the
    whole alpha for the end, where statistics.md is silent. dataset: an early verdict differs from that of the
    full run with probability at most alpha.
    """

    def __init__(
        self,
        n_total: int,
        lo: float,
        hi: float,
        alpha: float = 0.05,
        target: Target = "population",
        stop: Stop = "both",
    ) -> None:
        """A gate over n_total units with contributions e in [lo, hi]; see `contributions`."""
        if target not in ("population", "dataset") or stop not in ("off", "fail", "both"):
            raise StatsError(f"no such rule: target={target!r}, stop={stop!r}")
        if n_total < 1:
            raise StatsError("a gate over no samples has no verdict")
        self.n_total, self.lo, self.hi = n_total, lo, hi
        self.alpha, self.target, self.stop = check_alpha(alpha), target, stop
        self.verdict: Verdict | None = None
        self.n_used = 0
        horizon = n_total if target == "dataset" else None
        self._down, self._up = EProcess(-hi, -lo, horizon), EProcess(lo, hi, horizon)
        self._e: Array = np.empty((n_total, 2))
        self._waiting: dict[int, tuple[float, float]] = {}

    @property
    def n_seen(self) -> int:
        """The length of the prefix that has been consumed, in units."""
        return self._up.n

    def add(self, position: int, e: float, for_pass: float | None = None) -> Verdict | None:
        """The verdict if there is one yet, after the contribution of the unit at this position.

        Where a score is missing, e is the contribution with it at its best and for_pass at its worst.
        """
        if not self.n_seen <= position < self.n_total or position in self._waiting:
            raise StatsError(f"position {position} is not open; each of 0 .. {self.n_total - 1} comes once")
        self._waiting[position] = (e, e if for_pass is None else for_pass)
        ready: list[tuple[float, float]] = []
        while self.n_seen + len(ready) in self._waiting:
            ready.append(self._waiting.pop(self.n_seen + len(ready)))
        if ready:
            self._consume(np.array(ready))
        return self.verdict

    def extend(self, e: npt.ArrayLike, for_pass: npt.ArrayLike | None = None) -> Verdict | None:
        """The verdict if there is one yet, after the next contributions of the prefix, in order."""
        if self._waiting:
            raise StatsError("results are waiting for an earlier position; use add")
        if np.size(e):
            low = e if for_pass is None else for_pass
            self._consume(np.stack([np.asarray(e, float), np.asarray(low, float)], axis=-1))
        return self.verdict

    def finish(self) -> Verdict:
        """The verdict when no more results come: the final test after n_total units, else what is certain.

        A run that was cut short has no final test, since its length may depend on the data.
        """
        if self.verdict is None:
            self.n_used = self.n_seen
            found = decide(self.p_fail, self.p_pass, self.alpha)
            self.verdict = None if found == "inconclusive" else found
        return self.verdict or "inconclusive"

    @property
    def p_fail(self) -> float:
        """The p-value of FAIL, valid at any time; with several tasks, give theirs to `holm`."""
        e = self._e[:, 0]
        if self.target == "dataset":
            return self._p(self._down, lambda: float(e.mean() >= -SLACK))
        return self._p(self._down, lambda: gaffke_p_less(e, self.lo, self.hi))

    @property
    def p_pass(self) -> float:
        """The p-value of PASS, valid at any time."""
        e = self._e[:, 1]
        if self.target == "dataset":
            return self._p(self._up, lambda: float(e.mean() < -SLACK))
        return self._p(self._up, lambda: gaffke_p_greater(e, self.lo, self.hi))

    def _early(self, process: EProcess) -> bool:
        """Whether the verdict of this process may come early."""
        return self.stop == "both" or (self.stop == "fail" and process is self._down)

    def _p(self, process: EProcess, final: Callable[[], float]) -> float:
        """The p-value of one side: of the wealth if it may stop early, of the final test once all is seen."""
        early, shared = self._early(process), self.target == "population"
        p = process.p / (EARLY if shared else 1.0) if early else 1.0
        if self.n_seen == self.n_total:
            p = min(p, final() / (1.0 - EARLY if early and shared else 1.0))
        return min(p, 1.0)

    def _consume(self, pairs: Array) -> None:
        """Feeds both processes, and keeps the first verdict."""
        first = self.n_seen
        if first + len(pairs) > self.n_total:
            raise StatsError(f"{first + len(pairs)} results for {self.n_total} registered units")
        self._e[first : first + len(pairs)] = pairs
        limit = -np.log(self.alpha * (EARLY if self.target == "population" else 1.0))
        hits: list[tuple[int, Verdict]] = []
        sides: list[tuple[EProcess, Array, Verdict]] = [
            (self._down, -pairs[:, 0], "fail"),
            (self._up, pairs[:, 1], "pass"),
        ]
        for process, e, verdict in sides:
            crossed = np.flatnonzero(process.extend(e) >= limit)
            if crossed.size and self._early(process):
                hits.append((int(crossed[0]), verdict))
        if hits and self.verdict is None:
            at, self.verdict = min(hits)
            self.n_used = first + at + 1


def sequential_verdict(
    d: npt.ArrayLike,
    n_total: int,
    margin: float,
    alpha: float = 0.05,
    target: Target = "population",
    stop: Stop = "both",
    lo: float = -1.0,
    hi: float = 1.0,
) -> tuple[Verdict, int]:
    """The verdict of a gate that may stop early, and the number of samples it used.

    d holds the paired differences candidate - baseline in the registered order, in [lo, hi]; NaN is missing
    and taken adversely. When d is shorter than n_total the run was cut short: only an early verdict counts.
    """
    differences = np.asarray(d, dtype=np.float64)
    gone = np.isnan(differences)
    e, low, high = differences + margin, lo + margin, hi + margin
    rule = Sequential(n_total, low, high, alpha, target, stop)
    if len(e) > n_total:
        raise StatsError(f"{len(e)} results for {n_total} registered samples")
    for i in range(0, len(e), CHUNK):
        part = slice(i, i + CHUNK)
        if rule.extend(np.where(gone, high, e)[part], np.where(gone, low, e)[part]):
            break
    return rule.finish(), rule.n_used


def confidence_sequence(
    x: npt.ArrayLike,
    n_total: int,
    confidence: float = 0.95,
    target: Target = "population",
    lo: float = 0.0,
    hi: float = 1.0,
) -> tuple[float, float]:
    """The interval of the mean that holds at every time at once, after the scores x, a prefix of n_total.

    For display beside a run that stopped early, whose plain interval would be wrong. Conservative. dataset:
    the mean is that of all n_total scores. Wealth falls as the claimed mean rises, so that each end is where
    the wealth of its side is 2 / (1 - confidence).
    """
    values = bounded(x, lo, hi)
    limit = float(np.log(2.0 / (1.0 - check_level(confidence))))
    horizon = n_total if target == "dataset" else None
    mean = float(values.mean())

    def lower(y: Array, end: float, other: float) -> float:
        below, above = end, float(y.mean())
        for _ in range(40):
            m = (below + above) / 2.0
            process = EProcess(end - m, other - m, horizon)
            process.extend(y - m)
            below, above = (m, above) if process.log_wealth >= limit else (below, m)
        return below

    return min(lower(values, lo, hi), mean), max(-lower(-values, -hi, -lo), mean)
