"""`evalkit init`."""

from __future__ import annotations

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
    from evalkit.cli.console import visible
    from evalkit.starter import start_workspace

    for file in start_workspace(folder, lang, ci):
        click.echo(f"wrote  {visible(str(folder / file))}")
    enter = "" if folder == Path(".") else f"cd {visible(str(folder))} && "
    click.echo(f"\nNext:  {enter}evalkit run\nThen follow README.md; `evalkit doctor` tells what is missing.")
    return 0
