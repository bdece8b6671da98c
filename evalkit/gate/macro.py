"""The mean over tasks against the baseline: one check for each model and variant.

Tasks are fixed and have equal weight; a group of tasks whose mean both runs have is judged too, with the
weights of its levels. Every pair of scores counts with its share of the mean, clusters are
units, and one unseen pair at the adverse end belongs to the task whose samples weigh the most: the same rule
as for a single task (evalkit.stats.evidence), valid at any number of samples. Missing scores are taken
adversely.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.comparing.comparison.records import CellName
from evalkit.comparing.findings.definitions import find_metric
from evalkit.comparing.findings.means import mean_difference
from evalkit.comparing.findings.pairing import Pairs, make_pairs
from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import TaskGroup
from evalkit.gate.obstacles import Match
from evalkit.gate.records import Check
from evalkit.gate.rules import Rules
from evalkit.tasks.task import Task

_NAME = "macro average"


def macro_checks(matches: Sequence[Match], rules: Rules, tasks: Sequence[Task]) -> list[Check]:
    """The checks of the means over tasks, not yet corrected for the others.

    A mean that cannot be judged is inconclusive, and its check says why: it was asked for.
    """
    groups: dict[tuple[str, str], list[Match]] = {}
    for match in matches:
        cell = match.candidate.cell
        groups.setdefault((cell.model, cell.variant), []).append(match)
    everything: dict[str, list[Match]] = {}
    for (model, _), group in groups.items():
        everything.setdefault(model, []).extend(group)
    # Tasks name their prompts as they like: where no variant has several tasks, a model's tasks go together.
    several = {key: group for key, group in groups.items() if len(group) > 1}
    chosen = several or {(model, "all"): group for model, group in everything.items() if len(group) > 1}
    checks = [_check(group, model, variant, rules, tasks) for (model, variant), group in chosen.items()]
    return checks + [
        _check(group, model, variant, rules, tasks, tree) for model, variant, group, tree in _groups(matches)
    ]


def _groups(matches: Sequence[Match]) -> list[tuple[str, str, list[Match], TaskGroup]]:
    """Model, variant, matches and levels of each group that both runs have a mean of, weighted alike.

    A group that is the plain mean of all the tasks is left out: the macro average is its mean.
    """
    found = []
    for result in matches[0].candidate.run.groups if matches else ():
        key = (result.model, result.variant)
        whole = [m for m in matches if (m.candidate.cell.model, m.candidate.cell.variant) == key]
        of = {m.candidate.cell.task: m for m in whole}
        if not set(result.tasks) <= set(of):
            continue
        first = of[result.tasks[0]].baseline
        same = [
            base
            for base in first.run.groups
            if (base.group, base.model, base.variant) == (result.group, first.cell.model, first.cell.variant)
        ]
        plain = not result.members and result.weighting == "equal" and len(result.tasks) == len(of)
        if not plain and same and same[0].tree.shape() == result.tree.shape():
            found.append((*key, [of[task] for task in result.tasks], result.tree))
    return found


def _check(
    group: Sequence[Match],
    model: str,
    variant: str,
    rules: Rules,
    tasks: Sequence[Task],
    tree: TaskGroup | None = None,
) -> Check:
    """The check of one mean."""
    parts, reason = _pairs(group, tasks)
    p_fail = p_pass = 1.0
    base = other = interval = None
    n_units = 0
    if reason is None:
        weights = [1.0] * len(group)
        if tree is not None:
            sizes = {m.candidate.cell.task: len(p.ids) for m, p in zip(group, parts, strict=True)}
            shares = tree.shares(sizes)
            weights = [shares[match.candidate.cell.task] for match in group]
        try:
            found = mean_difference(parts, weights, as_shares=True)
        except StatsError as error:
            reason = f"not judged: {error}"
        else:
            evidence = found.evidence
            p_fail, p_pass = evidence.p_below(-rules.tolerance), evidence.p_above(-rules.tolerance)
            base, other, interval = found.base, found.other, evidence.interval(rules.alpha)
            n_units = evidence.n_units
    first = group[0]
    label = f"{_NAME} of {len(group)} tasks" if tree is None else f"{tree.name} ({len(group)} tasks)"
    return Check(
        baseline=CellName(first.baseline.run.id, first.baseline.cell.model, label, variant),
        candidate=CellName(first.candidate.run.id, model, label, variant),
        metric=_NAME if tree is None else "group mean",
        rule="macro",
        verdict="inconclusive",
        reason=reason,
        baseline_value=base,
        candidate_value=other,
        change=None if base is None or other is None else other - base,
        interval=interval,
        is_ratio=False,
        margin=f"{100 * rules.tolerance:.3g} points",
        p_fail=p_fail,
        p_fail_adjusted=p_fail,
        p_pass=p_pass,
        higher_is_better=True,
        scale="fraction",
        n=sum(len(pairs.ids) for pairs in parts),
        n_units=n_units,
        n_missing=sum(pairs.n_missing for pairs in parts),
        mde=None,
        n_needed=None,
        n_newly_failed=0,
        n_newly_fixed=0,
        newly_failed=(),
        newly_fixed=(),
    )


def _pairs(group: Sequence[Match], tasks: Sequence[Task]) -> tuple[list[Pairs], str | None]:
    """The pairs of scores of each task, and why their mean cannot be judged; None where it can."""
    parts: list[Pairs] = []
    for match in group:
        name = match.baseline.info.headline
        try:
            metric = find_metric(match.baseline, name, tasks)
        except MetricError as error:
            return [], f"not judged: {error}"
        if metric.bounds is None or metric.log_scale:
            return [], f"not judged: {name} of {match.baseline.cell.task} is no metric with bounds"
        parts.append(make_pairs(match.baseline, match.candidate, metric, match.shared.shared))
    if any(len(pairs.ids) == pairs.n_missing for pairs in parts):
        return parts, "not judged: a task has no pair of scores"
    return parts, None
