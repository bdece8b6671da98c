"""Which tasks the names on the command line mean, with the user's own data in place of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.core.errors import TaskError, did_you_mean
from evalkit.core.registry import BUILT_IN, TASK_FINDERS, find
from evalkit.running.workspace import Workspace
from evalkit.tasks.data import DataFile
from evalkit.tasks.discovery import list_groups, list_tasks, search_path, select_tasks
from evalkit.tasks.index import TaskIndex, index_file
from evalkit.tasks.task import Task, load_task


def find_tasks(
    workspace: Workspace,
    names: Sequence[str],
    *,
    data: Mapping[str, Path | DataFile] | None = None,
    include_path: Sequence[str | Path] = (),
    trust: bool = False,
) -> list[Task]:
    """The tasks that the names mean; without names those of the workspace, else the bundled ones."""
    index = TaskIndex(index_file())
    folders = search_path(workspace.root, include_path, index)
    problems: list[str] = []
    entries, groups = list_tasks(folders, index, problems), list_groups(folders, problems)
    index.save()
    wanted = tuple(names) or workspace.defaults.get("tasks", ())
    foreign: list[Task] = []
    data = dict(data or {})
    if wanted:
        finders = [
            find(TASK_FINDERS, name)(workspace.root, include_path, data, trust)
            for name in BUILT_IN[TASK_FINDERS]
        ]
        own_names = []
        for name in wanted:
            known = name in entries or name in groups
            found = None if known else next(filter(None, (finder.find(name) for finder in finders)), None)
            if found is None:
                own_names.append(name)
            else:
                foreign += found
        try:
            chosen = select_tasks(own_names, entries, groups)
        except TaskError as error:
            raise TaskError("\n       ".join((str(error), *problems))) from error
        data = {
            name: path
            for name, path in data.items()
            if not any(name in finder.used_data for finder in finders)
        }
    else:
        at_hand = [entry for entry in entries.values() if not entry.hub]
        own = [entry for entry in at_hand if entry.origin in ("workspace", "included")]
        chosen = own or at_hand
    tasks = [load_task(entry, trust=trust) for entry in chosen]
    return [*replace_data(tasks, data), *foreign]


def replace_data(tasks: Sequence[Task], data: Mapping[str, Path | DataFile]) -> list[Task]:
    """The tasks with local files instead of their data, by task, group or data set. Raises TaskError."""
    names = {name for task in tasks for name in task.source.names}
    for name in data:
        if name not in names:
            raise TaskError(
                f"--data {name}=...: no chosen task or data set has this name.{did_you_mean(name, names)}"
            )
    replaced = []
    for task in tasks:
        given = next((data[name] for name in task.source.names if name in data), None)
        if given is not None:
            file = DataFile.of(given)
            form = {"encoding": file.form.encoding, "delimiter": file.form.delimiter}
            own = {"file": str(file.path.resolve()), "hub": None, **form}
            spec = task.spec.data.model_copy(update=own)
            task = replace(task, spec=task.spec.model_copy(update={"data": spec}))
        replaced.append(task)
    return replaced
