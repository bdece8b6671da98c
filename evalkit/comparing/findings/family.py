"""What is shown together is corrected together: Holm's method over every pair that a reader sees."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from evalkit.comparing.findings.fields import Field, Floats
from evalkit.stats import better_p, holm, places_of
from evalkit.stats.means import student_quantile
from evalkit.stats.ranks import RankSets

ALPHA = 0.05
BLOCK = 64
"""Models of a large field whose pairs are looked at at once."""
Place = TypeVar("Place", bound=Hashable)


@dataclass(frozen=True)
class Findings(Generic[Place]):
    """The verdicts on all pairs of some fields, right together with 95 %."""

    n_tests: int
    """Pairs of models that were tested, in all fields."""
    adjusted: Mapping[Place, Floats]
    """Field -> p[j, k] of "j and k are equal", two-sided and corrected; NaN where untested or j is k."""
    places: Mapping[Place, RankSets]
    """Field -> the (best, worst) place that each model may hold."""

    def better(self, place: Place, field: Field) -> npt.NDArray[np.bool_]:
        """Which models of a field are proven better than which."""
        p = self.adjusted[place]
        return np.asarray((p <= ALPHA) & (field.p < field.p.T))


def find(fields: Mapping[Place, Field]) -> Findings[Place]:
    """The findings on these fields, which are shown together.

    Where a field has so many models that it holds no matrix, all are corrected by Bonferroni's method, which
    asks for a little more.
    """
    large = {place: field for place, field in fields.items() if field.is_large}
    small = {place: field for place, field in fields.items() if place not in large}
    upper = {place: np.triu_indices(len(field.models), 1) for place, field in small.items()}
    ups = [field.p[upper[place]] for place, field in small.items()]
    downs = [field.p.T[upper[place]] for place, field in small.items()]
    up, down = (np.concatenate([np.zeros(0), *parts]) for parts in (ups, downs))
    n_tests = int((~np.isnan(up)).sum())
    n_tests += sum(len(field.models) * (len(field.models) - 1) // 2 for field in large.values())
    both = np.minimum(1.0, 2.0 * n_tests * np.fmin(up, down)) if large else adjust(up, down)
    adjusted: dict[Place, Floats] = {place: field.p for place, field in large.items()}
    places = {place: count_places(field, ALPHA / (2.0 * n_tests)) for place, field in large.items()}
    start = 0
    for place, field in small.items():
        n = len(field.models)
        n_pairs = len(upper[place][0])
        p = np.full((n, n), np.nan)
        p[upper[place]] = both[start : start + n_pairs]
        p.T[upper[place]] = both[start : start + n_pairs]
        start += n_pairs
        adjusted[place] = p
        places[place] = places_of(np.asarray((p <= ALPHA) & (field.p < field.p.T)))
    return Findings(n_tests, adjusted, places)


def count_places(field: Field, level: float) -> RankSets:
    """The places of very many models, each pair tested at this level, in blocks of models."""
    n = len(field.models)
    above, below = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    if field.table is not None:
        better = better_p(field.table.values, None, 0.0, 1.0, field.table.absent) <= level
        above, below = better.sum(axis=0), better.sum(axis=1)
    elif field.errors is not None and field.values is not None:
        usable = np.isfinite(field.errors.variances) & (field.errors.n >= 2) & ~np.isnan(field.values)
        if usable.any():
            critical = student_quantile(1.0 - level, float(field.errors.n[usable].min()) - 1.0)
            variances = np.where(usable, field.errors.variances, np.inf)
            for start in range(0, n, BLOCK):
                rows = slice(start, start + BLOCK)
                gaps = field.values[rows, None] - field.values[None, :]
                better = gaps > critical * np.sqrt(variances[rows, None] + variances[None, :])
                above += better.sum(axis=0)
                below[rows] = better.sum(axis=1)
    return list(zip((1 + above).tolist(), (n - below).tolist(), strict=True))


def adjust(up: Sequence[float] | Floats, down: Sequence[float] | Floats) -> Floats:
    """The two-sided p-values of pairs, corrected by Holm's method over both directions; NaN is untested.

    up[i] and down[i] are the one-sided p-values of "better" and "worse". Errs anywhere, also in a direction,
    with probability alpha at most. A single pair gives twice the smaller of the two.
    """
    ups, downs = np.asarray(up, dtype=np.float64), np.asarray(down, dtype=np.float64)
    result = np.full(len(ups), np.nan)
    known = ~(np.isnan(ups) | np.isnan(downs))
    n = int(known.sum())
    if n:
        found = holm(np.concatenate([ups[known], downs[known]]))
        result[known] = np.minimum(found[:n], found[n:])
    return result
