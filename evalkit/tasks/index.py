"""What was read from task files before, kept by their time and size, so that a listing opens none of them.

A JSON file in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache, /evalkit/tasks.json). It only saves
time: where it cannot be read, trusted or written, the files are read as if it were not there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import orjson

from evalkit.core.project import cache_folder

_FORMAT = 1
"""Raise it when what is kept of a file changes."""
_SETTLED_NS = 2_000_000_000
"""A file that changed within this time may change again without a trace in its time and size."""
_MOST_FILES = 20_000


def index_file() -> str:
    """The path of the index."""
    return os.path.join(cache_folder(), "tasks.json")


class TaskIndex:
    """Path -> what was read from that file; and the folders that installed packages bring."""

    def __init__(self, path: str | None) -> None:
        """An index kept at `path`; None keeps nothing."""
        self._path = path
        self._changed = False
        content = _load(path) if path else {}
        self._files: dict[str, list[Any]] = content.get("files", {})
        self._installed: dict[str, list[Any]] = content.get("installed", {})

    def get(self, file: str) -> Any:
        """What is known of the file as it is now; None when nothing is."""
        known = self._files.get(file)
        return known[1] if known and known[0] == _stamp(file) else None

    def put(self, file: str, content: Any) -> None:
        """Keep what was read from the file, where JSON can hold it whole."""
        stamp = _stamp(file)
        if self._path is None or stamp is None or time.time_ns() - stamp[0] < _SETTLED_NS:
            return
        try:
            if orjson.loads(orjson.dumps(content)) != content:
                return
        except (TypeError, ValueError):  # a date, an integer beyond 64 bits
            return
        self._files[file] = [stamp, content]
        self._changed = True

    def installed(self, search_path: Sequence[str]) -> list[str] | None:
        """The folders of installed tasks, when nothing was installed on this path since; else None."""
        known = self._installed.get("\n".join(search_path))
        return known[1] if known and known[0] == _stamps(search_path) else None

    def put_installed(self, search_path: Sequence[str], folders: list[str]) -> None:
        """Keep the folders of installed tasks."""
        if self._path is None:
            return
        if len(self._installed) >= 50:
            self._installed.clear()
        self._installed["\n".join(search_path)] = [_stamps(search_path), folders]
        self._changed = True

    def save(self) -> None:
        """Write the index when something new is in it; nothing happens where that cannot be done."""
        if not self._changed or self._path is None:
            return
        if len(self._files) > _MOST_FILES:
            self._files = {file: known for file, known in self._files.items() if os.path.exists(file)}
        content = {"format": _FORMAT, "files": self._files, "installed": self._installed}
        temporary = f"{self._path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(orjson.dumps(content))
            os.replace(temporary, self._path)
            self._changed = False
        except (OSError, TypeError, ValueError):
            return


def _load(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = orjson.loads(file.read())
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return {}
    parts = {key: content.get(key) for key in ("files", "installed")}
    return {
        key: {name: item for name, item in part.items() if isinstance(item, list) and len(item) == 2}
        for key, part in parts.items()
        if isinstance(part, dict)
    }


def _stamp(file: str) -> list[int] | None:
    try:
        stat = os.stat(file)
    except (OSError, ValueError):
        return None
    return [stat.st_mtime_ns, stat.st_size]


def _stamps(places: Sequence[str]) -> list[int]:
    return [(_stamp(place) or [0])[0] for place in places]
