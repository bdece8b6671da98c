"""One check: a metric of a cell against the baseline, a floor, or what it may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evalkit.comparing.comparison.differences import cell_name, find_changes, spread
from evalkit.comparing.findings.cells import Facts, StoredCell
from evalkit.comparing.findings.decisions import Margin, decide_pairs, is_bounded, is_logarithmic
from evalkit.comparing.findings.definitions import PlainMean, find_metric
from evalkit.comparing.findings.pairing import Pairs, aggregate_of, make_pairs, whole_values
from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import MetricValue
from evalkit.gate.obstacles import Match
from evalkit.gate.records import Check, Repeats, Rule
from evalkit.gate.rules import Rules, describe_margin
from evalkit.metrics import Metric
from evalkit.stats import (
    Corpus,
    Decision,
    corpus_evidence,
    evidence_decision,
    floor_decision,
    floor_evidence,
    increase_decision,
    plan,
    repeat_variance,
)
from evalkit.tasks.task import Task

UNKNOWN = Decision("inconclusive", 1.0, 1.0, None, None, None, 0, 0, None)
"""The decision where there is no test."""


@dataclass(frozen=True)
class Watched:
    """What a watched check knows when its run ends: p-values that hold at any time."""

    p_fail: float
    p_pass: float
    interval: tuple[float, float] | None
    """Of the change, valid at any time; None for clustered samples and relative margins."""
    n_used: int
    """Units that the verdict rests on."""


def tolerance_check(
    match: Match, name: str, rules: Rules, tasks: Sequence[Task], watched: Watched | None, partial: bool
) -> Check:
    """The check of a metric against the baseline; its verdict is not yet corrected for the other checks."""
    try:
        metric = find_metric(match.baseline, name, tasks)
    except MetricError as error:
        return _unknown(match, name, "tolerance", str(error))
    ids = match.shared.shared
    if partial:  # what was not asked is not missing
        ids = tuple(i for i in ids if i in match.candidate.facts)
    pairs = make_pairs(match.baseline, match.candidate, metric, ids)
    margin = rules.margin(match.baseline.cell.task, metric)
    reason = None
    try:
        decision = decide_pairs(pairs, margin, rules.alpha, rules.target)
    except StatsError as error:
        decision, reason = UNKNOWN, str(error)
    if decision.why is not None and decision.verdict == "inconclusive":
        reason = f"cannot tell: {decision.why}"
    elif decision.verdict == "inconclusive" and not partial:
        reason = reason or _too_many_missing(pairs, margin, metric, rules)
    if partial and watched is None:
        decision = replace(decision, verdict="inconclusive", p_fail=1.0, p_pass=1.0)
        reason = f"the run ended early, and {name} needs all samples"
    if watched is not None:
        decision = replace(decision, p_fail=watched.p_fail, p_pass=watched.p_pass)
        if partial:
            low, high = watched.interval or (None, None)
            decision = replace(decision, lo=low, hi=high, mde=None)
    return _check(
        match, pairs, metric, "tolerance", decision, describe_margin(margin, metric), margin, reason, rules
    )


def _too_many_missing(pairs: Pairs, margin: Margin, metric: Metric, rules: Rules) -> str | None:
    """Why no answers could pass: the missing ones alone use up the tolerance; None where they do not."""
    if margin.relative or not is_bounded(metric) or rules.target == "dataset" or not pairs.n_missing:
        return None
    lo, hi = metric.bounds or (0.0, 1.0)
    share = pairs.n_missing / len(pairs.ids)
    if share < margin.size / (hi - lo) or not margin.size:
        return None
    allowed = describe_margin(margin, metric)
    return f"cannot pass: {100 * share:.2g} % of the samples have no score, and {allowed} are allowed"


def floor_check(
    match: Match, name: str, floor: float, rules: Rules, tasks: Sequence[Task], partial: bool
) -> Check:
    """The check of a metric against a number."""
    try:
        metric = find_metric(match.candidate, name, tasks)
    except MetricError as error:
        return _unknown(match, name, "floor", str(error))
    pairs = make_pairs(match.candidate, match.candidate, metric, tuple(match.candidate.facts))
    factor = 100.0 if metric.scale == "fraction" else 1.0
    words = f"at {'least' if metric.higher_is_better else 'most'} {factor * floor:.4g}"
    if partial:
        reason: str | None = "the run ended early, and a floor needs all samples"
        return _check(match, pairs, metric, "floor", UNKNOWN, words, Margin(), reason, rules)
    reason = None
    try:
        decision = _floor_decision(pairs, floor, rules)
    except StatsError as error:
        decision, reason = UNKNOWN, str(error)
    if decision.why is not None and decision.verdict == "inconclusive":
        reason = f"cannot tell: {decision.why}"
    check = _check(match, pairs, metric, "floor", decision, words, Margin(), reason, rules)
    return replace(
        check,
        baseline_value=floor,
        is_ratio=False,
        n_needed=None,
        newly_failed=(),
        newly_fixed=(),
        n_newly_failed=0,
        n_newly_fixed=0,
    )


def increase_check(match: Match, rule: Rule, share: float, rules: Rules, partial: bool) -> Check:
    """The check that the candidate costs, or takes, no more than a share above the baseline."""
    sides = [_spent(cell, rule, match.shared.shared) for cell in (match.baseline, match.candidate)]
    known = [i for i in range(len(match.shared.shared)) if not np.isnan(sides[0][i] + sides[1][i])]
    name = "cost" if rule == "cost" else "latency"
    metric = _lower_is_better(name)
    words = f"at most {100 * share:.3g} % more"
    if partial:
        return _unknown(match, name, rule, f"the run ended early, and {name} needs all samples", words)
    if not known:
        cause = "no price is known" if rule == "cost" else "no call was timed (cached answers are left out)"
        return _unknown(match, name, rule, f"{cause} on samples that both answered", words)
    rows = [np.stack([side[known], np.ones(len(known))], axis=1) for side in sides]
    ids = tuple(match.shared.shared[i] for i in known)
    pairs = Pairs(ids, metric, sides[0][known], sides[1][known], rows[0], rows[1], None)
    margin = Margin(share, relative=True)
    reason = None
    if not rows[0][:, 0].sum():
        free = not rows[1][:, 0].sum()
        decision = replace(UNKNOWN, p_pass=0.0 if free else 1.0, n_units=len(known))
        decision = replace(decision, verdict="pass" if free else "inconclusive")
        reason = None if free else "the baseline's calls cost nothing, so that no share of it is allowed"
    else:
        most = (
            [_most(cell, ids) for cell in (match.baseline, match.candidate)]
            if rule == "cost"
            else [None, None]
        )
        decision = increase_decision(
            pairs.base, pairs.other, share, most[0], most[1], rules.alpha, rules.target
        )
        if decision.why is not None and decision.verdict == "inconclusive":
            reason = f"cannot tell: {decision.why}"
    check = _check(match, pairs, metric, rule, decision, words, margin, reason, rules)
    return replace(check, newly_failed=(), newly_fixed=(), n_newly_failed=0, n_newly_fixed=0)


def _check(
    match: Match,
    pairs: Pairs,
    metric: Metric,
    rule: Rule,
    decision: Decision,
    words: str,
    margin: Margin,
    reason: str | None,
    rules: Rules,
) -> Check:
    values = whole_values(pairs)
    worse, better, wins, _, losses = find_changes(match.baseline, match.candidate, pairs)
    interval = None if decision.lo is None or decision.hi is None else (decision.lo, decision.hi)
    return Check(
        baseline=cell_name(match.baseline),
        candidate=cell_name(match.candidate),
        metric=metric.name,
        rule=rule,
        verdict=decision.verdict,
        reason=reason,
        baseline_value=values[0],
        candidate_value=values[1],
        change=decision.difference,
        interval=interval,
        is_ratio=is_logarithmic(metric, margin),
        margin=words,
        p_fail=decision.p_fail,
        p_fail_adjusted=decision.p_fail,
        p_pass=decision.p_pass,
        higher_is_better=metric.higher_is_better,
        scale=metric.scale,
        n=len(pairs.ids),
        n_units=decision.n_units,
        n_missing=pairs.n_missing,
        mde=decision.mde,
        n_needed=_n_needed(pairs, margin, rules),
        n_newly_failed=losses,
        n_newly_fixed=wins,
        newly_failed=worse,
        newly_fixed=better,
        repeats=_repeats(match, pairs),
        method=decision.method,
        reach=decision.reach,
    )


def _repeats(match: Match, pairs: Pairs) -> Repeats | None:
    """How much of the change's variance is the models' own dice; None where it cannot be told."""
    cells = (match.baseline, match.candidate)
    n = min(cell.cell.repeats for cell in cells)
    metric = pairs.metric
    if n < 2 or pairs.base_rows is not None or type(metric).combine is not Metric.combine:
        return None
    whole = [i for i in pairs.ids if all(i in cell.facts and not cell.facts[i].missing for cell in cells)]
    tables = []
    for cell in cells:
        scores: dict[str, list[float]] = {}
        for sample_id, score in zip(cell.ids, cell.scores.get(metric.name, ()), strict=False):
            scores.setdefault(sample_id, []).append(float("nan") if score is None else score)
        if any(len(scores.get(i, ())) != cell.cell.repeats for i in whole):
            return None
        tables.append(np.array([scores[i] for i in whole], dtype=np.float64))
    try:
        parts = repeat_variance(tables[0], tables[1])
    except StatsError:
        return None
    a, b = (cell.cell.repeats for cell in cells)
    total = parts.variance(a, b)
    if not total:
        return None
    dice = (parts.within / a + parts.within_candidate / b) / parts.n
    return Repeats(b, dice / total, parts.best_repeats())


def _unknown(match: Match, name: str, rule: Rule, reason: str, words: str = "") -> Check:
    """The check of a metric about which nothing can be said."""
    metric = _lower_is_better(name)
    pairs = Pairs((), metric, np.zeros(0), np.zeros(0), None, None, None)
    return _check(match, pairs, metric, rule, UNKNOWN, words, Margin(), reason, Rules())


def _lower_is_better(name: str) -> Metric:
    value = MetricValue(None, None, None, None, 0, name, False, "unbounded")
    return PlainMean(name, value, ())


def _floor_decision(pairs: Pairs, floor: float, rules: Rules) -> Decision:
    metric = pairs.metric
    if pairs.base_rows is None:
        lo, hi = metric.bounds or (0.0, 1.0)
        if not lo <= floor <= hi:
            raise StatsError(f"the floor {floor:g} lies outside the metric's range, {lo:g} to {hi:g}")
        return floor_decision(
            pairs.base, floor, rules.alpha, pairs.clusters, rules.target, metric.higher_is_better, lo, hi
        )
    rows = pairs.base_rows
    whole = np.asarray(~np.isnan(rows).any(axis=1))
    unknown = metric.unknown(rows[whole].sum(axis=0)) if metric.aggregation == "corpus" else None
    if unknown is not None:
        raise StatsError(f"cannot tell: {unknown}")
    possible = None if pairs.possible is None else pairs.possible[0]
    found = corpus_evidence(Corpus(rows, possible), lambda sums: aggregate_of(metric, sums), pairs.clusters)
    return evidence_decision(
        floor_evidence(found, floor, metric.higher_is_better), 0.0, rules.alpha, rules.target
    )


def _n_needed(pairs: Pairs, margin: Margin, rules: Rules) -> int | None:
    """Samples with which an unchanged candidate passes with power 0.8, if pairs go on to differ as these."""
    found = spread(pairs)
    if found is None or pairs.metric.bounds is None:
        return None
    lo, hi = pairs.metric.bounds
    size = margin.size * float(np.nanmean(pairs.base)) if margin.relative else margin.size
    needed = plan(found[0], size, None, rules.alpha, bound=hi - lo).n_pass
    return None if needed is None else round(needed * len(pairs.ids) / found[1])


def _most(cell: StoredCell, ids: Sequence[str]) -> float | None:
    """What a sample may cost at most; None where a price, a prompt's length or `max_tokens` is unknown."""
    known = [cell.facts[sample_id].most_usd for sample_id in ids]
    return (
        None if any(value is None for value in known) else max(value for value in known if value is not None)
    )


def _spent(cell: StoredCell, rule: Rule, ids: Sequence[str]) -> Any:
    """Dollars or seconds of each sample; NaN where unknown."""

    def value(fact: Facts | None) -> float:
        found = None if fact is None else fact.cost_usd if rule == "cost" else fact.latency_s
        return float("nan") if found is None else found

    return np.array([value(cell.facts.get(sample_id)) for sample_id in ids], dtype=np.float64)
