"""`evalkit badcases`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Number, data_options, names_option, run_argument


@click.command(
    epilog="Example:\n\n\b\n  evalkit badcases latest --models gpt-4o-mini -o tasks/hard_sums\n"
    "  evalkit run --tasks hard_sums\n"
)
@run_argument()
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The new task's folder, tasks/NAME.",
)
@names_option("--models", "-m", help="Only what these models of the run failed on.")
@names_option("--prompts", "-p", help="Only what was failed with these prompts.")
@names_option("--tasks", "-t", help="Only these tasks of the run.")
@click.option(
    "--below", type=Number(), metavar="SCORE", help="What counts as failed; default: half the best."
)
@click.option("--disagree", is_flag=True, help="Only samples on which another model or prompt passed.")
@data_options("Local data in place of a task's own.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--trust", is_flag=True, help="Let tasks from outside the workspace run their own Python.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
def badcases(
    run: str,
    output: Path,
    models: tuple[str, ...],
    prompts: tuple[str, ...],
    tasks: tuple[str, ...],
    below: float | None,
    disagree: bool,
    data: Mapping[str, Any],
    include_path: Sequence[str],
    trust: bool,
    out: Path | None,
) -> int:
    """Make the failures of RUN into a task of their own, with who failed and what was answered."""
    from dataclasses import replace

    from evalkit.comparing.badcases import collect_badcases
    from evalkit.core.errors import UsageError, did_you_mean
    from evalkit.pages.terminal.console import say
    from evalkit.running.selection import find_tasks
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    workspace = open_workspace()
    stored = find_run(run, out or workspace.root / "reports")
    known = list(dict.fromkeys(cell.task for cell in stored.run.cells))
    for name in tasks:
        if name not in known:
            raise UsageError(
                f"the run has no task {name!r}.{did_you_mean(name, known)} It has {', '.join(known)}"
            )
    names = list(tasks) or known
    cells = tuple(cell for cell in stored.run.cells if cell.task in names)
    stored.run = replace(stored.run, cells=cells)
    found = find_tasks(workspace, names, data=data, include_path=include_path, trust=trust)
    for each in collect_badcases(
        stored, output, found, models=models, variants=prompts, below=below, disagree=disagree
    ):
        for note in each.notes:
            say(note)
        click.echo(f"{each.folder}: {each.n} of {each.n_asked} samples of {each.task}")
        click.echo(f"run it with: evalkit run --tasks {each.folder.name}")
    return 0
