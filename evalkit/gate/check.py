"""check_gate: a candidate's run, or models to be asked, against a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.comparing.findings.definitions import tasks_of
from evalkit.core.errors import UsageError
from evalkit.gate.asking import Asking, ask_candidate, plan_candidate
from evalkit.gate.baseline import open_baseline
from evalkit.gate.judge import judge
from evalkit.gate.records import Gate
from evalkit.gate.rules import Rules
from evalkit.models.protocol import Model
from evalkit.running.request import RunRequest
from evalkit.running.workspace import open_workspace
from evalkit.stats.sequential import Stop
from evalkit.stats.verdicts import Target
from evalkit.store.folders import StoredRun, find_run


def check_gate(
    run: StoredRun | str | Path | None = None,
    *,
    baseline: StoredRun | str | Path,
    models: Sequence[str | Model] = (),
    tolerance: float = 0.0,
    tolerances: Mapping[tuple[str, str], float] | None = None,
    floors: Mapping[tuple[str, str], float] | None = None,
    metrics: Sequence[str] = (),
    alpha: float = 0.05,
    target: Target = "population",
    early_stop: Stop = "off",
    relative: bool = False,
    allow: Sequence[str] = (),
    macro: bool = False,
) -> Gate:
    """The verdict on a run against a baseline: pass, fail, inconclusive or not comparable.

    Without a run, the baseline's plan is asked of `models` (the baseline's own by default), and may stop
    early. fail says "worse by more than the tolerance", pass "not worse by more than it", each wrong with
    probability at most alpha. `macro` judges the mean over tasks too.
    Tolerances and floors of single metrics: {("task", "metric"): 0.02}.
    Raises EvalkitError on bad input; a verdict is never an exception.
    """
    rules = Rules(
        tolerance=tolerance,
        tolerances=tolerances or {},
        floors=floors or {},
        metrics=tuple(metrics),
        alpha=alpha,
        target=target,
        early_stop=early_stop,
        relative=relative,
        allow=frozenset(allow),
        macro=macro,
    )
    base = baseline if isinstance(baseline, StoredRun) else open_baseline(str(baseline))
    if run is not None and (models or early_stop != "off"):
        raise UsageError(
            "models and early_stop are for asking now, and the run is finished: give one of them"
        )
    if run is None:
        return ask_and_judge(
            base, rules, Asking(RunRequest(models=models), command="evalkit.check_gate(...)")
        )
    return judge_run(base, run if isinstance(run, StoredRun) else find_run(str(run)), rules)


def judge_run(
    baseline: StoredRun, candidate: StoredRun, rules: Rules, include_path: Sequence[str | Path] = ()
) -> Gate:
    """The verdict on a finished run; metrics of the corpus are taken from the workspace's tasks."""
    tasks = tasks_of([baseline, candidate], open_workspace().root, include_path)
    return judge(baseline, candidate, replace(rules, early_stop="off"), tasks)


def ask_and_judge(baseline: StoredRun, rules: Rules, asking: Asking) -> Gate:
    """The verdict on models that are asked now. What is not comparable is said before anything is spent."""
    planned = plan_candidate(baseline, rules, asking)
    if any(not obstacle.allowed for obstacle in planned.obstacles):
        return Gate(
            verdict="not comparable",
            baseline=baseline.run.id,
            candidate="",
            alpha=rules.alpha,
            target=rules.target,
            early_stop=rules.early_stop,
            stopped_early=False,
            checks=(),
            obstacles=planned.obstacles,
            notes=("nothing was asked",),
        )
    stored, referee, calls = ask_candidate(baseline, planned, rules, asking)
    tasks = list({cell.task.task.name: cell.task.task for cell in planned.prepared.plan.cells}.values())
    watched = referee.watched() if referee is not None else None
    return replace(judge(baseline, stored, rules, tasks, watched), calls=calls)
