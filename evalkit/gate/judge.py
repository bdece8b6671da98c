"""Two runs -> gate: every check, Holm's correction for FAIL, and the verdict on all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.comparing.findings.cells import read_cell
from evalkit.core.records import CellResult
from evalkit.gate.checks import Watched, floor_check, increase_check, tolerance_check
from evalkit.gate.demands import bounds_of, check_demands
from evalkit.gate.macro import macro_checks
from evalkit.gate.obstacles import Match, find_obstacles, label, make_matches, match_cells
from evalkit.gate.records import Check, Gate, Obstacle, Word
from evalkit.gate.rules import Rules
from evalkit.stats import holm
from evalkit.stats.verdicts import decide
from evalkit.store.folders import StoredRun
from evalkit.tasks.task import Task

LOW_N = 30
"""Units below which a verdict is marked."""
LARGE = 0.2
"""The share of the samples in one cluster from which on that is said."""


def judge(
    baseline: StoredRun,
    candidate: StoredRun,
    rules: Rules,
    tasks: Sequence[Task] = (),
    watched: Mapping[tuple[str, str], Watched] | None = None,
) -> Gate:
    """The verdict on a candidate's run. Raises StoreError when samples cannot be read.

    `watched` holds what was learnt of (cell slug, metric) while the run was asked in its registered order;
    then those p-values decide, since they remain valid when the run ends early.
    """
    pairs, lost, extra = match_cells(baseline.run.cells, candidate.run.cells)
    matches = make_matches([(read_cell(baseline, b), read_cell(candidate, c)) for b, c in pairs])
    names = [
        rules.metrics_of(
            match.baseline.cell.task, match.baseline.info.headline, list(match.baseline.cell.metrics)
        )
        for match in matches
    ]
    obstacles = find_obstacles(matches, lost, names, rules)
    compared, floored = (
        [match.baseline.cell for match in matches],
        bounds_of([match.candidate for match in matches], rules, tasks),
    )
    if not matches or any(not obstacle.allowed for obstacle in obstacles):
        compared = list(baseline.run.cells)  # what cannot be compared is said as such, where names are right
        floored = {(c.task, name): None for c in (*compared, *candidate.run.cells) for name in c.metrics}
    check_demands(rules, compared, baseline.run.tasks, floored)
    if not matches:
        obstacles.append(Obstacle("cells", candidate.run.id, _nothing_in_common(baseline, candidate), False))
    partial = any(match.candidate.stopped_early for match in matches)
    gate = Gate(
        verdict="not comparable",
        baseline=baseline.run.id,
        candidate=candidate.run.id,
        alpha=rules.alpha,
        target=rules.target,
        early_stop=rules.early_stop,
        stopped_early=partial,
        checks=(),
        obstacles=tuple(obstacles),
        notes=tuple(_notes(extra, baseline, candidate)),
        folder=str(candidate.folder),
    )
    if any(not obstacle.allowed for obstacle in obstacles):
        return gate
    drafts = [
        check
        for match, wanted in zip(matches, names, strict=True)
        for check in _checks(match, wanted, rules, tasks, watched or {}, partial)
    ]
    more: list[str] = []
    if rules.macro and partial:
        more.append("the run ended early, and the macro average needs all samples")
    elif rules.macro:
        drafts += macro_checks(matches, rules, tasks)
    threshold = rules.target == "dataset" and not partial
    checks = drafts if threshold else correct(drafts, rules.alpha)
    low = sorted({c.candidate.task for c in checks if 0 < c.n_units < LOW_N})
    notes = [
        *gate.notes,
        *more,
        *_large_clusters(matches),
        *(f"low n: {name} has fewer than {LOW_N} independent samples" for name in low),
    ]
    return replace(gate, verdict=overall(checks), checks=tuple(checks), notes=tuple(notes))


def correct(checks: Sequence[Check], alpha: float) -> list[Check]:
    """The checks with their verdicts: FAIL after Holm's correction over all, PASS each at alpha.

    "Something got worse" is true when any check is; "all is well" only when every one is, which needs no
    correction (an intersection-union test).
    """
    if not checks:
        return []
    adjusted = holm([check.p_fail for check in checks])
    return [
        replace(check, p_fail_adjusted=float(p), verdict=decide(float(p), check.p_pass, alpha))
        for check, p in zip(checks, adjusted, strict=True)
    ]


def overall(checks: Sequence[Check]) -> Word:
    """fail when a check fails, pass when all pass, else inconclusive."""
    verdicts = {check.verdict for check in checks}
    if "fail" in verdicts:
        return "fail"
    return "pass" if verdicts == {"pass"} else "inconclusive"


def count_checks(task: str, headline: str, known: Sequence[str], rules: Rules) -> int:
    """How many checks a cell has: the size of its part of the family of tests."""
    n = len(rules.metrics_of(task, headline, known))
    n += sum(1 for name in known if rules.floor(task, name) is not None)
    return n + sum(1 for share in (rules.max_cost_increase, rules.max_latency_increase) if share is not None)


def _checks(
    match: Match,
    names: Sequence[str],
    rules: Rules,
    tasks: Sequence[Task],
    watched: Mapping[tuple[str, str], Watched],
    partial: bool,
) -> list[Check]:
    cell = match.candidate.cell
    found = [
        tolerance_check(match, name, rules, tasks, watched.get((cell.slug, name)), partial)
        for name in names
        if name in cell.metrics and name in match.baseline.cell.metrics
    ]
    for name in cell.metrics:
        floor = rules.floor(cell.task, name)
        if floor is not None:
            found.append(floor_check(match, name, floor, rules, tasks, partial))
    if rules.max_cost_increase is not None:
        found.append(increase_check(match, "cost", rules.max_cost_increase, rules, partial))
    if rules.max_latency_increase is not None:
        found.append(increase_check(match, "latency", rules.max_latency_increase, rules, partial))
    return found


def _notes(extra: Sequence[CellResult], baseline: StoredRun, candidate: StoredRun) -> list[str]:
    notes = [f"{label(cell)} is not in the baseline; it is not judged" for cell in extra]
    notes += [*baseline.notes, *candidate.notes]
    if baseline.folder.resolve() == candidate.folder.resolve():
        notes.append("the candidate is the baseline itself")
    return notes


def _large_clusters(matches: Sequence[Match]) -> list[str]:
    """The tasks of which one cluster carries so much that its samples, which are one unit, decide little."""
    found = {}
    for match in matches:
        sizes = Counter(fact.cluster for fact in match.candidate.facts.values() if fact.cluster is not None)
        name, most = next(iter(sizes.most_common(1)), ("", 0))
        share = most / max(len(match.candidate.facts), 1)
        if share > LARGE:
            task = match.candidate.cell.task
            found[task] = f"{task}: one cluster, {name}, carries {100 * share:.0f} % of the samples"
    return list(found.values())


def _nothing_in_common(baseline: StoredRun, candidate: StoredRun) -> str:
    def words(run: StoredRun) -> str:
        cells = run.run.cells[:4]
        return ", ".join(f"{cell.model} on {cell.task} ({cell.variant})" for cell in cells) or "nothing"

    return (
        f"no cell of the candidate is in the baseline; the candidate has {words(candidate)}, "
        f"the baseline {words(baseline)}"
    )
