"""Lines of numbers under one head, aligned over all groups, as narrow as the terminal wants them.

Numbers stand beside their name, or below it where both do not fit; where even they do not, some columns
are left out. Nothing is folded inside a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.pages.terminal.text import clip, columns, width


@dataclass(frozen=True)
class Line:
    """A name and its numbers."""

    group: str
    """What stands above this line and those after it that share it; empty for none."""
    name: str
    numbers: Sequence[str]
    word: str
    """What they come to, in one word."""
    style: str
    """How the word looks."""


def print_lines(heads: Sequence[str], lines: Sequence[Line], dropped: Sequence[str] = ()) -> None:
    """Print the lines; `dropped` names heads that a narrow terminal does without, the first first."""
    from rich.text import Text

    from evalkit.pages.terminal.figures import make_console

    room = width()
    widths = [
        max(columns(head), *(columns(line.numbers[i]) for line in lines)) for i, head in enumerate(heads)
    ]
    names = max(columns(clip(line.name, room - 2)) for line in lines)
    words = max(columns(line.word) for line in lines)
    kept = list(range(len(heads)))

    def taken() -> int:
        return sum(widths[i] + 2 for i in kept) + words

    beside = 4 + names + taken() <= room
    for head in dropped:
        if 4 + taken() > room:
            kept.remove(heads.index(head))
    start = " " * (2 + names if beside else 2)

    def aligned(texts: Sequence[str]) -> str:
        return "".join(f"  {' ' * (widths[i] - columns(texts[i]))}{texts[i]}" for i in kept)

    console = make_console()
    console.print(Text(start + aligned(heads), style="dim"), soft_wrap=True)
    group = ""
    for line in lines:
        if line.group != group:
            console.print(Text(f"\n{clip(line.group, room)}", style="bold"), soft_wrap=True)
            group = line.group
        name = clip(line.name, room - 2)
        own = f"  {name}{' ' * (names - columns(name))}" if beside else f"  {name}\n{start}"
        console.print(
            Text.assemble(own, aligned(line.numbers), "  ", (line.word, line.style)),
            soft_wrap=True,
        )
    console.print()
