"""Multiplicity: p-values adjusted for the number of questions asked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.units import Array, vector


def holm(p_values: npt.ArrayLike) -> Array:
    """The p-values adjusted so that rejecting those <= alpha errs anywhere with probability <= alpha.

    In the order given; valid under any dependence. For "something got worse": FAIL on any task.
    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    p = _p_values(p_values)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(len(p), 0, -1)
    return _unsort(np.minimum(np.maximum.accumulate(steps), 1.0), order)


def benjamini_hochberg(p_values: npt.ArrayLike) -> Array:
    """The p-values adjusted so that rejecting those <= q has an expected share of false ones <= q.

    In the order given; for independent or positively dependent tests. For exploring, never for a gate.
    Source: Y. Benjamini and Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995).
    """
    p = _p_values(p_values)
    order = np.argsort(p, kind="stable")
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _unsort(np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0), order)


def _p_values(p_values: npt.ArrayLike) -> Array:
    """The p-values as a vector, checked to lie in [0, 1]."""
    p = vector(p_values, "p_values")
    if p.min() < 0.0 or p.max() > 1.0:
        raise StatsError(f"p-values lie between 0 and 1; these reach from {p.min()} to {p.max()}")
    return p


def _unsort(values: Array, order: npt.NDArray[np.intp]) -> Array:
    """The sorted values back in the order they came in."""
    result = np.empty_like(values)
    result[order] = values
    return result
