"""Numbers of a statement that nobody takes for its answer: those of years, circumstances, brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evalkit.metrics.extractors.digits import Number

__all__ = ["without_asides"]

MAX_NUMBERS = 40
"""How many numbers of a statement are weighed, counted from its end."""
_PARENTHESES = re.compile(r"\([^()]{0,80}\)|（[^（）]{0,80}）|\[[^\[\]]{0,12}\]")
_ASIDE_BEFORE = re.compile(
    r"""(?:\b(?:per|every|in|within|after|for
    |over|from|than|of[ ]the|out[ ]of|of[ ]all|among|by|on|if
    |when|each|the[ ]next|the[ ]first|the[ ]last|past|since|until|before|at|with|all|these|those|nearest|the
    |(?:in|of|from)[ ]the[ ](?:remaining|other|entire|whole|same|original))[ ]
    |每[个天周月年件只本份次]?|平均每人|在|经过|从|比|分给|按|以|才能|如果|保留|前|后)[ ]?[*_$£€¥~]{0,4}$""",
    re.VERBOSE | re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:in|by|since|until|during|of|year|from|before|after)[ ]$", re.IGNORECASE)
_YEARS = re.compile(r"(?:1[5-9]|20)[0-9]{2}")
_ASIDE_AFTER = re.compile(
    r"-[a-z]{3}|[ ]?(?:decimal|significant|d\.p\.|%?[ ](?:confiden|sure|certain)|位(?:小数|有效)"
    r"|(?:个)?[天日周月年小时分钟人]{1,2}(?:之?内|以内|前|后|就|才))|[^，。,.;；]{0,6}(?:便宜|贵|更)",
    re.IGNORECASE,
)
_HELD = re.compile(
    r"\b(?:(?:end\w*[ ]up|left|leav\w+(?:[ ]\w+)?|remain\w*|finish\w*)[ ]with|(?:arriv\w+|end\w*|stands?"
    r"|settles?)[ ]at"
    r"|(?:lasts?|runs?|works?|worked|waits?|waited|sleeps?|slept|liv\w+|walked)[ ]for)[ ]\W{0,4}$",
    re.IGNORECASE,
)
_TAKES = re.compile(r"(?:需要?|[用花]了?|要)[ ]?$")
_DENIED_BEFORE = re.compile(r"(?:\bnot|n['’]t|\bneither|\bnor|不是)[ *_]{0,3}$", re.IGNORECASE)
_FAILS = re.compile(r"[*_$]{0,3}[ ](?:fails|does[ ]?n[o'’]t|is[ ]?n[o'’]t|won['’]t|is too)\b", re.IGNORECASE)


def without_asides(text: str, numbers: Sequence[Number], start: int, end: int) -> list[Number]:
    """The numbers without asides: of years, decimals to round to, circumstances (in 5 days), brackets.

    Circumstances stay where nothing else is left.
    """
    numbers = numbers[-MAX_NUMBERS:]
    start = max(start, numbers[0].start - 100) if numbers else start
    brackets = text.find("(", start, end) >= 0 or text.find("[", start, end) >= 0
    spans = [match.span() for match in _PARENTHESES.finditer(text, start, end)] if brackets else []
    outer = [each for each in numbers if not any(a < each.start and each.end < b for a, b in spans)]
    plain: list[Number] = []
    asides: list[Number] = []
    for each in outer or numbers:
        before = text[max(start, each.start - 14) : each.start]
        written = text[each.start : each.end]
        if (
            _YEARS.fullmatch(written)
            and _YEAR.search(before)
            and not re.match(r"[ ]?[a-z$%元个]", text[each.end : each.end + 2])
        ):
            continue
        if each.year or _DENIED_BEFORE.search(before) or _FAILS.match(text, each.end, end):
            continue
        after = _ASIDE_AFTER.match(text, each.end, end)
        if after and re.match(r"[ ]?(?:dec|sig|d\.p|%|[ ]|位)", after.group(), re.IGNORECASE):
            continue
        if _HELD.search(text, max(start, each.start - 30), each.start):
            plain.append(each)
            continue
        after = None if _TAKES.search(before) else after
        (asides if after or _ASIDE_BEFORE.search(before) else plain).append(each)
    return plain or asides
