"""`evalkit gate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from evalkit.cli.options import (
    Number,
    names_option,
    read_request,
    request_options,
    run_argument,
    typed_command,
)


@click.command(
    epilog="Examples:\n\n"
    "\b\n"
    "  evalkit gate latest --baseline reports/baseline --tolerance 0.02\n"
    "  evalkit gate --baseline reports/baseline --models gpt-4o-mini --early-stop fail --tolerance 0.02\n"
    "  evalkit gate --baseline reports/baseline --plan --tolerance 0.02\n"
    "  evalkit gate --bless latest --baseline reports/baseline --reason 'prompt v2, issue 12'\n\n"
    "Exit codes: 0 pass, or inconclusive with a warning; 1 fail: a proven regression; 2 usage;\n"
    "3 inconclusive with --strict; 4 not comparable."
)
@run_argument(required=False)
@click.option("--baseline", required=True, help="The accepted run: a folder, a .zip, a run id, or a prefix.")
@click.option(
    "--tolerance",
    "tolerances",
    multiple=True,
    metavar="0.02|task:metric=0.02",
    help="Allowed drop: a share of the scale (0.02 is two points of 100); of perplexities, of the baseline.",
)
@click.option("--floor", "floors", multiple=True, metavar="task:metric=0.8", help="The least value.")
@click.option("--macro", is_flag=True, help="Judge the mean over tasks too, where each has 50 samples.")
@click.option("--relative", is_flag=True, help="Tolerances are shares of the baseline's value.")
@names_option("--metric", "metrics", help="Further metrics to judge, or all; each task's headline always is.")
@click.option(
    "--alpha", type=Number(), default=0.05, show_default=True, help="Probability of a wrong verdict."
)
@click.option(
    "--target",
    type=click.Choice(["population", "dataset"]),
    default="population",
    show_default=True,
    help="What the samples stand for: more like them, or themselves.",
)
@click.option(
    "--max-error-rate", type=Number(), metavar="SHARE", help="Samples without a score; default 0.05."
)
@click.option(
    "--max-cost-increase", type=Number(), metavar="SHARE", help="Judge the cost per sample as well."
)
@click.option("--max-latency-increase", type=Number(), metavar="SHARE", help="Judge the seconds per sample.")
@names_option("--allow", help="Kinds of difference that may be: data, prompt, metric, mode, cells, ...")
@click.option("--strict", is_flag=True, help="Inconclusive exits with 3.")
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), help="Write a pull request comment to this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@click.option("--plan", "only_plan", is_flag=True, help="Say how many samples the gate needs; judge nothing.")
@click.option("--bless", metavar="RUN", help="Make this run the baseline; needs --reason.")
@click.option("--reason", default="", help="Why the baseline changes; kept in its bless.json.")
@request_options("models", models="Without RUN: models to ask; default those of the baseline.")
@click.option(
    "--early-stop",
    type=click.Choice(["off", "fail", "both"]),
    default="off",
    show_default=True,
    help="Without RUN: end the run as soon as this verdict is certain.",
)
@request_options(
    "data",
    "include_path",
    "trust",
    "executor",
    "cache",
    "fresh",
    "max_cost",
    "max_connections",
    "out",
)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def gate(run: str | None, baseline: str, **options: Any) -> int:
    """Judge RUN, or models asked now, against a baseline: pass, fail or inconclusive.

    fail is a proven regression. Without RUN the baseline's plan is asked of --models.
    """
    from evalkit import gate as gates
    from evalkit.running.workspace import open_workspace
    from evalkit.store.folders import find_run

    root = options["out"] or open_workspace().root / "reports"
    _check(run, options)
    if options["bless"] is not None:
        path = gates.bless(find_run(options["bless"], root), baseline, options["reason"])
        click.echo(f"baseline {path}: now run {gates.read_history(path)[-1]['run']}")
        return 0
    base = gates.open_baseline(baseline, root)
    rules = _rules(options)
    if options["only_plan"]:
        return _print_plan(base, rules, options)
    if run is not None:
        found = gates.judge_run(base, find_run(run, root), rules, options["include_path"])
    else:
        found = gates.ask_and_judge(base, rules, _asking(options))
    _write(found, options)
    if found.verdict == "inconclusive" and options["strict"]:
        return 3
    return found.exit_code


def _check(run: str | None, options: dict[str, Any]) -> None:
    from evalkit.cli.arguments import refuse_idle
    from evalkit.core.errors import UsageError

    if run is not None and options["models"]:
        raise UsageError("--models asks models now, and RUN is finished: give one of the two")
    if run is not None and options["early_stop"] != "off":
        raise UsageError("--early-stop is for asking models now; RUN is finished")
    if options["bless"] is None and options["reason"]:
        raise UsageError("--reason belongs to --bless RUN")
    if options["bless"] is not None:
        others = set(options) - {"bless", "reason", "out", "quiet"}
        refuse_idle("--bless RUN makes a run the baseline, and judges nothing", "run", *others)
    elif options["only_plan"]:
        refuse_idle("--plan looks at the baseline alone", "run", "strict", "junit", "markdown")
    elif run is not None:
        refuse_idle("it is for asking models now, and RUN is finished", *_ASKING)


_ASKING = ("data", "trust", "executor", "cache", "fresh", "max_cost", "max_connections")
"""Options of a gate that asks models."""


def _rules(options: dict[str, Any]) -> Any:
    from evalkit.gate import Rules, parse_floors, parse_tolerances
    from evalkit.gate.rules import MAX_MISSING

    general, single = parse_tolerances(options["tolerances"])
    rate = options["max_error_rate"]
    return Rules(
        tolerance=general,
        tolerances=single,
        floors=parse_floors(options["floors"]),
        metrics=options["metrics"],
        alpha=options["alpha"],
        target=options["target"],
        early_stop=options["early_stop"],
        relative=options["relative"],
        max_error_rate=MAX_MISSING if rate is None else rate,
        max_cost_increase=options["max_cost_increase"],
        max_latency_increase=options["max_latency_increase"],
        allow=frozenset(options["allow"]),
        macro=options["macro"],
    )


def _asking(options: dict[str, Any]) -> Any:

    from evalkit.gate import Asking
    from evalkit.pages.terminal.console import say
    from evalkit.pages.terminal.progress import ProgressBar

    loud = not (options["quiet"] or options["as_json"])
    return Asking(
        request=read_request(options),
        command=typed_command(),
        say=say if loud else None,
        watcher=ProgressBar() if loud else None,
    )


def _print_plan(base: Any, rules: Any, options: dict[str, Any]) -> int:
    from evalkit.comparing.comparison import tasks_of
    from evalkit.gate.planning import plan_gate
    from evalkit.pages.terminal.verdicts import print_needs
    from evalkit.running.workspace import open_workspace

    tasks = tasks_of([base], open_workspace().root, options["include_path"])
    needs, notes = plan_gate(base, rules, tasks)
    if options["as_json"]:
        _print_json({"needs": needs, "notes": notes})
    else:
        print_needs(needs, notes)
    return 0


def _write(found: Any, options: dict[str, Any]) -> None:
    """Every form of the verdict that was asked for."""
    from evalkit.pages.gate.junit import to_junit
    from evalkit.pages.gate.markdown import to_markdown
    from evalkit.pages.terminal.verdicts import print_gate

    if options["junit"] is not None:
        _write_file(options["junit"], to_junit(found, strict=options["strict"]))
    if options["markdown"] is not None:
        _write_file(options["markdown"], to_markdown(found))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        _append(summary, to_markdown(found))
    if options["as_json"]:
        _print_json(found)
    else:
        print_gate(found)


def _write_file(path: Path, text: str) -> None:
    """A file that other jobs read: with the user's own permissions, not private."""
    from evalkit.core.errors import StoreError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _append(path: str, text: str) -> None:
    from evalkit.pages.terminal.console import say

    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        say(f"cannot write the step summary {path}: {error.strerror or error}")


def _print_json(content: Any) -> None:
    import orjson

    sys.stdout.buffer.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
