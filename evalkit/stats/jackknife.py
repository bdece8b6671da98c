"""The jackknife: intervals and verdicts for metrics of a whole corpus, such as BLEU, F1 and perplexity.

Such a metric is `aggregate(sum of the statistics of the samples)`. `aggregate` maps sums of shape (..., k) to
values of shape (...), so that leaving out every sample in turn is one call on `total - rows`.
Source: B. Efron and C. Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.interval import Interval
from evalkit.stats.means import student_interval
from evalkit.stats.units import Array, Clusters, cluster_sums

Aggregate = Callable[[Array], npt.ArrayLike]
"""Sums of statistics, shape (..., k), to metric values, shape (...)."""


def corpus_interval(
    rows: npt.ArrayLike,
    aggregate: Aggregate,
    confidence: float = 0.95,
    clusters: Clusters = None,
    log_scale: bool = False,
) -> Interval:
    """The metric of the corpus, its delete-one jackknife error, and value +- t_{n-1} stderr.

    rows has shape (n, k) or (n,); with clusters one cluster is left out at a time. log_scale (for perplexity)
    makes the interval on the logarithm and returns exp of it; stderr is then value times the log's error.
    Raises StatsError where the metric is not finite, on the corpus or with one unit left out.
    """
    table = cluster_sums(statistics(rows), clusters)
    value, parts = _leave_one_out(table, aggregate, log_scale)
    return student_interval(value, _error(parts), len(table), len(table) - 1.0, confidence, log_scale)


def statistics(rows: npt.ArrayLike) -> Array:
    """The table of per-sample statistics, shape (n, k), checked to be finite and not empty."""
    table = np.asarray(rows, dtype=np.float64)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.size == 0:
        raise StatsError(
            f"statistics must have shape (samples, k) and not be empty; the shape is {table.shape}"
        )
    if not np.isfinite(table).all():
        raise StatsError(
            "statistics hold a value that is not finite; leave unscored samples out and count them"
        )
    return table


def _leave_one_out(table: Array, aggregate: Aggregate, log_scale: bool) -> tuple[float, Array]:
    """The metric of the whole table and the metric without each row; logarithms when log_scale."""
    total = table.sum(axis=0)
    sums = total[None, :] if len(table) == 1 else np.concatenate([total[None, :], total - table])
    values = np.asarray(aggregate(sums), dtype=np.float64)
    if values.shape != (len(sums),):
        raise StatsError(
            f"aggregate must map shape {sums.shape} to {(len(sums),)}, but it returned {values.shape}; "
            "write it for any leading axes, on the last one"
        )
    if log_scale and (values <= 0).any():
        raise StatsError("the logarithm of a metric needs it positive, and with a unit left out it is not")
    if not np.isfinite(values).all():
        raise StatsError("the metric is not finite, on all samples or with one left out; it has no interval")
    values = np.log(values) if log_scale else values
    return float(values[0]), values[1:]


def _error(parts: Array) -> float | None:
    """The jackknife error of values that each leave one unit out; None for fewer than two units."""
    n = len(parts)
    if n < 2:
        return None
    return float(np.sqrt((n - 1) / n * np.sum((parts - parts.mean()) ** 2)))
