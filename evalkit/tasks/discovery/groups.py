"""Groups of tasks: what group.yaml files say, and the tree of tasks and groups that a group is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.records import TaskGroup
from evalkit.tasks.discovery.entries import GROUP_FILE, TaskEntry, find_files, read_plain
from evalkit.tasks.discovery.patterns import add_task, match, matrix_name, no_task

_KEYS = ("name", "description", "tasks", "weighting")
_MOST_LEVELS = 50
_MOST_MEMBERS = 1000
"""Of a group: each is looked for among all tasks."""


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group.yaml, or a group written inside one: tasks that are named, and averaged, together."""

    name: str
    file: Path
    description: str
    members: tuple[str | GroupEntry, ...]
    """What --tasks takes (the name of a group or of a matrix is one member), and groups written in place."""
    weighting: Literal["size", "equal"]


def list_groups(
    folders: Iterable[tuple[Path, str]], problems: list[str] | None = None
) -> dict[str, GroupEntry]:
    """The groups that group.yaml files define, by name, sorted; those inside them too.

    A broken file is left out, and `problems` learns why; without `problems` it raises TaskError that names
    file and key.
    """
    groups: dict[str, GroupEntry] = {}
    for folder, _ in folders:
        for place, name in find_files(str(folder)):
            if name != GROUP_FILE:
                continue
            file = Path(place) / name
            try:
                group = _read_group(read_plain(file), file, str(file))
            except TaskError as error:
                if problems is None:
                    raise
                problems.append(str(error))
            else:
                for each in _with_inner(group):
                    groups.setdefault(each.name, each)
    return dict(sorted(groups.items()))


def _with_inner(group: GroupEntry) -> Iterator[GroupEntry]:
    yield group
    for member in group.members:
        if isinstance(member, GroupEntry):
            yield from _with_inner(member)


def _read_group(content: Any, file: Path, where: str, depth: int = 0) -> GroupEntry:
    if not isinstance(content, dict):
        raise TaskError(f"{where}: expected `key: value` lines with `tasks:`")
    if depth > _MOST_LEVELS:
        raise TaskError(f"{file}: more than {_MOST_LEVELS} groups inside one another")
    for key in content:
        if key not in _KEYS:
            raise TaskError(
                f"{where}: unknown key {key!r}.{did_you_mean(str(key), _KEYS)} "
                f"Known keys: {', '.join(_KEYS)}."
            )
    members = content.get("tasks")
    members = [members] if isinstance(members, str) else members
    if not isinstance(members, list) or not members or not all(isinstance(m, str | dict) for m in members):
        raise TaskError(
            f"{where}: tasks: a list of names, globs, tags, or groups {{name: ..., tasks: [...]}}, "
            "with at least one"
        )
    if len(members) > _MOST_MEMBERS:
        raise TaskError(f"{where}: tasks: more than {_MOST_MEMBERS} names; use a glob or a tag")
    weighting = content.get("weighting", "size")
    if weighting not in ("size", "equal"):
        raise TaskError(f"{where}: weighting: size or equal, not {weighting!r}")
    name = content.get("name", None if depth else file.parent.name)
    if not isinstance(name, str) or not name:
        said = "missing; a group inside a group needs one" if name is None else f"a text, not {name!r}"
        raise TaskError(f"{where}: name: {said}")
    inner = tuple(
        member
        if isinstance(member, str)
        else _read_group(member, file, f"{where}: tasks: {member.get('name', member)!r:.60}", depth + 1)
        for member in members
    )
    return GroupEntry(name, file, str(content.get("description") or ""), inner, weighting)


def build_group(
    group: GroupEntry, entries: Mapping[str, TaskEntry], groups: Mapping[str, GroupEntry]
) -> tuple[TaskGroup, list[TaskEntry]]:
    """The group with its levels, and its tasks, each once.

    Raises TaskError that names the file: where a member is not there, where a group is in itself, and where
    a task is reached by two ways, so that nobody could say how much it weighs.
    """
    builder = _Builder(entries, groups)
    tree = builder.build(group, ())
    return tree, list(builder.chosen.values())


@dataclass
class _Builder:
    entries: Mapping[str, TaskEntry]
    groups: Mapping[str, GroupEntry]
    chosen: dict[str, TaskEntry] = field(default_factory=dict)
    ways: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Task -> the groups through which it was reached."""

    def build(self, group: GroupEntry, above: tuple[str, ...]) -> TaskGroup:
        if group.name in above:
            circle = " -> ".join((*above[above.index(group.name) :], group.name))
            raise TaskError(f"{group.file}: tasks: group {group.name!r} is in itself: {circle}")
        for entry in self.entries.values():
            if group.name in (entry.name, entry.group):
                what = "matrix" if group.name == entry.group else "task"
                raise TaskError(
                    f"{group.file}: name: {group.name!r} is the name of the {what} in {entry.file}; "
                    "give the group another"
                )
        way = (*above, group.name)
        members: dict[tuple[str, bool], str | TaskGroup] = {}
        for member in group.members:
            if isinstance(member, str) and (member not in self.groups or member in self.entries):
                for found in self._find(member, group, way):
                    members[found if isinstance(found, str) else found.name, isinstance(found, str)] = found
                continue
            inner = self.groups[member] if isinstance(member, str) else member
            if (inner.name, False) not in members:
                members[inner.name, False] = self.build(inner, way)
            elif not isinstance(member, str):
                raise TaskError(f"{group.file}: tasks: two groups in {group.name!r} are named {inner.name!r}")
        return TaskGroup(group.name, tuple(members.values()), group.weighting)

    def _find(self, pattern: str, group: GroupEntry, way: tuple[str, ...]) -> Iterator[str | TaskGroup]:
        """The tasks that a member means; the tasks of a matrix that it names are a group."""
        found = match(pattern, self.entries)
        if not found:
            raise TaskError(f"{group.file}: tasks: {no_task(pattern, self.entries, self.groups)}")
        matrix = matrix_name(pattern, found)
        inside = [entry for entry in found if matrix is not None and entry.group == matrix]
        for entry in found:
            self._reach(entry, group, (*way, entry.group) if entry.group and entry in inside else way)
            if entry not in inside:
                yield entry.name
        if inside and matrix is not None:
            yield TaskGroup(matrix, tuple(entry.name for entry in inside), inside[0].weighting)

    def _reach(self, entry: TaskEntry, group: GroupEntry, way: tuple[str, ...]) -> None:
        add_task(entry, self.chosen)
        other = self.ways.setdefault(entry.name, way)
        if other != way:
            first, second = (" -> ".join((*each, entry.name)) for each in (other, way))
            raise TaskError(
                f"{group.file}: tasks: {entry.name!r} is reached by two ways, {first} and {second}: how much "
                "it weighs in the mean cannot be told; leave one of them out"
            )


def select_tasks(
    patterns: Sequence[str],
    entries: Mapping[str, TaskEntry],
    groups: Mapping[str, GroupEntry] | None = None,
) -> list[TaskEntry]:
    """The tasks that the patterns name, each once, in the order asked for. Raises TaskError.

    A pattern is a name, a group, a glob (`*_zh`), a tag, `all`, or the path of a task.yaml or of its folder.
    """
    chosen: dict[str, TaskEntry] = {}
    known = groups or {}
    for pattern in patterns:
        if pattern in known and pattern not in entries:
            found = build_group(known[pattern], entries, known)[1]
        else:
            found = match(pattern, entries)
        if not found:
            raise TaskError(no_task(pattern, entries, known))
        for entry in found:
            add_task(entry, chosen)
    return list(chosen.values())
