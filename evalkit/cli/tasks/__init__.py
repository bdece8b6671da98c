"""`evalkit tasks`: new, list, show, preview, check, schema; each in a file of its own."""

from __future__ import annotations

import click

from evalkit.cli.lazy import LazyGroup

COMMANDS = {
    "list": ("evalkit.cli.tasks.listing:list_command", "List the tasks that there are."),
    "show": (
        "evalkit.cli.tasks.showing:show",
        "Show what a task is: prompts, metrics, data, licence, one sample.",
    ),
    "preview": (
        "evalkit.cli.tasks.previewing:preview",
        "Print exactly what is sent for one sample of a task.",
    ),
    "check": (
        "evalkit.cli.tasks.checking:check",
        "Prove that tasks are sound: data, prompts, metrics, stated chance.",
    ),
    "new": ("evalkit.cli.tasks.making:new", "Make the folder of a new task, which runs at once."),
    "schema": ("evalkit.cli.tasks.schema:schema", "Print the JSON Schema of task.yaml, for editors."),
}
"""Command -> where it is, and its line in the help: so that one command does not load the others."""


@click.group(cls=LazyGroup, places=COMMANDS, above=("tasks",))
def tasks() -> None:
    """Make a task, list tasks, show one, preview its prompts, check them."""
