"""The table of a run in the terminal: scores with intervals, the best group, health, time and cost.

Three layouts, the first that fits: models as columns with whole intervals, with half widths, or a block for
each task with a line for each model, whose columns are as many as the width allows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from evalkit.core.records import CellResult, Run
from evalkit.pages import formats
from evalkit.pages.terminal.figures import format_interval, format_manner, format_value, make_console
from evalkit.pages.terminal.text import clip, columns, visible, width

Row = tuple[str, str]
"""A task and a variant."""
HEALTH = (
    ("errors", "failed"),
    ("refused", "refused"),
    ("truncated", "truncated"),
    ("no_answer", "no answer"),
    ("cached", "cached"),
)
"""Counts and what they are called."""
BEST = "bold green"


def print_scores(run: Run, best: Collection[tuple[str, str, str]]) -> None:
    """Nothing; prints the scores of a run. `best` holds (task, variant, model) of cells in the best group."""
    models = list(run.models)
    rows = list(dict.fromkeys((cell.task, cell.variant) for cell in run.cells))
    for short in (False, True):
        if _grid_width(run, models, rows, short) <= width():
            _print_grid(run, models, rows, best, short)
            break
    else:
        _print_blocks(run, rows, best)
    _print_legend(run, best)


def _print_legend(run: Run, best: Collection[tuple[str, str, str]]) -> None:
    from rich.text import Text

    parts = []
    if best:
        aside = ", the oracle aside" if any(model.endswith("baseline/oracle") for model in run.models) else ""
        parts.append(Text.assemble(("*", BEST), f": no other model is proven better{aside}"))
    parts.append(Text("95 % intervals"))
    if any(cell.counts.unscored for cell in run.cells):
        parts.append(Text.assemble(("!", "bold red"), ": results without a score"))
    line = Text(" · ").join(part for part in parts if part)
    line.stylize("dim")
    make_console().print(line)


def label_row(run: Run, task: str, variant: str) -> str:
    """The task, with the variant where a model has several."""
    first = run.cells[0].model
    several = sum(1 for cell in run.cells if cell.task == task and cell.model == first) > 1
    return visible((f"{task} · {variant}" if several else task)[:4000])


def _head(model: str) -> str:
    """A model as the head of a column: the provider goes onto a line of its own."""
    return clip(model, 40).replace("/", "/\n", 1)


def _grid_width(run: Run, models: Sequence[str], rows: Sequence[Row], short: bool) -> int:
    """Columns that the grid takes, two between its columns."""
    names = max(min(48, columns(label_row(run, *row))) for row in rows)
    metrics = max(len(run.tasks[task].headline) for task, _ in rows)
    parts = [names, metrics, 5]
    for model in models:
        texts = [_score(cell, run, short) for cell in run.cells if cell.model == model]
        head = max(columns(part) for part in _head(model).split("\n"))
        parts.append(max([min(head, 14), *(len(text) for text in texts)]))
    return sum(parts) + 2 * len(parts)


def _score(cell: CellResult, run: Run, short: bool) -> str:
    value = cell.metrics.get(run.tasks[cell.task].headline)
    lost = " !" if cell.counts.unscored else ""
    spread = f"{format_interval(value, short=short)} {format_manner(value)}".strip()
    return f"{format_value(value)}* {spread}{lost}"  # with room for the mark of the best


def _print_grid(
    run: Run,
    models: Sequence[str],
    rows: Sequence[Row],
    best: Collection[tuple[str, str, str]],
    short: bool,
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = {(cell.task, cell.variant, cell.model): cell for cell in run.cells}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("task", no_wrap=True)
    table.add_column("metric", style="dim", no_wrap=True)
    table.add_column("n", justify="right", style="dim", no_wrap=True)
    for model in models:
        table.add_column(_head(model), justify="right", overflow="fold")
    for task, variant in rows:
        info = run.tasks[task]
        here = [cells.get((task, variant, model)) for model in models]
        first = next(cell for cell in here if cell is not None)
        line: list[Any] = [
            clip(label_row(run, task, variant), 48),
            info.headline,
            f"{first.counts.samples:,}",
        ]
        for model, cell in zip(models, here, strict=True):
            line.append(_score_text(cell, info.headline, (task, variant, model) in best, short, Text))
        table.add_row(*line)
    table.add_section()
    for name, texts in _totals(run, models):
        table.add_row(Text(name, style="dim"), "", "", *(Text(text, style="dim") for text in texts))
    make_console().print(table)


def _totals(run: Run, models: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The last rows of the grid: health, time and cost of each model, where there is something to say."""
    by_model = {model: [cell for cell in run.cells if cell.model == model] for model in models}
    found: list[tuple[str, list[str]]] = []
    for name, label in HEALTH:
        counts = [sum(getattr(cell.counts, name) for cell in by_model[model]) for model in models]
        if any(counts):
            found.append((label, [f"{n:,}" if n else "·" for n in counts]))
    times = [_latency(by_model[model]) for model in models]
    if any(time is not None for time in times):
        found.append(("latency p50", [formats.seconds(time) for time in times]))
    costs = [_cost(by_model[model]) for model in models]
    if any(cost for cost in costs):
        found.append(("cost", [formats.dollars(cost) for cost in costs]))
    return found


