"""What a user writes after --tasks: names, groups, globs, tags and paths."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.tasks.discovery.entries import TASK_FILE, TaskEntry, read_entries


def no_task(pattern: str, entries: Mapping[str, TaskEntry], groups: Iterable[str] = ()) -> str:
    """That nothing has this name, with what is near to it or all that there is."""
    tags = sorted({tag for entry in entries.values() for tag in entry.tags})
    names = list(dict.fromkeys(entry.group or entry.name for entry in entries.values()))
    near = did_you_mean(pattern, [*names, *entries, *tags, *groups])
    every = f"Tasks: {', '.join(names) or 'none'}. Tags: {', '.join(tags) or 'none'}."
    rest = "`evalkit tasks list` shows all tasks and their tags." if near else every
    return f"no task {pattern!r}.{near} {rest}"


def add_task(entry: TaskEntry, chosen: dict[str, TaskEntry]) -> None:
    """Put the task among those chosen; raises TaskError where another file has a task of its name there."""
    other = chosen.setdefault(entry.name, entry)
    if other.file != entry.file:
        raise TaskError(
            f"two tasks are named {entry.name!r}: {other.file} and {entry.file}; rename one of them"
        )


def match(pattern: str, entries: Mapping[str, TaskEntry]) -> list[TaskEntry]:
    """The tasks that a pattern, which names no group.yaml, means; empty when there are none."""
    if pattern in entries:
        return [entries[pattern]]
    if pattern == "all":
        return list(entries.values())
    path = os.path.expanduser(pattern)  # os.path takes any text for a path, also one that cannot be
    for file in (path, os.path.join(path, TASK_FILE)):
        if os.path.isfile(file) and file.endswith((".yaml", ".yml")):
            listed = (entry for entry in entries.values() if os.path.samefile(entry.file, file))
            return list(listed) or read_entries(Path(file), "included")
    if _is_glob(pattern):
        return [entry for name, entry in entries.items() if fnmatch.fnmatchcase(name, pattern)]
    return [entry for entry in entries.values() if pattern == entry.group or pattern in entry.tags]


def matrix_name(pattern: str, found: Sequence[TaskEntry]) -> str | None:
    """The matrix that a pattern means as a whole, by name or path; None for a task, a glob or a tag."""
    if any(pattern == entry.group for entry in found):
        return pattern
    named = any(pattern == entry.name or pattern in entry.tags for entry in found)
    return None if named or pattern == "all" or _is_glob(pattern) else found[0].group


def _is_glob(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")
