"""Ranks: which places of a leaderboard each model may hold, all of them right at once.

Two models are set apart only by a test on the samples that either was asked, that allows for every pair
looked at (Holm's correction); intervals that overlap say nothing. A sample that one of the two has no score
for is taken against the one that would be called better. Source of the reduction from pairs to places: M.
Mogstad, J. Romano, A. Shaikh and D. Wilhelm, "Inference for ranks with applications to mobility across
neighbourhoods and academic achievement across countries", Review of Economic Studies 91 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.evidence import GUARD, is_guarded, make_evidence
from evalkit.stats.gaffke import saddlepoint_tail
from evalkit.stats.multiplicity import holm
from evalkit.stats.units import SLACK, Array, Clusters, check_alpha, cluster_codes

RankSets = list[tuple[int, int]]
"""(best, worst) place of each model, from 1."""
Bools = npt.NDArray[np.bool_]

# Up to this many pairs each gets the test to ten digits, beyond it the formula for many rows at once.
N_EXACT_PAIRS = 2000
BLOCK = 1024


def rank_sets(
    scores: npt.ArrayLike, alpha: float = 0.05, clusters: Clusters = None, lo: float = 0.0, hi: float = 1.0
) -> RankSets:
    """The (best, worst) place of each model, from 1; all hold at once with probability 1 - alpha.

    scores has shape (models, samples), higher is better, in [lo, hi]; NaN is missing. Valid at any number of
    samples. Raises StatsError on fewer than two units.
    """
    check_alpha(alpha)
    p = better_p(scores, clusters, lo, hi)
    return places_of(better_of(p, alpha))


def better_p(
    scores: npt.ArrayLike,
    clusters: Clusters = None,
    lo: float = 0.0,
    hi: float = 1.0,
    absent: Bools | None = None,
) -> Array:
    """p[j, k] of "model j is better than model k", for every ordered pair; 1 on the diagonal.

    By Gaffke's test of the paired differences with the guarded mid-p (see evidence.py). NaN is missing: j's
    counts as lo, k's as hi. `absent` marks samples that a model was never asked; a pair leaves out those that
    neither was. Where a plain z shows that p cannot be evidence after correction, it is 1.
    """
    table = _table(scores, lo, hi)
    codes = cluster_codes(clusters, table.shape[1])
    if int(codes.max()) < 1:
        raise StatsError("rank sets need at least two units, and there is one")
    gone = np.isnan(table)
    worst, best = ((np.where(gone, end, table) - lo) / (hi - lo) for end in (lo, hi))
    never = np.zeros_like(gone) if absent is None else absent & gone
    if clusters is None and np.isin(worst, (0.0, 1.0)).all():
        return _zero_one(np.where(gone, np.nan, worst), absent)
    return _graded(worst, best, never, clusters)


def better_of(p: Array, alpha: float = 0.05) -> Bools:
    """better[j, k], "j is proven better than k", by Holm's correction over all ordered pairs."""
    off = ~np.eye(len(p), dtype=bool)
    result = np.zeros(p.shape, dtype=bool)
    if len(p) > 1:
        result[off] = holm(p[off]) <= alpha
    return result


def places_of(better: Bools) -> RankSets:
    """Rank sets from better[j, k], "j is proven better than k"."""
    best, worst = 1 + better.sum(axis=0), len(better) - better.sum(axis=1)
    return [(int(b), int(w)) for b, w in zip(best, worst, strict=True)]


def rank_sets_covariance(
    estimates: npt.ArrayLike, covariance: npt.ArrayLike, df: float, alpha: float = 0.05
) -> RankSets:
    """The rank sets of estimates with a known covariance and t_df errors; higher is better.

    Approximate: for Bradley-Terry strengths, and with a diagonal of squared standard errors for models of
    which only those are known. Two estimates whose difference has no error are not told apart.
    """
    check_alpha(alpha)
    return places_of(better_of(covariance_p(estimates, covariance, df), alpha))


