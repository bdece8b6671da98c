"""A variable for every option: `--max-cost` of `evalkit run` is EVALKIT_RUN_MAX_COST."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from evalkit.core.errors import did_you_mean


def name_variables(command: click.Command, *path: str) -> None:
    """Nothing; gives every option of a command, and of those below it, a variable named like its long flag.

    click alone would name it after the function's argument: EVALKIT_RUN_AS_JSON for `--json`. A variable that
    an option has already goes on to count.
    """
    for option in command.params:
        flags = [flag for flag in (*option.opts, *option.secondary_opts) if flag.startswith("--")]
        if not isinstance(option, click.Option) or not flags:
            continue
        words = ("evalkit", *path, flags[0].removeprefix("--"))
        name = "_".join(words).replace("-", "_").upper()
        own = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
        option.envvar = [*own, *([name] if name not in own else [])]
    if isinstance(command, click.Group):
        for below, each in command.commands.items():
            name_variables(each, *path, below)


def mistyped_variables(command: click.Command, *path: str) -> Iterator[str]:
    """A sentence on each variable of the environment that means an option which this command has not."""
    known = [
        name
        for option in command.params
        for name in ([option.envvar] if isinstance(option.envvar, str) else option.envvar or ())
    ]
    prefix = "_".join(("evalkit", *path, "")).replace("-", "_").upper()
    for name in sorted(os.environ):
        if name.startswith(prefix) and name not in known:
            whole = " ".join(("evalkit", *path))
            yield f"{name} is no option of {whole} and has no effect.{did_you_mean(name, known, 1)}"
