"""The pages of the documentation as a test sees them: their blocks, and what a reader would type.

A fenced ```console block holds lines that begin with `$ `, each a command; what stands below one is what it
prints. Lines that the program prints between the shown ones may be left out with a line `...`. A fence with a
title, such as ```yaml title="tasks/weather/task.yaml", is a file that the reader writes. Blocks of ```python
are run one after the other. An HTML comment before a block tells a test what no reader sees:

    <!-- needs: a key -->    commands and Python are only parsed, since a test has not what they need
    <!-- exit: 1 -->         the last command of the block ends with this code
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "README.zh.md",
    ROOT / "SECURITY.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md")),
    ROOT / "evalkit/workshop/starter/en/README.md",
    ROOT / "evalkit/workshop/starter/zh/README.md",
)
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```\s*$", re.DOTALL | re.MULTILINE
)
_MARK = re.compile(r"<!-- (?P<key>needs|exit): (?P<value>[^>]*?) -->\s*\Z")
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True)
class Command:
    """One command of a block."""

    line: str
    """As it is typed, continuation lines joined."""
    shown: tuple[str, ...] = ()
    """The lines that the page shows below it."""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    body: str
    line: int
    """Where it begins in the page, from 1."""
    file: str | None = None
    """The file that it is the content of."""
    needs: str | None = None
    """What it takes that a test has not."""
    exit_code: int = 0
    """With which the last command ends."""

    @property
    def commands(self) -> list[Command]:
        """The commands of a console block, in order."""
        found: list[Command] = []
        for part in re.split(r"^\$ ", self.body.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            found.append(Command(re.sub(r"\s+", " ", line).strip(), tuple(s for s in shown if s.strip())))
        return found


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    for match in _FENCE.finditer(text):
        info, indent = match["info"].strip(), match["indent"]
        body = "".join(line.removeprefix(indent) for line in match["body"].splitlines(keepends=True))
        mark = _MARK.search(text[: match.start()])
        title = _TITLE.search(info)
        yield Block(
            language=info.split(" ")[0],
            body=body,
            line=text.count("\n", 0, match.start()) + 1,
            file=title[1] if title else None,
            needs=mark["value"] if mark and mark["key"] == "needs" else None,
            exit_code=int(mark["value"]) if mark and mark["key"] == "exit" else 0,
        )


def name(page: Path) -> str:
    """The page's path in the repository."""
    return str(page.relative_to(ROOT))
