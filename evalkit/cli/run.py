"""`evalkit run`."""

from __future__ import annotations

import sys
from typing import Any

import click

from evalkit.cli.options import read_request, request_options, typed_command

EXIT_CODES = {"complete": 0, "incomplete": 3, "interrupted": 130, "running": 3}


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit run                                        baselines on the bundled tasks, no key needed\n"
    "  evalkit run --models gpt-4o-mini,llama3 --tasks sentiment_zh,arithmetic_zh\n"
    "  evalkit run --models gpt-4o-mini --tasks arithmetic_en --prompts zero_shot,cot\n"
    "  evalkit run --models replay/answers.jsonl --tasks facts_en\n"
    "  evalkit run --models llama3 --tasks my_task --judge gpt-4o    a judge in place of the task's own\n"
)
@request_options()
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost; call nothing, write nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print run.json (of a dry run, the plan) and nothing else."
)
@click.option("--no-samples", is_flag=True, help="Leave the samples out of the pages.")
@click.option("--redact", is_flag=True, help="Leave the texts of prompts and answers out of the pages.")
@click.option("--verbose", is_flag=True, help="Show every task of a large group in the table.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no table.")
def run(
    dry_run: bool,
    as_json: bool,
    no_samples: bool,
    redact: bool,
    verbose: bool,
    quiet: bool,
    **asked: Any,
) -> int:
    """Evaluate models on tasks.

    Without arguments: the built-in baselines on the bundled tasks, in seconds, with no key and no network.
    """
    from evalkit import api
    from evalkit.cli.arguments import refuse_idle
    from evalkit.comparing.failures import find_failures
    from evalkit.pages.report import best_slugs
    from evalkit.pages.terminal import console
    from evalkit.pages.terminal.progress import ProgressBar
    from evalkit.running import preparation, session
    from evalkit.running.tracking import find_trackers
    from evalkit.store.folders import encode_run

    if quiet or as_json:
        refuse_idle("no table is shown", "verbose")
    request = read_request(asked)
    if request.fresh or request.cache == "off":
        refuse_idle("with --fresh, or without a cache, all is asked again anyway", "retry")
    loud = not (quiet or as_json)
    prepared = preparation.prepare(request, say=console.say if loud else None)
    if not preparation.is_served(prepared):
        refuse_idle("no model of this run is called", "lane", "timeout")
    if dry_run:
        find_trackers(request.track)
    if dry_run and as_json:
        console.print_plan_json(prepared, preparation.estimate_costs(prepared))
        return 0
    if dry_run:
        console.print_plan(prepared)
        return 0
    stored = session.carry_out(prepared, command=typed_command(), watcher=ProgressBar() if loud else None)
    pages = api.write_pages(
        stored,
        prepared.workspace,
        with_leaderboard=request.out is None,
        samples=not no_samples,
        redact=redact,
    )
    if as_json:
        sys.stdout.buffer.write(encode_run(stored.run))
    elif not quiet:
        console.print_run(
            stored.run, all_tasks=verbose, best=best_slugs(stored), failures=find_failures(stored)
        )
        console.print_places(stored, pages)
    return EXIT_CODES[stored.run.status]
