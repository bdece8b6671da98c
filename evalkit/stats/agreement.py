"""How far two raters agree beyond chance, and how their numbers go together.

J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20
(1960); "Weighted kappa", Psychological Bulletin 70 (1968). Intervals are delete-one jackknives with
Student's t, clusters as units where given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.means import student_quantile
from evalkit.stats.units import Array, Clusters, check_level, cluster_codes

WEIGHTS = ("none", "linear", "quadratic")


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient with its interval."""

    value: float | None
    """None when it is undefined, as where both raters give one label throughout."""
    stderr: float | None
    lo: float | None
    hi: float | None


def confusion_matrix(a: npt.ArrayLike, b: npt.ArrayLike, n_labels: int) -> npt.NDArray[np.int64]:
    """How often rater a said row i where rater b said column j; labels are numbers from 0."""
    left, right = np.asarray(a, dtype=np.intp), np.asarray(b, dtype=np.intp)
    if left.shape != right.shape or left.ndim != 1:
        raise StatsError("the two raters must have one label for each item")
    table = np.zeros((n_labels, n_labels), dtype=np.int64)
    np.add.at(table, (left, right), 1)
    return table


def kappa(table: npt.ArrayLike, weights: str = "none") -> float:
    """Cohen's kappa of a confusion matrix; nan where chance explains all.

    `weights` none counts every disagreement alike; linear and quadratic by the distance of the labels, which
    are then in their order.
    """
    if weights not in WEIGHTS:
        raise StatsError(f"weights are {', '.join(WEIGHTS)}, not {weights!r}")
    counts = np.asarray(table, dtype=np.float64)
    n = counts.sum()
    if n == 0:
        raise StatsError("kappa needs at least one item that both raters labelled")
    place = np.arange(len(counts))
    distance = np.abs(place[:, None] - place[None, :]).astype(np.float64)
    cost = (distance > 0).astype(np.float64) if weights == "none" else distance
    if weights == "quadratic":
        cost = distance**2
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    by_chance = float((cost * expected).sum())
    return float("nan") if by_chance == 0.0 else 1.0 - float((cost * counts).sum()) / by_chance


def kappa_interval(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    n_labels: int,
    weights: str = "none",
    clusters: Clusters = None,
    confidence: float = 0.95,
) -> Agreement:
    """Cohen's kappa of two raters with its jackknife interval."""
    left, right = np.asarray(a, dtype=np.intp), np.asarray(b, dtype=np.intp)
    table = confusion_matrix(left, right, n_labels).astype(np.float64)
    codes = cluster_codes(clusters, len(left))
    value = kappa(table, weights)
    n_units = int(codes.max()) + 1
    without = np.broadcast_to(table, (n_units, *table.shape)).copy() if n_units <= 5000 else None
    if without is not None:
        np.add.at(without, (codes, left, right), -1.0)
        left_out = np.array([kappa(one, weights) if one.sum() else np.nan for one in without])
    else:  # few kinds of items: those of one kind leave the same table
        kinds: dict[tuple[int, int], float] = {}
        for i, j in zip(*np.nonzero(table), strict=True):
            one = table.copy()
            one[i, j] -= 1.0
            kinds[int(i), int(j)] = kappa(one, weights)
        left_out = np.array([kinds[int(i), int(j)] for i, j in zip(left, right, strict=True)])
    return _jackknife(value, left_out, confidence)


def correlation_interval(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    kind: str,
    clusters: Clusters = None,
    confidence: float = 0.95,
) -> Agreement:
    """Pearson's, Spearman's or Kendall's (tau-b) correlation of two raters' numbers, with its interval.

    The jackknife ranks anew without each unit; of more than 400 units, 400 groups are left out in turn.
    """
    from scipy import stats

    functions: dict[str, Callable[..., object]] = {
        "pearson": stats.pearsonr,
        "spearman": stats.spearmanr,
        "kendall": stats.kendalltau,
    }
    if kind not in functions:
        raise StatsError(f"correlations are {', '.join(functions)}, not {kind!r}")
    left, right = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1 or not np.isfinite(left + right).all():
        raise StatsError("a correlation needs one finite number of each rater for each item")

    def of(keep: npt.NDArray[np.bool_]) -> float:
        one, two = left[keep], right[keep]
        if len(one) < 2 or np.ptp(one) == 0.0 or np.ptp(two) == 0.0:
            return float("nan")
        return float(functions[kind](one, two)[0])  # type: ignore[index]

    codes = cluster_codes(clusters, len(left))
    groups = codes if int(codes.max()) < _MOST else codes % _MOST
    everything = np.ones(len(left), dtype=bool)
    left_out = np.array([of(groups != unit) for unit in range(int(groups.max()) + 1)])
    return _jackknife(of(everything), left_out, confidence)


_MOST = 400
"""Groups of a jackknife of correlations: each is computed anew."""


def _jackknife(value: float, left_out: Array, confidence: float) -> Agreement:
    check_level(confidence)
    n = len(left_out)
    if np.isnan(value):
        return Agreement(None, None, None, None)
    if n < 2 or np.isnan(left_out).any():
        return Agreement(value, None, None, None)
    stderr = float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))
    half = student_quantile((1.0 + confidence) / 2.0, n - 1.0) * stderr
    return Agreement(value, stderr, max(-1.0, value - half), min(1.0, value + half))
