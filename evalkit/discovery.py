"""From a task's name to its folder.

Folders of tasks are searched in this order: those given by --include-path, ./tasks of the workspace,
$EVALKIT_TASKS, the entry point group `evalkit.tasks`, the bundled ones. The first task of a name wins.
"""

from __future__ import annotations

import fnmatch
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import TaskError, did_you_mean
from evalkit.matrix import Assignment, assignments, group_name, substitute, task_name
from evalkit.task_index import TaskIndex

TASK_FILE = "task.yaml"
GROUP_FILE = "group.yaml"
ENTRY_POINTS = "evalkit.tasks"


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """What a listing says of a task; the whole file is checked only when the task is loaded."""

    name: str
    file: Path
    origin: str
    """included, workspace, environment, installed or bundled."""
    description: str
    language: str
    kind: str
    tags: tuple[str, ...]
    hub: bool = False
    """Whether its samples are downloaded: such a task runs only when it is named."""
    assignment: Assignment | None = None
    """The values of the file's matrix that make this task; None without a matrix."""
    group: str | None = None
    """The name that all tasks of the matrix share; None without a matrix."""

    @property
    def trusted(self) -> bool:
        """Whether the Python of this task may run without --trust."""
        return self.origin in ("workspace", "installed", "bundled")


@dataclass(frozen=True, slots=True)
class GroupEntry:
    """A group.yaml: tasks that are named, and averaged, together."""

    name: str
    file: Path
    description: str
    patterns: tuple[str, ...]
    """The tasks as --tasks takes them."""
    weighting: str
    """size or equal."""


