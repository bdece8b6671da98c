"""Minerva's normal form of a final answer, compared as text.

Definition: A. Lewkowycz et al., "Solving Quantitative Reasoning Problems with Language Models", 2022,
appendix D.1. lm-evaluation-harness' minerva_math makes the same form (and then asks sympy whether the
difference is 0).
"""

from __future__ import annotations

import re

_CHANGED = (
    ("an ", ""), ("a ", ""), (".$", "$"), ("\\$", ""), ("\\ ", ""), (" ", ""), ("mbox", "text"),
    (",\\text{and}", ","), ("\\text{and}", ","), ("\\text{m}", "\\text{}"),
)  # fmt: skip
_REMOVED = (
    "square", "ways", "integers", "dollars", "mph", "inches", "ft", "hours", "km", "units", "\\ldots", "sue",
    "points", "feet", "minutes", "digits", "cents", "degrees", "cm", "gm", "pounds", "meters", "meals",
    "edges", "students", "childrentickets", "multiples", "\\text{s}", "\\text{.}", "\\text{\ns}",
    "\\text{}^2",
    "\\text{}^3", "\\text{\n}", "\\text{}", "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"',
    "\\dots",
)  # fmt: skip
_UNWRAPPED = (
    (re.compile(r"(.*?)(\$)(.*?)(\$)(.*)"), r"$\3$"),
    (re.compile(r"(\\text\{)(.*?)(\})"), r"\2"),
    (re.compile(r"(\\textbf\{)(.*?)(\})"), r"\2"),
    (re.compile(r"(\\overline\{)(.*?)(\})"), r"\2"),
    (re.compile(r"(\\boxed\{)(.*)(\})"), r"\2"),
    (re.compile(r"(frac)([^{])(.)"), r"frac{\2}{\3}"),
    (re.compile(r"(sqrt)([^{])"), r"sqrt{\2}"),
)


def is_equiv(target: str, answer: str) -> bool:
    """Whether the two have the same normal form."""
    return normalize(target) == normalize(answer)


def normalize(text: str) -> str:
    """What stands after the last `=`, without units, words, spaces and wrappers; 100,000 is 100000."""
    text = text.split("=")[-1]
    for old, new in (*_CHANGED, *((old, "") for old in _REMOVED)):
        text = text.replace(old, new)
    for pattern, kept in _UNWRAPPED:
        text = pattern.sub(kept, text)
    text = text.replace("$", "")
    bare = text.replace(",", "")
    return bare if bare.isdigit() else text
