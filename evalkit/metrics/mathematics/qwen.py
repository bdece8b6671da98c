r"""Equality as Qwen2.5-Math's evaluation has it: lenient with percent, tolerance, brackets and units.

Written anew after evaluation/grader.py and parser.py of github.com/QwenLM/Qwen2.5-Math. Two things are not
as there: words are not read as numbers, and units are a list of ours. Expressions are read by
latex2sympy2_extended (math-verify's) where theirs asks three parsers, one of which would run the text as
Python; \frac after a whole number is therefore a mixed number to ours, and a product to theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isclose

from evalkit.metrics.mathematics.hendrycks import fix_fractions, fix_slash

Symbolic = Callable[[str, str], bool]
"""Whether two LaTeX expressions are equal as algebra."""

_UNITS = """
    degree|deg|mph|kmph|ft|feet|foot|inch|inches|yard|mile|dm|cm|mm|km|m|mtr|meter|metre|acre|hectare|gal|gallon|l
    |liter|litre|cc|g|gm|kg|lb|pound|ounce|s|sec|second|min|minute|h|hr|hour|day|month|year|yr|percent|dollar|cent
    |rs|rupee|ohm|unit|square|sq|cubic|cube|men|women|a|c|d|t|o|st|th|by|per|ab|bc|east|west|noon|am|pm|number|mark
    |less|more
"""
_UNIT = re.compile(rf"(^|\W)(?:(?:{''.join(_UNITS.split())})s?)($|\W)")
_EDITS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\n|\\!", ""), (r"\\begin\{array\}\{.*?\}", r"\\begin{pmatrix}"),
        (r"\\end\{array\}", r"\\end{pmatrix}"), ("bmatrix", "pmatrix"),
        ("[td]frac", "frac"), (r"\\(n|l|g)eq", r"\\\1e"), (r"\\left|\\right", ""),
        (r"\\([{}])", r"\1"),
    )
)  # fmt: skip
_LATER: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), new)
    for pattern, new in (
        (r"\^\{\\circ\}|\^\\circ", ""), (r"\\?\$|\\[()]", ""), (r"\\text\{(.*?)\}", r"\1"),
        (r"[xyz](?:=|\\in|\\to)", ""), (r"\\emptyset", "{}"), (r"\(-\\infty,\\infty\)", r"\\mathbb{R}"),
        (r"\\?%", ""), (r"([ {])\.", r"\g<1>0."), (r"(?<!\\)inf(?:inity|ty)?", r"\\infty"), ("and", ""),
        (r"\\mathbf", ""), (r"\\mbox\{.*?\}", ""),
    )
)  # fmt: skip
_ZEROS = ((re.compile(r"(\d+)\.0*([^\d])"), r"\1\2"), (re.compile(r"(\d+)\.0*$"), r"\1"))
_BRACKETED = re.compile(r"[(\[].+[)\]]")
_MATRIX = re.compile(r"\\begin\{[pb]matrix\}(.*)\\end\{[pb]matrix\}")


def is_equiv(target: str, answer: str, symbolic: Symbolic) -> bool:
    """Whether the two are equal; `symbolic` is asked where text and numbers do not decide."""
    return _equal(normalize(answer), normalize(target), symbolic)


def normalize(text: str) -> str:
    """The text without units, percent signs, wrappers and trailing zeros; fractions and roots in braces."""
    text = text.strip().rstrip(".")
    for pattern, new in _EDITS:
        text = pattern.sub(new, text)
    text = re.sub(r"\\text{.*?}$", "", text).strip() or text
    for _ in range(2):
        text = _UNIT.sub(r"\1\2", text) or text
    for pattern, new in _LATER:
        text = pattern.sub(new, text)
    if "j" in text and "i" not in text:
        text = text.replace("j", "i")
    for pattern, new in _ZEROS:
        text = pattern.sub(new, text)
    if text.startswith("."):
        text = "0" + text
    sides = text.split("=")
    if len(sides) == 2 and len(sides[0]) <= 2:
        text = sides[1]
    text = re.sub(r"\\sqrt(\w+)", r"\\sqrt{\1}", text).replace(" ", "")
    return fix_slash(text if text.endswith("\\frac") or "\\frac\\frac" in text else fix_fractions(text))


def _equal(answer: str, target: str, symbolic: Symbolic) -> bool:
    if answer.strip().lower() == target.strip().lower():
        return True
    if target in tuple("ABCDE") and _choice(answer) == target:
        return True
    numbers = _number(answer), _number(target)
    if numbers[0] is not None and numbers[1] is not None:
        return any(isclose(numbers[1] * factor, numbers[0], rel_tol=1e-4) for factor in (0.01, 1, 100))
    if not answer:
        return False
    return _bare(answer, target) or _by_parts(answer, target, symbolic) or _by_sides(answer, target, symbolic)


def _bare(answer: str, target: str) -> bool:
    """Whether they are the same text without brackets of any kind around and in them."""
    ends = answer[:1] + answer[-1:]
    if (ends == "[]" and not target.startswith("(")) or (ends == "()" and not target.startswith("[")):
        answer, target = answer.strip("[]()"), target.strip("[]()")
    none = str.maketrans("", "", "{}()")
    return answer.translate(none).lower() == target.translate(none).lower()


def _by_parts(answer: str, target: str, symbolic: Symbolic) -> bool:
    """Whether tuples, intervals (whatever their brackets) or matrices are equal entry by entry."""
    matrices = _MATRIX.fullmatch(answer), _MATRIX.fullmatch(target)
    if matrices[0] and matrices[1]:
        rows = [
            [row.split("&") for row in found[1].split("\\\\") if row.strip()] for found in matrices if found
        ]
    elif _BRACKETED.match(answer) and _BRACKETED.match(target):
        rows = [[answer[1:-1].split(",")], [target[1:-1].split(",")]]
    else:
        return False
    if list(map(len, rows[0])) != list(map(len, rows[1])):
        return False
    pairs = (pair for row in zip(*rows, strict=True) for pair in zip(*row, strict=True))
    return all(_equal(ours, theirs, symbolic) for ours, theirs in pairs)


def _by_sides(answer: str, target: str, symbolic: Symbolic) -> bool:
    """Whether equations, an equation and a value, or expressions are equal as algebra."""
    ours, theirs = answer.split("="), target.split("=")
    if len(ours) == len(theirs) == 2:
        left, right = (f"{sides[0].strip()} - ({sides[1].strip()})" for sides in (ours, theirs))
        if symbolic(left, right) or symbolic(f"-({left})", right):
            return True
    elif len(ours) == 2 and len(ours[0].strip()) <= 2 and len(theirs) == 1:
        return _equal(ours[1], target, symbolic) or symbolic(answer, target)
    elif len(theirs) == 2 and len(theirs[0].strip()) <= 2 and len(ours) == 1:
        return _equal(answer, theirs[1], symbolic) or symbolic(answer, target)
    return symbolic(answer, target)


def _choice(answer: str) -> str:
    """The last lone letter A to E; the text itself without one."""
    letters = re.findall(r"\b([A-E])\b", answer.upper())
    return letters[-1] if letters else answer.strip().strip(".")


def _number(text: str) -> float | None:
    text = text.replace(",", "")
    for digits, divisor in ((text, 1), (text.removesuffix("%").removesuffix("\\"), 100)):
        try:
            return float(digits) / divisor
        except ValueError:
            if not text.endswith("%"):
                return None
    return None
