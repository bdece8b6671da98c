"""Verdicts: pass, fail or inconclusive, each wrong with probability at most alpha.

FAIL says "worse than the baseline by more than the margin", PASS says "not worse by more than the margin".
For any truth only one of them can be wrong, so each test has the whole alpha. A missing score (NaN) is taken
as the value most against the verdict: FAIL must hold with it at its best, PASS with it at its worst.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.contributions import Contributions, contributions, floor_contributions
from evalkit.stats.evidence import Evidence, is_guarded, make_evidence
from evalkit.stats.influence import Aggregate, Corpus, CorpusEvidence, linear_evidence, paired_evidence
from evalkit.stats.power import mde
from evalkit.stats.units import SLACK, Clusters, check_alpha, units, vector

Verdict = Literal["pass", "fail", "inconclusive"]
Target = Literal["population", "dataset"]
"""population: the samples stand for more like them. dataset: these samples are what is asked for."""

METHODS = {
    "gaffke": "Gaffke's bound",
    "gaffke-mid": "Gaffke's bound, guarded mid-p",
    "influence": "influence + unseen sample, first order",
    "influence-mid": "influence + unseen sample, first order, guarded mid-p",
    "approximate": "approximate: nothing is known of rarer samples than were seen",
}
"""The methods of verdicts, in words."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict with the numbers it rests on."""

    verdict: Verdict
    """pass, fail or inconclusive."""
    p_fail: float
    """p-value of "worse by more than the margin"."""
    p_pass: float
    """p-value of "not worse by more than the margin"."""
    difference: float | None
    """Mean change over complete pairs, positive is better; None when no pair is complete."""
    lo: float | None
    """Lower end of the 1 - 2 alpha interval of the change, missing scores adverse; None below two units."""
    hi: float | None
    """Upper end of that interval."""
    n_units: int
    """Number of units: pairs, or clusters of pairs."""
    n_missing: int
    """Number of pairs with a missing score."""
    mde: float | None
    """The true drop that would fail with power 0.8; None below two units."""
    method: str = ""
    """How: one of `METHODS`; empty where nothing can be said."""
    reach: float | None = None
    """For an approximation: it holds while no sample moves the difference by more than this. None where the
    verdict holds anyway, or where there is none."""
    why: str | None = None
    """Why nothing can be said at any n; None where something can."""


def gate_verdict(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    margin: float,
    alpha: float = 0.05,
    clusters: Clusters = None,
    target: Target = "population",
) -> Verdict:
    """pass, fail or inconclusive, from paired scores in [0, 1]; NaN is missing. See `gate_decision`."""
    mid = _guarded(contributions(baseline, candidate, 0.0), clusters)
    return _verdict(contributions(baseline, candidate, margin), alpha, clusters, target, mid)[0]


def gate_decision(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    margin: float,
    alpha: float = 0.05,
    clusters: Clusters = None,
    target: Target = "population",
    relative: bool = False,
    higher_is_better: bool = True,
    lo: float = 0.0,
    hi: float = 1.0,
) -> Decision:
    """The verdict on paired scores in [lo, hi] with its p-values, interval and minimal detectable effect.

    Valid at any number of pairs; one pair is simply inconclusive. Repeats are averaged within their sample
    before. target="dataset" compares the mean itself with the margin, and is never inconclusive unless
    scores are missing. Raises StatsError on no pairs and on scores outside the range.
    """
    e = contributions(baseline, candidate, margin, relative, higher_is_better, lo, hi)
    d = contributions(baseline, candidate, 0.0, False, higher_is_better, lo, hi)
    return _decide(e, d, alpha, clusters, target, _guarded(d, clusters))


def floor_decision(
    scores: npt.ArrayLike,
    floor: float,
    alpha: float = 0.05,
    clusters: Clusters = None,
    target: Target = "population",
    higher_is_better: bool = True,
    lo: float = 0.0,
    hi: float = 1.0,
) -> Decision:
    """The verdict on "the mean reaches the floor"; difference and interval are of mean - floor."""
    e = floor_contributions(scores, floor, higher_is_better, lo, hi)
    return _decide(e, e, alpha, clusters, target, False)


