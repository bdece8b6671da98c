"""Writes the repository's address, which evalkit/core/distribution.py holds, into pages and templates.

    make examples

CI runs it and compares: a change of the constant reaches everything that a user copies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from evalkit.core.distribution import REPOSITORY

ROOT = Path(__file__).parent.parent
ADDRESS = re.compile(
    r"(?P<before>github\.com/|raw\.githubusercontent\.com/|\buses: )(?P<repository>[\w.-]+/evalkit)(?![\w-])"
)
"""An address of a repository named evalkit, as a link, a source of packages or an action."""


def files() -> Iterator[Path]:
    """What may hold the address: pages, templates and the Dockerfile."""
    yield from (ROOT / name for name in ("README.md", "README.zh.md", "SECURITY.md", "ci/gitlab.yml"))
    yield from sorted((ROOT / "docs").rglob("*.md"))


def current(text: str) -> str:
    """The text with the address of evalkit/core/distribution.py wherever it has one."""
    return ADDRESS.sub(lambda match: match["before"] + REPOSITORY, text)


def main() -> None:
    """Write every file whose address is another."""
    for file in files():
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if current(text) != text:
            file.write_text(current(text), encoding="utf-8")


if __name__ == "__main__":
    main()
