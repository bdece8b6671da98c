"""Differences between two texts: by word, by character in Chinese, Japanese and Korean."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "removed", "added"]

# As diff.js cuts texts in the browser, but that a word takes the white space after it along: half the units.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_UNIT = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+[^\S\n]*|\s+|.")
MAX_UNITS = 3_000
"""Units of a text up to which two texts are compared; longer ones are shown as they are."""


def marked(base: str, other: str) -> list[tuple[Kind, str]]:
    """The way from `base` to `other` as runs of text: the same, removed from the base, added to it.

    Without the removed runs it is `other`, without the added ones `base`; of texts that are too long, the
    other alone, as the same.
    """
    a, b = _UNIT.findall(base), _UNIT.findall(other)
    if len(a) > MAX_UNITS or len(b) > MAX_UNITS:
        return [("same", other)] if other else []
    runs: list[tuple[Kind, str]] = []
    for name, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if name == "equal":
            runs.append(("same", "".join(a[a1:a2])))
            continue
        if a2 > a1:
            runs.append(("removed", "".join(a[a1:a2])))
        if b2 > b1:
            runs.append(("added", "".join(b[b1:b2])))
    return runs
