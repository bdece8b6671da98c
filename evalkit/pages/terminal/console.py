"""What the terminal shows: tables after a run, plans, places of pages. Foreign text is never markup."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from evalkit.comparing.failures import SAME_COMMAND, Failure
from evalkit.core.records import CellResult, Run
from evalkit.core.redaction import known
from evalkit.models.lessons import is_lesson
from evalkit.pages.terminal.figures import format_manner, make_console
from evalkit.pages.terminal.text import clip
from evalkit.pages.terminal.text import visible as visible
from evalkit.pages.terminal.text import width as width
from evalkit.running.grouping import with_group_rows
from evalkit.store.folders import StoredRun


def say(text: str) -> None:
    """Write a message to stderr, without keys."""
    click.echo(visible(known().clean(text), keep_lines=True), err=True)


def format_cost(cost: float | None) -> str:
    """US dollars; a dash when the price is unknown."""
    if cost is None:
        return "–"
    return f"${cost:.2f}" if cost >= 0.995 or cost == 0 else f"${cost:.3g}"


def print_run(
    run: Run,
    *,
    all_tasks: bool = False,
    best: Collection[str] | None = None,
    failures: Sequence[Failure] = (),
) -> None:
    """Print the table of a run: its scores with intervals, then what a reader must know beside them.

    A large group of tasks is one row, unless `all_tasks`. `best` holds the slugs of the cells that none is
    proven better than; without it they are told by their standard errors, as rows of groups always are.
    `failures` say why calls failed.
    """
    from evalkit.pages.report.cells import best_by_errors
    from evalkit.pages.terminal.scores import print_scores

    shown = with_group_rows(run, all_tasks=all_tasks)
    marked = {
        (cell.task, cell.variant, cell.model)
        for cell in shown.cells
        if best is not None and cell.task in run.tasks and cell.slug in best
    }
    rest = tuple(cell for cell in shown.cells if best is None or cell.task not in run.tasks)
    if rest:
        marked |= best_by_errors(replace(shown, cells=rest))
    print_scores(shown, marked)
    _print_health(run, failures)


def _print_health(run: Run, failures: Sequence[Failure]) -> None:
    """Say what is not well: calls that failed, answers that were refused, cut or not found; then the bill."""
    for model in run.models:
        cells = [cell for cell in run.cells if cell.model == model]
        total = sum(cell.counts.samples for cell in cells)
        parts = []
        for name, label in (
            ("errors", "failed calls"),
            ("refused", "refused"),
            ("truncated", "truncated"),
            ("no_answer", "without an answer"),
        ):
            count = sum(getattr(cell.counts, name) for cell in cells)
            if count:
                parts.append(f"{count} {label}")
        unasked = sum(c.counts.unscored - c.counts.errors for c in cells)
        if unasked:
            parts.append(f"{unasked} unscored without a call")
        if parts:
            click.echo(f"{clip(model, 100)}: {', '.join(parts)} (of {total})")
        for line in _whys(failures, model, total):
            click.secho(f"  {line}", fg="red")
        for reason, tasks in _unasked(cells).items():
            names = ", ".join(clip(task, 100) for task in tasks)
            click.secho(f"  {names}: {clip(reason, 1000)}", dim=True)
    for model, info in run.models.items():
        for note in filter(is_lesson, info.notes):
            click.secho(f"{clip(model, 100)}: {clip(note, 400)}", dim=True)
    for line in _manners(run):
        click.echo(line)
    for line in _judged(run):
        click.echo(line)
    for judge in run.judges:
        for line in _whys(failures, judge, sum(_uses(run, judge))):
            click.secho(f"  {line}", fg="red")
    for model, info in run.models.items():
        for note in info.notes:
            if note.startswith(WARNING):
                click.secho(f"{clip(model, 100)}: {clip(note.removeprefix(WARNING), 600)}", fg="yellow")
    for line in _few(
        [f"{c.model} · {c.task}: {n}" for c in run.cells for n in c.notes if n.startswith(WARNING)]
    ):
        click.secho(clip(line.replace(WARNING, ""), 600), fg="yellow")
    for model, reason in run.errors.items():
        click.secho(f"{clip(model, 100)} was stopped: {clip(reason, 1000)}", fg="red")
    click.echo(_bill(run))
    if run.status != "complete":
        imported = run.command.startswith("evalkit import ")  # asked by another tool: nothing to ask again
        click.secho(f"The run is {run.status}: {_missing(run)} results are missing.", fg="yellow")
        for cure in () if imported else _cures(run, failures):
            click.secho(cure, fg="yellow")


WARNING = "warning: "
"""How those notes of a model begin that are said at the end of a run, and not just kept in it."""
_MOST_WHYS = 3
"""Sentences of a model's failed calls that are shown."""


def _whys(failures: Sequence[Failure], model: str, total: int) -> list[str]:
    """The commonest reasons why the model's calls failed, each with how many of all."""
    own = [failure for failure in failures if failure.model == model]
    lines = [
        f"{failure.n:,} of {total:,}: {clip(failure.message.removeprefix(f'{model}: '), 600)}"
        for failure in own[:_MOST_WHYS]
    ]
    rest = sum(failure.n for failure in own[_MOST_WHYS:])
    return [*lines, f"{rest:,} of {total:,} for other reasons"] if rest else lines


def _cures(run: Run, failures: Sequence[Failure]) -> list[str]:
    """What to do about what is missing: one sentence for each kind of failure, the commonest first."""
    found: dict[str, int] = {}
    for failure in failures:
        # the cost limit fails one call, and the rest is not asked
        n = _missing(run) if failure.kind == "budget" else failure.n
        found[failure.cure] = found.get(failure.cure, 0) + n
    found.pop("", None)
    cures = sorted(found, key=lambda cure: -found[cure])[:_MOST_WHYS]
    if run.status == "interrupted" or not cures:
        return [SAME_COMMAND]
    return cures


