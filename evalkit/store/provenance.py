"""Where and when a run is made, and with what: its folder, its time, the repository, the libraries."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.core.errors import StoreError, UsageError
from evalkit.store.folders import RunWriter


def start_time(epoch: str | None) -> datetime:
    """Now; or the time that SOURCE_DATE_EPOCH sets, so that a run can be made again byte for byte.

    https://reproducible-builds.org/specs/source-date-epoch/
    """
    if epoch is None:
        return datetime.now(UTC)
    if not epoch.isdecimal():
        raise UsageError(f"SOURCE_DATE_EPOCH is {epoch!r}; it must be a number of seconds")
    return datetime.fromtimestamp(int(epoch), UTC)


def new_folder(out: Path, name: str | None, created: datetime) -> tuple[str, RunWriter]:
    """A run id that is new in the folder (the time, then the name or a counter), and a writer of its folder.

    Runs that begin in the same second, in other processes too, get folders of their own. Raises StoreError.
    """
    stamp = created.strftime("%Y%m%d-%H%M%S")
    label = "".join(c if c.isalnum() or c in "-_." else "-" for c in name or "")[:60]
    base = f"{stamp}-{label}" if label else stamp
    for number in itertools.count(1):
        run_id = base if number == 1 else f"{base}-{number}"
        if not (out / run_id).exists():
            try:
                return run_id, RunWriter(out / run_id)
            except StoreError:
                if not (out / run_id).is_dir():  # not another run that was quicker
                    raise
        if number > 10_000:
            break
    raise StoreError(f"{out} holds too many runs of this second")


def git_state() -> Mapping[str, Any] | None:
    """The commit and the dirty flag of the repository round the current folder; None outside of one."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=2, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes.strip())}


def library_versions(served: bool) -> dict[str, str]:
    """The versions of what decides a number: Python, numpy, scipy, and LiteLLM where a model is served."""
    from importlib.metadata import PackageNotFoundError, version

    names = ["numpy", "scipy"]
    if served:
        names.append("litellm")
    found = {"python": sys.version.split()[0]}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
