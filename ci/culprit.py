"""Finds the package whose newest version breaks what just failed in this environment, and says so.

    python ci/culprit.py UV COMMAND...

One after the other each package that is newer than the lock is put back to its locked version, those that
evalkit names itself first, and COMMAND, which just failed, is run again. For at most ten minutes.
"""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import requires

from versions import differences

from evalkit.core.distribution import NAME

PATIENCE_S = 600


def main() -> None:
    """Print the package, or that no single one is to blame."""
    uv, command = sys.argv[1], sys.argv[2:]
    named = " ".join(requires(NAME) or []).lower()
    found = sorted(differences(), key=lambda one: one[0] not in named)
    today, start = datetime.now(UTC).date(), time.monotonic()
    for name, locked, here in found:
        if time.monotonic() - start > PATIENCE_S:
            break
        if locked != "not locked" and install(uv, f"{name}=={locked.rpartition(' ')[2]}"):
            mended = subprocess.run(command, capture_output=True).returncode == 0
            install(uv, f"{name}=={here}")
            if mended:
                print(f"BROKEN by {name} {here} ({locked} works), seen on {today}. To go on without it:")
                print(f"  ci/known_breaks.txt: {name}=={here}  # {today}; what breaks")
                print(f"  pyproject.toml: exclude it, {name}!={here}")
                return
    print("No single package that is newer than the lock is to blame; newer are:")
    for name, locked, here in found:
        print(f"  {name} {locked} -> {here}")


def install(uv: str, requirement: str) -> bool:
    """Whether a package is now there at just this version, the others untouched."""
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", requirement]
    return subprocess.run(command, capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
