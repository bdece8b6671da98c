"""Contributions: what each pair of scores adds to a verdict, with missing scores taken adversely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.units import Array, bounded


@dataclass(frozen=True, slots=True)
class Contributions:
    """What each pair adds to the verdict: e > 0 speaks for PASS, e < 0 for FAIL."""

    for_fail: Array
    """e with missing scores at their best."""
    for_pass: Array
    """e with missing scores at their worst."""
    lo: float
    """The smallest e that is possible."""
    hi: float
    """The largest e that is possible."""


def contributions(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    margin: float,
    relative: bool = False,
    higher_is_better: bool = True,
    lo: float = 0.0,
    hi: float = 1.0,
) -> Contributions:
    """The contribution of each pair, e = candidate - baseline + margin, oriented so that positive is better.

    Scores lie in [lo, hi]; NaN is missing. relative: the margin is a share of the baseline, and
    e = candidate - (1 - margin) baseline, which needs scores that are not negative.
    """
    a, b = np.asarray(baseline, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    if a.shape != b.shape:
        raise StatsError(f"pairs need as many baseline scores as candidate scores: {a.shape} and {b.shape}")
    if relative and lo < 0.0:
        raise StatsError("a relative margin needs scores that are not negative")
    sign = 1.0 if higher_is_better else -1.0
    factor = 1.0 - sign * margin if relative else 1.0
    shift = 0.0 if relative else margin
    worst, best = (lo, hi) if higher_is_better else (hi, lo)

    def contribution(base: npt.ArrayLike, new: npt.ArrayLike) -> Array:
        return np.asarray(sign * (np.asarray(new) - factor * np.asarray(base)) + shift)

    def filled(scores: Array, value: float, name: str) -> Array:
        return bounded(np.where(np.isnan(scores), value, scores), lo, hi, name)

    e = [
        contribution(filled(a, at_base, "baseline"), filled(b, at_new, "candidate"))
        for at_base, at_new in ((worst, best), (best, worst))
    ]
    return Contributions(e[0], e[1], float(contribution(best, worst)), float(contribution(worst, best)))


def floor_contributions(
    scores: npt.ArrayLike, floor: float, higher_is_better: bool = True, lo: float = 0.0, hi: float = 1.0
) -> Contributions:
    """The contribution of each score to "the mean reaches the floor": e = score - floor; NaN is missing."""
    x = np.asarray(scores, dtype=np.float64)
    sign = 1.0 if higher_is_better else -1.0
    best, worst = (
        sign * (bounded(np.where(np.isnan(x), end, x), lo, hi) - floor) for end in (hi, lo)[:: int(sign)]
    )
    ends = sorted((sign * (lo - floor), sign * (hi - floor)))
    return Contributions(best, worst, ends[0], ends[1])
