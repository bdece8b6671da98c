"""What is shown together is corrected together: Holm's method over every pair that a reader sees."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from evalkit.findings.fields import Field, Floats
from evalkit.stats import holm, places_of
from evalkit.stats.ranks import RankSets

ALPHA = 0.05
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
    """The findings on these fields, which are shown together."""
    upper = {place: np.triu_indices(len(field.models), 1) for place, field in fields.items()}
    ups = [field.p[upper[place]] for place, field in fields.items()]
    downs = [field.p.T[upper[place]] for place, field in fields.items()]
    up, down = (np.concatenate([np.zeros(0), *parts]) for parts in (ups, downs))
    both = adjust(up, down)
    adjusted, places, start = {}, {}, 0
    for place, field in fields.items():
        n = len(field.models)
        n_pairs = len(upper[place][0])
        p = np.full((n, n), np.nan)
        p[upper[place]] = both[start : start + n_pairs]
        p.T[upper[place]] = both[start : start + n_pairs]
        start += n_pairs
        adjusted[place] = p
        places[place] = places_of(np.asarray((p <= ALPHA) & (field.p < field.p.T)))
    return Findings(int((~np.isnan(up)).sum()), adjusted, places)


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
