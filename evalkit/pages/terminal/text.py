"""What every command needs of the terminal, and what loads nothing: safe text and the width."""

from __future__ import annotations

import sys
import unicodedata


def visible(text: str, *, keep_lines: bool = False) -> str:
    """The text with control and direction characters made visible, so that it cannot steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    keep = "\n\t" if keep_lines else ""
    return "".join(
        c
        if c in keep or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else f"\\u{ord(c):04x}"
        for c in text
    )


def clip(text: str, most: int) -> str:
    """The text made visible in at most so many columns, its middle left out."""
    shown = visible(text[:4000])
    if columns(shown) <= most:
        return shown
    head, tail = "", ""
    for index in range(len(shown)):
        if columns(head + tail) + columns(shown[index]) + columns(shown[-1 - index]) + 1 > most:
            break
        head, tail = head + shown[index], shown[-1 - index] + tail
    return f"{head}…{tail}"


def columns(text: str) -> int:
    """Columns that a text takes in a terminal: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def width() -> int:
    """Columns of the terminal; 120 where the output is not one, so that a log shows whole tables."""
    if not sys.stdout.isatty():
        return 120
    import shutil

    return shutil.get_terminal_size((120, 40)).columns
