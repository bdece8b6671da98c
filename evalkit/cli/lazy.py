"""A group of commands that loads a command only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from evalkit.cli.arguments import check_given
from evalkit.cli.examples import show_examples
from evalkit.cli.variables import mistyped_variables, name_variables
from evalkit.core.errors import did_you_mean


class LazyGroup(click.Group):
    """A group that imports a command only when it is called, and knows near misses.

    `places`: command -> its module:name, and its line in the help; `above`: the groups that it stands in.
    """

    def __init__(
        self, *args: Any, places: Mapping[str, tuple[str, str]], above: tuple[str, ...] = (), **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.places = places
        self.above = above

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands in the order of their use."""
        return list(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; None when there is none."""
        if cmd_name not in self.places:
            return None
        module, _, name = self.places[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        show_examples(command, " ".join((*self.above, cmd_name)))
        name_variables(command, *self.above, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a usage error names the nearest one."""
        name = args[0]
        if name not in self.places and not name.startswith("-"):
            whole = " ".join(("evalkit", *self.above))
            ctx.fail(f"no command {name!r}.{did_you_mean(name, self.places)} See: {whole} --help")
        found, command, rest = super().resolve_command(ctx, args)
        if command is not None and not self.above:
            _check(ctx, command, rest)
        if command is not None and not isinstance(command, click.Group) and not ctx.resilient_parsing:
            for sentence in mistyped_variables(command, *self.above, name):
                click.echo(sentence, err=True)
        return found, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.places.items()])


def _check(ctx: click.Context, command: click.Command, words: Sequence[str]) -> None:
    """Nothing; raises UsageError for arguments of the command, or of one below it, that say nothing."""
    while isinstance(command, click.Group) and words:
        below = command.get_command(ctx, words[0])
        if below is None:
            break
        command, words = below, words[1:]
    check_given(command, words)