def covariance_p(estimates: npt.ArrayLike, covariance: npt.ArrayLike, df: float) -> Array:
    """p[j, k] of "j is better than k" by Student's t, for every ordered pair; 1 on the diagonal."""
    from scipy.special import stdtr

    values, cov = np.asarray(estimates, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or cov.shape != (len(values), len(values)):
        raise StatsError(f"a covariance of shape {cov.shape} does not fit estimates of shape {values.shape}")
    variances = np.diag(cov)
    sums = variances[:, None] + variances[None, :]
    squares = sums - 2.0 * cov
    real = squares > 1e-12 * sums
    t = (values[:, None] - values[None, :]) / np.sqrt(np.where(real, squares, 1.0))
    return np.where(real, np.asarray(stdtr(df, -t)), 1.0)


def _table(scores: npt.ArrayLike, lo: float, hi: float) -> Array:
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise StatsError(f"rank sets need scores of shape (models, samples); the shape is {table.shape}")
    slack = SLACK * (hi - lo)
    known = table[~np.isnan(table)]
    if known.size and not (lo - slack <= known.min() and known.max() <= hi + slack):
        raise StatsError(
            f"scores leave their declared range [{lo}, {hi}]: they reach from {known.min()} to {known.max()}"
        )
    return np.clip(table, lo, hi)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each model wins and loses against each other on 0/1 scores."""

    wins: Array
    """[j, k]: samples that j gets right and k wrong, both known."""
    losses: Array
    """[j, k]: samples on which j falls behind k, what is missing at its worst for j and its best for k."""
    n: Array
    """[j, k]: samples that either was asked."""


def tally(scores: npt.ArrayLike, absent: Bools | None = None) -> Tally:
    """The wins and losses of all pairs of 0/1 scores, shape (models, samples); NaN is missing."""
    table = np.asarray(scores, dtype=np.float64)
    gone = np.isnan(table)
    right, wrong = (table == 1.0).astype(np.float64), (table == 0.0).astype(np.float64)
    losses = (1.0 - right) @ (1.0 - wrong).T
    n = np.full((len(table), len(table)), float(table.shape[1]))
    if absent is not None and gone.any():
        never = (absent & gone).astype(np.float64)
        neither = never @ never.T
        losses, n = losses - neither, n - neither
    return Tally(np.rint(right @ wrong.T), np.rint(losses), np.rint(n))


def _zero_one(table: Array, absent: Bools | None) -> Array:
    """The test of all pairs of 0/1 scores: an exact one-sided sign test of wins and losses."""
    from scipy.special import betainc

    found = tally(table, absent)
    wins, losses = found.wins, found.losses
    ahead = wins > 0.0
    p = np.ones_like(wins)
    p[ahead] = betainc(wins[ahead], losses[ahead] + 1.0, 0.5)
    mid = ahead & (wins >= GUARD) & (wins.T >= GUARD)
    p[mid] = (p[mid] + betainc(wins[mid], losses[mid], 0.5)) / 2.0
    np.fill_diagonal(p, 1.0)
    return p


def _graded(worst: Array, best: Array, never: Bools, clusters: Clusters) -> Array:
    """The test of all pairs of scores in [0, 1], or of clustered ones."""
    n_models = len(worst)
    p = np.ones((n_models, n_models))
    better, worse = np.nonzero(_promising(worst, best, clusters))
    labels = None if clusters is None else np.asarray(cluster_codes(clusters, worst.shape[1]))
    if len(better) > N_EXACT_PAIRS and clusters is None and not never.any():
        for start in range(0, len(better), BLOCK):
            rows, others = better[start : start + BLOCK], worse[start : start + BLOCK]
            p[rows, others] = _many(worst[rows] - best[others], best[rows] - worst[others])
        return p
    for j, k in zip(better.tolist(), worse.tolist(), strict=True):
        asked = ~(never[j] & never[k])
        low, high = (worst[j] - best[k])[asked], (best[j] - worst[k])[asked]
        own = None if labels is None else labels[asked]
        p[j, k] = make_evidence(low, low, -1.0, 1.0, own, is_guarded(low, high, 1.0, own)).p_above()
    return p


def _promising(worst: Array, best: Array, clusters: Clusters) -> Bools:
    """Which pairs may have evidence: their plain z is half of what all pairs together ask for, or more."""
    from scipy.special import ndtri

    codes = cluster_codes(clusters, worst.shape[1])
    n = int(codes.max()) + 1
    sums_w, sums_b = (np.zeros((len(worst), n)) for _ in range(2))
    for sums, table in ((sums_w, worst), (sums_b, best)):
        np.add.at(sums.T, codes, table.T)
    gaps = sums_w.sum(axis=1)[:, None] - sums_b.sum(axis=1)[None, :]
    squares = (sums_w**2).sum(axis=1)[:, None] + (sums_b**2).sum(axis=1)[None, :] - 2.0 * sums_w @ sums_b.T
    z = gaps / np.sqrt(np.maximum(squares - gaps**2 / n, 1e-12))
    n_pairs = max(len(worst) * (len(worst) - 1), 2)
    found = np.asarray((gaps > 1e-9) & (z > 0.5 * -float(ndtri(min(1.0 / n_pairs, 0.5)))))
    np.fill_diagonal(found, False)
    return found


def _many(low: Array, high: Array) -> Array:
    """The p-values of many pairs at once, with an error below 0.01 of themselves where it matters."""
    half = 0.5 * (1.0 - 1e-9)
    mid = np.minimum((low >= half).sum(axis=1), (high <= -half).sum(axis=1)) >= GUARD
    ones = np.ones((len(low), 1))
    found = np.ones(len(low))
    mixed = (low > 0.0).any(axis=1)
    e = np.concatenate([ones, -low[mixed]], axis=1)
    found[mixed] = saddlepoint_tail(e, np.ones(e.shape[1]))
    if mid.any():
        found[mid] = (found[mid] + saddlepoint_tail(-low[mid], np.ones(low.shape[1]))) / 2.0
    return found