def bundled_folder() -> Path:
    """The folder of the bundled tasks: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "_tasks"
    return installed if installed.is_dir() else package.parent / "tasks"


def search_path(
    root: Path, include: Sequence[str | Path] = (), index: TaskIndex | None = None
) -> list[tuple[Path, str]]:
    """The folders to search with where each comes from, first wins. Raises TaskError on a missing one."""
    folders: list[tuple[Path, str]] = []
    for name in include:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            raise TaskError(f"--include-path {name}: no such folder")
        folders.append((folder, "included"))
    if (root / "tasks").is_dir():
        folders.append((root / "tasks", "workspace"))
    for name in os.environ.get("EVALKIT_TASKS", "").split(os.pathsep):
        if name:
            if not Path(name).is_dir():
                raise TaskError(f"EVALKIT_TASKS names {name}, which is no folder")
            folders.append((Path(name), "environment"))
    folders.extend((folder, "installed") for folder in _installed_folders(index))
    folders.append((bundled_folder(), "bundled"))
    return folders


def _installed_folders(index: TaskIndex | None) -> list[Path]:
    """The folders of installed packages; looking through what is installed takes longer than a listing."""
    places = [place or "." for place in sys.path]
    known = index.installed(places) if index is not None else None
    if known is not None:
        return [Path(folder) for folder in known]
    found = list(_find_installed())
    if index is not None:
        index.put_installed(places, [str(folder) for folder in found])
    return found


def _find_installed() -> Iterator[Path]:
    from importlib.metadata import entry_points
    from importlib.util import find_spec

    for point in entry_points(group=ENTRY_POINTS):
        try:
            spec = find_spec(point.module)  # finds the package without running it
        except (ImportError, ValueError):  # the remains of a package that is gone
            continue
        if spec is not None:
            yield from (Path(place) for place in spec.submodule_search_locations or ())


def list_tasks(
    folders: Iterable[tuple[Path, str]], index: TaskIndex | None = None, problems: list[str] | None = None
) -> dict[str, TaskEntry]:
    """The tasks by name, sorted; a folder that holds a task.yaml is a task, at any depth.

    A file with a broken matrix is one task that cannot be loaded, and `problems` learns why; without
    `problems` it raises TaskError.
    """
    entries: dict[str, TaskEntry] = {}
    seen: set[str] = set()
    for folder, origin in folders:
        for place, name in _files(os.path.realpath(folder)):
            if name != TASK_FILE or place in seen:
                continue
            seen.add(place)
            file = folder / os.path.relpath(place, os.path.realpath(folder)) / name
            kept = index.get(str(file)) if index is not None else None
            broken = False
            try:
                found = _unpack(file, origin, kept) if kept is not None else read_entries(file, origin)
            except TaskError as error:
                if problems is None:
                    raise
                problems.append(str(error))
                found, broken = [_broken_entry(file, origin)], True
            if index is not None and kept is None and not broken:
                index.put(str(file), [_pack(entry) for entry in found])
            for entry in found:
                entries.setdefault(entry.name, entry)
    return dict(sorted(entries.items()))


_KEPT = ("name", "description", "language", "kind", "tags", "hub", "assignment", "group")


def _pack(entry: TaskEntry) -> list[Any]:
    return [list(value) if isinstance(value := getattr(entry, key), tuple) else value for key in _KEPT]


def _unpack(file: Path, origin: str, kept: Any) -> list[TaskEntry]:
    """The entries as the index keeps them; read again when they are none."""
    try:
        entries = [TaskEntry(file=file, origin=origin, **dict(zip(_KEPT, row, strict=True))) for row in kept]
        return [replace(entry, tags=tuple(entry.tags)) for entry in entries]
    except (TypeError, ValueError):
        return read_entries(file, origin)


def list_groups(
    folders: Iterable[tuple[Path, str]], problems: list[str] | None = None
) -> dict[str, GroupEntry]:
    """The groups that group.yaml files define, by name, sorted.

    A broken file is left out, and `problems` learns why; without `problems` it raises TaskError that names
    file and key.
    """
    groups: dict[str, GroupEntry] = {}
    for folder, _ in folders:
        for place, name in _files(str(folder)):
            if name != GROUP_FILE:
                continue
            try:
                group = _read_group(Path(place) / name)
            except TaskError as error:
                if problems is None:
                    raise
                problems.append(str(error))
            else:
                groups.setdefault(group.name, group)
    return dict(sorted(groups.items()))


def _read_group(file: Path) -> GroupEntry:
    content = _load(file)
    if not isinstance(content, dict):
        raise TaskError(f"{file}: expected `key: value` lines with `tasks:`")
    known = ("name", "description", "tasks", "weighting")
    for key in content:
        if key not in known:
            raise TaskError(
                f"{file}: unknown key {key!r}.{did_you_mean(str(key), known)} Known keys: {', '.join(known)}."
            )
    patterns = content.get("tasks")
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(patterns, list) or not patterns or not all(isinstance(p, str) for p in patterns):
        raise TaskError(f"{file}: tasks: a list of names, globs or tags, with at least one")
    weighting = content.get("weighting", "size")
    if weighting not in ("size", "equal"):
        raise TaskError(f"{file}: weighting: size or equal, not {weighting!r}")
    name = content.get("name", file.parent.name)
    if not isinstance(name, str) or not name:
        raise TaskError(f"{file}: name: a text, not {name!r}")
    return GroupEntry(name, file, str(content.get("description") or ""), tuple(patterns), weighting)


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """The folders below this one that hold a task or a group, with the name of that file."""
    try:
        items = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError:
        return
    names = {item.name for item in items}
    if GROUP_FILE in names:
        yield folder, GROUP_FILE
    if TASK_FILE in names:
        yield folder, TASK_FILE
        return
    for item in items:
        if not item.name.startswith((".", "_")) and item.is_dir(follow_symlinks=False):
            yield from _files(item.path)


def _load(file: Path) -> Any:
    """The content of a YAML file; None when it cannot be read."""
    import yaml

    try:
        return yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return None


def read_entries(file: Path, origin: str) -> list[TaskEntry]:
    """The task of a file, or the tasks of its matrix."""
    content = _load(file)
    head = content if isinstance(content, dict) else {}
    base = str(head.get("name") or file.parent.name)
    matrix = head.get("matrix")
    if matrix is None:
        return [_entry(file, origin, base, head)]
    try:
        return [
            replace(
                _entry(file, origin, task_name(base, values), substitute(head, values)),
                assignment=values,
                group=group_name(base),
            )
            for values in assignments(matrix)
        ]
    except ValueError as error:
        raise TaskError(f"{file}: matrix: {error}") from error
    except RecursionError as error:
        raise TaskError(f"{file}: matrix: the file refers to itself, or is nested too deeply") from error


def _broken_entry(file: Path, origin: str) -> TaskEntry:
    """What a listing says of a file whose matrix makes no tasks; loading it tells what is wrong."""
    content = _load(file)
    head = content if isinstance(content, dict) else {}
    entry = _entry(file, origin, str(head.get("name") or file.parent.name), head)
    return replace(entry, description="not readable: see evalkit tasks check")


def _entry(file: Path, origin: str, name: str, head: Mapping[str, Any]) -> TaskEntry:
    tags, data = head.get("tags"), head.get("data")
    return TaskEntry(
        name=name,
        file=file,
        origin=origin,
        description=str(head.get("description") or ("" if head else "not readable: see evalkit tasks check")),
        language=str(head.get("language") or "en"),
        kind=str(head.get("kind") or "generate"),
        tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        hub=isinstance(data, dict) and ("hub" in data or data.get("remote") is True),
    )


def select_tasks(
    patterns: Sequence[str],
    entries: dict[str, TaskEntry],
    groups: Mapping[str, GroupEntry] | None = None,
) -> list[TaskEntry]:
    """The tasks that the patterns name, each once, in the order asked for. Raises TaskError.

    A pattern is a name, a group, a glob (`*_zh`), a tag, `all`, or the path of a task.yaml or of its folder.
    """
    chosen: dict[str, TaskEntry] = {}
    for pattern in _without_groups(patterns, entries, groups or {}, ()):
        found = _match(pattern, entries)
        if not found:
            tags = sorted({tag for entry in entries.values() for tag in entry.tags})
            names = list(dict.fromkeys(entry.group or entry.name for entry in entries.values()))
            near = did_you_mean(pattern, [*names, *entries, *tags])
            every = f"Tasks: {', '.join(names) or 'none'}. Tags: {', '.join(tags) or 'none'}."
            rest = "`evalkit tasks list` shows all tasks and their tags." if near else every
            raise TaskError(f"no task {pattern!r}.{near} {rest}")
        for entry in found:
            other = chosen.setdefault(entry.name, entry)
            if other.file != entry.file:
                raise TaskError(
                    f"two tasks are named {entry.name!r}: {other.file} and {entry.file}; rename one of them"
                )
    return list(chosen.values())


def _without_groups(
    patterns: Iterable[str],
    entries: Mapping[str, TaskEntry],
    groups: Mapping[str, GroupEntry],
    inside: tuple[str, ...],
) -> Iterator[str]:
    """The patterns, those of groups in place of the groups' names."""
    for pattern in patterns:
        if pattern in inside:
            circle = " -> ".join((*inside[inside.index(pattern) :], pattern))
            raise TaskError(f"{groups[pattern].file}: tasks: group {pattern!r} is in itself: {circle}")
        if pattern in groups and pattern not in entries:
            yield from _without_groups(groups[pattern].patterns, entries, groups, (*inside, pattern))
        else:
            yield pattern


def _match(pattern: str, entries: dict[str, TaskEntry]) -> list[TaskEntry]:
    if pattern in entries:
        return [entries[pattern]]
    if pattern == "all":
        return list(entries.values())
    path = os.path.expanduser(pattern)  # os.path takes any text for a path, also one that cannot be
    for file in (path, os.path.join(path, TASK_FILE)):
        if os.path.isfile(file) and file.endswith((".yaml", ".yml")):
            listed = (entry for entry in entries.values() if os.path.samefile(entry.file, file))
            return list(listed) or read_entries(Path(file), "included")
    if any(mark in pattern for mark in "*?["):
        return [entry for name, entry in entries.items() if fnmatch.fnmatchcase(name, pattern)]
    return [entry for entry in entries.values() if pattern == entry.group or pattern in entry.tags]
