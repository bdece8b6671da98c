"""`evalkit score`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from evalkit.cli.options import names_option, read_request, request_options


@click.command()
@click.argument("predictions", type=click.Path(exists=True, dir_okay=False))
@names_option("--task", "-t", "tasks", help="The task, as in `evalkit run --tasks`.")
@request_options(
    "data",
    "include_path",
    "judge",
    "max_cost",
    "cache",
    "out",
    "trust",
    max_cost="Hard cap on what a judge may cost.",
    cache="Where a judge's replies are kept; default .evalkit/cache.db.",
)
def score(predictions: str, tasks: tuple[str, ...], **asked: Any) -> int:
    """Score the recorded answers in PREDICTIONS (jsonl or json, with `id` and `output`) on a task.

    Where the task has a metric `judge`, the judge is asked; its replies are kept, and nothing is paid twice.
    """
    from evalkit import api
    from evalkit.cli.arguments import refuse_idle
    from evalkit.cli.run import EXIT_CODES
    from evalkit.core.errors import UsageError
    from evalkit.pages.report import best_slugs
    from evalkit.pages.terminal import console
    from evalkit.running import preparation, session

    if not tasks:
        raise UsageError("name the task: evalkit score answers.jsonl --task sentiment_en")
    request = replace(read_request(asked), models=[f"replay/{predictions}"], tasks=tasks)
    prepared = preparation.prepare(request, say=console.say)
    if not prepared.plan.judges:
        refuse_idle("no judge is asked, and recorded answers cost nothing", "max_cost", "cache")
    stored = session.carry_out(prepared, command=f"evalkit score {predictions}")
    pages = api.write_pages(stored, prepared.workspace, with_leaderboard=False)
    console.print_run(stored.run, best=best_slugs(stored))
    console.print_places(stored, pages)
    return EXIT_CODES[stored.run.status]