def _uses(run: Run, judge: str) -> list[int]:
    """How often the judge judged, by cell and metric."""
    return [use.judged for cell in run.cells for use in cell.judges.values() if use.model == judge]


def _unasked(cells: Sequence[CellResult]) -> dict[str, list[str]]:
    """Why a model was not asked -> the tasks."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        for note in cell.notes:
            mark, colon, reason = note.partition(": ")
            unasked = mark == "not asked" or note.endswith("it was not asked")
            if colon and unasked and cell.task not in found.setdefault(reason, []):
                found[reason].append(cell.task)
    return {reason: _few(tasks) for reason, tasks in found.items()}


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= 6 else [*names[:5], f"and {len(names) - 5} more"]


_MANNERS = {
    "pll": "pseudo-log-likelihoods of a masked model, which compare with other masked models' only",
    "head": "probabilities of a classification head",
    "strided": "texts in overlapping windows, which give a lower perplexity than disjoint ones",
}


def _manners(run: Run) -> list[str]:
    """What the marks beside numbers mean, of those that stand there."""
    values = (cell.metrics.get(run.tasks[cell.task].headline) for cell in run.cells)
    marks = dict.fromkeys(format_manner(value) for value in values)
    return [f"{mark}: {_MANNERS.get(mark.partition('-')[0], mark)}" for mark in marks if mark]


def _judged(run: Run) -> list[str]:
    """What judges left without a verdict, a line for each judge that left anything."""
    lines = []
    for name in run.judges:
        uses = [use for cell in run.cells for use in cell.judges.values() if use.model == name]
        parts = [
            f"{count} {label}"
            for field, label in (
                ("failed", "failed calls"),
                ("unreadable", "without a verdict that can be read"),
                ("abstained", "abstentions"),
                ("inconsistent", "verdicts that changed with the order of the answers"),
            )
            if (count := sum(getattr(use, field) for use in uses))
        ]
        if parts:
            lines.append(f"judge {visible(name)}: {', '.join(parts)} (of {sum(use.judged for use in uses)})")
    return lines


def _judge_bill(run: Run) -> str:
    """What judges took in this run, apart from the models; empty where none was asked."""
    uses = [use for cell in run.cells for use in cell.judges.values()]
    if not uses:
        return ""
    costs = [use.cost_usd for use in uses]
    cost = _costs(costs)
    cached = sum(use.cached for use in uses)
    kept = f", {cached:,} from the cache" if cached else ""
    return f" · judging {cost} ({sum(use.judged for use in uses):,} judgements{kept})"


def _costs(costs: Sequence[float | None]) -> str:
    """The sum of what is known, and whether there is more."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return "unknown"
    return format_cost(sum(known)) + (" and calls of unknown price" if len(known) < len(costs) else "")


def _bill(run: Run) -> str:
    served = [cell for cell in run.cells if cell.model in run.models and _is_served(run, cell.model)]
    duration = f"{run.duration_s:.1f} s" if run.duration_s is not None else "unknown time"
    n_samples = sum(cell.counts.samples for cell in run.cells)
    text = f"{n_samples:,} results in {duration}"
    if not served:
        return text + _judge_bill(run)
    costs = [cell.cost_usd for cell in served]
    cost = _costs(costs)
    cached = sum(cell.counts.cached for cell in served)
    text = f"{text} · cost {cost}" + (f" · {cached:,} from the cache" if cached else "")
    return text + _judge_bill(run)


def _is_served(run: Run, model: str) -> bool:
    return run.models[model].provider not in ("baseline", "replay", "mock", "hf")


def _missing(run: Run) -> int:
    judgements = sum(use.failed for cell in run.cells for use in cell.judges.values())
    return judgements + sum(cell.counts.unscored for cell in run.cells if not _unasked([cell]))


def print_places(stored: StoredRun, pages: Sequence[Path]) -> None:
    """Print where the run and its pages are, paths relative to here where that is shorter."""
    click.echo(f"run          {_short(stored.folder)}")
    for page in pages:
        label = "leaderboard" if page.name == "index.html" else "report"
        click.echo(f"{label:<12} {_short(page)}")
    for note in stored.notes:
        say(note)


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def print_plan(prepared: Any) -> None:
    """Print the cells of a plan with their numbers of requests."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("model", "task", "prompt", "mode"):
        table.add_column(name, overflow="fold")
    table.add_column("requests", justify="right")
    for cell in prepared.plan.cells:
        count = f"{cell.n_requests:,}" if cell.supported else "none: no likelihoods"
        table.add_row(
            visible(cell.model.name),
            visible(cell.task.task.name),
            visible(cell.variant.name),
            cell.mode,
            count,
        )
    make_console().print(table)
    calls = sum(cell.n_calls for cell in prepared.plan.cells)
    more = f", {calls:,} calls" if calls != prepared.plan.n_requests else ""
    click.echo(f"{prepared.plan.n_requests:,} requests{more}; nothing was asked")


def print_plan_json(prepared: Any, costs: Any) -> None:
    """Print the plan as one JSON document: its cells, and what they will cost (null: no served model)."""
    import orjson

    cells = [
        {
            "model": cell.model.name,
            "task": cell.task.task.name,
            "prompt": cell.variant.name,
            "mode": cell.mode,
            "supported": cell.supported,
            "requests": cell.n_requests,
            "calls": cell.n_calls,
        }
        for cell in prepared.plan.cells
    ]
    content = {"cells": cells, "estimate": costs, "notes": prepared.plan.notes}
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2).decode())
