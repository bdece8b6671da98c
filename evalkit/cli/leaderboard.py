"""`evalkit leaderboard`."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.cli.options import language_option, run_argument
from evalkit.core.errors import StoreError


@click.command()
@run_argument("runs", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder; default leaderboard.")
@language_option
@click.option("--no-samples", is_flag=True, help="Leave the samples out: a small page to share.")
@click.option("--redact", is_flag=True, help="Leave out the texts of prompts, answers and targets.")
@click.option(
    "--arena",
    type=click.Path(path_type=Path),
    metavar="PATH|off",
    help="Ratings of `evalkit arena` to show beside the scores; default those in the folder arena.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
def leaderboard(
    runs: tuple[str, ...],
    output: Path | None,
    lang: str,
    no_samples: bool,
    redact: bool,
    arena: Path | None,
    out: Path | None,
) -> int:
    """Build the HTML leaderboard of RUNS; without RUNS, of all in the folder of runs."""
    from evalkit.pages import leaderboard as pages
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run, load_runs

    workspace = open_workspace()
    root = workspace.root
    folder = out or root / "reports"
    found, left_out = ([find_run(run, folder) for run in runs], []) if runs else load_runs(folder)
    stored = list(found)
    for note in left_out:
        click.echo(note, err=True)
    if not stored:
        raise StoreError(f"no runs in {folder}; make one with: evalkit run")
    target = output or root / "leaderboard"
    ratings = None
    if str(arena) != "off":
        ratings = pages.find_arena(root) if arena is None else pages.read_arena(arena)
    page = pages.write(
        stored,
        target,
        lang=lang,
        samples=not no_samples,
        facts=workspace.facts,
        redact=redact,
        arena=ratings,
    )
    for run in stored:
        for note in run.notes:
            click.echo(note, err=True)
    click.echo(str(page))
    return 0
