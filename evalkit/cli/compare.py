"""`evalkit compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import language_option, names_option, run_argument


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit compare latest                          the variants, or the models, of the last run\n"
    "  evalkit compare latest --by model --metric f1\n"
    "  evalkit compare 20260101 20260108 --slice topic -o compare.html\n"
)
@run_argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--by", type=click.Choice(["prompt", "model", "run"]), help="What is compared; default: what differs."
)
@click.option("--metric", help="A metric, or all; default: each task's headline.")
@click.option("--base", help="The variant, model or run with which all others are compared.")
@names_option("--slice", "slices", help="Columns of metadata within whose values to compare as well.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write an HTML page to this file.")
@language_option
@click.option(
    "--no-samples", is_flag=True, help="Leave the samples out of the page but for those that it names."
)
@click.option(
    "--redact", is_flag=True, help="Leave the texts of prompts, answers and targets out of the page."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
def compare(
    runs: tuple[str, ...],
    by: Any,
    metric: str | None,
    base: str | None,
    slices: tuple[str, ...],
    include_path: tuple[str, ...],
    out: Path | None,
    output: Path | None,
    lang: str,
    no_samples: bool,
    redact: bool,
    as_json: bool,
) -> int:
    """Compare prompts, models or runs, paired by sample.

    RUN is a folder, a run id, a unique prefix of one, or `latest`.
    """
    import orjson

    from evalkit.cli.arguments import refuse_idle
    from evalkit.comparing import comparison
    from evalkit.core.errors import NotComparableError
    from evalkit.pages.terminal import differences as paired
    from evalkit.pages.terminal.console import say
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    if output is None:
        refuse_idle("it shapes the page; name its file with -o compare.html", "redact", "no_samples", "lang")
    workspace = open_workspace()
    stored = [find_run(run, out or workspace.root / "reports") for run in runs]
    tasks = comparison.tasks_of(stored, workspace.root, include_path)
    found = comparison.compare(*stored, by=by, metric=metric, slices=slices, base=base, tasks=tasks)
    for note in (*found.notes, *(note for run in stored for note in run.notes)):
        say(note)
    if output is not None:
        from evalkit.pages.comparison.page import write

        say(str(write(found, output, lang, runs=stored, samples=not no_samples, redact=redact)))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    else:
        paired.print_comparison(found)
    if not found.differences:
        raise NotComparableError(f"nothing could be compared: {found.refusals[0].reason}")
    return 0
