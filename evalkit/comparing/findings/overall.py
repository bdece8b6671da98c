"""The mean over tasks: the interval of a model's, and the differences of models in it.

Tasks are fixed. An interval has every task centred at its own mean, a difference every pair of scores with
its share of the mean; one unseen sample at the worst belongs to the task whose samples weigh the most
(evalkit.stats.evidence). One task gives its own interval and its own p-values. Where the samples of a task
are not known, or of very many models, errors stand in, which is approximate.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparing.findings.fields import MAX_PAIRED, Errors, Field, Floats, Shares, Table
from evalkit.stats import Evidence, Stratum, make_evidence, pool, pool_centred
from evalkit.stats.evidence import GUARD
from evalkit.stats.gaffke import Values, saddlepoint_tail
from evalkit.stats.ranks import Tally, covariance_p, tally

MAX_MODELS = 60
"""Models beyond which the differences of overall scores are compared by their errors."""
MAX_INTERVALS = 20
"""Models whose differences all have intervals."""
BLOCK = 16_384
SIDE = 0.025
"""The error of each end of an interval."""


@dataclass(frozen=True)
class Part:
    """A task of a mean."""

    field: Field
    scale: float
    """The range from chance to the best possible, on the metric's own scale."""
    weight: float = 1.0

    @property
    def share(self) -> float:
        """The weight of a score that lies in [0, 1]."""
        return self.weight * self.field.span / self.scale


@dataclass(frozen=True)
class Overall:
    """The differences of models in a mean over tasks."""

    field: Field
    parts: tuple[Part, ...]
    tallies: tuple[Tally | None, ...]
    """For tasks of 0/1 scores, which then need no samples."""

    @classmethod
    def of_field(cls, field: Field) -> Overall:
        """The mean over one task, on the scale of its metric."""
        small = len(field.models) <= MAX_MODELS
        return cls(field, (Part(field, 1.0),), (_tally(field.table) if small else None,))

    @functools.cached_property
    def intervals(self) -> dict[tuple[int, int], tuple[float, float]]:
        """(j, k), j before k -> the 95 % interval of j less k; none of more than MAX_INTERVALS models."""
        models = self.field.models
        if len(models) > MAX_INTERVALS:
            return {}
        places = [(j, k) for j in range(len(models)) for k in range(j + 1, len(models))]
        found = {place: self.interval(models[place[0]], models[place[1]]) for place in places}
        return {place: ends for place, ends in found.items() if ends is not None}

    def interval(self, one: str, other: str) -> tuple[float, float] | None:
        """The 95 % interval of one's overall score less the other's; None where samples are not known."""
        j, k = self.field.of([one, other])
        if (j, k) in self.field.evidence:
            return self.field.evidence[j, k].interval(SIDE)
        if self.field.method != "gaffke" or np.isnan(self.field.p[j, k]):
            return None
        found = _evidence(self.parts, self.tallies, one, other)
        factor = sum(part.share for part in self.parts) / sum(part.weight for part in self.parts)
        lo, hi = found.interval(SIDE)
        return factor * lo, factor * hi


@dataclass(frozen=True)
class Row:
    """A model's scores in a task of a mean."""

    shares: Shares
    scale: float
    """The range from chance to the best possible, on the metric's own scale."""
    floor: float
    """Chance as a share of the metric's range."""
    weight: float = 1.0


def overall_interval(rows: Sequence[Row]) -> tuple[float, float] | None:
    """The 95 % interval of a model's mean of normalised scores, inside of what is possible.

    None where a task has fewer than two independent samples.
    """
    if not rows or min(row.shares.n_units for row in rows) < 2:
        return None
    strata, least, most = [], 0.0, 0.0
    for row in rows:
        factor = row.shares.span / row.scale
        values = (row.shares.values - row.floor) * factor
        ends = ((row.shares.lo - row.floor) * factor, (row.shares.hi - row.floor) * factor)
        strata.append(Stratum(values, values, row.shares.labels, *ends, row.weight))
        least -= row.weight * row.floor * factor
        most += row.weight * (1.0 - row.floor) * factor
    low, high = pool_centred(strata).interval(SIDE)
    total = sum(row.weight for row in rows)
    return max(low, least / total), min(high, most / total)


