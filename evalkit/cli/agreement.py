"""`evalkit agreement`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import Number, form_options
from evalkit.core.errors import UsageError

_FLAGS = {"column": "--column", "run_name": "--run", "judge": "--judge"}
_OWN = {
    "metric": ("run_name",),
    "out": ("run_name",),
    **dict.fromkeys(("rubric", "prompt", "scale", "words", "judge_lang", "max_cost", "cache"), ("judge",)),
}
"""Option -> those of which it is a part."""


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit agreement labels.jsonl --judge gpt-4o --rubric correctness\n"
    "  evalkit agreement labels.jsonl --run latest --metric judge\n"
    "  evalkit agreement labels.csv --human rating --column gpt4_rating\n"
)
@click.argument("labels", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@form_options("LABELS")
@click.option(
    "--human", metavar="COLUMN", help="What people said; default human, label, rating, score or gold."
)
@click.option("--column", metavar="COLUMN", help="What the machine said, in the same file.")
@click.option("--run", "run_name", metavar="RUN", help="A run whose metric is compared, joined by `id`.")
@click.option("--metric", default="judge", show_default=True, help="The metric of the run.")
@click.option("--judge", metavar="MODEL", help="A judge that is asked now about input, answer and target.")
@click.option("--rubric", metavar="NAME|TEXT", help="What the judge is told: ready-made, or your own words.")
@click.option("--prompt", metavar="FILE", help="The judge's prompt, a template of your own.")
@click.option("--scale", metavar="LOW-HIGH", help="The judge's scale, such as 1-5.")
@click.option("--labels", "words", metavar="A,B,...", help="The judge's labels, best first.")
@click.option(
    "--judge-lang", type=click.Choice(["en", "zh"]), default="en", help="Language of the judge's prompt."
)
@click.option("--cluster", metavar="COLUMN", help="Names answers that depend on each other.")
@click.option("--max-cost", type=Number(0), metavar="USD", help="Hard cap on the judge.")
@click.option("--cache", metavar="URL|off", help="Where verdicts are kept; default .evalkit/cache.db.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of runs; default reports.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
def agreement(labels: Path, as_json: bool, **options: Any) -> int:
    """Compare what people said of answers (LABELS: jsonl, json, csv) with a judge, a metric or a column.

    Accuracy, Cohen's kappa (weighted for numbers), correlations and confusions, with 95 % intervals.
    """
    from evalkit.cli.arguments import refuse_idle
    from evalkit.comparing import agreement as agreements

    given = [name for name in ("column", "run_name", "judge") if options[name]]
    if len(given) != 1:
        raise UsageError(
            "name one of --column (in the same file), --run (a finished run) and --judge (asked now)"
        )
    for option, own in _OWN.items():
        if given[0] not in own:
            refuse_idle(f"it is for {' or '.join(_FLAGS[name] for name in own)}", option)
    rows = agreements.read_labels(labels, options["form"])
    human = agreements.find_column(
        rows, options["human"], agreements.HUMAN, "what people said: --human COLUMN"
    )
    if options["cluster"] is not None:
        agreements.find_column(rows, options["cluster"], (), "")
    if options["column"]:
        machine = agreements.find_column(rows, options["column"], (), "")
        opinions = agreements.opinions_of_columns(rows, human, machine, options["cluster"])
    elif options["run_name"]:
        from evalkit.running.workspace import open_workspace
        from evalkit.store.folders import find_run

        stored = find_run(options["run_name"], options["out"] or open_workspace().root / "reports")
        machine = options["metric"]
        opinions = agreements.opinions_of_run(rows, human, stored, machine, options["cluster"])
    else:
        machine, opinions = _ask(rows, human, options)
    report = agreements.measure(machine, opinions)
    if as_json:
        import orjson

        indented = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        sys.stdout.buffer.write(orjson.dumps(report.as_dict(), option=indented))
    else:
        _print(report, human)
    return 0


def _ask(rows: Any, human: str, options: Any) -> tuple[str, Any]:
    """The judge's name and the opinions, the judge asked now."""
    from evalkit.comparing import agreement as agreements
    from evalkit.metrics.judging import make_rubric
    from evalkit.models.making import make_model
    from evalkit.models.resolution import BUILT_IN, resolve_model
    from evalkit.pages.terminal.console import format_cost, say
    from evalkit.running import preparation
    from evalkit.running.workspace import open_workspace
    from evalkit.store.cache import Cache, cache_url
    from evalkit.tasks.solvers.judge import Judge

    workspace = open_workspace()
    resolved = resolve_model(options["judge"], workspace.aliases)
    model = make_model(resolved)
    rubric = make_rubric(
        "judge",
        language=options["judge_lang"],
        rubric=options["rubric"],
        prompt=options["prompt"],
        scale=_scale(options["scale"]),
        labels=None if options["words"] is None else [word.strip() for word in options["words"].split(",")],
    )
    if resolved.provider not in BUILT_IN:
        preparation.check_models([(resolved, model)], say)
    judge = Judge("judge", resolved.name, resolved.route, rubric)
    url = cache_url(options["cache"], workspace.root) if model.cacheable else None
    cache = Cache(url) if url else None
    try:
        opinions, judgements = agreements.opinions_of_judge(
            rows,
            human,
            judge,
            resolved,
            model,
            cache=cache,
            max_cost=options["max_cost"],
            cluster=options["cluster"],
        )
    finally:
        if cache is not None:
            cache.close()
    said = [judgement for judgement in judgements if judgement is not None]
    costs = [judgement.cost_usd for judgement in said if not judgement.from_cache]
    cost = "unknown cost" if None in costs else format_cost(sum(cost for cost in costs if cost is not None))
    say(f"{len(said):,} answers judged, {sum(j.from_cache for j in said):,} from the cache, {cost}")
    return resolved.name, opinions


def _scale(text: str | None) -> list[float] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(-?[0-9.]+)-(-?[0-9.]+)", text.strip())
    try:
        ends = [float(end) for end in found.groups()] if found else []
    except ValueError:
        ends = []
    if len(set(ends)) < 2:
        raise UsageError(f"--scale {text!r}: write the worst and the best number, such as 1-5")
    return ends


def _print(report: Any, human: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from evalkit.pages.terminal.text import visible, width

    console = Console(width=width(), highlight=False, markup=False, emoji=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in (f"{visible(report.machine)} against {visible(human)}", "value", "95 %"):
        table.add_column(head, justify="left" if head.startswith(visible(report.machine)) else "right")
    for name, found in report.numbers.items():
        span = "" if found.lo is None or found.hi is None else f"{found.lo:.3f} to {found.hi:.3f}"
        table.add_row(name.replace("_", ", "), "–" if found.value is None else f"{found.value:.3f}", span)
    console.print(table)
    if report.labels:
        confusions = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, title="people ↓  machine →", title_justify="left"
        )
        confusions.add_column("")
        for label in report.labels:
            confusions.add_column(visible(label), justify="right")
        for label, row in zip(report.labels, report.confusion, strict=True):
            confusions.add_row(visible(label), *(str(n) for n in row))
        console.print(confusions)
    left_out = f"; {report.n_open:,} without a verdict are left out" if report.n_open else ""
    click.echo(f"{report.n:,} answers{left_out}")
