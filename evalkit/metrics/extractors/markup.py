r"""What models mark as their answer: \boxed{...} and fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.metrics.extractors.excerpt import Excerpt, Found

__all__ = ["boxed", "fenced_blocks", "last_boxed"]

_BRACE_OR_BOX = re.compile(r"\\[{}\\]|\\(?:boxed|fbox)\s{0,8}\{|\{|\}")
_FENCE = re.compile(r"^[ \t]{0,12}(`{3,}|~{3,})[ \t]*([^\n`]*)$", re.MULTILINE)


def last_boxed(text: str) -> tuple[int, int] | None:
    r"""Where the content of the last closed \boxed{...} (or \fbox{...}) begins and ends; None without one."""
    if "boxed" not in text and "fbox" not in text:
        return None
    found: tuple[int, int] | None = None
    stack: list[int] = []
    for token in _BRACE_OR_BOX.finditer(text):
        written = token.group()
        if written == "}":
            start = stack.pop() if stack else -1
            if start >= 0:
                found = (start, token.start())
        elif written == "{":
            stack.append(-1)
        elif written.endswith("{") and len(written) > 2:
            stack.append(token.end())
    return found


def boxed(excerpt: Excerpt) -> Found | None:
    r"""The content of the last \boxed{...}, braces balanced; no answer without one."""
    span = last_boxed(excerpt.text)
    return Found(excerpt.part(*span).stripped(), "boxed") if span else None


def fenced_blocks(text: str) -> Iterator[tuple[str, int, int]]:
    """(language, start, end) of each fenced block's content; one that is never closed runs to the end."""
    opened: tuple[str, str, int] | None = None
    for fence in _FENCE.finditer(text):
        marks, info = fence[1], fence[2].strip()
        if opened is None:
            words = info.split(maxsplit=1)
            opened = (marks, words[0].strip("{}.").lower() if words else "", min(fence.end() + 1, len(text)))
        elif marks[0] == opened[0][0] and len(marks) >= len(opened[0]) and not info:
            yield opened[1], opened[2], max(opened[2], fence.start() - 1)
            opened = None
    if opened is not None:
        yield opened[1], opened[2], len(text)
