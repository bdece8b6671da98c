"""`evalkit tasks show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from evalkit.pages.terminal.console import visible


def load_one(
    name: str, include_path: Sequence[str], trust: bool, data: Mapping[str, Any] | None = None
) -> Any:
    """The task of this name."""
    from evalkit.running.selection import find_tasks
    from evalkit.running.workspace import open_workspace

    return find_tasks(open_workspace(), [name], data=data, include_path=include_path, trust=trust)[0]


@click.command()
@click.argument("name")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--trust", is_flag=True, help="Let a task from outside the workspace run its own Python.")
def show(name: str, include_path: Sequence[str], trust: bool) -> int:
    """Show what a task is: its prompts, metrics, data, licence, and one sample; or the members of a group."""
    import json

    from evalkit.tasks.targets import GOLD

    if _show_group(name, include_path):
        return 0
    task = load_one(name, include_path, trust)
    spec = task.spec
    samples = list(task.samples())
    rows = (
        ("task", spec.name),
        ("", spec.description),
        ("file", str(task.file)),
        ("kind", f"{spec.kind}, language {spec.language}, version {spec.version}"),
        ("licence", spec.license or "not stated"),
        ("source", spec.source or "not stated"),
        ("samples", f"{len(samples):,}, few-shot {len(task.few_shot_pool())}"),
        *([("gold", f"{GOLD[task.gold.meaning]}, as {task.gold.evidence}")] if task.gold else []),
        ("metrics", ", ".join(str(m) if isinstance(m, str) else json.dumps(m) for m in spec.metrics)),
        ("chance", "none" if spec.chance is None else str(spec.chance)),
    )
    for label, value in rows:
        click.echo(f"{label:<9}{visible(value)}")
    for variant in task.variant_names():
        click.echo(f"\nprompt {variant}")
        click.echo(visible(task.variant(variant).text() or spec.text or "", keep_lines=True))
    click.echo("\nsample")
    click.echo(
        visible(
            json.dumps(dict(samples[0].fields), ensure_ascii=False, indent=2, default=str), keep_lines=True
        )
    )
    return 0


def _show_group(name: str, include_path: Sequence[str]) -> bool:
    """Print the group of a group.yaml with its levels; False where there is none of this name."""
    from evalkit.running.workspace import open_workspace
    from evalkit.tasks.discovery import build_group, list_groups, list_tasks, search_path

    folders = search_path(open_workspace().root, include_path)
    groups, entries = list_groups(folders, []), list_tasks(folders, problems=[])
    if name not in groups or name in entries:
        return False
    tree, _ = build_group(groups[name], entries, groups)
    rows = (
        ("group", name),
        ("", groups[name].description),
        ("file", str(groups[name].file)),
        ("mean", f"{_alike(tree)}; {len(tree.members)} members, {len(tree.tasks)} tasks"),
    )
    for label, value in rows:
        click.echo(f"{label:<9}{visible(value)}")
    click.echo("\nmembers")
    _show_members(tree, "")
    return True


def _alike(tree: Any) -> str:
    return "every member counts alike" if tree.weighting == "equal" else "every sample counts alike"


def _show_members(tree: Any, indent: str) -> None:
    for member in tree.members:
        if isinstance(member, str):
            click.echo(visible(f"{indent}{member}"))
        else:
            click.echo(visible(f"{indent}{member.name}  ({_alike(member)})"))
            _show_members(member, indent + "  ")
