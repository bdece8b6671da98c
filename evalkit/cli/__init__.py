"""The command line: one thin file per command, loaded when it is called."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import click

from evalkit.cli.lazy import LazyGroup
from evalkit.core import signals, watchdog
from evalkit.core.errors import EvalkitError
from evalkit.core.version import __version__

COMMANDS = {
    "run": ("evalkit.cli.run:run", "Evaluate models on tasks; writes a run folder, a report and a table."),
    "report": ("evalkit.cli.report:report", "Write the HTML report of a run, or print the run as JSON."),
    "leaderboard": ("evalkit.cli.leaderboard:leaderboard", "Build the HTML leaderboard of one or more runs."),
    "view": ("evalkit.cli.view:view", "Show a folder of runs in the browser, live while a run goes on."),
    "tasks": ("evalkit.cli.tasks:tasks", "Make, list, show, preview and check tasks."),
    "metrics": (
        "evalkit.cli.metrics:metrics",
        "List the metrics, or explain one: formula, source, pitfalls.",
    ),
    "models": (
        "evalkit.cli.models:models",
        "List built-in models and aliases; check models before a run.",
    ),
    "score": ("evalkit.cli.score:score", "Score a file of recorded answers on a task, without any call."),
    "rescore": ("evalkit.cli.rescore:rescore", "Score a finished run again, without a call."),
    "compare": ("evalkit.cli.compare:compare", "Compare prompts, models or runs, paired by sample."),
    "arena": ("evalkit.cli.arena:arena", "Rate models pair by pair: a judge decides, or files say who won."),
    "agreement": (
        "evalkit.cli.agreement:agreement",
        "How far a judge or a metric agrees with people's labels.",
    ),
    "gate": ("evalkit.cli.gate:gate", "Judge a run against a baseline: pass, fail or inconclusive."),
    "badcases": ("evalkit.cli.badcases:badcases", "Make the failures of a run into a task of their own."),
    "import": (
        "evalkit.cli.importing:import_",
        "Make runs of another tool's results: lm-eval, Inspect, HELM, ...",
    ),
    "export": ("evalkit.cli.exporting:export", "Write a run as csv, parquet, LaTeX, or for another tool."),
    "init": ("evalkit.cli.init:init", "Begin a workspace: configuration, a task, a gate, a CI file."),
    "doctor": ("evalkit.cli.doctor:doctor", "Look at installation, keys, servers, cache; say what to mend."),
    "completion": ("evalkit.cli.completion:completion", "Print the completion script of bash, zsh or fish."),
    "cache": ("evalkit.cli.cache:cache", "Show what the cache of paid answers holds."),
}
"""Command -> where it is, and its line in the help: so that --help loads none of them."""


@click.group(
    cls=LazyGroup,
    places=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "EVALKIT"},
    epilog="First steps:  evalkit run   ·   evalkit tasks list   ·   evalkit run --models gpt-4o-mini,llama3",
)
@click.version_option(__version__, "-V", "--version", prog_name="evalkit")
@click.pass_context
def cli(context: click.Context) -> None:
    """Evaluate language models: the same prompts to every model, honest scores, leaderboards."""
    from evalkit.core.env_file import read_env_file
    from evalkit.core.project import find_project

    root, file = find_project()
    read_env_file(root)
    if file is not None and context.invoked_subcommand == "run":
        context.default_map = {"run": _configured()}


def _configured() -> dict[str, Any]:
    """What the project's configuration says of the options of `evalkit run`."""
    from evalkit.core.errors import ConfigError
    from evalkit.running.workspace import open_workspace

    try:
        return dict(open_workspace().options)
    except ConfigError:
        return {}  # the command itself opens the workspace and says what is wrong; its --help works without


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code; a user never sees a traceback."""
    if args is None:
        signals.catch()
    watchdog.listen(_say)
    gc.set_threshold(20_000, 20, 50)  # its default looks through all modules again and again while they load
    if os.environ.get("EVALKIT_DEBUG") == "1":
        _exit(_call(args))
    try:
        code = _call(args)
    except EvalkitError as error:
        _say(f"Error: {error}")
        code = error.exit_code
    except KeyboardInterrupt:
        _say("Interrupted.")
        code = 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if _is_interrupt(error):
            signals.leave()
        _say(
            f"Error: {type(error).__name__}: {error}\n"
            "This is a defect of evalkit; EVALKIT_DEBUG=1 shows where it happened. Please report it."
        )
        code = 2
    _exit(code)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether an error came of Ctrl-C: Python raises others in its place, while modules load."""
    return error is not None and (
        isinstance(error, KeyboardInterrupt)
        or _is_interrupt(error.__cause__)
        or _is_interrupt(error.__context__)
    )


def _call(args: list[str] | None) -> int:
    try:
        result: Any = cli.main(args=args, prog_name="evalkit", standalone_mode=False)
    except click.exceptions.Abort:  # what click makes of Ctrl-C
        _say("Interrupted.")
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    return result if isinstance(result, int) else 0


def _say(text: str) -> None:
    from evalkit.core.redaction import refresh
    from evalkit.pages.terminal.text import visible

    click.echo(visible(refresh().clean(text), keep_lines=True), err=True)


def _exit(code: int) -> None:
    """Leave without a last look through the heap, which costs a second once LiteLLM is loaded."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()
    if signals.count():  # a thread that does not end would be waited for
        os._exit(code)
    sys.exit(code)
