"""The baseline's plan asked again of the models under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evalkit.comparing.findings.cells import read_cell
from evalkit.comparing.findings.definitions import find_metric
from evalkit.core.errors import InterruptedRunError, MetricError, UsageError
from evalkit.core.records import STOPPED_EARLY, CellResult
from evalkit.gate.demands import bounds_of, check_demands
from evalkit.gate.early import Referee
from evalkit.gate.obstacles import definition_obstacles, label
from evalkit.gate.records import Calls, Obstacle
from evalkit.gate.rules import Rules
from evalkit.running.planning import Plan, PlannedCell
from evalkit.running.preparation import Prepared, prepare
from evalkit.running.request import RunRequest
from evalkit.running.results import make_scorer
from evalkit.running.runner import Watcher
from evalkit.running.session import carry_out
from evalkit.store.folders import RUN_FILE, StoredRun, encode_run, write_private
from evalkit.tasks.choices import ORDERS, Order, base_mode


@dataclass(frozen=True)
class Asking:
    """How the candidate is asked, beside what the baseline's plan says."""

    request: RunRequest = field(default_factory=RunRequest)
    """Models under test (none: those of the baseline), and where and how they are asked."""
    command: str = ""
    say: Callable[[str], None] | None = None
    watcher: Watcher | None = None


@dataclass(frozen=True)
class Planned:
    """The baseline's plan for the models under test, with what keeps it from being comparable."""

    prepared: Prepared
    rivals: Mapping[int, CellResult]
    """Index of a planned cell -> the baseline's cell."""
    obstacles: tuple[Obstacle, ...]
    """What is known before anything is asked."""


def plan_candidate(baseline: StoredRun, rules: Rules, asking: Asking) -> Planned:
    """The plan: the baseline's tasks, prompts, limit, few-shot, repeats, parameters. Raises EvalkitError."""
    run = baseline.run
    models = list(asking.request.models) or list(dict.fromkeys(info.asked for info in run.models.values()))
    tasks = list(dict.fromkeys(cell.task for cell in run.cells))
    prompts = list(dict.fromkeys(cell.variant for cell in run.cells if cell.variant != "text"))
    if not tasks:
        raise UsageError(f"the baseline {run.id} has no cells")
    seed = run.seed
    if seed is None:
        raise UsageError(
            f"the baseline {run.id} does not tell its seed, so its plan cannot be carried out; name a run to "
            "compare: evalkit gate RUN --baseline ..."
        )

    def planned(num_fewshot: int | None) -> Prepared:
        request = replace(
            asking.request,
            models=models,
            tasks=tasks,
            prompts=prompts,
            limit=run.limit,
            num_fewshot=num_fewshot,
            seed=seed,
            choices_order=_order(run.cells),
            judge=next(iter(run.judges.values())).asked if len(run.judges) == 1 else None,
            name=asking.request.name or "gate",
        )
        return prepare(request, say=asking.say)

    prepared = planned(None)
    rivals = _rivals(prepared.plan.cells, run.cells)
    shots = {rival.num_fewshot for _, rival in rivals}
    if any(cell.variant.num_fewshot != rival.num_fewshot for cell, rival in rivals) and len(shots) == 1:
        prepared = planned(shots.pop())
        rivals = _rivals(prepared.plan.cells, run.cells)
    cells = tuple(_like(cell, rival, index) for index, (cell, rival) in enumerate(rivals))
    plan = replace(prepared.plan, cells=cells)
    obstacles = [
        Obstacle(kind, name, text, kind in rules.allow)
        for cell, (_, rival) in zip(cells, rivals, strict=True)
        for kind, name, text in definition_obstacles(
            rival,
            data=cell.task.data_digest,
            prompt=cell.variant.digest(),
            mode=cell.mode,
            cell=f"{cell.task.task.name} · {cell.variant.name} · {cell.model.name}",
            n=cell.task.n_samples,
            n_base=rival.counts.samples // max(rival.repeats, 1),
        )
    ]
    met = {id(rival) for _, rival in rivals}
    reached = {rival.model for _, rival in rivals}
    for cell in run.cells:
        if id(cell) not in met and (cell.model in reached or not reached):
            text = "the task as it is now has no such cell"
            obstacles.append(Obstacle("cells", label(cell), text, "cells" in rules.allow))
    blocked = not rivals or any(not obstacle.allowed for obstacle in obstacles)
    _check_rules(baseline, rules, plan, run.cells if blocked else [rival for _, rival in rivals])
    return Planned(
        replace(prepared, plan=plan), {i: rival for i, (_, rival) in enumerate(rivals)}, tuple(obstacles)
    )


