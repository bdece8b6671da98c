"""`evalkit tasks check`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from evalkit.cli.options import Count, data_options
from evalkit.pages.terminal.console import visible

_COLORS = {"error": "red", "warning": "yellow", "ok": "green"}


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@data_options("Local files for a task, group or data set.")
@click.option("--trust", is_flag=True, help="Let tasks from outside run their Python, and tests run code.")
@click.option("--download", is_flag=True, help="Fetch data that are not at hand.")
@click.option(
    "--max-tokens",
    type=Count(),
    default=8192,
    show_default=True,
    help="What a prompt and its reply may take together, counted by characters.",
)
@click.option("--verbose", is_flag=True, help="Print what holds too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all findings.")
def check(
    patterns: tuple[str, ...],
    include_path: Sequence[str],
    data: Mapping[str, Any],
    trust: bool,
    download: bool,
    max_tokens: int,
    verbose: bool,
    as_json: bool,
) -> int:
    """Prove that tasks are sound; PATTERNS are names, globs, tags, groups or paths.

    The target must score full marks by the task's own metric, a wrong answer must not, chance must be as
    stated, every prompt must render for every sample, and no sample may be its own worked example. Ends
    with 2 when anything is wrong; warnings alone end with 0.
    """
    from evalkit.cli.arguments import refuse_idle
    from evalkit.running.workspace import open_workspace
    from evalkit.tasks.discovery import list_groups, list_tasks, search_path, select_tasks
    from evalkit.workshop.checking import CheckOptions, check_tasks

    if as_json:
        refuse_idle("the document holds every finding", "verbose")
    folders = search_path(open_workspace().root, include_path)
    problems: list[str] = []
    entries, groups = list_tasks(folders, problems=problems), list_groups(folders, problems)
    own = [entry for entry in entries.values() if entry.origin in ("workspace", "included")]
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    chosen = select_tasks(patterns, entries, groups) if patterns else own or list(entries.values())
    options = CheckOptions(data, trust, download, max_tokens)
    blocks: list[_Block] = []
    reports = []
    for report in check_tasks(chosen, options):
        reports.append(report)
        if as_json:
            continue
        block = _Block(report, verbose)
        if blocks and blocks[-1].takes(report, verbose):
            blocks[-1].n += 1
            continue
        if blocks:
            blocks[-1].print()
        blocks.append(block)
    if as_json:
        import json

        click.echo(json.dumps([report.as_dict() for report in reports], ensure_ascii=False, indent=2))
    elif blocks:
        blocks[-1].print()
        counts = {status: sum(report.status == status for report in reports) for status in _COLORS}
        click.echo(
            f"{len(reports):,} task{'s' * (len(reports) != 1)}: {counts['ok']:,} sound, "
            f"{counts['warning']:,} with warnings, {counts['error']:,} with errors"
        )
    return 2 if any(report.status == "error" for report in reports) else 0


class _Block:
    """The lines of a task, or of the tasks of a matrix that have the same findings."""

    def __init__(self, report: Any, verbose: bool) -> None:
        self.report = report
        self.lines = self._lines(report, verbose)
        self.n = 1

    def takes(self, report: Any, verbose: bool) -> bool:
        """Whether another task of the same matrix has the same to say."""
        same = report.group is not None and report.group == self.report.group
        return same and not verbose and self._lines(report, verbose) == self.lines

    def print(self) -> None:
        """Print the lines."""
        report = self.report
        name = f"{report.group}  {self.n} tasks" if self.n > 1 else report.task
        click.echo(click.style(f"{report.status:<8}", fg=_COLORS[report.status]) + visible(name))
        for line in self.lines:
            click.echo(f"          {visible(line)}")

    @staticmethod
    def _lines(report: Any, verbose: bool) -> list[str]:
        shown = [f for f in report.findings if verbose or f.status != "ok"]
        return [f"{f.status if verbose else ''}{' ' * verbose}{f.check}: {f.message}" for f in shown]
