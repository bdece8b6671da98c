"""From a name to the tasks and groups that it means; nothing of a task but its head is read."""

from __future__ import annotations

from evalkit.tasks.discovery.entries import (
    ENTRY_POINTS,
    GROUP_FILE,
    TASK_FILE,
    TaskEntry,
    bundled_folder,
    list_tasks,
    read_entries,
    search_path,
)
from evalkit.tasks.discovery.groups import GroupEntry, build_group, list_groups, select_tasks

__all__ = [
    "ENTRY_POINTS",
    "GROUP_FILE",
    "TASK_FILE",
    "GroupEntry",
    "TaskEntry",
    "build_group",
    "bundled_folder",
    "list_groups",
    "list_tasks",
    "read_entries",
    "search_path",
    "select_tasks",
]
