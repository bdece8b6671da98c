"""`evalkit rescore`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import data_options, names_option, typed_command


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit rescore latest                      after an extractor or a metric was mended\n"
    "  evalkit rescore latest --task gsm8k --json\n"
    "  evalkit rescore latest --allow data         after a wrong target was mended\n"
)
@click.argument("run")
@names_option("--task", "-t", "tasks", help="Only these tasks of the run.")
@names_option("--allow", help="What may differ from what was asked: prompt, data; the new run records it.")
@data_options("Local data in place of a task's own.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--trust", is_flag=True, help="Let tasks from outside the workspace run their own Python.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for the new run; default reports.")
@click.option("--name", help="A label for the new run; default names the old one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def rescore(
    run: str,
    tasks: tuple[str, ...],
    allow: tuple[str, ...],
    data: Mapping[str, Any],
    include_path: Sequence[str],
    trust: bool,
    out: Path | None,
    name: str | None,
    as_json: bool,
) -> int:
    """Score RUN again from its stored answers with the tasks' present extractors and metrics.

    Nothing is asked. The result is a run of its own that names the old one. Answers to another prompt, or to
    other data, are refused (exit 4) unless --allow says otherwise.
    """

    from evalkit import api
    from evalkit.cli.run import EXIT_CODES
    from evalkit.pages.terminal.console import print_places, say
    from evalkit.running import rescoring
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    workspace = open_workspace()
    stored = find_run(run, workspace.root / "reports")
    for note in stored.notes:
        say(note)
    found = rescoring.rescore(
        stored,
        tasks=tasks,
        data=data,
        include_path=include_path,
        trust=trust,
        allow=allow,
        out=out,
        name=name,
        command=typed_command(),
    )
    for note in found.notes:
        say(note)
    pages = api.write_pages(found.stored, workspace, with_leaderboard=out is None)
    if as_json:
        _print_json(found)
    else:
        _print_table(found)
        print_places(found.stored, pages)
    return EXIT_CODES[found.stored.run.status]


def _print_json(found: Any) -> None:
    import orjson

    content = {
        "run": found.stored.run.id,
        "folder": str(found.stored.folder),
        "rescored": found.stored.run.rescored,
        "changes": found.changes,
    }
    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _print_table(found: Any) -> None:
    """Headlines, and every other metric that changed."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from evalkit.pages.terminal.console import visible, width
    from evalkit.pages.terminal.figures import format_value

    run = found.stored.run
    cells = {(cell.model, cell.task, cell.variant): cell for cell in run.cells}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("task", "model", "metric"):
        table.add_column(title, overflow="fold")
    for title in ("old", "new", "changed"):
        table.add_column(title, justify="right", no_wrap=True)
    several = len({(c.task, c.variant) for c in run.cells}) > len({c.task for c in run.cells})
    for change in found.changes:
        headline = change.metric == run.tasks[change.task].headline
        if not (headline or change.n_changed or change.old != change.new):
            continue
        cell = cells[change.model, change.task, change.variant]
        value = cell.metrics.get(change.metric)
        scale = value.scale if value is not None else "unbounded"
        texts = [format_number(number, scale) for number in (change.old, change.new)]
        if value is not None:
            texts[1] = format_value(value)
        label = f"{change.task} · {change.variant}" if several else change.task
        counts = f"{change.n_changed} of {change.n}"
        table.add_row(visible(label), visible(change.model), visible(change.metric), *texts, counts)
    Console(width=width(), highlight=False, markup=False, emoji=False).print(table)
    answers = sum(
        next(c.n_answers for c in found.changes if (c.model, c.task, c.variant) == key) for key in cells
    )
    source = run.rescored["run"]
    click.echo(f"{answers} answers are read in another way than in run {visible(source)}; nothing was asked")


def format_number(number: float | None, scale: str) -> str:
    """A score as a reader takes it in: fractions in percent, unknown as a dash."""
    if number is None:
        return "–"
    return f"{100 * number:.1f}" if scale == "fraction" else f"{number:.4g}"
