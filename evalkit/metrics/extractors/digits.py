r"""Numbers in digits, in all the ways in which replies write them, and what only looks like one.

`12{,}500`, `12 500`, `1½`, `\frac12`, `3.2\cdot10^3`, `2.5 million`, `1亿2000万` are numbers; a date, a time
of day, a ratio, an ordinal, a point, the exponent of a unit, a version and `2\pi` are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from evalkit.metrics.extractors.numerals import plain_decimal, times_ten_to

__all__ = ["Number", "numbers_in_digits"]


class Number(NamedTuple):
    """A number where it stands."""

    value: str | None
    """In its plain form; None for an expression that is no plain number: 2π, √2, 16 - 3."""
    start: int
    end: int
    year: bool = False
    """Whether it is the number of a year (1949年), which is an answer only where one is asked for."""


_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
           "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"}  # fmt: skip
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_CHINESE_UNITS = {"百": 2, "千": 3, "万": 4, "萬": 4, "亿": 8, "億": 8}
_SCALES = {"dozen": 12, "hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9,
           "trillion": 10**12, "k": 10**3, "m": 10**6, "mn": 10**6, "b": 10**9, "bn": 10**9}  # fmt: skip

_START = re.compile(rf"[0-9{''.join(_VULGAR)}√π]|\\(?:[dtc]?frac|sqrt|pi)(?![a-z])|\.(?=[0-9])")
_NOT_WITHIN = re.compile(r"[0-9.,]*")
_GROUPED = (
    r"[0-9]{1,3}(?:(?:(?:\\!)?,(?:\\!)?|\{,\}|\\[,;:! ]|[\u00a0~'’])[0-9]{3})+(?![0-9])|"
    r"[1-9][0-9]{0,1}(?:[ ][0-9]{3})+(?![0-9]|[ ][0-9])|[1-9][0-9]{2}(?:[ ]000)+(?![0-9]|[ ][0-9])|"
    r"[1-9][0-9]?，[0-9]{3}(?:，[0-9]{3})*(?![0-9，])|[0-9]{1,3}(?:，[0-9]{3}){2,}(?![0-9])|[0-9]+"
)
_GROUPED_COMMA = r"[0-9]{1,3}(?:[ \u00a0.,'’][0-9]{3})+(?![0-9])|[0-9]+"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)"
)

_LOOKALIKE = re.compile(
    rf"""[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?![0-9])|[0-9]{{1,4}}/[0-9]{{1,2}}/[0-9]{{2,4}}(?![0-9])
    |[0-9]+(?::[0-9]+)+(?:[ ]?[ap]\.?m\b)?|[0-9]+[ ]:[ ][0-9]+|[0-9]+(?:\.[0-9]+){{2,}}(?![0-9]*,?[0-9])
    |[0-9]+(?:st|nd|rd|th)\b|[0-9]{{1,2}}[ ]?(?:[ap]\.m\.|[ap]m\b|o['’]clock)
    |(?P<year>[0-9]{{4}})[ ]?年|[0-9]{{1,2}}[ ]?月(?:[0-9]{{1,2}}[日号]?)?|[0-9]{{1,2}}[ ]?[日号]
    |[0-9]{{1,2}}点(?:[0-9]{{1,2}}分|半|整|钟)?(?![0-9])
    |[0-9]{{1,2}}[ ]{_MONTH}\b""",
    re.VERBOSE | re.IGNORECASE,
)
_RANGE = re.compile(
    r"[ ]?(?:[~～]|-{1,2}|—{1,2}|\bto\b|到|至)[ ]?\$?(?P<to>[0-9]+(?:\.[0-9]+)?)(?![0-9%]*[ ]?=)"
)
# The signs next to a number without which the patterns around it need not be tried.
_STRETCHES, _BEFORE_BETWEEN = "~～-—tT到至", "nNdDtT在介于"
_NO_TAIL, _EXPRESSES = ".,;:)?%=\n，。、", "√tT{(gG_±m×*÷·+s}]"
_ODDS = re.compile(r"\b(?:odds|ratio)\b[^.\n]{0,20}$", re.IGNORECASE)
_BETWEEN_BEFORE = re.compile(r"\bbetween[ ](?:about |around )?$|[在介][于]?$", re.IGNORECASE)
_AND = re.compile(r"[^0-9.\n]{0,20}?(?:\band\b|[和与])[ ]?[$€£¥]?(?P<to>[0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_BELOW_ZERO = re.compile(
    r"[ ]?(?:°|degrees?|[CF])?[ ]?(?:[CF]\b|Celsius|Fahrenheit)?[ ]?below[ ](?:zero|freezing)", re.IGNORECASE
)
_TAIL = re.compile(
    r"""[ ]?(?:\\[,;! ])?(?:\\cdot|[*·])?[ ]?(?:\\pi(?![a-z])|π|\\sqrt|√|\bpi\b
        |\\(?:ln|log|sin|cos|tan|infty)\b)
    |(?:(?!10)[xyz]|\\?[αθλ]|\\(?:alpha|theta|lambda)\b)(?![A-Za-z\d'’])|!(?=[ ]?[*×/+-])""",
    re.VERBOSE,
)
_OPERATOR = re.compile(
    r"[ ]?(?:[-+×*÷]|/(?=[ ]?[0-9])|\\times|\\cdot|\\pm|±)[ ]?\(?\\?(?:[0-9√π]|sqrt|pi|frac)"
)
_BEFORE_EXPRESSION = re.compile(
    r"(?:√|\\?sqrt(?:\[[0-9]\])?[{(]?|\\?log_?\{?|±|\\pm|[0-9)}π][ ]?(?:[×*÷+·]|\\times|\\cdot))[ ]?$"
)
_HAN = re.compile("[\u4e00-\u9fff～]")
_MINUS_WORD = re.compile(r"(?:\b(?:minus|negative)[ ]|负[ ]?|零下[ ]?)$", re.IGNORECASE)
_SIGN = re.compile(r"(?P<ahead>(?<![A-Za-z0-9_)\]}%.])-[ ]?)?\\?[$€£¥₹₩￥][ ]?(?P<inner>-)?$")
_POINT = re.compile(
    r"[(\[{][ ]?-?[0-9.]+(?:[ ]?[,;][ ]?-?[0-9.]+)+[ ]?(?:\\right)?\\?[)\]}]"
    r"|[(\[{][ ]?-?[0-9.]+[ ]?,[ ]?[-+]?\\?inf"
)
_NAMED = re.compile(
    rf"""(?:\b(?:day|week|round|room|level|grade|step|table|figure|fig\.|section|chapter|page|p\.|eq\.|equation|part|problem|question|example
    |option|case|no\.|number|line|row|column|exercise|method|{_MONTH})|步骤|第|图|表|例|题|方法
    |情况)[ ]?\#?$""",
    re.VERBOSE | re.IGNORECASE,
)


@cache
def _pattern(comma: bool) -> re.Pattern[str]:
    whole, point = (_GROUPED_COMMA, "[.,]") if comma else (_GROUPED, r"\.")
    vulgar = f"[{''.join(_VULGAR)}]"
    return re.compile(
        rf"""
        (?:(?P<mixed>[0-9]{{1,9}})[ ]?)?\\[dtc]?frac[ ]?(?:
            \{{[ ]?(?P<above>-?[0-9]{{1,30}})[ ]?\}}[ ]?\{{[ ]?(?P<below>[0-9]{{1,30}})[ ]?\}}
          | (?P<short>[0-9])[ ]?(?:(?P<under>[0-9])|\{{(?P<undern>[0-9]{{1,30}})\}}))
      | (?:(?P<vunits>[0-9]{{1,9}})[ ]?)?(?P<vulgar>{vulgar})
      | (?:(?P<units>[0-9]{{1,9}})(?:[ ]|[ ]?and[ ]|又|-(?=[0-9]/)))?(?P<top>[0-9]{{1,30}})[ ]?[/⁄][ ]?
            (?P<bottom>[0-9]{{1,30}})(?![0-9]*/|[0-9]|\.[0-9])
      | (?P<base>[0-9]{{1,6}})[ ]?(?:\^[ ]?\{{?[ ]?(?P<to>[+-]?[0-9]{{1,3}})[ ]?\}}?
      |(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{{1,3}}))
      | (?P<chinese>(?:(?:[0-9]{{1,3}}(?:,[0-9]{{3}})+|[0-9]+)(?:\.[0-9]+)?
            (?:[ ]?[万萬亿億]|千(?![克米瓦卡焦伏])|百(?![分帕]))+)+)(?P<rest>[0-9]+)?
      | (?:(?P<zunits>[0-9]{{1,9}})又)?(?P<zbelow>[0-9]{{1,9}})分之(?P<zabove>[0-9]{{1,9}})
      | (?P<european>[0-9]{{1,3}}(?:\.[0-9]{{3}})+,[0-9]+)(?![0-9])
      | (?:(?P<whole>{whole})(?P<decimals>{point}[0-9]+)?|(?P<point>{point}[0-9]+))
            (?:[eE](?P<e>[+-]?[0-9]{{1,3}})(?![0-9A-Za-z])
              |[ ]?(?:[×x*·]|\\times|\\cdot)[ ]?10[ ]?(?:\^[ ]?\{{?[ ]?(?P<power>[+-]?[0-9]{{1,3}})[ ]?\}}?
                |(?P<praised>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{{1,3}}))
              |[ ]?(?P<scale>dozen|hundred|thousand|million|billion|trillion)\b
              |(?P<letter>[kK]|M|[mb]n|B)(?![A-Za-z0-9]))?
        """,
        re.VERBOSE,
    )


def numbers_in_digits(text: str, comma: bool, start: int = 0, end: int | None = None) -> Iterator[Number]:
    """The numbers between two places of a folded text, in order; lookalikes are left out."""
    at, end = start, len(text) if end is None else end
    while found := _START.search(text, at, end):
        number, at = _number_at(text, found, comma, start, end)
        if number is not None:
            yield number


def _number_at(
    text: str, found: re.Match[str], comma: bool, start: int, end: int
) -> tuple[Number | None, int]:
    """(the number that begins here, where the next may begin); no number where it only looks like one."""
    begin = found.start()
    if found.group() in ("√", "π", "\\sqrt", "\\pi"):
        return Number(None, begin, found.end()), found.end()
    core = _pattern(comma).match(text, begin, end)
    if core is None:
        return Number(None, begin, found.end()) if text[begin] == "\\" else None, found.end()
    at = core.end()
    if begin and _is_within(text, begin):
        return None, max(at, _NOT_WITHIN.match(text, begin, end).end())  # type: ignore[union-attr]
    lookalike = _LOOKALIKE.match(text, begin, end)
    if lookalike and not (core["above"] or core["vulgar"]):
        at = max(at, lookalike.end())
        return Number(lookalike["year"], begin, at, True) if lookalike["year"] else None, at
    place = _before(text, begin, start)
    if place is None:
        return None, at
    negative, first = place
    unclear = _unclear_until(text, core, start, first, end)
    if unclear:
        return Number(None, first, unclear), unclear
    value = _value(core, comma)
    negative = negative or (
        text[at : at + 40].find("below") >= 0 and _BELOW_ZERO.match(text, at, end) is not None
    )
    return Number(f"-{value}" if negative and value and value != "0" else value, first, at), at


def _is_within(text: str, begin: int) -> bool:
    """Whether digits here belong to a name or are an exponent: x_1, A4, 10^3."""
    before = text[begin - 1]
    return (
        (before == "_" and text[:begin].rstrip("_")[-1:].isalnum())
        or (before.isascii() and before.isalpha())
        or _is_raised(text, begin)
    )


def _unclear_until(text: str, core: re.Match[str], start: int, first: int, end: int) -> int:
    """Where the point, the range or the expression ends that a number is part of; 0 for a number alone."""
    begin, at = core.span()
    if text[first - 1 : first] in ("(", "[", "{"):
        point = _POINT.match(text, first - 1, end)
        if point:
            return point.end()
    if "~" in core.group() and _HAN.search(text, max(0, begin - 6), at + 4):
        return at
    follows = text[at : at + 2].lstrip(" ")[:1]
    before = text[max(start, first - 2) : first].rstrip(" ")[-1:]
    stretch = _RANGE.match(text, at, end) if follows and follows in _STRETCHES else None
    if stretch is None and before and before in _BEFORE_BETWEEN:
        between = _BETWEEN_BEFORE.search(text, max(start, first - 20), first)
        stretch = _AND.match(text, at, end) if between else None
    if stretch and (
        _goes_up(core.group(), stretch["to"]) or _ODDS.search(text, max(start, first - 30), first)
    ):
        return stretch.end()
    if follows and follows not in _NO_TAIL and _TAIL.match(text, at, end):
        return at
    if before and before in _EXPRESSES and _BEFORE_EXPRESSION.search(text, max(start, first - 10), first):
        return at
    return 0


def is_sum(text: str, number: Number, end: int) -> bool:
    """Whether an operator and another number follow: 16 - 3."""
    return bool(_OPERATOR.match(text, number.end, end))


def _goes_up(low: str, high: str) -> bool:
    try:
        return Decimal(low.replace(",", "")) < Decimal(high)
    except ArithmeticError:
        return False


def _is_raised(text: str, begin: int) -> bool:
    """Whether digits at this place are an exponent, or stand in a name such as COVID-19."""
    if (
        text[begin - 1] == "^"
        or text[max(0, begin - 2) : begin] in ("^{", "^-")
        or text[max(0, begin - 3) : begin] == "^{-"
    ):
        return True
    return text[begin - 1] == "-" and begin > 1 and text[begin - 2].isascii() and text[begin - 2].isalpha()


def _before(text: str, begin: int, start: int) -> tuple[bool, int] | None:
    """(whether a sign makes the number negative, where it begins with sign and currency); None for the number
    of a step, a table, a page or a day."""
    before = text[begin - 1 : begin]
    if begin <= start or before in "\n=":
        return False, begin
    if before == "-" and not (
        begin > 1
        and ((text[begin - 2].isascii() and text[begin - 2].isalnum()) or text[begin - 2] in "_)]}%.")
    ):
        return True, begin - 1
    if (
        before == " "
        and text[begin - 2 : begin - 1] == "-"
        and text[begin - 3 : begin - 2] in ("", "=", "(", "\n")
    ):
        return True, begin - 2
    near = text[max(start, begin - 12) : begin]
    if "$" in near or "€" in near or "£" in near or "¥" in near or "￥" in near or "₹" in near or "₩" in near:
        sign = _SIGN.search(near)
        if sign:
            first = begin - len(near) + sign.start()
            return bool(sign["ahead"] or sign["inner"]) or bool(
                _MINUS_WORD.search(text[max(0, first - 10) : first])
            ), first
        if before == "-":
            return True, begin - 1
    word = _MINUS_WORD.search(near)
    if word:
        return True, begin - len(near) + word.start()
    return None if _NAMED.search(near) else (False, begin)


def _value(match: re.Match[str], comma: bool) -> str | None:
    """The plain form of what `_pattern` found; None for a power that is too large to write out."""
    if match["above"] or match["short"]:
        above, below = match["above"] or match["short"], match["below"] or match["under"] or match["undern"]
        sign, above = ("-", above[1:]) if above.startswith("-") else ("", above)
        return f"{sign}{match['mixed']} {above}/{below}" if match["mixed"] else f"{sign}{above}/{below}"
    if match["vulgar"]:
        fraction = _VULGAR[match["vulgar"]]
        return f"{match['vunits']} {fraction}" if match["vunits"] else fraction
    if match["top"]:
        fraction = f"{match['top']}/{match['bottom']}"
        return f"{match['units']} {fraction}" if match["units"] else fraction
    if match["zbelow"]:
        fraction = f"{match['zabove']}/{match['zbelow']}"
        return f"{match['zunits']} {fraction}" if match["zunits"] else fraction
    if match["european"]:
        return plain_decimal(match["european"].replace(".", "").replace(",", "."))
    if match["base"]:
        return _power(int(match["base"]), int(match["to"] or match["raised"].translate(_RAISED)))
    if match["chinese"]:
        return _chinese(match["chinese"], match["rest"] or "")
    whole = match["whole"] or "0"
    if not whole.isdecimal():
        whole = "".join(ch for ch in whole if ch.isdecimal())
    decimals = (match["decimals"] or match["point"] or "").replace(",", ".")
    value = plain_decimal(f"{whole}{decimals}")
    exponent = int(match["e"] or match["power"] or (match["praised"] or "0").translate(_RAISED))
    scale = match["scale"] or match["letter"]
    if scale:
        return plain_decimal(format(Decimal(value) * _SCALES[scale.lower()], "f"))
    return times_ten_to(value, exponent) if exponent else value


def _power(base: int, exponent: int) -> str | None:
    if base == 10:
        return times_ten_to("1", exponent)
    if exponent < 0 or exponent * len(str(base)) > 40:
        return None
    return str(base**exponent)


_CHINESE_PART = re.compile(r"([0-9,]+(?:\.[0-9]+)?) ?([百千万萬亿億]+)")


def _chinese(parts: str, rest: str) -> str:
    """1亿2000万 is 120000000; a last single digit counts in tenths of the unit before it: 3万5 is 35000."""
    total = section = Decimal(0)
    exponent = 0
    for digits, units in _CHINESE_PART.findall(parts.replace(",", "")):
        exponent = sum(_CHINESE_UNITS[unit] for unit in units)
        if exponent >= 4:
            total += (section + Decimal(digits)) * 10**exponent
            section = Decimal(0)
        else:
            section += Decimal(digits) * 10**exponent
    total += section
    if rest:
        total += Decimal(rest) * 10 ** (exponent - 1 if len(rest) == 1 else 0)
    return plain_decimal(format(total, "f"))
