"""Means: of one metric over samples, and of one number over tasks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.gaffke import gaffke_interval
from evalkit.stats.interval import Interval
from evalkit.stats.units import Clusters, check_level, cluster_codes, vector


def mean_stderr(x: npt.ArrayLike, clusters: Clusters = None) -> tuple[float, float | None]:
    """The mean and its standard error; the error is None when there are fewer than two units.

    sd / sqrt(n) with n - 1 degrees of freedom; with clusters CR1, sqrt(G/(G-1) sum_g u_g^2) / n where u_g is
    the summed residual of a cluster (Miller 2024, arXiv:2411.00640, section 2.2, with the factor G/(G-1)).
    """
    mean, stderr, _ = _mean(x, clusters)
    return mean, stderr


def mean_interval(
    x: npt.ArrayLike,
    confidence: float = 0.95,
    clusters: Clusters = None,
    lo: float = 0.0,
    hi: float = 1.0,
) -> Interval:
    """The mean of scores that lie in [lo, hi], its standard error, and Gaffke's interval."""
    mean, stderr, n_units = _mean(x, clusters)
    if n_units < 2:
        return Interval(mean, None, None, None, n_units)
    return Interval(mean, stderr, *gaffke_interval(x, confidence, clusters, lo, hi), n_units)


def t_interval(
    x: npt.ArrayLike, confidence: float = 0.95, clusters: Clusters = None, log_scale: bool = False
) -> Interval:
    """The mean of unbounded values with Student's interval, mean +- t_{n-1} stderr (t_{G-1} with clusters).

    With log_scale the value is the geometric mean: interval on the logarithm, then exp; the standard error is
    then the value times that of the logarithm. For latencies and costs, which are positive and skewed.
    """
    values = vector(x)
    if log_scale:
        if values.min() <= 0.0:
            raise StatsError(f"a logarithm needs positive values, and the smallest is {values.min()}")
        values = np.log(values)
    mean, stderr, n_units = _mean(values, clusters)
    return student_interval(mean, stderr, n_units, n_units - 1.0, confidence, log_scale)


def macro_interval(
    means: npt.ArrayLike,
    stderrs: npt.ArrayLike,
    n_units: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Interval:
    """The weighted mean over tasks, which are fixed strata, with Satterthwaite's degrees of freedom.

    stderr = sqrt(sum w_t^2 stderr_t^2); weights are divided by their sum and are equal when None; n_units is
    the number of units of each task, two at least (50 before a gate may rest on the result); Interval.n_units
    is their sum. Source: F. E. Satterthwaite, Biometrics Bulletin 2 (1946).
    """
    mean, stderr, df, n = _macro(means, stderrs, n_units, weights)
    return student_interval(mean, stderr, n, df, confidence)


def _macro(
    means: npt.ArrayLike, stderrs: npt.ArrayLike, n_units: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[float, float, float, int]:
    """The weighted mean over tasks, its standard error, Satterthwaite's degrees of freedom, all units."""
    values, errors, n = vector(means, "means"), vector(stderrs, "stderrs"), vector(n_units, "n_units")
    w = np.ones(len(values)) if weights is None else vector(weights, "weights")
    if not len(values) == len(errors) == len(n) == len(w):
        raise StatsError("means, stderrs, n_units and weights must have one entry for each task")
    if n.min() < 2 or errors.min() < 0 or w.min() < 0 or w.sum() == 0:
        raise StatsError(
            "a macro average needs two units a task, and errors and weights that are not negative"
        )
    w = w / w.sum()
    parts = (w * errors) ** 2
    variance = float(parts.sum())
    df = variance**2 / float(np.sum(parts**2 / (n - 1.0))) if variance > 0 else float(n.sum() - len(n))
    return float(w @ values), variance**0.5, df, int(n.sum())


def student_interval(
    value: float,
    stderr: float | None,
    n_units: int,
    df: float,
    confidence: float = 0.95,
    log_scale: bool = False,
) -> Interval:
    """The interval value +- t_df stderr; with log_scale the arguments are logarithms, the result is not."""
    level = check_level(confidence)
    scale = float(np.exp(value)) if log_scale else 1.0
    if stderr is None:
        return Interval(scale if log_scale else value, None, None, None, n_units)
    half = student_quantile((1.0 + level) / 2.0, df) * stderr
    if log_scale:
        return Interval(
            scale, scale * stderr, scale * float(np.exp(-half)), scale * float(np.exp(half)), n_units
        )
    return Interval(value, stderr, value - half, value + half, n_units)


def student_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t with df degrees of freedom, which need not be whole."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def _mean(x: npt.ArrayLike, clusters: Clusters) -> tuple[float, float | None, int]:
    """The mean, its standard error and the number of units."""
    values = vector(x)
    n = len(values)
    mean = float(values.mean())
    if clusters is None:
        return mean, (float(values.std(ddof=1)) / n**0.5 if n > 1 else None), n
    sums = np.bincount(cluster_codes(clusters, n), weights=values - mean)
    g = len(sums)
    return mean, (float(np.sqrt(g / (g - 1) * np.sum(sums**2))) / n if g > 1 else None), g
