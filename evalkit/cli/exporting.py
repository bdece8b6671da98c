"""`evalkit export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import run_argument


class _Targets(click.Command):
    """A command whose help lists the formats."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the formats, then the examples."""
        from evalkit.interop.exports import TARGETS

        with formatter.section("Formats"):
            formatter.write_dl([(name, each.description) for name, each in TARGETS.items()])
        super().format_epilog(ctx, formatter)


@click.command("export", cls=_Targets)
@run_argument()
@click.option("--to", required=True, metavar="FORMAT", help="The format; they are listed below.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File or folder; default names the run."
)
@click.option(
    "--rows",
    type=click.Choice(["scores", "samples"]),
    default="scores",
    show_default=True,
    help="What a row of csv, jsonl and parquet is.",
)
@click.option(
    "--bom/--no-bom",
    default=None,
    help="Begin a csv with the mark by which Excel knows UTF-8; default yes.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
def export(run: str, to: str, output: Path | None, rows: Any, bom: bool | None, out: Path | None) -> int:
    """Write RUN in the format of another tool: a folder, a run id, a unique prefix of one, or `latest`."""
    from evalkit.interop.exports import export_run
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    stored = find_run(run, out or open_workspace().root / "reports")
    for file in export_run(stored, to, output, rows, bom):
        click.echo(str(file))
    for note in stored.notes:
        click.echo(note, err=True)
    return 0