def corpus_decision(
    stats_a: npt.ArrayLike,
    stats_b: npt.ArrayLike,
    aggregate: Aggregate,
    margin: float,
    alpha: float = 0.05,
    clusters: Clusters = None,
    log_scale: bool = False,
    higher_is_better: bool = True,
    possible: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    target: Target = "population",
) -> Decision:
    """The verdict on a metric of the whole corpus, by influences and one unseen sample (see influence.py).

    a is the baseline, b the candidate; a row of NaN is missing. possible: the rows of samples that are
    possible on either side; without them the verdict is approximate, and there is none where nothing is
    known of rare samples. With log_scale (perplexity) margin, difference and interval are of logarithms: a
    tolerance of 1 % is log(1.01) = 0.00995. Raises StatsError where the metric is not finite.
    """
    a, b = _table(stats_a), _table(stats_b)
    ends = (
        (None, None) if possible is None else tuple(np.asarray(part, dtype=np.float64) for part in possible)
    )
    found = paired_evidence(
        Corpus(a, ends[0]), Corpus(b, ends[1]), aggregate, clusters, log_scale, higher_is_better
    )
    return evidence_decision(found, margin, alpha, target)


def evidence_decision(
    found: CorpusEvidence, margin: float, alpha: float = 0.05, target: Target = "population"
) -> Decision:
    """The verdict on "not worse by more than margin" from evidence on a difference, positive is better."""
    check_alpha(alpha)
    value = None if np.isnan(found.value) else found.value
    evidence = found.evidence
    if target == "dataset" and value is not None and not found.n_missing:
        good = value >= -margin - SLACK
        verdict: Verdict = "pass" if good else "fail"
    else:
        verdict = "inconclusive"
    if evidence is None or found.n_units < 2:
        p = (1.0, 1.0) if verdict == "inconclusive" else (float(verdict == "pass"), float(verdict == "fail"))
        return Decision(verdict, *p, value, None, None, found.n_units, found.n_missing, None, why=found.why)
    p_fail, p_pass = evidence.p_below(-margin), evidence.p_above(-margin)
    if target == "population":
        verdict = decide(p_fail, p_pass, alpha)
    lo, hi = evidence.interval(alpha)
    values = evidence.worst
    sd = float(np.sqrt(np.average((values.means - found.value) ** 2, weights=values.counts * values.weights)))
    method = "approximate" if found.reach is not None else "influence-mid" if evidence.mid else "influence"
    effect = mde(sd, found.n_units, margin, alpha, bound=max(evidence.hi - found.value - margin, 0.0))
    return Decision(
        verdict, p_fail, p_pass, value, lo, hi, found.n_units, found.n_missing, effect, method, found.reach
    )


def floor_evidence(found: CorpusEvidence, floor: float, higher_is_better: bool = True) -> CorpusEvidence:
    """The evidence on how far a value lies above a floor, or below a ceiling where lower is better."""
    sign = 1.0 if higher_is_better else -1.0
    moved = None if found.evidence is None else found.evidence.shifted(floor, sign)
    return replace(found, value=sign * (found.value - floor), evidence=moved)


