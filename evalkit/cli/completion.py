"""`evalkit completion`, and the candidates that a shell offers: tasks, models and runs of the project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

INSTALL = {
    "bash": 'eval "$(evalkit completion bash)"            # in ~/.bashrc',
    "zsh": 'eval "$(evalkit completion zsh)"             # in ~/.zshrc',
    "fish": "evalkit completion fish | source             # in ~/.config/fish/config.fish",
}
"""Shell -> the line that a user adds to its configuration."""
_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(sorted(INSTALL)), required=False)
def completion(shell: str | None) -> int:
    """Print the completion script of SHELL: commands, options, tasks, models and runs by Tab.

    Without SHELL: the line to add to the shell's configuration.
    """
    if shell is None:
        name = os.path.basename(os.environ.get("SHELL", ""))
        click.echo("\n".join([INSTALL[name]] if name in INSTALL else INSTALL.values()))
        return 0
    from evalkit.cli import cli

    script = _SHELLS[shell](cli, {}, "evalkit", "_EVALKIT_COMPLETE")
    # Not source(): click's bash class runs the bash of the PATH first, to see its version.
    click.echo(script.source_template % script.source_vars())
    return 0


def complete_names(kind: str, incomplete: str) -> list[CompletionItem]:
    """What may stand at the end of a comma-separated list of `kind`: tasks, models, prompts; else nothing."""
    begun, comma, last = incomplete.rpartition(",")
    listed = set(begun.split(","))
    candidates: Callable[[], Iterable[str]] | None = {
        "tasks": _tasks,
        "patterns": _tasks,
        "models": _models,
        "names": _models,
    }.get(kind)
    if candidates is None:
        return []
    return [
        CompletionItem(f"{begun}{comma}{name}")
        for name in candidates()
        if name.startswith(last) and name not in listed
    ]


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`latest`, the runs of the project's reports, newest first, and what the shell finds itself."""
    from evalkit.core.project import find_project
    from evalkit.store.folders import list_runs

    runs = [folder.name for folder in reversed(list_runs(find_project()[0] / "reports"))]
    found = [CompletionItem(name) for name in ("latest", *runs) if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def _tasks() -> Iterable[str]:
    from evalkit.core.project import find_project
    from evalkit.tasks.discovery import list_tasks, search_path
    from evalkit.tasks.index import TaskIndex, index_file

    return list_tasks(search_path(find_project()[0], ()), TaskIndex(index_file()), [])


def _models() -> Iterable[str]:
    from evalkit.core.errors import EvalkitError
    from evalkit.models.baseline import BASELINES
    from evalkit.running.workspace import open_workspace

    try:
        aliases = list(open_workspace().aliases)
    except EvalkitError:
        aliases = []
    return [*aliases, *BASELINES]
