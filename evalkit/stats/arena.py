"""The arena: Bradley-Terry strengths of models from pairwise wins, with errors that allow for repeated votes.

Source: R. Bradley and M. Terry, Biometrika 39 (1952); the sandwich for clusters as in K.-Y. Liang and
S. Zeger, Biometrika 73 (1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.means import student_quantile
from evalkit.stats.ranks import RankSets, rank_sets_covariance
from evalkit.stats.units import Array, Clusters, check_level, cluster_codes, vector

# Keeps strengths finite where one model never loses (statistics.md, section 7).
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Arena:
    """Strengths of models; they compare only within a component."""

    strengths: Array
    """Log-odds of each model, of sum zero within a component; nan for a model alone in its component."""
    stderrs: Array
    """Sandwich standard errors, clustered by prompt; nan where the strength is."""
    lo: Array
    """Lower ends of the intervals."""
    hi: Array
    """Upper ends of the intervals."""
    ranks: RankSets
    """(best, worst) place of each model among those of its component."""
    components: npt.NDArray[np.intp]
    """The component of each model: two models share one when wins lead from each to the other."""
    effects: Array
    """What a unit of each covariate adds to the log-odds that `a` wins, in the component with most games;
    empty without covariates."""


def bradley_terry(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    outcomes: npt.ArrayLike,
    n_models: int,
    clusters: Clusters = None,
    confidence: float = 0.95,
    covariates: npt.ArrayLike | None = None,
) -> Arena:
    """The strengths of models 0 .. n_models - 1 from games between a[i] and b[i].

    outcomes[i] is 1 when a wins, 0 when b wins, 1/2 for a tie, which counts as half a win for each. clusters
    names the prompt of each game; repeated votes on one prompt are dependent. Where wins do not connect all
    models both ways, strengths of different components have no meaning beside each other: games between
    components are left out and each component is fitted by itself. covariates, of shape (games, k), are
    what a has more of than b, such as length: strengths are then what is left when they are allowed for.
    Raises StatsError on no games.
    """
    left, right = np.asarray(a, dtype=np.intp), np.asarray(b, dtype=np.intp)
    y = vector(outcomes, "outcomes")
    if not left.shape == right.shape == y.shape:
        raise StatsError("a, b and outcomes must have one entry for each game")
    if min(left.min(), right.min()) < 0 or max(left.max(), right.max()) >= n_models or (left == right).any():
        raise StatsError(f"a game is between two different models of 0 .. {n_models - 1}")
    if y.min() < 0.0 or y.max() > 1.0:
        raise StatsError("an outcome is 1 (a wins), 0 (b wins) or between (a tie is 1/2)")
    check_level(confidence)
    extra = np.zeros((len(y), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if extra.ndim != 2 or len(extra) != len(y) or not np.isfinite(extra).all():
        raise StatsError(f"covariates need one finite row for each of {len(y)} games")
    codes = cluster_codes(clusters, len(y))
    components = _components(left, right, y, n_models)
    strengths, stderrs, lo, hi = (np.full(n_models, np.nan) for _ in range(4))
    ranks: RankSets = [(1, 1)] * n_models
    effects, most_games = np.full(extra.shape[1], np.nan), 0
    for component in np.unique(components):
        members = np.flatnonzero(components == component)
        games = (components[left] == component) & (components[right] == component)
        if len(members) < 2:
            continue
        place = np.searchsorted(members, left[games]), np.searchsorted(members, right[games])
        prompts = np.unique(codes[games], return_inverse=True)[1]
        n_prompts = int(prompts.max()) + 1
        both, whole = _fit(place[0], place[1], y[games], len(members), prompts, extra[games])
        theta, covariance = both[: len(members)], whole[: len(members), : len(members)]
        strengths[members] = theta
        if int(games.sum()) > most_games:
            effects, most_games = both[len(members) :], int(games.sum())
        if n_prompts < 2:
            ranks_here: RankSets = [(1, len(members))] * len(members)
        else:
            error = np.sqrt(np.diag(covariance))
            half = student_quantile((1.0 + confidence) / 2.0, n_prompts - 1.0) * error
            stderrs[members], lo[members], hi[members] = error, theta - half, theta + half
            ranks_here = rank_sets_covariance(theta, covariance, n_prompts - 1.0, 1.0 - confidence)
        for member, rank in zip(members, ranks_here, strict=True):
            ranks[member] = rank
    return Arena(strengths, stderrs, lo, hi, ranks, components, effects)


def _fit(
    left: npt.NDArray[np.intp],
    right: npt.NDArray[np.intp],
    y: Array,
    n_models: int,
    prompts: npt.NDArray[np.intp],
    extra: Array,
) -> tuple[Array, Array]:
    """The ridge maximum of the likelihood by Newton's method, strengths before effects, and its sandwich
    covariance."""
    n_all = n_models + extra.shape[1]
    both = np.zeros(n_all)
    for _ in range(100):
        theta, beta = both[:n_models], both[n_models:]
        p = 1.0 / (1.0 + np.exp(theta[right] - theta[left] - extra @ beta))
        hessian = RIDGE * np.eye(n_all)
        spread = p * (1.0 - p)
        for i, j, sign in ((left, left, 1), (right, right, 1), (left, right, -1), (right, left, -1)):
            np.add.at(hessian, (i, j), sign * spread)
        mixed = np.zeros((n_models, extra.shape[1]))
        np.add.at(mixed, left, spread[:, None] * extra)
        np.add.at(mixed, right, -spread[:, None] * extra)
        hessian[:n_models, n_models:], hessian[n_models:, :n_models] = mixed, mixed.T
        hessian[n_models:, n_models:] += extra.T @ (spread[:, None] * extra)
        pull = np.concatenate(
            [np.bincount(left, y - p, n_models) - np.bincount(right, y - p, n_models), extra.T @ (y - p)]
        )
        step = np.linalg.solve(hessian, pull - RIDGE * both)
        both = both + step * min(1.0, 5.0 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-10:
            break
    scores = np.zeros((int(prompts.max()) + 1, n_all))
    np.add.at(scores[:, :n_models], (prompts, left), y - p)
    np.add.at(scores[:, :n_models], (prompts, right), p - y)
    np.add.at(scores[:, n_models:], prompts, (y - p)[:, None] * extra)
    n = len(scores)
    bread = np.linalg.inv(hessian)
    return both, bread @ (scores.T @ scores) @ bread * (n / max(n - 1.0, 1.0))


def _components(
    left: npt.NDArray[np.intp], right: npt.NDArray[np.intp], y: Array, n_models: int
) -> npt.NDArray[np.intp]:
    """The strongly connected component of each model in the graph of wins; a tie is a win for each."""
    beats = np.eye(n_models, dtype=bool)
    beats[left[y > 0.0], right[y > 0.0]] = True
    beats[right[y < 1.0], left[y < 1.0]] = True
    reach = beats
    for _ in range(max(1, n_models.bit_length())):
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0.0
    both = reach & reach.T
    return np.unique(both.argmax(axis=1), return_inverse=True)[1]
