"""`evalkit arena`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Count, Number, Seed, language_option
from evalkit.core.errors import UsageError


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit arena latest --judge gpt-4o                    every pair of models, both orders\n"
    "  evalkit arena RUN OTHER --judge gpt-4o --baseline gpt-4o-mini --max-cost 5\n"
    "  evalkit arena annotations.json judgments.jsonl         AlpacaEval's and MT-Bench's own files\n"
)
@click.argument("sources", nargs=-1, required=True, metavar="RUN|FILE...")
@click.option("--judge", metavar="MODEL", help="The model that decides between answers of runs.")
@click.option("--rubric", metavar="TEXT", help="What counts, in your own words; default: the better answer.")
@click.option("--baseline", metavar="MODEL", help="Only pairs with this model.")
@click.option("--limit", type=Count(), help="At most so many samples of each task.")
@click.option("--reference", is_flag=True, help="Show the target to the judge.")
@click.option(
    "--judge-lang",
    type=click.Choice(["en", "zh"]),
    help="Language of the judge's prompt; default the task's.",
)
@click.option("--seed", type=Seed(), default=0, show_default=True, help="Sent to the judge.")
@click.option("--max-cost", type=Number(0), metavar="USD", help="Hard cap, in-flight included.")
@click.option("--cache", metavar="URL|off", help="Where verdicts are kept; default .evalkit/cache.db.")
@click.option("--dry-run", is_flag=True, help="Print the estimate; call nothing, write nothing.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The folder; default arena.")
@language_option
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("--json", "as_json", is_flag=True, help="Print the ratings as JSON and nothing else.")
def arena(
    sources: Sequence[str],
    judge: str | None,
    rubric: str | None,
    baseline: str | None,
    limit: int | None,
    reference: bool,
    judge_lang: str | None,
    seed: int,
    max_cost: float | None,
    cache: str | None,
    dry_run: bool,
    output: Path | None,
    lang: str,
    out: Path | None,
    as_json: bool,
) -> int:
    """Rate models against each other: a judge decides between their answers, or files say who won.

    A RUN is a folder, a run id, a unique prefix, or `latest`; a FILE holds AlpacaEval annotations, MT-Bench
    judgements, Chatbot Arena votes or evalkit's own battles. Ratings are Bradley-Terry strengths.
    """
    from evalkit.cli.arguments import refuse_idle
    from evalkit.comparing.arena import rate, read_battles, write_battles
    from evalkit.comparing.arena.battles import BATTLES_FILE
    from evalkit.pages.arena.page import write
    from evalkit.pages.terminal import console
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run, write_private

    workspace = open_workspace()
    files = [Path(name) for name in sources if _is_file(name)]
    names = [name for name in sources if not _is_file(name)]
    if not names:
        refuse_idle("no run is asked about, and the files say who won", *_JUDGING)
    elif dry_run:
        refuse_idle("a dry run prints its estimate as text, and writes no page", "as_json", "output", "lang")
    battles = [battle for file in files for battle in read_battles(file)]
    stopped = None
    if names:
        if judge is None:
            judge = next(iter(workspace.defaults.get("judge", ())), None)
        if judge is None:
            raise UsageError("name the model that decides between the answers: --judge MODEL")
        runs = [find_run(name, out or workspace.root / "reports") for name in names]
        language = judge_lang or _language(runs)
        options = (baseline, limit, reference, seed, max_cost, cache, dry_run)
        asked, stopped = _ask(workspace, runs, judge, rubric, language, options, console.say)
        if dry_run:
            return 0
        battles += asked
    ratings = rate(battles)
    folder = output or workspace.root / "arena"
    write_battles(folder / BATTLES_FILE, battles)
    content = _encode(ratings.as_dict())
    write_private(folder / "ratings.json", content)
    board = workspace.root / "leaderboard" / "index.html"
    page = write(ratings, battles, folder / "index.html", lang=lang, board=board if board.is_file() else None)
    if as_json:
        sys.stdout.buffer.write(content)
    else:
        _print(ratings)
        click.echo(f"page         {page}")
        if names and output is None:
            console.say("`evalkit leaderboard` shows these ratings beside the scores of the runs.")
    if stopped:
        console.say(f"Stopped: {stopped}. The same command goes on where it ended: verdicts are kept.")
        return 3
    return 3 if names and ratings.n_open and any(_retriable(battle.why) for battle in battles) else 0


_JUDGING = (
    *("judge", "rubric", "baseline", "limit", "reference", "judge_lang"),
    *("seed", "max_cost", "cache", "dry_run", "out"),
)
"""Options that say how runs are judged."""


def _is_file(name: str) -> bool:
    return Path(name).is_file() and Path(name).name != "run.json"


def _retriable(why: str | None) -> bool:
    return why is not None and why not in ("unreadable", "refused", "abstained")


def _language(runs: Sequence[Any]) -> str:
    """zh when all tasks are Chinese, else en."""
    from evalkit.core.language import base_language

    languages = {base_language(task.language) for stored in runs for task in stored.run.tasks.values()}
    return "zh" if languages == {"zh"} else "en"


def _ask(
    workspace: Any, runs: Sequence[Any], name: str, rubric: str | None, language: str, options: Any, say: Any
) -> tuple[list[Any], str | None]:
    """The battles that the judge decides, and why it stopped early."""
    from evalkit.comparing.arena.asking import Asking, ask_battles, estimate_cost, pair_runs
    from evalkit.metrics.judging import make_rubric
    from evalkit.models.making import make_model
    from evalkit.models.resolution import BUILT_IN, resolve_model
    from evalkit.pages.terminal.console import format_cost
    from evalkit.running import preparation
    from evalkit.store.cache import Cache, cache_url
    from evalkit.tasks.solvers.judge import Judge

    baseline, limit, reference, seed, max_cost, cache, dry_run = options
    resolved = resolve_model(name, workspace.aliases)
    model = make_model(resolved, seed)
    told = make_rubric("arena", language=language, rubric="pairwise", criteria=rubric or "")
    judge = Judge("arena", resolved.name, resolved.route, told, seed)
    pairings = pair_runs(runs, baseline=baseline, limit=limit)
    asking = Asking(judge, resolved, model, None, max_cost, reference)
    calls, tokens, cost = estimate_cost(pairings, asking)
    price = "price unknown" if cost is None else f"at most {format_cost(cost)}"
    say(
        f"{len(pairings):,} pairs, {calls:,} calls of {resolved.name}, about {tokens:,.0f} tokens in; "
        f"{price}, less what the cache knows"
    )
    if dry_run:
        return [], None
    if resolved.provider not in BUILT_IN:
        preparation.check_models([(resolved, model)], say)
    url = cache_url(cache, workspace.root) if model.cacheable else None
    kept = Cache(url) if url else None
    try:
        battles, bill = ask_battles(pairings, Asking(judge, resolved, model, kept, max_cost, reference))
    finally:
        if kept is not None:
            kept.close()
    paid = "unknown cost" if bill.cost_usd is None else format_cost(bill.cost_usd)
    say(f"{bill.calls:,} calls answered, {bill.cached:,} pairs from the cache, {paid}")
    return battles, bill.stopped


def _encode(content: Any) -> bytes:
    import orjson

    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _print(ratings: Any) -> None:
    """Print the ratings, and each pair where there are few."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from evalkit.pages.terminal.text import visible, width

    console = Console(width=width(), highlight=False, markup=False, emoji=False)
    several = len({row.group for row in ratings.models}) > 1
    controlled = any(row.length_controlled is not None for row in ratings.models)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("model", overflow="fold")
    heads = ["rating", "95 %", *(["length ctrl."] if controlled else []), "win rate", "won/tied/lost", "n"]
    for head in [*(["group"] if several else []), *heads]:
        table.add_column(head, justify="right")
    for row in ratings.models:
        rank = (
            "–"
            if row.rank is None
            else f"{row.rank[0]}"
            if row.rank[0] == row.rank[1]
            else f"{row.rank[0]}–{row.rank[1]}"
        )
        parts = [rank, visible(row.model)]
        parts += [str(row.group + 1)] if several else []
        parts += [
            "–" if row.rating is None else f"{row.rating:.0f}",
            "" if row.interval is None else f"{row.interval[0]:.0f}–{row.interval[1]:.0f}",
        ]
        if controlled:
            parts.append("–" if row.length_controlled is None else f"{row.length_controlled:.0f}")
        rate = "–" if row.win_rate is None else f"{row.win_rate:.1f} %"
        parts += [rate, f"{row.wins}/{row.ties}/{row.losses}", f"{row.n:,}"]
        table.add_row(*parts)
    console.print(table)
    shown = [pair for pair in ratings.pairs if pair.win_rate >= 50]
    if len(ratings.models) <= 4:
        for pair in shown:
            if pair.win_rate == 50 and pair.model > pair.against:
                continue
            error = "" if pair.stderr is None else f" ± {pair.stderr:.2f}"
            click.echo(
                f"{visible(pair.model)} against {visible(pair.against)}: wins {pair.win_rate:.2f}{error} % "
                f"of {pair.n:,} ({pair.wins} won, {pair.ties} tied, {pair.losses} lost)"
            )
    judges = ", ".join(visible(judge) for judge in ratings.judges) or "not said"
    click.echo(f"{ratings.n_battles:,} battles on {ratings.n_prompts:,} prompts, decided by {judges}")
    for note in ratings.notes:
        click.echo(visible(note))
