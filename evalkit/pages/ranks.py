"""Which models cannot be told apart, from the scores of the samples that they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.pages.scores import Scores
from evalkit.stats import better_of, better_p, holm, places_of, rank_sets_covariance
from evalkit.stats.means import student_quantile

Floats = npt.NDArray[np.float64]
Rank = tuple[int, int]
"""The best and the worst place that a model may hold, from 1."""

ALPHA = 0.05
MIN_COMMON = 0.8
"""The share of the samples that models must have in common to be compared on them."""


BLOCK = 64
"""Models whose differences to all others are looked at at once."""
MAX_STEPWISE = 60
"""Models up to which the sharper, slower corrections are used; with more, Bonferroni's."""


@dataclass(frozen=True)
class Estimates:
    """The estimates of several models in a column, or over several columns, and their covariance."""

    values: Floats
    covariance: Floats | None
    """A matrix; a vector of variances where the estimates are independent; None when an error is unknown."""
    df: float
    """Degrees of freedom: independent units less one."""

    @property
    def paired(self) -> bool:
        """Whether the models are compared on the samples that they share, not by their errors alone."""
        return self.covariance is not None and self.covariance.ndim == 2

    def of(self, chosen: Sequence[int]) -> Estimates:
        """The estimates of some of the models."""
        covariance = self.covariance
        if covariance is not None:
            places = np.asarray(chosen, dtype=np.intp)
            covariance = covariance[places] if covariance.ndim == 1 else covariance[np.ix_(places, places)]
        return Estimates(self.values[list(chosen)], covariance, self.df)


@dataclass(frozen=True)
class Differences:
    """Each model less each other."""

    difference: Floats
    half: Floats
    """Half the width of the 95 % interval of one pair alone."""
    p: Floats
    """Two-sided, corrected for all pairs; 1 for a model and itself."""

    def better(self) -> npt.NDArray[np.bool_]:
        """Which models are proven better than which."""
        return np.asarray((self.p <= ALPHA) & (self.difference > 0))


def estimate(scores: Sequence[Scores], bounds: tuple[float, float] | None = None) -> Estimates:
    """The models' estimates in one column, on common samples where there are such.

    Bounded scores get the variance that one more sample at the far end would bring, as in Gaffke's bound:
    without it, models that are right on every sample would have no error at all.
    """
    ids = _common(scores)
    if not ids:
        values = np.array([score.value for score in scores])
        errors = [score.stderr for score in scores if score.stderr is not None]
        n = min(score.n for score in scores)
        covariance = np.square(errors) if len(errors) == len(scores) else None
        return Estimates(values, _with_margin(covariance, n, bounds), float(max(1, n - 1)))
    table, names = _table(scores, ids)
    values = table.mean(axis=1)
    codes = np.unique(names, return_inverse=True)[1]
    n_units = int(codes.max()) + 1
    if n_units < 2:
        return Estimates(values, None, 1.0)
    residuals = (table - values[:, None]) / table.shape[1]
    units = np.array([np.bincount(codes, weights=row, minlength=n_units) for row in residuals])
    covariance = units @ units.T * n_units / (n_units - 1)
    return Estimates(values, _with_margin(covariance, n_units, bounds), n_units - 1.0)


def margin(n_units: int, bounds: tuple[float, float] | None) -> float:
    """What one more sample at the far end can move the mean of bounded scores; 0 for unbounded ones."""
    return 0.0 if bounds is None else (bounds[1] - bounds[0]) / (n_units + 1)


def _with_margin(
    covariance: Floats | None, n_units: int, bounds: tuple[float, float] | None
) -> Floats | None:
    """The covariance with the margin; half a model, since it is that of a difference."""
    if covariance is None:
        return None
    extra = margin(n_units, bounds) ** 2 / 2
    return np.asarray(covariance + (extra if covariance.ndim == 1 else extra * np.eye(len(covariance))))


def combine(parts: Sequence[Estimates], scales: Sequence[float]) -> Estimates:
    """The mean over columns, which are fixed strata, each divided by its scale first."""
    n = len(parts)
    values = np.mean([part.values / scale for part, scale in zip(parts, scales, strict=True)], axis=0)
    known = [part.covariance for part in parts if part.covariance is not None]
    covariance: Floats | None = None
    if len(known) == n:
        independent = all(found.ndim == 1 for found in known)
        covariance = np.zeros(len(values)) if independent else np.zeros((len(values), len(values)))
        for found, scale in zip(known, scales, strict=True):
            whole = found if found.ndim == covariance.ndim else np.diag(found)
            covariance += whole / (scale * n) ** 2
    return Estimates(values, covariance, min(part.df for part in parts))


def rank_column(
    scores: Sequence[Scores], bounds: tuple[float, float] | None, estimates: Estimates | None = None
) -> list[Rank]:
    """The models' places in one column; `bounds` are those of the scores, None when they have none.

    `estimates` are those of `scores` and `bounds`, where the caller has them already.
    """
    if len(scores) == 1:
        return [(1, 1)]
    if len(scores) > MAX_STEPWISE:
        return rank_all(estimate(scores, bounds) if estimates is None else estimates)
    if bounds is not None and all(score.is_mean for score in scores):
        table, absent, labels = paired_table(scores)
        if table.shape[1] >= 2 and (labels is None or len(set(labels)) >= 2):
            return places_of(better_of(better_p(table, labels, *bounds, absent)))
        return [(1, len(scores))] * len(scores)
    estimates = estimate(scores)
    if estimates.covariance is None or not estimates.covariance.any():
        return [(1, len(scores))] * len(scores)
    covariance = estimates.covariance
    whole = np.diag(covariance) if covariance.ndim == 1 else covariance
    return rank_sets_covariance(estimates.values, whole, estimates.df)


