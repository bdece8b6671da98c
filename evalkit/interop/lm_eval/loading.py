"""From a name or a file to a task or a group: definition, overrides, config."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.interop.lm_eval.classes import ClassTask
from evalkit.interop.lm_eval.config import build_config
from evalkit.interop.lm_eval.definition import Definition, read_definition
from evalkit.interop.lm_eval.documents import Rows
from evalkit.interop.lm_eval.groups import GROUP_KEYS, Group, read_aggregates
from evalkit.interop.lm_eval.index import IndexEntry, TaskIndex
from evalkit.interop.lm_eval.modules import resolve_values
from evalkit.interop.lm_eval.task import LmEvalTask

Source = IndexEntry | Definition | Path | str
"""An entry of an index, a task that a group defines in line, a file, or a name."""

Member = tuple[IndexEntry | Definition, dict[str, Any]]
"""A task of a group and the keys that the group replaces."""


def load_task(
    source: Source,
    *,
    index: TaskIndex | None = None,
    rows: Rows | None = None,
    trust: bool = False,
    overrides: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    facade: bool = False,
) -> LmEvalTask:
    """The task of an index entry, of a file, or of a name in `index`. Raises TaskError.

    `rows` takes the place of the task's data. `trust` allows the task's own Python to run. `overrides`
    replace top-level keys, as a group does; `metadata` is added to the task's own (custom data sets read it).
    `facade` keeps the `datasets` package out even where it is installed.
    """
    definition = source if isinstance(source, Definition) else read_definition(_file(source, index))
    file = definition.file
    if "class" not in definition.values and "group" in definition.values:
        raise TaskError(f"{file}: group: this is a group; load it with load_group")
    if "task" not in definition.values and "class" not in definition.values:
        raise TaskError(f"{file}: task: the key is missing, so the file defines no task")
    values = dict(overrides or {})
    own = definition.values.get("metadata")
    if metadata:
        values["metadata"] = {**(own if isinstance(own, dict) else {}), **metadata}
    if definition.values.get("unsafe_code") and not trust:
        raise TaskError(
            f"{definition.where('unsafe_code')}: the task runs what a model wrote; allow it with --trust"
        )
    resolved = resolve_values(definition, values, trust=trust)
    if "class" in resolved:
        return ClassTask(definition, resolved, rows=rows)
    return LmEvalTask(build_config(definition, resolved), file, rows=rows, facade=facade)


def _file(source: IndexEntry | Path | str, index: TaskIndex | None) -> Path:
    if isinstance(source, Path):
        return source
    if isinstance(source, str):
        if index is None:
            raise TaskError(f"{source!r}: a name needs an index to be found in")
        source = index.find(source)
    if source.file is None:
        raise TaskError(f"{source.name!r} is a tag, not a task; it stands for: {', '.join(source.members)}")
    return source.file


def load_group(
    source: IndexEntry | Path | str, index: TaskIndex, *, overrides: Mapping[str, Any] | None = None
) -> tuple[Group, dict[str, Member]]:
    """The group, and each task below it: what `load_task` takes, and its `overrides`. Raises TaskError."""
    file = _file(source, index)
    definition = read_definition(file)
    if "group" not in definition.values:
        raise TaskError(f"{file}: group: the key is missing, so the file defines no group")
    tasks: dict[str, Member] = {}
    group = _group(
        str(definition.values["group"]),
        definition.values,
        definition,
        index,
        dict(overrides or {}),
        tasks,
        (),
    )
    return group, tasks


def _group(
    name: str,
    values: Mapping[str, Any],
    definition: Definition,
    index: TaskIndex,
    overrides: dict[str, Any],
    tasks: dict[str, Member],
    above: tuple[str, ...],
) -> Group:
    if name in above:
        raise TaskError(f"{definition.where('task')}: group {name!r} contains itself")
    above = (*above, name)
    own = {key: value for key, value in values.items() if key not in (*GROUP_KEYS, "tag", "include")}
    overrides = {**own, **overrides}
    members = values.get("task")
    # As in the field, a `task` that is one text leaves the group without children.
    items = members if isinstance(members, list) else []
    children: list[Group | str] = []
    for item in items:
        children.extend(_members(name, item, definition, index, overrides, tasks, above))
    alias = values.get("group_alias")
    metadata = values.get("metadata")
    return Group(
        name=name,
        alias=None if alias is None else str(alias),
        children=tuple(children),
        aggregates=read_aggregates(
            values.get("aggregate_metric_list"), definition.where("aggregate_metric_list")
        ),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _members(
    group: str,
    item: Any,
    definition: Definition,
    index: TaskIndex,
    overrides: dict[str, Any],
    tasks: dict[str, Member],
    above: tuple[str, ...],
) -> list[Group | str]:
    where = definition.where("task")
    if isinstance(item, dict) and "group" in item:
        name = str(item["group"])
        entry = index.entries.get(name)
        if entry is None or entry.file is None:
            return [_group(f"{group}::{name}", item, definition, index, overrides, tasks, above)]
        inner = {key: value for key, value in item.items() if key != "group"}
        return [_registered(entry, index, {**overrides, **inner}, tasks, above)]
    if isinstance(item, dict) and "task" in item:
        name, overrides = str(item["task"]), {**overrides, **item}
    elif isinstance(item, str):
        name = item
    else:
        raise TaskError(
            f"{where}: each member is a name, or a mapping with `task` or `group`, not {item!r:.60}"
        )
    entry = index.entries.get(name)
    if entry is None:
        if not isinstance(item, dict):
            index.find(name)
        title = f"{group}::{name}"
        tasks[title] = (Definition(definition.file, {**overrides, "task": title}, {}), {})
        return [title]
    if entry.kind == "group":
        return [_registered(entry, index, overrides, tasks, above)]
    names = entry.members if entry.kind == "tag" else (name,)
    for title in names:
        tasks[title] = (index.find(title), {**overrides, "task": title})
    return list(names)


def _registered(
    entry: IndexEntry,
    index: TaskIndex,
    overrides: dict[str, Any],
    tasks: dict[str, Member],
    above: tuple[str, ...],
) -> Group:
    if entry.file is None:
        raise TaskError(f"{entry.name!r} is a tag, not a group")
    definition = read_definition(entry.file)
    values = {**definition.values, **{k: v for k, v in overrides.items() if k in GROUP_KEYS and k != "task"}}
    rest = {key: value for key, value in overrides.items() if key not in GROUP_KEYS}
    return _group(entry.name, values, definition, index, rest, tasks, above)
