"""Arguments that would be taken and mean nothing: refused before a command begins."""

from __future__ import annotations

from collections.abc import Sequence

import click
from click.core import ParameterSource

from evalkit.core.errors import UsageError


def check_given(command: click.Command, words: Sequence[str]) -> None:
    """Nothing; raises UsageError for an empty value, and for an option that is given two values."""
    options = {
        flag: option
        for option in command.params
        if isinstance(option, click.Option)
        for flag in (*option.opts, *option.secondary_opts)
    }
    given: dict[str | None, str] = {}
    rest = iter(words)
    for word in rest:
        if not word.strip():
            raise UsageError(f"an argument is empty ({word!r}): a variable of the shell that is not set?")
        if word == "--":
            break
        flag, sign, value = word.partition("=")
        if word[:1] == "-" and word[1:2] != "-" and flag not in options:
            flag, sign, value = word[:2], "=", word[2:].removeprefix("=")
        option = options.get(flag)
        if option is None:
            continue
        if option.is_flag or option.count:
            value = flag
        elif not sign:
            value = " ".join(next(rest, "-") for _ in range(max(option.nargs, 1)))
        if not value.strip():
            raise UsageError(f"{flag} is empty: leave it out, or give it a value (an unset variable?)")
        if not option.multiple and given.setdefault(option.name, value) != value:
            raise UsageError(f"{flag} is given twice, as {given[option.name]} and as {value}: leave one out")


def refuse_idle(why: str, *names: str) -> None:
    """Nothing; raises UsageError where an argument of these names was typed: it decides nothing, and `why`.

    A variable of the environment is a default for many commands, and may be idle in one of them.
    """
    context = click.get_current_context()
    for param in context.command.params:
        if param.name in names and context.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            shown = param.opts[-1] if isinstance(param, click.Option) else param.make_metavar(context)
            raise UsageError(f"{shown} decides nothing here: {why}")
