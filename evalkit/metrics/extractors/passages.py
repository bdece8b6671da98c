"""Steps that choose a passage of the text, or change how it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evalkit.core.errors import ExtractorError
from evalkit.core.patterns import Pattern
from evalkit.metrics.extractors.excerpt import Excerpt, Found, Step

__all__ = [
    "after_marker",
    "before_marker",
    "first_line",
    "identity",
    "last_line",
    "lowercase",
    "map_answers",
    "match_regex",
    "strip",
    "uppercase",
]

_LINE = re.compile(r"[^\r\n]+")


def identity(excerpt: Excerpt) -> Found:
    """The text as it is."""
    return Found(excerpt)


def strip(excerpt: Excerpt, characters: str = "") -> Found:
    """The text without white space around it, and without these characters."""
    if not characters:
        return Found(excerpt.stripped())
    text = excerpt.text
    start = len(text) - len(text.lstrip().lstrip(characters).lstrip())
    while start < len(text) and (text[start] in characters or text[start].isspace()):
        start += 1
    end = len(text)
    while end > start and (text[end - 1] in characters or text[end - 1].isspace()):
        end -= 1
    return Found(excerpt.part(start, end))


def lowercase(excerpt: Excerpt) -> Found:
    """The text in lower case."""
    return Found(excerpt.rewritten(excerpt.text.lower()))


def uppercase(excerpt: Excerpt) -> Found:
    """The text in upper case."""
    return Found(excerpt.rewritten(excerpt.text.upper()))


def first_line(excerpt: Excerpt) -> Found | None:
    """The first line that is not blank, stripped."""
    for line in _LINE.finditer(excerpt.text):
        if line.group().strip():
            return Found(excerpt.part(*line.span()).stripped(), "first_line")
    return None


def last_line(excerpt: Excerpt) -> Found | None:
    """The last line that is not blank, stripped."""
    end = len(excerpt.text.rstrip())
    start = max(excerpt.text.rfind("\n", 0, end), excerpt.text.rfind("\r", 0, end)) + 1
    return Found(excerpt.part(start, end).stripped(), "last_line") if end else None


def after_marker(
    excerpt: Excerpt, marker: str, which: str = "last", ignore_case: bool = False
) -> Found | None:
    """The text after the last (or first) occurrence of the marker, stripped; no answer without it."""
    span = _find(excerpt.text, marker, which, ignore_case)
    if span is None:
        return None
    return Found(excerpt.part(span[1], len(excerpt.text)).stripped(), "after_marker")


def before_marker(
    excerpt: Excerpt, marker: str, which: str = "first", ignore_case: bool = False
) -> Found | None:
    """The text before the first (or last) occurrence of the marker, stripped; all of it without the marker,
    as a stop sequence that never came."""
    span = _find(excerpt.text, marker, which, ignore_case)
    part = excerpt if span is None else excerpt.part(0, span[0])
    return Found(part.stripped(), "before_marker")


def _find(text: str, marker: str, which: str, ignore_case: bool) -> tuple[int, int] | None:
    if not ignore_case:
        at = text.find(marker) if which == "first" else text.rfind(marker)
        return (at, at + len(marker)) if at >= 0 else None
    span: tuple[int, int] | None = None
    for match in re.finditer(re.escape(marker), text, re.IGNORECASE):
        span = match.span()
        if which == "first":
            break
    return span


def match_regex(
    pattern: str, group: int | str | None = None, which: str = "first", ignore_case: bool = False
) -> Step:
    """The step that takes a group of the first (or last) match: group 1 where there is one, else the match.

    Raises ExtractorError when the pattern cannot be compiled or has no such group, and on a text on which it
    takes too long.
    """
    compiled = Pattern(pattern, "regex", ignore_case=ignore_case)
    chosen: int | str = min(1, compiled.groups) if group is None else group
    known = chosen in compiled.groupindex if isinstance(chosen, str) else 0 <= chosen <= compiled.groups
    if not known:
        raise ExtractorError(f"regex: {pattern!r} has no group {chosen!r}; it has {compiled.groups} groups")

    def step(excerpt: Excerpt) -> Found | None:
        found: tuple[int, int] | None = None
        for match in compiled.finditer(excerpt.text):
            if match.start(chosen) >= 0:
                found = match.span(chosen)
                if which == "first":
                    break
        return Found(excerpt.part(*found), "regex") if found else None

    return step


def map_answers(names: Mapping[str, str]) -> Step:
    """The step that replaces an answer by its other name; an answer that is not listed stays as it is."""

    def step(excerpt: Excerpt) -> Found:
        return Found(excerpt.rewritten(names.get(excerpt.text.strip(), excerpt.text)))

    return step
