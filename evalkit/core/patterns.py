"""Patterns that a user wrote: run in the library `regex`, which can be stopped; `re` cannot.

Syntax and meaning are those of `re` (the library's VERSION0). A pattern that takes longer than anybody waits,
such as (a|aa)+$ on a long line, is an error that names it.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import Any

from evalkit.core.errors import ExtractorError

SECONDS = 2.0
"""For one search. An honest pattern takes microseconds."""


_MOST_COPIES = 1_000_000
"""What counted repeats may multiply to: the library writes them out, in some 300 MB for so many."""


class Pattern:
    """A compiled pattern; `where` names it in errors. Raises ExtractorError where it is none."""

    __slots__ = ("_compiled", "groupindex", "groups", "pattern", "where")

    def __init__(self, pattern: str, where: str, *, ignore_case: bool = False, dot_all: bool = False) -> None:
        import regex

        flags = regex.VERSION0 | (regex.IGNORECASE if ignore_case else 0) | (regex.DOTALL if dot_all else 0)
        self.pattern, self.where = pattern, where
        copies = math.prod(
            int(least.lstrip("0")[:9] or 1) for least in re.findall(r"\{([0-9]+)[,}]", str(pattern))
        )
        if copies > _MOST_COPIES:
            raise ExtractorError(
                f"{where}: {pattern!r}: its counted repeats multiply to {copies:,}; write fewer"
            )
        try:
            self._compiled = regex.compile(pattern, flags)
        except (regex.error, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise ExtractorError(f"{where}: {pattern!r} is no regular expression: {error}") from None
        self.groups: int = self._compiled.groups
        self.groupindex: dict[str, int] = dict(self._compiled.groupindex)

    def fullmatch(self, text: str) -> bool:
        """Whether the whole text is a match. Raises ExtractorError when it takes too long, as all do."""
        return self._run("fullmatch", text) is not None

    def findall(self, text: str) -> list[Any]:
        """The groups of all matches, as `re.findall` gives them."""
        found: list[Any] = self._run("findall", text)
        return found

    def sub(self, replacement: str, text: str, count: int = 0) -> str:
        """The text with its matches replaced."""
        return str(self._run("sub", replacement, text, count=count))

    def finditer(self, text: str) -> Iterator[Any]:
        """The matches, one at a time."""
        try:
            yield from self._compiled.finditer(text, timeout=SECONDS)
        except TimeoutError:
            raise self._slow() from None

    def _run(self, method: str, *args: Any, **settings: Any) -> Any:
        import regex

        try:
            return getattr(self._compiled, method)(*args, timeout=SECONDS, **settings)
        except TimeoutError:
            raise self._slow() from None
        except (regex.error, IndexError) as error:  # a replacement that names a group which is not there
            raise ExtractorError(f"{self.where}: {self.pattern!r}: {error}") from None

    def _slow(self) -> ExtractorError:
        return ExtractorError(
            f"{self.where}: the pattern {self.pattern!r} took longer than {SECONDS:g} s on a text; write it "
            "without repeats of what can be read in two ways, such as (a|aa)+"
        )


@functools.lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Pattern:
    """The pattern, compiled once. Raises ExtractorError."""
    return Pattern(pattern, "pattern")
