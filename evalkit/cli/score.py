"""`evalkit score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Number, data_options, names_option


@click.command()
@click.argument("predictions", type=click.Path(exists=True, dir_okay=False))
@names_option("--task", "-t", "tasks", help="The task, as in `evalkit run --tasks`.")
@data_options("Local data in place of a task's own.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--judge", metavar="MODEL", help="The model that grades, where a task has a metric `judge`.")
@click.option("--max-cost", type=Number(0), metavar="USD", help="Hard cap on what a judge may cost.")
@click.option(
    "--cache", metavar="URL|off", help="Where a judge's replies are kept; default .evalkit/cache.db."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("--trust", is_flag=True, help="Let a task from outside the workspace run its own Python.")
def score(
    predictions: str,
    tasks: tuple[str, ...],
    data: Mapping[str, Any],
    include_path: Sequence[str],
    judge: str | None,
    max_cost: float | None,
    cache: str | None,
    out: Path | None,
    trust: bool,
) -> int:
    """Score the recorded answers in PREDICTIONS (jsonl or json, with `id` and `output`) on a task.

    Where the task has a metric `judge`, the judge is asked; its replies are kept, and nothing is paid twice.
    """
    from evalkit import api, preparation, session
    from evalkit.cli import console
    from evalkit.cli.arguments import refuse_idle
    from evalkit.cli.run import EXIT_CODES
    from evalkit.errors import UsageError
    from evalkit.report import best_slugs

    if not tasks:
        raise UsageError("name the task: evalkit score answers.jsonl --task sentiment_en")
    prepared = preparation.prepare(
        models=[f"replay/{predictions}"],
        tasks=tasks,
        data=data,
        include_path=include_path,
        trust=trust,
        judge=judge,
        say=console.say,
    )
    if not prepared.plan.judges:
        refuse_idle("no judge is asked, and recorded answers cost nothing", "max_cost", "cache")
    stored = session.carry_out(
        prepared, out=out, max_cost=max_cost, cache=cache, command=f"evalkit score {predictions}"
    )
    pages = api.write_pages(stored, prepared.workspace, with_leaderboard=False)
    console.print_run(stored.run, best=best_slugs(stored))
    console.print_places(stored, pages)
    return EXIT_CODES[stored.run.status]