def make_overall(models: Sequence[str], parts: Sequence[Part], exact: bool = True) -> Overall:
    """Every pair of models in the mean over tasks that all of them have.

    exact: whether p-values of up to MAX_MODELS are computed to ten digits; else by a formula where scores are
    0 or 1, which errs by less than a hundredth of them where it matters for places.
    """
    from scipy.special import ndtri

    names = list(models)
    n = len(names)
    total = sum(part.weight for part in parts)
    if n > MAX_PAIRED or any(part.field.is_large for part in parts):
        return Overall(_large(names, parts), tuple(parts), ())
    difference = np.zeros((n, n))
    for part in parts:
        at = part.field.of(names)
        difference += part.weight / total / part.scale * part.field.difference[np.ix_(at, at)]
    tallies = tuple(_tally(part.field.table) for part in parts)
    counted = [found for found in tallies if found is not None]
    if (n > MAX_MODELS or not exact) and len(counted) == len(parts):
        return Overall(
            Field(names, difference, _many(names, parts, counted), "formula"), tuple(parts), tallies
        )
    if n > MAX_MODELS or not all(_is_known(part.field, names) for part in parts):
        return Overall(_by_errors(names, parts, difference), tuple(parts), tallies)
    p = np.full((n, n), np.nan)
    least = 0.5 * -float(ndtri(min(0.5, 1.0 / max(n * (n - 1), 2))))
    for j in range(n):
        for k in range(j + 1, n):
            ahead, behind = (j, k) if difference[j, k] >= 0 else (k, j)
            found = _evidence(parts, tallies, names[ahead], names[behind])
            # The formula of a plain z tells what cannot be evidence after correction.
            p[ahead, behind] = found.p_above() if _z(found) > least else 1.0
            p[behind, ahead] = 1.0
    return Overall(Field(names, difference, p, "gaffke"), tuple(parts), tallies)


def _is_known(field: Field, models: Sequence[str]) -> bool:
    """Whether every pair of the models has evidence from their samples."""
    if field.table is not None:
        return True
    at = sorted(field.of(models))
    return field.method == "influence" and all((j, k) in field.evidence for j in at for k in at if j < k)


def _z(found: Evidence) -> float:
    """The mean of the units over its standard error, missing scores at their worst."""
    values = found.worst
    share = values.weights * values.counts
    mean = float((share * values.means).sum()) / float(share.sum())
    square = float((values.weights * share * (values.means - mean) ** 2).sum())
    return mean * float(share.sum()) / float(np.sqrt(max(square, 1e-18)))


def _tally(table: Table | None) -> Tally | None:
    return tally(table.values, table.absent) if table is not None and table.binary else None


def _evidence(parts: Sequence[Part], tallies: Sequence[Tally | None], one: str, other: str) -> Evidence:
    """The evidence on the difference of two models, every score a share of its metric's range."""
    found = []
    for part, counted in zip(parts, tallies, strict=True):
        j, k = part.field.of([one, other])
        table = part.field.table
        if counted is not None:
            found.append(_of_tally(counted, j, k))
        elif table is not None:
            found.append(_of_table(table, j, k))
        else:
            # Turned where the pair was looked at the other way round.
            sign = 1.0 if j < k else -1.0
            whole = part.field.evidence[min(j, k), max(j, k)]
            found.append(whole.shifted(0.0, sign / part.field.span))
    return pool(found, [part.share for part in parts], mid=True)


def _of_tally(counted: Tally, j: int, k: int) -> Evidence:
    n = counted.n[j, k]

    def values(up: float, down: float) -> Values:
        counts = np.array([down, n - up - down, up])
        keep = counts > 0
        return Values(np.array([-1.0, 0.0, 1.0])[keep], np.ones(int(keep.sum())), counts[keep])

    worst = values(counted.wins[j, k], counted.losses[j, k])
    best = values(counted.losses[k, j], counted.wins[k, j])
    return Evidence(worst, best, -1.0, 1.0)


