"""The mean over tasks against the baseline: one check for each model and variant.

Tasks are fixed and have equal weight. Every pair of scores counts with its share of the mean, clusters are
units, and one unseen pair at the adverse end belongs to the task whose samples weigh the most: the same rule
as for a single task (evalkit.stats.evidence), valid at any number of samples. Missing scores are taken
adversely.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalkit.comparison.records import CellName
from evalkit.errors import MetricError
from evalkit.findings.decisions import is_bounded
from evalkit.findings.definitions import find_metric
from evalkit.findings.pairing import Pairs, make_pairs
from evalkit.gate.obstacles import Match
from evalkit.gate.records import Check
from evalkit.gate.rules import Rules
from evalkit.stats import Evidence, contributions, make_evidence, pool
from evalkit.task import Task

_NAME = "macro average"


def macro_checks(
    matches: Sequence[Match], rules: Rules, tasks: Sequence[Task]
) -> tuple[list[Check], list[str]]:
    """The checks of the means over tasks, not yet corrected for the others, and notes on those left out."""
    groups: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        cell = match.candidate.cell
        groups.setdefault((cell.model, cell.variant), []).append(match)
    everything: dict[str, list[Match]] = {}
    for (model, _), group in groups.items():
        everything.setdefault(model, []).extend(group)
    checks: list[Check] = []
    notes: list[str] = []
    # Tasks name their prompts as they like: where no variant has several tasks, a model's tasks go together.
    several = {key: group for key, group in groups.items() if len(group) > 1}
    chosen = several or {(model, "all"): group for model, group in everything.items() if len(group) > 1}
    for (model, variant), group in chosen.items():
        made = _check(group, model, variant, rules, tasks)
        if isinstance(made, Check):
            checks.append(made)
        else:
            notes.append(f"{_NAME} of {model} ({variant}) is not judged: {made}")
    if not chosen:
        notes.append(f"{_NAME} is not judged: there is one task only")
    return checks, notes


def _check(
    group: Sequence[Match], model: str, variant: str, rules: Rules, tasks: Sequence[Task]
) -> Check | str:
    """The check of one mean, or why there is none."""
    parts: list[Pairs] = []
    for match in group:
        name = match.baseline.info.headline
        try:
            metric = find_metric(match.baseline, name, tasks)
        except MetricError as error:
            return str(error)
        if not is_bounded(metric):
            return f"{name} of {match.baseline.cell.task} is no mean of bounded scores"
        parts.append(make_pairs(match.baseline, match.candidate, metric, match.shared.shared))
    if any(len(pairs.ids) == pairs.n_missing for pairs in parts):
        return "a task has no pair of scores"
    evidence = pool([_evidence(pairs) for pairs in parts], mid=True)
    p_fail, p_pass = evidence.p_below(-rules.tolerance), evidence.p_above(-rules.tolerance)
    values = [float(np.mean([_share(pairs, side) for pairs in parts])) for side in ("base", "other")]
    first = group[0]
    label = f"{_NAME} of {len(group)} tasks"
    return Check(
        baseline=CellName(first.baseline.run.id, first.baseline.cell.model, label, variant),
        candidate=CellName(first.candidate.run.id, model, label, variant),
        metric=_NAME,
        rule="macro",
        verdict="inconclusive",
        reason=None,
        baseline_value=values[0],
        candidate_value=values[1],
        change=values[1] - values[0],
        interval=evidence.interval(rules.alpha),
        is_ratio=False,
        margin=f"{100 * rules.tolerance:.3g} points",
        p_fail=p_fail,
        p_fail_adjusted=p_fail,
        p_pass=p_pass,
        higher_is_better=True,
        scale="fraction",
        n=sum(len(pairs.ids) for pairs in parts),
        n_units=evidence.n_units,
        n_missing=sum(pairs.n_missing for pairs in parts),
        mde=None,
        n_needed=None,
        n_newly_failed=0,
        n_newly_fixed=0,
        newly_failed=(),
        newly_fixed=(),
    )


def _share(pairs: Pairs, side: str) -> float:
    """The mean of one side as a share of the range that is good, over samples that both have scored."""
    lo, hi = pairs.metric.bounds or (0.0, 1.0)
    both = ~(np.isnan(pairs.base) | np.isnan(pairs.other))
    share = (float(getattr(pairs, side)[both].mean()) - lo) / (hi - lo)
    return share if pairs.metric.higher_is_better else 1.0 - share


def _evidence(pairs: Pairs) -> Evidence:
    """The differences of a task, positive is better, as shares of the metric's range."""
    lo, hi = pairs.metric.bounds or (0.0, 1.0)
    d = contributions(pairs.base, pairs.other, 0.0, False, pairs.metric.higher_is_better, lo, hi)
    span = hi - lo
    return make_evidence(d.for_pass / span, d.for_fail / span, -1.0, 1.0, pairs.clusters)
