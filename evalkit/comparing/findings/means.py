"""The paired difference of a mean over tasks: what its tasks' pairs say together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparing.findings.decisions import is_bounded, pair_evidence
from evalkit.comparing.findings.pairing import Pairs, whole_values
from evalkit.core.errors import StatsError
from evalkit.stats import Evidence, contributions, make_evidence, pool


@dataclass(frozen=True, slots=True)
class MeanDifference:
    """The difference of two weighted means over the same tasks."""

    base: float
    """The base's mean of the tasks' values on the pairs that both have scored."""
    other: float
    evidence: Evidence
    """On other - base, turned so that positive is better."""
    method: str
    """As in `evalkit.stats.verdicts.METHODS`."""


def mean_difference(
    parts: Sequence[Pairs], weights: Sequence[float] | None = None, *, as_shares: bool = False
) -> MeanDifference:
    """The difference of the means of the tasks' values; weights are divided by their sum, equal when None.

    Every pair counts with its task's share of the mean, and one unseen pair at the worst belongs to the task
    whose samples weigh the most. as_shares: values are shares of each metric's range, higher is better.
    Raises StatsError where a task has no pair, or nothing can be said of one.
    """
    given = [1.0] * len(parts) if weights is None else list(weights)
    found = [_evidence(pairs, as_shares) for pairs in parts]
    values = [_values(pairs, as_shares) for pairs in parts]
    evidence = pool(found, given, mid=True)
    bounded = all(is_bounded(pairs.metric) for pairs in parts)
    method = ("gaffke" if bounded else "influence") + ("-mid" if evidence.mid else "")
    base, other = (float(np.average([each[side] for each in values], weights=given)) for side in (0, 1))
    return MeanDifference(base, other, evidence, method)


def _values(pairs: Pairs, as_shares: bool) -> tuple[float, float]:
    base, other = whole_values(pairs)
    if base is None or other is None:
        raise StatsError("a task has no pair of scores")
    if not as_shares:
        return base, other
    lo, hi = pairs.metric.bounds or (0.0, 1.0)
    first, second = ((value - lo) / (hi - lo) for value in (base, other))
    return (first, second) if pairs.metric.higher_is_better else (1.0 - first, 1.0 - second)


def _evidence(pairs: Pairs, as_shares: bool) -> Evidence:
    metric = pairs.metric
    if is_bounded(metric):
        lo, hi = metric.bounds or (0.0, 1.0)
        d = contributions(pairs.base, pairs.other, 0.0, False, metric.higher_is_better, lo, hi)
        span = hi - lo if as_shares else 1.0
        return make_evidence(d.for_pass / span, d.for_fail / span, d.lo / span, d.hi / span, pairs.clusters)
    if metric.log_scale or (as_shares and metric.bounds is None):
        raise StatsError(f"{metric.name} has no bounds within which its values could be averaged")
    found = pair_evidence(pairs, False)
    if found.evidence is None or found.reach is not None:
        raise StatsError(found.why or f"{metric.name} has no limit, and its verdict is approximate")
    lo, hi = metric.bounds or (0.0, 1.0)
    return found.evidence.shifted(0.0, 1.0 / (hi - lo)) if as_shares else found.evidence