def _check_rules(baseline: StoredRun, rules: Rules, plan: Plan, rivals: Sequence[CellResult]) -> None:
    """Nothing; raises UsageError where a demand would decide nothing: now, and not when all is paid for."""
    options = plan.options
    floored = dict(bounds_of((read_cell(baseline, rival) for rival in rivals if rules.floors), rules))
    for cell in plan.cells:
        for metric in make_scorer(cell, options.trust, options.judge).metrics:
            floored[cell.task.task.name, metric.name] = metric.bounds
    check_demands(rules, rivals, baseline.run.tasks, floored)


def ask_candidate(
    baseline: StoredRun, planned: Planned, rules: Rules, asking: Asking
) -> tuple[StoredRun, Referee | None, Calls | None]:
    """The candidate's run, ended early where the rules allow it, with what was asked and saved.

    Without early stopping the order does not matter, and nothing is watched.
    """
    if not planned.prepared.plan.cells:
        raise UsageError("nothing of the baseline can be asked of these models")
    referee = None
    if rules.early_stop != "off":
        referee = Referee(rules, baseline.run.id, _matched(baseline, planned, rules))
    stored = carry_out(planned.prepared, command=asking.command, watcher=asking.watcher, director=referee)
    if stored.run.status == "interrupted":
        raise InterruptedRunError(
            f"interrupted: there is no verdict. What was answered is kept in {stored.folder} and in the "
            "cache; the same command goes on from there"
        )
    if referee is None:
        return stored, None, None
    saved = referee.n_planned - referee.n_received
    calls = Calls(referee.n_planned, referee.n_received, saved, referee.n_cached, referee.seed)
    return (_mark_stopped(stored, calls) if referee.stopped else stored), referee, calls


def _order(cells: Sequence[CellResult]) -> Order | None:
    """The order of options that all cells of the baseline share; None where it is the data's, or mixed."""
    orders = {order for cell in cells for order in ORDERS if cell.mode.endswith(f"_{order}")}
    letters = {cell.mode for cell in cells if cell.mode.startswith("letter")}
    return orders.pop() if len(orders) == len(letters) == 1 else None


def _rivals(
    planned: Sequence[PlannedCell], baseline: Sequence[CellResult]
) -> list[tuple[PlannedCell, CellResult]]:
    """The planned cells that the baseline has, each with the baseline's."""
    models = {cell.model for cell in baseline}
    found = []
    for cell in planned:
        model = cell.model.name if cell.model.name in models or len(models) > 1 else next(iter(models))
        rival = next(
            (
                b
                for b in baseline
                if (b.model, b.task, b.variant) == (model, cell.task.task.name, cell.variant.name)
            ),
            None,
        )
        if rival is not None:
            found.append((cell, rival))
    return found


def _like(cell: PlannedCell, rival: CellResult, index: int) -> PlannedCell:
    """The cell with the baseline's repeats, and its parameters where the prompt does not change them."""
    params: dict[str, Any] = {**rival.params}
    if cell.variant.digest() != rival.prompt_digest:
        params |= cell.params
    params |= cell.model.settings.params
    return replace(
        cell,
        index=index,
        repeats=rival.repeats,
        params=params if base_mode(cell.mode) in ("generate", "letter_generate") else cell.params,
    )


def _matched(baseline: StoredRun, planned: Planned, rules: Rules) -> dict[int, Any]:
    """Index of a planned cell -> the baseline's cell with its samples, and the metrics to judge."""
    tasks = [cell.task.task for cell in planned.prepared.plan.cells]
    found: dict[int, Any] = {}
    for index, rival in planned.rivals.items():
        stored = read_cell(baseline, rival)
        metrics = []
        for name in rules.metrics_of(rival.task, stored.info.headline, list(rival.metrics)):
            try:
                metrics.append(find_metric(stored, name, tasks))
            except MetricError:
                continue  # judged at the end, where its absence is said
        found[index] = (stored, metrics)
    return found


def _mark_stopped(stored: StoredRun, calls: Calls) -> StoredRun:
    """The run with a note in every cell that it is a part of itself: its scores are biased."""
    note = (
        f"{STOPPED_EARLY}: the gate's verdict was certain after {calls.asked} of {calls.planned} requests; "
        "this score is biased and is no baseline"
    )
    cells = tuple(replace(cell, notes=(note, *cell.notes)) for cell in stored.run.cells)
    run = replace(stored.run, cells=cells)
    write_private(stored.folder / RUN_FILE, encode_run(run))
    return StoredRun(run, stored.folder, stored.notes)
