"""The letter of an option that a reply names by its text alone."""

from __future__ import annotations

from collections.abc import Set
from functools import lru_cache

from evalkit.metrics.extractors.excerpt import Excerpt, Found
from evalkit.metrics.extractors.label import LabelFinder

__all__ = ["by_text"]

_NAMED_CLEARLY = frozenset({"label:whole", "label:start", "label:anchor"})
_SHORT = 200
"""A reply of so many characters may name an option's text without saying that it is the answer."""


@lru_cache(maxsize=64)
def _texts(options: tuple[str, ...]) -> LabelFinder:
    return LabelFinder(options, {})


def by_text(excerpt: Excerpt, letters: str, denied: Set[str]) -> Found | None:
    """The letter of the option whose text the reply gives as its answer, unless it is one of those denied."""
    options = excerpt.options[: len(letters)]
    if len({option.strip().lower() for option in options}) < max(2, len(options)):
        return None
    found = _texts(options)(excerpt)
    if found is None or (found.rule not in _NAMED_CLEARLY and len(excerpt.text) > _SHORT):
        return None
    name = letters[options.index(found.excerpt.text)]
    return None if name in denied else Found(found.excerpt.rewritten(name), "letter:text")
