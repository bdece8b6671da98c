"""What the terminal shows: tables after a run, plans, places of pages. Foreign text is never markup."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.terminal import visible as visible
from evalkit.cli.terminal import width as width
from evalkit.grouping import with_group_rows
from evalkit.records import CellResult, MetricValue, Run
from evalkit.store import StoredRun


def say(text: str) -> None:
    """Write a message to stderr."""
    click.echo(visible(text, keep_lines=True), err=True)


def _console() -> Any:
    from rich.console import Console

    return Console(width=width(), highlight=False, markup=False, emoji=False)


def format_value(value: MetricValue | None) -> str:
    """A score as a reader takes it in: fractions in percent, unknown as a dash."""
    if value is None or value.value is None:
        return "–"
    if value.scale == "fraction":
        return f"{100 * value.value:.1f}"
    return f"{value.value:.1f}" if value.scale == "percent" else f"{value.value:.4g}"


def format_interval(value: MetricValue | None, *, short: bool = False) -> str:
    """The 95 % interval in the unit of `format_value`, or half its width; empty when undefined."""
    if value is None or value.interval is None:
        return ""
    low, high = value.interval
    factor = 100 if value.scale == "fraction" else 1
    form = "{:.4g}" if value.scale == "unbounded" else "{:.0f}"
    if short:
        half = abs(factor * (high - low) / 2)
        return f"±{half:.2g}" if 0.05 <= half < 1 else f"±{half:.0f}"
    return form.format(factor * low) + "–" + form.format(factor * high)


def format_cost(cost: float | None) -> str:
    """US dollars; a dash when the price is unknown."""
    if cost is None:
        return "–"
    return f"${cost:.2f}" if cost >= 0.995 or cost == 0 else f"${cost:.3g}"


def print_run(run: Run, *, all_tasks: bool = False) -> None:
    """Print the table of a run: its scores with intervals, then what a reader must know beside them.

    A large group of tasks is one row, unless `all_tasks`.
    """
    models = list(run.models)
    shown = with_group_rows(run, all_tasks=all_tasks)
    rows = list(dict.fromkeys((cell.task, cell.variant) for cell in shown.cells))
    for short in (False, True):
        if _grid_width(shown, models, rows, short) <= width():
            _print_grid(shown, models, rows, short)
            break
    else:
        _print_list(shown)
    _print_health(run)


def _grid_width(run: Run, models: Sequence[str], rows: Sequence[tuple[str, str]], short: bool) -> int:
    """Columns that the grid takes, two between its columns."""
    names = max(len(_label(run, *row)) for row in rows)
    metrics = max(len(run.tasks[task].headline) for task, _ in rows)
    columns = [names, metrics, 5]
    for model in models:
        texts = [_score(cell, run, short) for cell in run.cells if cell.model == model]
        head = max(len(part) for part in visible(model).replace("/", "/\n", 1).split("\n"))
        columns.append(max([min(head, 12), *(len(text) for text in texts)]))
    return sum(columns) + 2 * len(columns)


def _score(cell: CellResult, run: Run, short: bool) -> str:
    value = cell.metrics.get(run.tasks[cell.task].headline)
    return f"{format_value(value)} {format_interval(value, short=short)} {_manner(value)}".rstrip()


def _label(run: Run, task: str, variant: str) -> str:
    several = sum(1 for cell in run.cells if cell.task == task and cell.model == run.cells[0].model) > 1
    return visible(f"{task} · {variant}" if several else task)


def _print_grid(run: Run, models: Sequence[str], rows: Sequence[tuple[str, str]], short: bool) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = {(cell.task, cell.variant, cell.model): cell for cell in run.cells}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", no_wrap=True)
    table.add_column("metric", style="dim", no_wrap=True)
    table.add_column("n", justify="right", style="dim", no_wrap=True)
    for model in models:
        # The provider goes onto a line of its own: columns as narrow as their numbers.
        table.add_column(visible(model).replace("/", "/\n", 1), justify="right", overflow="fold")
    for task, variant in rows:
        headline = run.tasks[task].headline
        here = {model: cells.get((task, variant, model)) for model in models}
        best = _best(here, headline)
        first = next(cell for cell in here.values() if cell is not None)
        line: list[Any] = [_label(run, task, variant), headline, str(first.counts.samples)]
        for model in models:
            cell = here[model]
            line.append(_score_text(cell, headline, model in best, short, Text))
        table.add_row(*line)
    _console().print(table)


def _best(cells: dict[str, CellResult | None], headline: str) -> set[str]:
    """The models whose score is the highest of those that may be compared; the oracle is no rival."""
    values = {
        model: cell.metrics[headline]
        for model, cell in cells.items()
        if cell is not None
        and headline in cell.metrics
        and cell.metrics[headline].value is not None
        and model != "baseline/oracle"
    }
    if len(values) < 2 or len({value.signature for value in values.values()}) > 1:
        return set()
    sign = 1 if next(iter(values.values())).higher_is_better else -1
    top = max(sign * (value.value or 0.0) for value in values.values())
    return {model for model, value in values.items() if sign * (value.value or 0.0) == top}


def _score_text(cell: CellResult | None, headline: str, best: bool, short: bool, text_type: Any) -> Any:
    text = text_type()
    if cell is None:
        return text_type("·", style="dim")
    value = cell.metrics.get(headline)
    text.append(format_value(value), style="bold green" if best else "")
    interval = format_interval(value, short=short)
    if interval:
        text.append(f" {interval}", style="dim")
    if _manner(value):
        text.append(f" {_manner(value)}", style="yellow")
    if cell.counts.unscored:
        text.append(" !", style="bold red")
    return text


def _manner(value: MetricValue | None) -> str:
    """How the likelihoods behind a number came about, where they are no ordinary ones; else empty."""
    if value is None or value.value is None:
        return ""
    return value.signature.partition("|likelihoods:")[2].partition("|")[0]


def _print_list(run: Run) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("task", "left"), ("model", "left"), ("metric", "left"), ("score", "right")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    table.add_column("95 %", justify="right", style="dim")
    table.add_column("n", justify="right", style="dim")
    previous = ""
    for cell in sorted(run.cells, key=lambda cell: (list(run.tasks).index(cell.task), cell.variant)):
        headline = run.tasks[cell.task].headline
        value = cell.metrics.get(headline)
        label = _label(run, cell.task, cell.variant)
        score = Text(format_value(value))
        if _manner(value):
            score.append(f" {_manner(value)}", style="yellow")
        if cell.counts.unscored:
            score.append(" !", style="bold red")
        table.add_row(
            "" if label == previous else label,
            visible(cell.model),
            headline,
            score,
            format_interval(value),
            str(cell.counts.samples),
        )
        previous = label
    _console().print(table)


def _print_health(run: Run) -> None:
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
            click.echo(f"{visible(model)}: {', '.join(parts)} (of {total})")
        for reason, tasks in _unasked(cells).items():
            click.secho(f"  {visible(', '.join(tasks))}: {visible(reason)}", dim=True)
    for line in _manners(run):
        click.echo(line)
    for line in _judged(run):
        click.echo(line)
    for model, reason in run.errors.items():
        click.secho(f"{visible(model)} was stopped: {visible(reason)}", fg="red")
    click.echo(_bill(run))
    if run.status != "complete":
        click.secho(
            f"The run is {run.status}: {_missing(run)} results are missing. "
            "Run the same command again: what was answered is kept and not asked twice.",
            fg="yellow",
        )


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
    marks = dict.fromkeys(_manner(value) for value in values)
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
    known = sum(cost for cost in costs if cost is not None)
    cost = format_cost(known) + (" and calls of unknown price" if None in costs else "")
    cached = sum(use.cached for use in uses)
    kept = f", {cached:,} from the cache" if cached else ""
    return f" · judging {cost} ({sum(use.judged for use in uses):,} judgements{kept})"


def _bill(run: Run) -> str:
    served = [cell for cell in run.cells if cell.model in run.models and _is_served(run, cell.model)]
    duration = f"{run.duration_s:.1f} s" if run.duration_s is not None else "unknown time"
    n_samples = sum(cell.counts.samples for cell in run.cells)
    text = f"{n_samples:,} results in {duration}"
    if not served:
        return text + _judge_bill(run)
    costs = [cell.cost_usd for cell in served]
    known = sum(cost for cost in costs if cost is not None)
    cost = format_cost(known) + (" and calls of unknown price" if None in costs else "")
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
    _console().print(table)
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
