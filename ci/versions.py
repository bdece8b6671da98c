"""Prints the versions of this environment that the lock has not, `package locked -> here`, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import distributions

from evalkit.core.distribution import NAME
from evalkit.core.installation import read_tested


def differences() -> Iterator[tuple[str, str, str]]:
    """(package, locked versions or `not locked`, installed version), in order of name."""
    _, tested = read_tested()
    installed = {
        found.metadata["Name"].lower().replace("_", "-").replace(".", "-"): found.version
        for found in distributions()
    }
    for name, version in sorted(installed.items()):
        if name != NAME and version.partition("+")[0] not in tested.get(name, ()):
            yield name, " or ".join(tested.get(name, ["not locked"])), version


def main() -> None:
    """Print them, or that there are none."""
    found = list(differences())
    for name, locked, version in found:
        print(f"  {name} {locked} -> {version}")
    if not found:
        print("  just the versions of the lock")


if __name__ == "__main__":
    main()
