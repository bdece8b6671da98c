"""`evalkit tasks`: new, list, show, preview, check, schema; each in a file of its own."""

from __future__ import annotations

import importlib

import click

from evalkit.cli.examples import show_examples
from evalkit.cli.variables import name_variables
from evalkit.errors import did_you_mean

COMMANDS = {
    "list": ("listing:list_command", "List the tasks that there are."),
    "show": ("showing:show", "Show what a task is: prompts, metrics, data, licence, one sample."),
    "preview": ("previewing:preview", "Print exactly what is sent for one sample of a task."),
    "check": ("checking:check", "Prove that tasks are sound: data, prompts, metrics, stated chance."),
    "new": ("making:new", "Make the folder of a new task, which runs at once."),
    "schema": ("schema:schema", "Print the JSON Schema of task.yaml, for editors."),
}
"""Command -> where it is, and its line in the help: so that one command does not load the others."""


class _LazyGroup(click.Group):
    """A group that imports a command only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands in the order of their use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        show_examples(command, f"tasks {cmd_name}")
        name_variables(command, "tasks", cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; a usage error names the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(f"no command {name!r}.{did_you_mean(name, COMMANDS)} See: evalkit tasks --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup)
def tasks() -> None:
    """Make a task, list tasks, show one, preview its prompts, check them."""
