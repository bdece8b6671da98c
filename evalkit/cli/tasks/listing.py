"""`evalkit tasks list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from evalkit.pages.terminal.text import visible, width


@click.command("list")
@click.option("--include-path", multiple=True, type=click.Path(), help="A further folder with tasks.")
@click.option("--verbose", is_flag=True, help="Every task of a matrix on a line of its own.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.argument("patterns", nargs=-1)
def list_command(include_path: Sequence[str], verbose: bool, as_json: bool, patterns: tuple[str, ...]) -> int:
    """List the tasks that there are, or those that PATTERNS (names, globs, tags, groups) name."""
    from evalkit.cli.arguments import refuse_idle
    from evalkit.core.project import find_project
    from evalkit.tasks.discovery import list_groups, list_tasks, search_path, select_tasks
    from evalkit.tasks.index import TaskIndex, index_file

    if as_json or patterns:
        refuse_idle("every task is listed by itself anyway", "verbose")
    index = TaskIndex(index_file())
    folders = search_path(find_project()[0], include_path, index)
    problems: list[str] = []
    entries, groups = list_tasks(folders, index, problems), list_groups(folders, problems)
    index.save()
    for problem in problems:
        click.echo(visible(f"left out: {problem}", keep_lines=True), err=True)
    chosen = select_tasks(patterns, entries, groups) if patterns else list(entries.values())
    if as_json:
        _print_json(chosen, _groups_of(entries, groups))
        return 0
    rows: dict[tuple[str, str], list[Any]] = {}
    for entry in chosen:
        key = ("group", entry.group) if entry.group and not (verbose or patterns) else ("task", entry.name)
        rows.setdefault(key, []).append(entry)
    for group in () if patterns else groups.values():
        rows["file", group.name] = [group]
    lines = [
        _line(kind, name, found, entries, groups) for (kind, name), found in sorted(rows.items(), key=_name)
    ]
    column = max((len(name) for name, *_ in lines), default=0)
    room = width()
    out = []
    for name, language, kind, description in lines:
        head = f"{name:<{column}}  {language:<3} {kind:<10}  "
        out.append(visible(head + _cut(description, room - len(head))))
    if out:
        click.echo("\n".join(out))
    return 0


def _name(row: tuple[tuple[str, str], Any]) -> str:
    return row[0][1]


def _line(kind: str, name: str, found: list[Any], entries: Any, groups: Any) -> tuple[str, str, str, str]:
    if kind == "file":
        from evalkit.core.errors import TaskError
        from evalkit.tasks.discovery import build_group

        try:
            tree, _ = build_group(found[0], entries, groups)
        except TaskError as error:  # it names what is not here
            return f"{name}  0 tasks", "", "group", f"not usable: {error}"
        nested = f"{len(tree.members)} members, " if tree.is_nested else ""
        return f"{name}  {nested}{len(tree.tasks)} tasks", "", "group", found[0].description
    first = found[0]
    if kind == "task" or len(found) == 1:
        return first.name, first.language, first.kind, first.description
    languages = {entry.language for entry in found}
    language = first.language if len(languages) == 1 else "*"
    return f"{name}  {len(found)} tasks", language, first.kind, _common(found)


def _common(entries: Sequence[Any]) -> str:
    """What the descriptions of a matrix' tasks begin with, else the first of them."""
    texts: list[str] = sorted(entry.description for entry in entries)
    pairs = enumerate(zip(texts[0], texts[-1], strict=False))
    n = next((n for n, (one, other) in pairs if one != other), len(texts[0]))
    return texts[0] if n < 8 or n == len(texts[0]) else texts[0][:n].rstrip(" (（") + "…"


def _groups_of(entries: Any, groups: Any) -> dict[str, list[str]]:
    """Task -> the groups of group.yaml files that it is in, at any depth; broken ones are left out."""
    from evalkit.core.errors import TaskError
    from evalkit.tasks.discovery import build_group

    found: dict[str, list[str]] = {}
    for name, group in groups.items():
        try:
            tree, _ = build_group(group, entries, groups)
        except TaskError as error:
            click.echo(visible(f"left out: {error}", keep_lines=True), err=True)
            continue
        for task in tree.tasks:
            found.setdefault(task, []).append(name)
    return found


def _print_json(chosen: Sequence[Any], groups: dict[str, list[str]]) -> None:
    import json

    rows = [
        {
            "name": entry.name,
            "group": entry.group,
            "groups": groups.get(entry.name, []),
            "description": entry.description,
            "language": entry.language,
            "kind": entry.kind,
            "tags": list(entry.tags),
            "origin": entry.origin,
        }
        for entry in chosen
    ]
    click.echo(json.dumps(rows, ensure_ascii=False, indent=2))


def _cut(text: str, room: int) -> str:
    """The text cut to so many terminal columns; a Chinese character takes two."""
    room = max(room, 20)
    if text.isascii():
        return text if len(text) <= room else text[: room - 1] + "…"
    import unicodedata

    used = 0
    for place, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > room:
            return text[: place - 1] + "…"
    return text
