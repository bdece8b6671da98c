"""Where a user's project begins: its root folder, and the file that configures it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evalkit.core.errors import ConfigError

CONFIG_FILE = "evalkit.yaml"


def cache_folder() -> str:
    """The path of what evalkit keeps for this user, whatever the project: all of it can be made again."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "evalkit")


def find_project(start: Path | None = None) -> tuple[Path, Path | None]:
    """The root of the project round a folder, the current one by default, and its configuration file.

    The root is the nearest folder, from this one upwards, with an evalkit.yaml or a pyproject.toml that has
    [tool.evalkit]; without one it is the folder itself, and there is no file. Raises ConfigError.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        for name in (CONFIG_FILE, "pyproject.toml"):
            file = folder / name
            if file.is_file() and (name == CONFIG_FILE or read_table(file) is not None):
                return folder, file
    return start, None


def read_table(file: Path) -> Any:
    """What stands under [tool.evalkit] in a pyproject.toml; None without it.

    Raises ConfigError where the file means to configure evalkit and cannot be read.
    """
    text = ""
    try:
        text = file.read_text(encoding="utf-8")
        if "evalkit" not in text:
            return None
        import tomllib

        content = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        if "[tool.evalkit" in text:
            raise ConfigError(f"{file}: not readable as TOML ({str(error)[:200]})") from error
        return None  # somebody else's file; whether it is in order is not our business
    tool = content.get("tool")
    return tool.get("evalkit") if isinstance(tool, dict) else None
