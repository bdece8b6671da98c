"""`evalkit run`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import (
    Count,
    Number,
    Seed,
    data_options,
    executor_option,
    names_option,
    parse_params,
    typed_command,
)

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
@names_option("--models", "-m", help="Models: aliases of evalkit.yaml, provider/name, or bare names (gpt-4).")
@names_option("--tasks", "-t", help="Tasks: names, globs (*_zh), tags, folders, or all.")
@names_option("--prompts", "-p", help="Prompt variants of the tasks, or all; default: each task's first.")
@click.option("--limit", type=Count(), help="At most so many samples of each task.")
@click.option("--num-fewshot", type=Count(0), help="Worked examples in each prompt.")
@click.option("--repeats", type=Count(), help="Ask every sample so often.")
@click.option(
    "--seed", type=Seed(), default=0, show_default=True, help="Decides few-shot choice and baselines."
)
@click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A generation parameter.")
@click.option("--max-cost", type=Number(0), metavar="USD", help="Hard cap, in-flight included.")
@click.option("--max-connections", type=Count(), help="Calls in flight per model.")
@click.option("--timeout", type=Number(0, above=True, most=1e7), help="Seconds for one call; default 600.")
@names_option("--retry", help="Ask kept answers of these statuses again: refused, truncated.")
@click.option(
    "--choices-order",
    type=click.Choice(["data", "seeded", "circular"]),
    help="Options under letters: as in the data, drawn for each sample, or every rotation asked.",
)
@executor_option
@click.option("--judge", metavar="MODEL", help="The model that grades, where a task has a metric `judge`.")
@click.option(
    "--lane",
    type=click.Choice(["auto", "stock", "safe", "fast"]),
    envvar="EVALKIT_LANE",
    help="How served models are called: plain LiteLLM (stock), over our transport (safe), compiled (fast).",
)
@data_options("Local data in place of a task's own.")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--cache", metavar="URL|off", help="Where answers are kept; default .evalkit/cache.db.")
@click.option("--fresh", is_flag=True, help="Ask again even where the cache has an answer.")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder of runs; default reports.")
@click.option("--name", help="A label for the run, part of its id.")
@names_option("--track", help="Who follows the run: mlflow, wandb, otel, or one of your own.")
@click.option("--trust", is_flag=True, help="Let tasks from outside the workspace run their own Python.")
@click.option("--dry-run", is_flag=True, help="Print the plan and its cost; call nothing, write nothing.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print run.json (of a dry run, the plan) and nothing else."
)
@click.option("--no-samples", is_flag=True, help="Leave the samples out of the pages.")
@click.option("--redact", is_flag=True, help="Leave the texts of prompts and answers out of the pages.")
@click.option("--verbose", is_flag=True, help="Show every task of a large group in the table.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and no table.")
def run(
    models: tuple[str, ...],
    tasks: tuple[str, ...],
    prompts: tuple[str, ...],
    limit: int | None,
    num_fewshot: int | None,
    repeats: int | None,
    seed: int,
    params: Sequence[str],
    max_cost: float | None,
    max_connections: int | None,
    timeout: float | None,
    retry: tuple[str, ...],
    choices_order: Any,
    executor: str,
    judge: str | None,
    lane: str | None,
    data: Mapping[str, Any],
    include_path: Sequence[str],
    cache: str | None,
    fresh: bool,
    out: Path | None,
    name: str | None,
    track: tuple[str, ...],
    trust: bool,
    dry_run: bool,
    as_json: bool,
    no_samples: bool,
    redact: bool,
    verbose: bool,
    quiet: bool,
) -> int:
    """Evaluate models on tasks.

    Without arguments: the built-in baselines on the bundled tasks, in seconds, with no key and no network.
    """
    from evalkit import api, preparation, session
    from evalkit.cli import console
    from evalkit.cli.arguments import refuse_idle
    from evalkit.cli.progress import ProgressBar
    from evalkit.failures import find_failures
    from evalkit.report import best_slugs
    from evalkit.store import encode_run
    from evalkit.tracking import find_trackers

    if quiet or as_json:
        refuse_idle("no table is shown", "verbose")
    if fresh or cache == "off":
        refuse_idle("with --fresh, or without a cache, all is asked again anyway", "retry")
    loud = not (quiet or as_json)
    prepared = preparation.prepare(
        models=models,
        tasks=tasks,
        prompts=prompts,
        limit=limit,
        num_fewshot=num_fewshot,
        repeats=repeats,
        seed=seed,
        params=parse_params(params),
        data=data,
        include_path=include_path,
        trust=trust,
        timeout=timeout,
        lane=lane,
        judge=judge,
        executor=executor,
        choices_order=choices_order,
        cache=cache,
        fresh=fresh,
        retry=retry,
        say=console.say if loud else None,
    )
    if not preparation.is_served(prepared):
        refuse_idle("no model of this run is called", "lane", "timeout")
    if dry_run:
        find_trackers(track)
    if dry_run and as_json:
        console.print_plan_json(
            prepared, preparation.estimate_costs(prepared, cache, fresh=fresh, retry=retry)
        )
        return 0
    if dry_run:
        console.print_plan(prepared)
        return 0
    stored = session.carry_out(
        prepared,
        cache=cache,
        fresh=fresh,
        out=out,
        name=name,
        max_cost=max_cost,
        max_connections=max_connections,
        retry=retry,
        command=typed_command(),
        watcher=ProgressBar() if loud else None,
        track=track,
    )
    pages = api.write_pages(
        stored, prepared.workspace, with_leaderboard=out is None, samples=not no_samples, redact=redact
    )
    if as_json:
        sys.stdout.buffer.write(encode_run(stored.run))
    elif not quiet:
        console.print_run(
            stored.run, all_tasks=verbose, best=best_slugs(stored), failures=find_failures(stored)
        )
        console.print_places(stored, pages)
    return EXIT_CODES[stored.run.status]
