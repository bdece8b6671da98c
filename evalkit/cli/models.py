"""`evalkit models`: list, check."""

from __future__ import annotations

import click

from evalkit.cli.options import NameList, join
from evalkit.pages.terminal.console import visible


@click.group()
def models() -> None:
    """List built-in models and aliases; check models before a run."""


@models.command("list")
def list_command() -> int:
    """List the aliases of the workspace and the models that need no key."""
    from evalkit.models.baseline import BASELINES
    from evalkit.running.workspace import open_workspace

    workspace = open_workspace()
    for alias, settings in workspace.aliases.items():
        place = f" at {settings.api_base}" if settings.api_base else ""
        click.echo(visible(f"{alias:<20} {settings.model}{place}"))
    for name, description in BASELINES.items():
        click.echo(f"{name:<20} {description}")
    for name, description in (
        ("replay/FILE.jsonl", "scores recorded answers, without any call"),
        ("mock/echo, mock/...", "answers by rule, for trials"),
        ("provider/name", "any model that LiteLLM serves, such as openai/gpt-4o-mini or ollama_chat/llama3"),
    ):
        click.echo(f"{name:<20} {description}")
    return 0


@models.command()
@click.argument("names", nargs=-1, required=True, type=NameList())
def check(names: tuple[tuple[str, ...], ...]) -> int:
    """Check that the models NAMES can be asked: key, server, name. Spends nothing."""
    from evalkit.models.making import make_model
    from evalkit.models.resolution import resolve_model
    from evalkit.running.preparation import check_models
    from evalkit.running.workspace import open_workspace

    workspace = open_workspace()
    resolved = [resolve_model(name, workspace.aliases) for name in join(names)]
    models_ = [(entry, make_model(entry)) for entry in resolved]
    check_models(models_, lambda text: click.echo(visible(text), err=True))
    for entry in resolved:
        click.echo(visible(f"ok  {entry.how or entry.name}"))
    return 0
