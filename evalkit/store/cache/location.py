"""Where a cache is: its URL, shown without secrets, and what to do when it cannot be used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evalkit.core.distribution import install_command
from evalkit.core.errors import CacheError

DEFAULT_CACHE = ".evalkit/cache.db"


def cache_url(place: str | None, root: Path) -> str | None:
    """The SQLAlchemy URL of a --cache value: None and a path mean SQLite; `off` gives None."""
    if place == "off":
        return None
    if place is None:
        place = os.environ.get("EVALKIT_CACHE") or str(root / DEFAULT_CACHE)
        if place == "off":
            return None
    return place if "://" in place else f"sqlite:///{Path(place).expanduser()}"


def parse(url: str) -> Any:
    """The URL in its parts. Raises CacheError that shows nothing of it: any part may be a password."""
    import sqlalchemy as sa

    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        parsed = None
    if parsed is None or "@" in (parsed.host or ""):
        raise CacheError(
            "the cache is not named by a URL of the form postgresql://user:password@host/database; in a "
            "password, write @ as %40, : as %3A and / as %2F"
        )
    return parsed


def shown(url: str) -> str:
    """The URL without its password, and without its options, which may hold another."""
    text: str = parse(url).set(query={}).render_as_string(hide_password=True)
    return text


def explain(url: str, error: Exception) -> str:
    """One line that says which cache fails, why, and what to do about it."""
    cause = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0]
    if "malformed" in cause or "not a database" in cause:
        cure = "the file is damaged: move it away and run again, or use --cache off"
    elif "readonly" in cause or "read-only" in cause or "unable to open" in cause or "ermission" in cause:
        cure = "the place cannot be written: name another by --cache PATH, or use --cache off"
    elif "full" in cause:
        cure = "the disk is full: make room and run again; what was answered is kept"
    elif isinstance(error, ImportError):
        cure = f"the database driver is missing: {install_command('postgres')}"
    else:
        cure = "name another by --cache URL, or use --cache off"
    return f"cache {shown(url)}: {cause}; {cure}"
