"""`is_equiv` of MATH: two answers are equal when their LaTeX is, after edits that keep its value.

Definition: D. Hendrycks et al., "Measuring Mathematical Problem Solving With the MATH Dataset", NeurIPS
2021, and modeling/math_equivalence.py of github.com/hendrycks/math (985bdc1), with whose verdicts ours were
compared.
"""

from __future__ import annotations

import re


class _Broken(Exception):
    """The edits do not apply; the texts are then compared as they stand."""


def is_equiv(target: str, answer: str) -> bool:
    """Whether the two are the same LaTeX after the edits; where an edit fails, as they stand."""
    try:
        return normalize(target) == normalize(answer)
    except _Broken:
        return target == answer


def normalize(text: str) -> str:
    r"""The edited LaTeX: \dfrac12, 1/2 and 0.5 are \frac{1}{2}; units, percent and degree signs go."""
    for old, new in (
        ("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""),
        ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""),
    ):  # fmt: skip
        text = text.replace(old, new)
    text = _without_unit(text)
    for old, new in (("\\%", ""), (" .", " 0."), ("{.", "{0.")):
        text = text.replace(old, new)
    if not text:
        return text
    if text[0] == ".":
        text = "0" + text
    sides = text.split("=")
    if len(sides) == 2 and len(sides[0]) <= 2:
        text = sides[1]
    text = fix_fractions(_fix_roots(text).replace(" ", ""))
    return fix_slash("\\frac{1}{2}" if text == "0.5" else text)


def _without_unit(text: str) -> str:
    """What stands before the only `\\text{ `."""
    parts = text.split("\\text{ ")
    if len(parts) > 2:
        raise _Broken
    return parts[0]


def _fix_roots(text: str) -> str:
    r"""\sqrt3 as \sqrt{3}."""
    first, *others = text.split("\\sqrt")
    if "" in others:
        raise _Broken
    fixed = (part if part[0] == "{" else f"{{{part[0]}}}{part[1:]}" for part in others)
    return "\\sqrt".join([first, *fixed])


def fix_fractions(text: str) -> str:
    r"""\frac12 as \frac{1}{2}, \frac1{72} as \frac{1}{72}; unchanged where too little follows."""
    first, *others = text.split("\\frac")
    fixed = [first]
    for part in others:
        if not part:
            raise _Broken
        if part[0] == "{":
            fixed.append(part)
        elif len(part) < 2:
            return text
        else:
            above, below, rest = part[0], part[1], part[2:]
            fixed.append(f"{{{above}}}{below}{rest}" if below == "{" else f"{{{above}}}{{{below}}}{rest}")
    return "\\frac".join(fixed)


def fix_slash(text: str) -> str:
    r"""3/4 as \frac{3}{4}, when both are whole numbers."""
    whole = re.fullmatch(r"(-?(?:0|[1-9]\d*))/(-?(?:0|[1-9]\d*))", text)
    return f"\\frac{{{whole[1]}}}{{{whole[2]}}}" if whole else text
