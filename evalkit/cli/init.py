"""`evalkit init`."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("."))
@click.option(
    "--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of the task and README."
)
@click.option(
    "--ci",
    type=click.Choice(["github", "gitlab", "none"]),
    default="github",
    show_default=True,
    help="The service that runs the gate.",
)
def init(folder: Path, lang: str, ci: str) -> int:
    """Begin a workspace: configuration, a task, a gate, a CI file, and a README to follow.

    Works at once and without a key. Overwrites nothing.
    """
    from evalkit.pages.terminal.console import visible
    from evalkit.workshop.starter import CI_FILES, start_workspace

    written = [os.path.normpath(folder / file) for file in start_workspace(folder, lang, ci)]
    for file in written:
        click.echo(f"wrote  {visible(file)}")
    if ci == "gitlab" and folder != Path(".") and str(folder / CI_FILES[ci]) in written:
        click.echo("\nGitLab reads one file at the root of a repository; write there:")
        click.echo(f"  include: {visible(written[-1])}")
    enter = "" if folder == Path(".") else f"cd {visible(str(folder))} && "
    click.echo(f"\nNext:  {enter}evalkit run\nThen follow README.md; `evalkit doctor` tells what is missing.")
    return 0
