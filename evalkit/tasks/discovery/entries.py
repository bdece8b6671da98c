"""From a task's name to its folder.

Folders of tasks are searched in this order: those given by --include-path, ./tasks of the workspace,
$EVALKIT_TASKS, the entry point group `evalkit.tasks`, the bundled ones. The first task of a name wins.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from evalkit.core.errors import TaskError
from evalkit.tasks.index import TaskIndex
from evalkit.tasks.matrix import Assignment, assignments, check_size, group_name, substitute, task_name

TASK_FILE = "task.yaml"
GROUP_FILE = "group.yaml"
ENTRY_POINTS = "evalkit.tasks"
_LONGEST_NAME = 200
"""Characters of a name that a listing shows; loading the task refuses longer ones."""
_SHOWN = 2000
"""Characters of a description that a listing keeps."""


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
    weighting: Literal["size", "equal"] = "size"
    """How the mean over the matrix is formed."""

    @property
    def trusted(self) -> bool:
        """Whether the Python of this task may run without --trust."""
        return self.origin in ("workspace", "installed", "bundled")


def bundled_folder() -> Path:
    """The folder of the bundled tasks: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[2]
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
        top, *below = point.module.split(".")
        try:
            spec = find_spec(top)  # without running the package, which a part of it would need
        except (ImportError, ValueError):  # the remains of a package that is gone
            continue
        for place in (spec.submodule_search_locations or ()) if spec is not None else ():
            if (folder := Path(place, *below)).is_dir():
                yield folder


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
        for place, name in find_files(os.path.realpath(folder)):
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


_KEPT = ("name", "description", "language", "kind", "tags", "hub", "assignment", "group", "weighting")


def _pack(entry: TaskEntry) -> list[Any]:
    return [list(value) if isinstance(value := getattr(entry, key), tuple) else value for key in _KEPT]


def _unpack(file: Path, origin: str, kept: Any) -> list[TaskEntry]:
    """The entries as the index keeps them; read again when they are none."""
    try:
        entries = [TaskEntry(file=file, origin=origin, **dict(zip(_KEPT, row, strict=True))) for row in kept]
        return [replace(entry, tags=tuple(entry.tags)) for entry in entries]
    except (TypeError, ValueError):
        return read_entries(file, origin)


def find_files(folder: str) -> Iterator[tuple[str, str]]:
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
            yield from find_files(item.path)


def read_plain(file: Path) -> Any:
    """The content of a YAML file; None when it is no YAML. Raises TaskError where it is too much."""
    return _load(file)[0]


def _load(file: Path) -> tuple[Any, int]:
    """The content of a YAML file and its weight; None when it is no YAML, which loading the task tells.

    Raises TaskError where it is more than a configuration may be.
    """
    import yaml

    from evalkit.core.yaml_text import YamlBoundsError, load_yaml

    try:
        loaded = load_yaml(file.read_bytes())
    except YamlBoundsError as error:
        line = f", line {error.line}" if error.line else ""
        raise TaskError(f"{file}{line}: {error}") from error
    except (OSError, yaml.YAMLError, ValueError):
        return None, 0
    return loaded.content, loaded.weight


def read_entries(file: Path, origin: str) -> list[TaskEntry]:
    """The task of a file, or the tasks of its matrix. Raises TaskError."""
    content, weight = _load(file)
    head = content if isinstance(content, dict) else {}
    base = str(head.get("name") or file.parent.name)[:_LONGEST_NAME]
    matrix, rules = head.get("matrix"), head.get("group")
    if matrix is None:
        return [_entry(file, origin, base, head)]
    try:
        check_size(matrix, head, weight)
        return [
            replace(
                _entry(file, origin, task_name(base, values), substitute(head, values)),
                assignment=values,
                group=group_name(base),
                weighting="equal" if rules == {"weighting": "equal"} else "size",
            )
            for values in assignments(matrix)
        ]
    except ValueError as error:
        raise TaskError(f"{file}: matrix: {error}") from error


def _broken_entry(file: Path, origin: str) -> TaskEntry:
    """What a listing says of a file whose matrix makes no tasks; loading it tells what is wrong."""
    try:
        content, _ = _load(file)
    except TaskError:
        content = None
    head = content if isinstance(content, dict) else {}
    entry = _entry(file, origin, str(head.get("name") or file.parent.name)[:_LONGEST_NAME], head)
    return replace(entry, description="not readable: see evalkit tasks check")


def _entry(file: Path, origin: str, name: str, head: Mapping[str, Any]) -> TaskEntry:
    tags, data = head.get("tags"), head.get("data")
    return TaskEntry(
        name=name,
        file=file,
        origin=origin,
        description=(
            str(head.get("description") or ("" if head else "not readable: see evalkit tasks check"))[:_SHOWN]
        ),
        language=str(head.get("language") or "en")[:_SHOWN],
        kind=str(head.get("kind") or "generate")[:_SHOWN],
        tags=tuple(str(tag)[:_SHOWN] for tag in tags) if isinstance(tags, list) else (),
        hub=isinstance(data, dict) and ("hub" in data or data.get("remote") is True),
    )
