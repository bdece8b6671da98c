"""The file `.env` of a project: variables that it sets where the environment does not."""

from __future__ import annotations

import os
from pathlib import Path

from evalkit.core.errors import ConfigError

ENV_FILE = ".env"

_taken: dict[str, str] = {}
"""Variable -> file, for those that this process has from a file."""


def read_env_file(root: Path) -> dict[str, str]:
    """Variable -> the file that set it, for all this process has from `root`/.env; empty without it.

    What the environment holds already stays as it is. Values are taken as they stand: `$NAME` in one is no
    reference. EVALKIT_ENV_FILE names another file, or `off`. Raises ConfigError when the file cannot be read;
    no message shows a value.
    """
    place = os.environ.get("EVALKIT_ENV_FILE", "")
    file = Path(place).expanduser() if place else root / ENV_FILE
    if place == "off" or not (place or file.is_file()):
        return dict(_taken)
    from dotenv import dotenv_values

    try:
        if not file.is_file():
            raise ConfigError(f"EVALKIT_ENV_FILE names {file}, which is no file")
        values = dotenv_values(file, interpolate=False)
    except (OSError, ValueError):
        raise ConfigError(f"{file} cannot be read as lines of NAME=value in UTF-8") from None
    for name, value in values.items():
        if value and name not in os.environ and "\0" not in name + value:
            os.environ[name] = value
            _taken[name] = str(file)
    return dict(_taken)