def paired_table(
    scores: Sequence[Scores],
) -> tuple[Floats, npt.NDArray[np.bool_], list[str] | None]:
    """The scores, models by samples, NaN where missing; which were never asked; and clusters, where any."""
    ids = list(dict.fromkeys(id for score in scores for id in (*score.samples, *score.missing)))
    table = np.array(
        [[np.nan if id in score.missing else score.samples.get(id, np.nan) for id in ids] for score in scores]
    ).reshape(len(scores), len(ids))
    absent = np.array(
        [[id not in score.missing and id not in score.samples for id in ids] for score in scores]
    )
    clusters = {id: name for score in scores for id, name in score.clusters.items()}
    labels = [f"c{clusters[id]}" if id in clusters else f"s{id}" for id in ids] if clusters else None
    return table, absent.reshape(table.shape), labels


def count_wins(scores: Sequence[Scores]) -> npt.NDArray[np.int32]:
    """On how many of the samples that all share each model scores higher than each other."""
    ids = _common(scores)
    if not ids:
        return np.zeros((len(scores), len(scores)), dtype=np.int32)
    table = _table(scores, ids)[0]
    return np.array([(row > table + 1e-12).sum(axis=1) for row in table], dtype=np.int32)


def compare(estimates: Estimates) -> Differences | None:
    """Each model against each other; None where an error is unknown."""
    if estimates.covariance is None:
        return None
    from scipy.special import stdtr

    difference, error, t = _studentised(estimates.values, estimates.covariance)
    p = np.minimum(1.0, 2 * np.asarray(stdtr(estimates.df, -np.abs(t))))
    corrected = np.ones_like(p)
    upper = np.triu_indices(len(p), 1)
    if len(p) > 1:
        corrected[upper] = holm(p[upper])
    corrected = np.minimum(corrected, corrected.T)
    return Differences(difference, student_quantile(0.975, estimates.df) * error, corrected)


def rank_all(estimates: Estimates) -> list[Rank]:
    """The models' places by their differences; all places for all where an error is unknown."""
    n_models = len(estimates.values)
    if estimates.covariance is None:
        return [(1, n_models)] * n_models
    if n_models > MAX_STEPWISE:
        above, below = _count_better(
            estimates, student_quantile(1 - ALPHA / (n_models * (n_models - 1)), estimates.df)
        )
    else:
        differences = compare(estimates)
        better = np.zeros((n_models, n_models), dtype=bool) if differences is None else differences.better()
        above, below = better.sum(axis=0), better.sum(axis=1)
    return list(zip((1 + above).tolist(), (n_models - below).tolist(), strict=True))


def _count_better(
    estimates: Estimates, critical: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many models each is proven worse than, and better than; in blocks, for very many models."""
    covariance = np.asarray(estimates.covariance)
    # The best first, so that a block is only looked at against those behind it.
    order = np.argsort(-estimates.values, kind="stable")
    values = estimates.values[order]
    variances = (covariance if covariance.ndim == 1 else np.diag(covariance))[order]
    above, below = np.zeros(len(values), dtype=np.int64), np.zeros(len(values), dtype=np.int64)
    for start in range(0, len(values), BLOCK):
        rows, others = slice(start, start + BLOCK), slice(start, None)
        gaps = values[rows, None] - values[None, others]
        squares = variances[rows, None] + variances[None, others]
        if covariance.ndim == 1:
            better = (gaps > 0) & (squares > 0)
        else:
            sums = squares
            squares = sums - 2 * covariance[np.ix_(order[rows], order[others])]
            better = (gaps > 0) & (squares > 1e-12 * sums)
        gaps *= gaps
        squares *= critical**2
        better &= gaps >= squares
        above[order[others]] += better.sum(axis=0)
        below[order[rows]] = better.sum(axis=1)
    return above, below


def _studentised(values: Floats, covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """The differences of all pairs, their errors, and their ratios."""
    difference = values[:, None] - values[None, :]
    variances = covariance if covariance.ndim == 1 else np.diag(covariance)
    sums = variances[:, None] + variances[None, :]
    if covariance.ndim == 1:
        squares = sums * (1.0 - np.eye(len(values)))
    else:
        squares = np.maximum(sums - 2 * covariance, 0.0)
    # Two models with the same scores differ by rounding only, and are never told apart.
    squares[squares <= 1e-12 * sums] = 0.0
    error = np.sqrt(squares)
    return difference, error, np.divide(difference, error, out=np.zeros_like(error), where=error > 0)


def score_bounds(scale: str, higher_is_better: bool) -> tuple[float, float] | None:
    """The ends of a metric's scores, turned round where lower is better; None when it has none."""
    if scale == "unbounded":
        return None
    best = 100.0 if scale == "percent" else 1.0
    return (0.0, best) if higher_is_better else (-best, 0.0)


def _common(scores: Sequence[Scores]) -> list[str]:
    """The samples that all models have scores for, where they are most of them; else none."""
    if not all(score.is_mean for score in scores):
        return []
    first = scores[0].samples
    others = [score.samples for score in scores[1:]]
    if all(samples.keys() == first.keys() for samples in others):
        ids = list(first)
    else:
        ids = [id for id in first if all(id in samples for samples in others)]
    most = max(len(score.samples) for score in scores)
    return ids if len(ids) >= MIN_COMMON * most else []


def _table(scores: Sequence[Scores], ids: Sequence[str]) -> tuple[Floats, list[str]]:
    """The scores, models by samples, and the cluster of each sample: its own where it has none."""
    clusters = scores[0].clusters
    names = [f"c{clusters[id]}" if id in clusters else f"s{id}" for id in ids]
    return np.array([[score.samples[id] for id in ids] for score in scores]), names