def increase_decision(
    baseline: npt.ArrayLike,
    candidate: npt.ArrayLike,
    share: float,
    most_baseline: float | None = None,
    most_candidate: float | None = None,
    alpha: float = 0.05,
    target: Target = "population",
) -> Decision:
    """The verdict on "the mean rises by no more than a share of the baseline's", such as of cost.

    Values are not negative, lower is better. With the most that one sample can cost on either side it is
    valid at any n: e = (1 + share) baseline - candidate is linear. Without, it is approximate, or there is
    none. difference, lo and hi are of logarithms, positive is better.
    """
    a, b = vector(baseline, "baseline"), vector(candidate, "candidate")
    rise = float(b.mean() / a.mean())

    def evidence(r: float) -> CorpusEvidence:
        known = most_baseline is not None and most_candidate is not None
        lo, hi = (
            (-float(most_candidate or 0.0), (1.0 + r) * float(most_baseline or 0.0))
            if known
            else (None, None)
        )
        return linear_evidence((1.0 + r) * a - b, lo, hi, moves=rise * a - b)

    found = evidence_decision(evidence(share), 0.0, alpha, target)
    if found.lo is None:
        return replace(found, difference=None if rise <= 0.0 else -float(np.log(rise)))

    def end(p_of: Callable[[Evidence], float], start: float, factor: float) -> float:
        """The rise at which the p-value reaches alpha, by steps and then by bisection."""
        near, far = start, start * factor
        for _ in range(60):
            here = evidence(far - 1.0).evidence
            if here is None or p_of(here) <= alpha:
                break
            near, far = far, far * factor
        else:
            return float("inf") if factor > 1.0 else 0.0
        for _ in range(50):
            middle = (near * far) ** 0.5
            here = evidence(middle - 1.0).evidence
            near, far = (near, middle) if here is None or p_of(here) <= alpha else (middle, far)
        return far

    start = max(rise, 1e-9)
    most = end(lambda each: each.p_above(0.0), start, 1.1)
    least = end(lambda each: each.p_below(0.0), start, 1.0 / 1.1)
    return replace(
        found,
        difference=-float(np.log(start)),
        lo=-float(np.log(most)),
        hi=float("inf") if least <= 0.0 else -float(np.log(least)),
        mde=None,
        reach=found.reach,
        method="gaffke" if found.method == "influence" else found.method,
    )


def decide(p_fail: float, p_pass: float, alpha: float) -> Verdict:
    """fail when p_fail <= alpha, else pass when p_pass <= alpha, else inconclusive."""
    if p_fail <= alpha:
        return "fail"
    return "pass" if p_pass <= alpha else "inconclusive"


def _verdict(
    e: Contributions, alpha: float, clusters: Clusters, target: Target, mid: bool = False
) -> tuple[Verdict, float, float]:
    """The verdict with p_fail and p_pass."""
    check_alpha(alpha)
    evidence = _evidence(e, clusters, mid)
    p_fail, p_pass = evidence.p_below(), evidence.p_above()
    if target == "population":
        return decide(p_fail, p_pass, alpha), p_fail, p_pass
    if target != "dataset":
        raise StatsError(f"target must be 'population' or 'dataset', not {target!r}")
    if e.for_fail.mean() < -SLACK:
        return "fail", p_fail, p_pass
    return "pass" if e.for_pass.mean() >= -SLACK else "inconclusive", p_fail, p_pass


def _evidence(e: Contributions, clusters: Clusters, mid: bool) -> Evidence:
    best = e.for_pass if np.array_equal(e.for_fail, e.for_pass) else e.for_fail
    return make_evidence(e.for_pass, best, e.lo, e.hi, clusters, mid)


def _decide(
    e: Contributions, d: Contributions, alpha: float, clusters: Clusters, target: Target, mid: bool
) -> Decision:
    """The decision on the contributions e; d are the same pairs without a margin, for display."""
    verdict, p_fail, p_pass = _verdict(e, alpha, clusters, target, mid)
    missing = e.for_fail != e.for_pass
    known = d.for_fail[~missing]
    data = units(e.for_fail, clusters)
    n = len(data)
    lower = upper = effect = None
    if n > 1:
        lower, upper = _evidence(d, clusters, mid).interval(alpha)
        sd = float(data.contributions().std(ddof=1))
        # With clusters e_g is scaled by n_g / n_max; the effect is put back on the scale of the scores.
        beyond = mde(sd, n, 0.0, alpha, bound=e.hi) / float(data.weights.mean())
        effect = beyond + float(np.mean(e.for_fail - d.for_fail))
    difference = float(known.mean()) if known.size else None
    method = "gaffke-mid" if mid else "gaffke"
    return Decision(verdict, p_fail, p_pass, difference, lower, upper, n, int(missing.sum()), effect, method)


def _guarded(d: Contributions, clusters: Clusters) -> bool:
    """Whether paired differences without a margin have enough units each way for the guarded mid-p."""
    return is_guarded(d.for_pass, d.for_fail, d.hi, clusters)


def _table(rows: npt.ArrayLike) -> npt.NDArray[np.float64]:
    table = np.asarray(rows, dtype=np.float64)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or table.size == 0:
        raise StatsError(
            f"statistics must have shape (samples, k) and not be empty; the shape is {table.shape}"
        )
    return table
