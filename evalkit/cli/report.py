"""`evalkit report`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from evalkit.cli.options import language_option, run_argument


@click.command()
@run_argument()
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file; default report.html in the run."
)
@language_option
@click.option("--no-samples", is_flag=True, help="Leave the samples out: a small page to share.")
@click.option("--redact", is_flag=True, help="Leave out the texts of prompts, answers and targets.")
@click.option(
    "--table",
    type=click.Choice(["markdown", "latex", "csv"]),
    help="Print the main table on stdout instead of writing a page.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json on stdout instead of writing a page.")
def report(
    run: str,
    output: Path | None,
    lang: str,
    no_samples: bool,
    redact: bool,
    table: str | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Write the HTML report of RUN: a folder, a run id, a unique prefix of one, or `latest`."""
    from evalkit.cli.arguments import refuse_idle
    from evalkit.pages import report as pages
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import encode_run, find_run

    if as_json or table is not None:
        shaped = ("output", "lang", "no_samples", "redact", *(["table"] if as_json else []))
        refuse_idle("no page is written, and nothing but what is printed", *shaped)
    stored = find_run(run, out or open_workspace().root / "reports")
    if as_json:
        sys.stdout.buffer.write(encode_run(stored.run))
        return 0
    if table is not None:
        sys.stdout.buffer.write(pages.write_table(stored, table).encode())
        return 0
    target = output or stored.folder / "report.html"
    page = pages.write(stored, target, lang=lang, samples=not no_samples, redact=redact)
    for note in stored.notes:
        click.echo(note, err=True)
    click.echo(str(page))
    return 0
