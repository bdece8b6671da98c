"""`evalkit tasks schema`."""

from __future__ import annotations

import click


@click.command()
def schema() -> int:
    """Print the JSON Schema of task.yaml, for editors.

    Write it to a file and begin task.yaml with `# yaml-language-server: $schema=FILE`.
    """
    from evalkit.tasks.editor import schema_text

    click.echo(schema_text(), nl=False)
    return 0
