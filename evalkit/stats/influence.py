"""Metrics of a whole corpus: how far each sample moves them, and what the samples say of them.

Such a metric is `aggregate(sum of the rows of the samples)`; `aggregate` maps sums of shape (..., k) to
values of shape (...). The influence of a sample is the derivative of the metric towards a corpus of that
sample alone; value plus influence is to the metric what a score is to a mean, to first order. The unseen
unit (see evidence.py) lies where a sample that is possible moves the metric the most, seen or not:
`possible` lists the rows of such samples. Without it nothing valid exists at any n; then twice the largest
move that was seen stands in, the result is called approximate and tells that size, and there is none below
`N_APPROXIMATE` units or with fewer than GUARD units each way.
Source: F. Hampel, "The influence curve and its role in robust estimation", JASA 69 (1974).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.evidence import GUARD, Evidence, is_guarded, make_evidence
from evalkit.stats.units import Array, Clusters, units

Aggregate = Callable[[Array], npt.ArrayLike]
"""Sums of rows, shape (..., k), to metric values, shape (...)."""

N_APPROXIMATE = 50
"""Units below which a metric whose samples have no known limit has no verdict."""
UNLIMITED = "one more sample, of a kind that was not seen, could move it without limit"
STEP = 1e-4
"""The share of a sample that is added to see where the metric goes."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """One side of a corpus metric: its rows, and those of samples that are possible."""

    rows: Array
    """A row of each sample, NaN where it is missing."""
    possible: Array | None = None
    """Rows of samples that are possible, by what may be asked and what may be answered: shape (samples,
    answers, k); None where no sample is the most extreme."""


@dataclass(frozen=True, slots=True)
class CorpusEvidence:
    """What the samples say of a corpus metric, or of the difference of two."""

    value: float
    """On the samples that are complete; a logarithm with log_scale."""
    evidence: Evidence | None
    """None where nothing can be said."""
    reach: float | None
    """For an approximation: the size of the largest move that it allows for. None where it holds anyway."""
    why: str | None
    """Why nothing can be said; None where something can."""
    n_units: int
    n_missing: int


def corpus_evidence(
    side: Corpus, aggregate: Aggregate, clusters: Clusters = None, log_scale: bool = False
) -> CorpusEvidence:
    """The evidence on one corpus metric. Raises StatsError where the metric is not finite."""
    whole = _whole(side.rows)
    value, psi = _influences(side.rows, whole, aggregate, log_scale)
    if not np.isfinite(psi[whole]).all():
        return _unknown(value, whole, clusters, UNLIMITED)
    if side.possible is None:
        return _approximate(value, value + psi, whole, clusters)
    ends = _moves(side, whole, aggregate, log_scale)
    if not np.isfinite(ends).all():
        return _unknown(value, whole, clusters, UNLIMITED)
    lo, hi = value + float(ends.min()), value + float(ends.max())
    worst, best = (np.clip(value + np.where(whole, psi, end), lo, hi) for end in (ends.min(), ends.max()))
    return _found(value, make_evidence(worst, best, lo, hi, clusters), None, whole, clusters)


def paired_evidence(
    base: Corpus,
    other: Corpus,
    aggregate: Aggregate,
    clusters: Clusters = None,
    log_scale: bool = False,
    higher_is_better: bool = True,
) -> CorpusEvidence:
    """The evidence on other - base, turned so that positive is better; row i of both belongs to sample i.

    A missing row is taken as that of the possible sample most against the conclusion. Raises StatsError where
    the metric is not finite on the complete pairs.
    """
    if base.rows.shape[0] != other.rows.shape[0]:
        raise StatsError(
            f"the two sides must hold the same samples: {len(base.rows)} and {len(other.rows)} units"
        )
    whole = _whole(base.rows) & _whole(other.rows)
    sign = 1.0 if higher_is_better else -1.0
    (value_a, psi_a), (value_b, psi_b) = (
        _influences(side.rows, whole, aggregate, log_scale) for side in (base, other)
    )
    value = sign * (value_b - value_a)
    if not (np.isfinite(psi_a[whole]).all() and np.isfinite(psi_b[whole]).all()):
        return _unknown(value, whole, clusters, UNLIMITED)
    if base.possible is None or other.possible is None:
        d = sign * (psi_b - psi_a)
        return _approximate(value, value + d, whole, clusters)
    moves_a, moves_b = (sign * _moves(side, whole, aggregate, log_scale) for side in (base, other))
    if not (np.isfinite(moves_a).all() and np.isfinite(moves_b).all()):
        return _unknown(value, whole, clusters, UNLIMITED)
    # The same sample is asked of both: what may be asked is shared, what is answered is not.
    least = float((moves_b.min(axis=1) - moves_a.max(axis=1)).min())
    most = float((moves_b.max(axis=1) - moves_a.min(axis=1)).max())
    a, b = sign * psi_a, sign * psi_b
    worst = np.where(np.isnan(b), moves_b.min(), b) - np.where(np.isnan(a), moves_a.max(), a)
    best = np.where(np.isnan(b), moves_b.max(), b) - np.where(np.isnan(a), moves_a.min(), a)
    worst, best = np.clip(worst, least, most), np.clip(best, least, most)
    mid = is_guarded(worst, best, max(-least, most), clusters)
    evidence = make_evidence(value + worst, value + best, value + least, value + most, clusters, mid)
    return _found(value, evidence, None, whole, clusters)


def linear_evidence(
    e: Array,
    lo: float | None,
    hi: float | None,
    clusters: Clusters = None,
    moves: Array | None = None,
) -> CorpusEvidence:
    """The evidence on the mean of values, NaN where missing, of which one unseen lies in [lo, hi].

    With None for an end the result is approximate, as above; `moves` are then what tells samples that differ,
    where it is not e itself.
    """
    whole = ~np.isnan(e)
    value = float(e[whole].mean()) if whole.any() else float("nan")
    if lo is None or hi is None:
        return _approximate(value, e, whole, clusters, moves)
    worst, best = (np.clip(np.where(whole, e, end), lo, hi) for end in (lo, hi))
    return _found(value, make_evidence(worst, best, lo, hi, clusters), None, whole, clusters)


def _approximate(
    value: float,
    values: Array,
    whole: npt.NDArray[np.bool_],
    clusters: Clusters,
    moves: Array | None = None,
) -> CorpusEvidence:
    """The evidence where no sample is the most extreme: twice the largest move that was seen."""
    n = len(units(np.zeros(len(whole)), clusters))
    if not whole.all():
        missing = int((~whole).sum())
        return _unknown(value, whole, clusters, f"{missing} samples have no value, and there is no worst one")
    if n < N_APPROXIMATE:
        why = f"below {N_APPROXIMATE} independent samples nothing is known of rare ones"
        return _unknown(value, whole, clusters, why)
    differing = units(values - value if moves is None else moves, clusters).contributions()
    size = 1e-12 * max(1.0, float(np.abs(values).max()))
    if min(int((differing > size).sum()), int((differing < -size).sum())) < GUARD:
        why = f"fewer than {GUARD} samples differ each way, which tells nothing of rare ones"
        return _unknown(value, whole, clusters, why)
    reach = 2.0 * float(np.abs(values - value).max())
    return _found(
        value, make_evidence(values, values, value - reach, value + reach, clusters), reach, whole, clusters
    )


def _found(
    value: float, evidence: Evidence, reach: float | None, whole: npt.NDArray[np.bool_], clusters: Clusters
) -> CorpusEvidence:
    return CorpusEvidence(value, evidence, reach, None, evidence.n_units, int((~whole).sum()))


def _unknown(value: float, whole: npt.NDArray[np.bool_], clusters: Clusters, why: str) -> CorpusEvidence:
    n = len(units(np.zeros(len(whole)), clusters))
    return CorpusEvidence(value, None, None, why, n, int((~whole).sum()))


def _whole(rows: Array) -> npt.NDArray[np.bool_]:
    whole = np.asarray(~np.isnan(rows).any(axis=1))
    if not whole.any():
        raise StatsError("all scores of one side are missing")
    return whole


def _influences(
    rows: Array, whole: npt.NDArray[np.bool_], aggregate: Aggregate, log_scale: bool
) -> tuple[float, Array]:
    """The metric on the complete samples, and the influence of every sample; NaN where it is missing."""
    total = rows[whole].sum(axis=0)
    value = float(_values(total[None, :], aggregate, log_scale)[0])
    psi = np.full(len(rows), np.nan)
    known = ~np.isnan(rows).any(axis=1)
    distinct, places = np.unique(rows[known], axis=0, return_inverse=True)
    psi[known] = _slopes(total, int(whole.sum()), distinct, aggregate, log_scale)[places.ravel()]
    return value, psi


def _moves(side: Corpus, whole: npt.NDArray[np.bool_], aggregate: Aggregate, log_scale: bool) -> Array:
    """The influences of the samples that are possible, by what is asked and what is answered."""
    possible = np.asarray(side.possible)
    total = side.rows[whole].sum(axis=0)
    flat = possible.reshape(-1, possible.shape[-1])
    return _slopes(total, int(whole.sum()), flat, aggregate, log_scale).reshape(possible.shape[:-1])


def _slopes(total: Array, n: int, rows: Array, aggregate: Aggregate, log_scale: bool) -> Array:
    """The derivative of the metric when a share of each row is added, times the number of samples.

    One-sided, of second order in the step, so that no sum becomes negative.
    """
    at = _values(
        np.concatenate([total[None, :], total + STEP * rows, total + 2.0 * STEP * rows]), aggregate, log_scale
    )
    here, near, far = at[0], at[1 : 1 + len(rows)], at[1 + len(rows) :]
    slopes = n * (4.0 * near - 3.0 * here - far) / (2.0 * STEP)
    # A step half as long moves a smooth metric half as far. One that jumps, as where the first sample of a
    # class appears, has no limit.
    first, second = np.abs(near - here), np.abs(far - here)
    slopes[(first > 1e-9 * max(1.0, abs(here))) & (second < 1.5 * first)] = np.inf
    # Equal rows of different samples must stay equal, so that they are counted together.
    return np.asarray(np.round(slopes, 9))


def _values(sums: Array, aggregate: Aggregate, log_scale: bool) -> Array:
    values = np.asarray(aggregate(sums), dtype=np.float64)
    if values.shape != (len(sums),):
        raise StatsError(
            f"aggregate must map shape {sums.shape} to {(len(sums),)}, but it returned {values.shape}; "
            "write it for any leading axes, on the last one"
        )
    if log_scale:
        if (values[:1] <= 0).any():
            raise StatsError("the logarithm of a metric needs it positive, and it is not")
        values = np.log(np.maximum(values, 1e-300))
    if not np.isfinite(values[0]):
        raise StatsError("the metric is not finite on these samples; it has no interval")
    return values
