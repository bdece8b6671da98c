"""`evalkit import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import form_options


class _Formats(click.Command):
    """A command whose help lists the formats."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the formats, then the examples."""
        from evalkit.interop.formats import FORMATS

        with formatter.section("Formats"):
            formatter.write_dl([(name, each.description) for name, each in FORMATS.items()])
        super().format_epilog(ctx, formatter)


@click.command("import", cls=_Formats)
@click.argument("format")
@click.argument("path", type=click.Path(path_type=Path))
@form_options("predictions")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("--name", help="A label for the run; default the format.")
@click.option("--model", help="Name of the model, where the file has one model and names it badly or not.")
@click.option("--task", help="Name of the task, where the file has one task.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def import_(
    format: str,
    path: Path,
    out: Path | None,
    name: str | None,
    model: str | None,
    task: str | None,
    as_json: bool,
    form: Any,
) -> int:
    """Make runs of another tool's results at PATH; report, compare, gate and leaderboard take them as any.

    Nothing is asked and nothing is scored again. What the file does not say stays unknown.
    """
    import orjson

    from evalkit import api
    from evalkit.interop.formats import import_results
    from evalkit.pages.terminal import console
    from evalkit.running.workspace import open_workspace

    workspace = open_workspace()
    runs, notes = import_results(
        format,
        path,
        out if out is not None else workspace.root / "reports",
        label=name or format,
        model=model,
        task=task,
        command=f"evalkit import {format} {path.name}",
        form=form,
    )
    for note in notes:
        console.say(note)
    for number, stored in enumerate(runs, start=1):
        last = number == len(runs)
        pages = api.write_pages(stored, workspace, with_leaderboard=last and out is None)
        if not as_json:
            console.print_run(stored.run)
            console.print_places(stored, pages)
    if as_json:
        content = [{"run": stored.run.id, "folder": str(stored.folder)} for stored in runs]
        sys.stdout.buffer.write(orjson.dumps({"runs": content}, option=orjson.OPT_APPEND_NEWLINE))
    return 0
