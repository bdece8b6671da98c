"""Units: the independent pieces of data, which are samples or clusters of samples."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError

Array = npt.NDArray[np.float64]
Clusters = Sequence[Hashable] | npt.NDArray[np.generic] | None
"""One label per sample; samples with the same label are dependent; None is a cluster of its own."""

# Rounding in a score such as 0.1 + 0.2 must not count as leaving the declared range.
SLACK = 1e-9


def vector(values: npt.ArrayLike, name: str = "x") -> Array:
    """The values as a float vector; raises StatsError when there are none or one is not a finite number."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatsError(f"{name} must be numbers: {error}") from error
    if array.ndim != 1:
        raise StatsError(f"{name} must have one dimension, one value per sample; its shape is {array.shape}")
    if array.size == 0:
        raise StatsError(f"{name} is empty; a statistic of nothing is unknown")
    if not np.isfinite(array).all():
        raise StatsError(
            f"{name} holds a value that is not finite; leave unscored samples out and count them"
        )
    return array


def bounded(values: npt.ArrayLike, lo: float, hi: float, name: str = "x") -> Array:
    """The values as a vector inside [lo, hi]; raises StatsError when one lies outside."""
    array = vector(values, name)
    if not lo < hi:
        raise StatsError(f"the range of {name} is empty: [{lo}, {hi}]")
    slack = SLACK * (hi - lo)
    if array.min() < lo - slack or array.max() > hi + slack:
        raise StatsError(
            f"{name} leaves its declared range [{lo}, {hi}]: it reaches from {array.min()} to {array.max()}; "
            "declare the true range, or use a method for unbounded values"
        )
    return np.clip(array, lo, hi)


def check_level(level: float, name: str = "confidence") -> float:
    """The level itself; raises StatsError when it is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        raise StatsError(f"{name} must lie between 0 and 1, not {level}")
    return float(level)


def check_alpha(alpha: float) -> float:
    """The error rate of one side; raises StatsError when it is not strictly between 0 and 1/2."""
    if not 0.0 < alpha < 0.5:
        raise StatsError(f"alpha is the error rate of one side and must lie between 0 and 0.5, not {alpha}")
    return float(alpha)


def cluster_codes(clusters: Clusters, n: int) -> npt.NDArray[np.intp]:
    """One cluster number per sample, counted from 0 in order of first appearance."""
    if clusters is None:
        return np.arange(n)
    if len(clusters) != n:
        raise StatsError(f"{len(clusters)} cluster labels for {n} samples; give one for each")
    labels: dict[Hashable, int] = {}
    keys = ((i,) if label is None else (0, label) for i, label in enumerate(clusters))
    return np.fromiter((labels.setdefault(key, len(labels)) for key in keys), dtype=np.intp, count=n)


@dataclass(frozen=True, slots=True)
class Units:
    """The mean and the relative size of every unit, in order of first appearance."""

    means: Array
    """Mean score of each unit."""
    weights: Array
    """Size of each unit divided by the largest size, in (0, 1]."""

    def __len__(self) -> int:
        """The number of units."""
        return len(self.means)

    def contributions(self, shift: float = 0.0) -> Array:
        """weight * (mean + shift) of each unit; the sum has the sign of the sample mean plus shift."""
        return self.weights * (self.means + shift)


def units(x: Array, clusters: Clusters = None) -> Units:
    """The units of a vector: its clusters, or its samples when there are no clusters."""
    if clusters is None:
        return Units(x, np.ones(len(x)))
    codes = cluster_codes(clusters, len(x))
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=x) / sizes
    # The mean of equal values may round beyond them.
    return Units(np.clip(means, x.min(), x.max()), sizes / sizes.max())


def cluster_sums(rows: Array, clusters: Clusters = None) -> Array:
    """Rows summed within clusters; the rows themselves when there are no clusters."""
    if clusters is None:
        return rows
    codes = cluster_codes(clusters, len(rows))
    sums = np.zeros((codes.max() + 1, *rows.shape[1:]))
    np.add.at(sums, codes, rows)
    return sums