def _latency(cells: Sequence[CellResult]) -> float | None:
    """The middle of the cells' median latencies, in seconds; None without one."""
    found = sorted(cell.latency.p50 for cell in cells if cell.latency.p50 is not None)
    return found[len(found) // 2] if found else None


def _cost(cells: Sequence[CellResult]) -> float | None:
    """US dollars; None where a price is unknown."""
    known = [cell.cost_usd for cell in cells if cell.cost_usd is not None]
    return sum(known) if cells and len(known) == len(cells) else None


def _score_text(cell: CellResult | None, headline: str, best: bool, short: bool, text_type: Any) -> Any:
    text = text_type()
    if cell is None:
        return text_type("·", style="dim")
    value = cell.metrics.get(headline)
    text.append(f"{format_value(value)}*" if best else f"{format_value(value)} ", style=BEST if best else "")
    interval = format_interval(value, short=short)
    if interval:
        text.append(f" {interval}", style="dim")
    if format_manner(value):
        text.append(f" {format_manner(value)}", style="yellow")
    if cell.counts.unscored:
        text.append(" !", style="bold red")
    return text


def _print_blocks(run: Run, rows: Sequence[Row], best: Collection[tuple[str, str, str]]) -> None:
    """A block for each task and variant; health, time and cost where the width allows."""
    from rich.table import Table
    from rich.text import Text

    wide = width()
    console = make_console()
    everywhere = {(cell.task, cell.variant): [] for cell in run.cells}  # type: dict[Row, list[CellResult]]
    for cell in run.cells:
        everywhere[cell.task, cell.variant].append(cell)
    room = max(16, wide - 18 - (10 if wide >= 76 else 0) - (32 if wide >= 100 else 0) - 4)
    names = min(room, max(columns(visible(model[:4000])) for model in run.models))
    for task, variant in rows:
        info = run.tasks[task]
        cells = everywhere[task, variant]
        note = f" {info.headline} · n {cells[0].counts.samples:,}"
        console.print()
        console.print(
            Text.assemble(
                (clip(label_row(run, task, variant), max(12, wide - columns(note) - 1)), "bold"),
                (note, "dim"),
            )
        )
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(width=names, no_wrap=True)
        table.add_column(justify="right", no_wrap=True, min_width=5)
        table.add_column(no_wrap=True, style="dim", min_width=6)
        if wide >= 76:
            table.add_column(justify="right", no_wrap=True, style="dim", min_width=7)
        if wide >= 100:
            table.add_column(no_wrap=True, style="dim")
        for cell in cells:
            value = cell.metrics.get(info.headline)
            leads = (task, variant, cell.model) in best
            score = Text(f"{format_value(value)}{'*' if leads else ' '}", style=BEST if leads else "")
            spread = Text(f"{format_interval(value, short=wide < 76)} {format_manner(value)}".rstrip())
            if cell.counts.unscored:
                spread.append(" !", style="bold red")
            line: list[Any] = [clip(cell.model, names), score, spread]
            if wide >= 76:
                line.append("" if not cell.cost_usd else formats.dollars(cell.cost_usd))
            if wide >= 100:
                line.append(_health(cell))
            table.add_row(*line)
        console.print(table)


def _health(cell: CellResult) -> str:
    parts = [f"{n:,} {label}" for name, label in HEALTH if (n := getattr(cell.counts, name))]
    return ", ".join(parts)