def _of_table(table: Table, j: int, k: int) -> Evidence:
    asked = ~(table.absent[j] & table.absent[k])
    a, b = table.values[j][asked], table.values[k][asked]
    worst = np.where(np.isnan(a), 0.0, a) - np.where(np.isnan(b), 1.0, b)
    best = np.where(np.isnan(a), 1.0, a) - np.where(np.isnan(b), 0.0, b)
    labels = None if table.labels is None else [c for c, k_ in zip(table.labels, asked, strict=True) if k_]
    return make_evidence(worst, best, -1.0, 1.0, labels)


def _many(models: Sequence[str], parts: Sequence[Part], tallies: Sequence[Tally]) -> Floats:
    """The p-values of very many pairs in tasks of 0/1 scores, by the formula of Lugannani and Rice."""
    n = len(models)
    at = [part.field.of(models) for part in parts]
    j, k = np.nonzero(~np.eye(n, dtype=bool))
    share = np.array([part.share / c.n[a[0], a[0]] for part, c, a in zip(parts, tallies, at, strict=True)])
    share = share / share.max()
    wins, losses = (
        np.stack([getattr(c, name)[np.ix_(a, a)][j, k] for c, a in zip(tallies, at, strict=True)], axis=1)
        for name in ("wins", "losses")
    )
    known = np.stack([c.wins[np.ix_(a, a)][k, j] for c, a in zip(tallies, at, strict=True)], axis=1)
    values = np.concatenate([[1.0], share, -share])
    p = np.full((n, n), np.nan)
    for start in range(0, len(j), BLOCK):
        rows = slice(start, start + BLOCK)
        ahead = wins[rows].sum(axis=1) > 0
        counts = np.concatenate(
            [np.ones((int(ahead.sum()), 1)), losses[rows][ahead], wins[rows][ahead]], axis=1
        )
        found = np.ones(len(ahead))
        # What never occurs must not bound the saddlepoint.
        found[ahead] = saddlepoint_tail(np.where(counts > 0.0, values, 0.0), counts)
        heavy = share >= 0.5 * (1.0 - 1e-9)
        enough = np.minimum(wins[rows][:, heavy].sum(axis=1), known[rows][:, heavy].sum(axis=1)) >= GUARD
        mid = ahead & enough
        bare = counts[mid[ahead]][:, 1:]
        found[mid] = (found[mid] + saddlepoint_tail(np.where(bare > 0.0, values[1:], 0.0), bare)) / 2.0
        p[j[rows], k[rows]] = found
    return p


def _large(models: list[str], parts: Sequence[Part]) -> Field:
    """Overall scores of very many models by the errors of the tasks' numbers, without a matrix of pairs."""
    total = sum(part.weight for part in parts)
    values, variances = np.zeros(len(models)), np.zeros(len(models))
    sizes = np.full(len(models), np.inf)
    for part in parts:
        at = part.field.of(models)
        share = part.weight / total / part.scale
        field = part.field
        known = field.values if field.values is not None else field.difference.mean(axis=1)
        values += share * known[at]
        variances += share**2 * (np.inf if field.errors is None else field.errors.variances[at])
        sizes = np.minimum(sizes, 0.0 if field.errors is None else field.errors.n[at])
    nothing = np.zeros((0, 0))
    return Field(models, nothing, nothing, "errors", values=values, errors=Errors(variances, sizes))


def _by_errors(models: list[str], parts: Sequence[Part], difference: Floats) -> Field:
    """Overall scores by the errors of the tasks' numbers, which are taken for independent."""
    n = len(models)
    total = sum(part.weight for part in parts)
    variances, least = np.zeros(n), np.inf
    for part in parts:
        at = part.field.of(models)
        if part.field.errors is None:
            return Field(models, difference, np.full((n, n), np.nan), "errors")
        variances += (part.weight / total / part.scale) ** 2 * part.field.errors.variances[at]
        least = min(least, float(part.field.errors.n[at].min()))
    values = difference.mean(axis=1)
    p = np.full((n, n), np.nan)
    if np.isfinite(variances).all() and least >= 2:
        p = covariance_p(values, np.diag(variances), least - 1.0)
        np.fill_diagonal(p, np.nan)
    return Field(models, difference, p, "errors")
