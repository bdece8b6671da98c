"""From what a user writes after --tasks to tasks of lm-evaluation-harness.

lm_eval:NAME          a task, group or tag of the installed package lm_eval
path/to/task.yaml     a file in its format
NAME                  a name in a folder given by --include-path
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from evalkit.core.errors import TaskError
from evalkit.interop.lm_eval.bridge import LmEvalBridge, make_bridge
from evalkit.interop.lm_eval.index import TaskIndex, build_index, installed_tree
from evalkit.interop.lm_eval.loading import Source, load_group, load_task
from evalkit.interop.lm_eval.sources import local_rows
from evalkit.tasks.data import DataFile

PREFIX = "lm_eval:"
_THEIRS = re.compile(rb"""^["']?(task|group|class|include|output_type|doc_to_text)["']?\s*:""", re.MULTILINE)
_OURS = re.compile(rb"""^["']?(name|metrics)["']?\s*:""", re.MULTILINE)


def is_lm_eval_file(path: Path) -> bool:
    """Whether a YAML file is in the format of lm-evaluation-harness rather than in ours."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return bool(_THEIRS.search(content)) and not _OURS.search(content)


class Finder:
    """Finds tasks of lm-evaluation-harness; trees are indexed when the first name needs them."""

    def __init__(
        self,
        root: Path,
        include: Sequence[str | Path],
        data: Mapping[str, Path | DataFile],
        trust: bool,
    ) -> None:
        self.root = root
        self.include = [Path(folder).expanduser() for folder in include]
        self.data = data
        self.trust = trust
        self.used_data: set[str] = set()
        self._indexes: dict[tuple[Path, ...], TaskIndex] = {}

    def find(self, name: str) -> list[LmEvalBridge] | None:
        """The tasks of a name; None when it is not one of theirs. Raises TaskError."""
        if name.startswith(PREFIX):
            index = self._index(installed_tree())
            return self._load(name.removeprefix(PREFIX), index, trust=True)
        path = Path(name).expanduser()
        if path.suffix in (".yaml", ".yml") and path.is_file() and is_lm_eval_file(path):
            return self._load(path, None, trust=self.trust or self._own(path))
        for folder in self.include:
            index = self._index(folder)
            if name in index.entries:
                return self._load(name, index, trust=self.trust or self._own(folder))
        return None

    def _own(self, path: Path) -> bool:
        """Whether the path lies in the workspace: code there is the user's own."""
        return path.resolve().is_relative_to(self.root.resolve())

    def _index(self, *trees: Path) -> TaskIndex:
        if trees not in self._indexes:
            self._indexes[trees] = build_index(*trees, cache=self.root / ".evalkit")
        return self._indexes[trees]

    def _load(self, source: Path | str, index: TaskIndex | None, *, trust: bool) -> list[LmEvalBridge]:
        if index is not None and isinstance(source, str):
            entry = index.find(source)
            if entry.kind == "group":
                group, members = load_group(entry, index)
                tasks = [
                    self._task(member, index, trust, group.name, overrides)
                    for member, overrides in members.values()
                ]
                means = group.means({task.name: task.headline for task in tasks})
                return [replace(task, means=means) for task in tasks]
            if entry.kind == "tag":
                return [self._task(index.find(name), index, trust, source) for name in entry.members]
            return [self._task(entry, index, trust)]
        return [self._task(source, index, trust)]

    def _task(
        self,
        source: Source,
        index: TaskIndex | None,
        trust: bool,
        group: str | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> LmEvalBridge:
        lm = load_task(source, index=index, trust=trust, overrides=overrides)
        for name in (lm.name, lm.config.dataset_path, group):
            if name is not None and name in self.data:
                self.used_data.add(name)
                given = DataFile.of(self.data[name])
                if not given.path.exists():
                    raise TaskError(f"--data {name}={given.path}: there is nothing at this path")
                rows = local_rows(given.path.resolve(), given.form)
                lm = load_task(source, index=index, trust=trust, overrides=overrides, rows=rows)
                break
        return make_bridge(lm, group)
