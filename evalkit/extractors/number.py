r"""The number that a response arrives at, in the form in which numbers are compared.

That form is plain: `$1,200.50` is 1200.5, `18.00` is 18, `50%` is 50, `３５` is 35, `3.5万` is 35000; a
fraction is kept as written, without spaces (3/4, 1 3/4). Write targets the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from evalkit.extractors.excerpt import Excerpt, Found, fold
from evalkit.extractors.markup import last_boxed
from evalkit.extractors.numerals import CHINESE_NUMERAL, chinese_value, is_word, plain_decimal, times_ten_to

__all__ = ["decimal_comma", "gsm8k", "last_number", "number"]

# Languages that write 1.234,5 for what English and Chinese write as 1,234.5 (Unicode CLDR, number symbols).
_COMMA_LANGUAGES = frozenset(
    """bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl pt ro ru sk sl
    sq sr sv tr uk uz vi""".split()  # noqa: SIM905 - a list of forty strings is no easier to read
)

_GROUPED = r"[0-9]{1,3}(?:(?:,|\{,\}|\\,)[0-9]{3})+(?![0-9])|[0-9]+"
_GROUPED_COMMA = r"[0-9]{1,3}(?:[ .,][0-9]{3})+(?![0-9])|[0-9]+"
_MYRIADS = {"万": 4, "萬": 4, "亿": 8, "億": 8}

_DIGIT = re.compile("[0-9]")

Number = tuple[str, int, int]
"""(value in its plain form, start, end)."""


def decimal_comma(language: str) -> bool:
    """Whether the language writes a comma before the decimals."""
    return language.lower().replace("_", "-").partition("-")[0] in _COMMA_LANGUAGES


@cache
def _pattern(comma: bool) -> re.Pattern[str]:
    whole, point = (_GROUPED_COMMA, "[.,]") if comma else (_GROUPED, r"\.")
    return re.compile(
        rf"""
        (?P<sign>(?<![A-Za-z0-9_)\]}}%.])-|负[ ]?|\b(?i:negative)[ ])?
        (?:\\?[$€£¥₹₩][ ]?(?P<inner>-)?)?
        (?<![A-Za-z_0-9])
        (?:
            (?:(?P<mixed>[0-9]{{1,9}})[ ]?)?
            \\[dt]?frac[ ]?\{{(?P<above>-?[0-9]{{1,30}})\}}[ ]?\{{(?P<below>[0-9]{{1,30}})\}}
          | (?:(?P<units>[0-9]{{1,9}})[ ])?
            (?<![0-9]/)(?P<top>[0-9]{{1,30}})[ ]?/[ ]?(?P<bottom>[0-9]{{1,30}})(?![0-9]*/|[0-9]|\.[0-9])
          | (?:(?P<whole>{whole})(?P<decimals>{point}[0-9]+)?|(?P<point>{point}[0-9]+))
            (?:[eE](?P<e>[+-]?[0-9]{{1,3}})(?![0-9A-Za-z])
              |[ ]?(?:[×x*]|\\times)[ ]?10[ ]?\^[ ]?\{{?(?P<power>[+-]?[0-9]{{1,3}})\}}?)?
            (?P<myriad>[万萬亿億])?
        )
        (?:[ ]?\\?%)?
        """,
        re.VERBOSE,
    )


_NO_DIGIT = re.compile(r"[^0-9]")


def _value(match: re.Match[str], comma: bool) -> str:
    sign = "-" if match["sign"] or match["inner"] else ""
    if match["above"]:
        fraction = f"{match['above']}/{match['below']}"
        return f"{sign}{match['mixed']} {fraction}" if match["mixed"] else f"{sign}{fraction}"
    if match["top"]:
        fraction = f"{match['top']}/{match['bottom']}"
        return f"{sign}{match['units']} {fraction}" if match["units"] else f"{sign}{fraction}"
    whole = match["whole"] or "0"
    if not whole.isdecimal():
        whole = _NO_DIGIT.sub("", whole)
    decimals = (match["decimals"] or match["point"] or "").replace(",", ".")
    value = plain_decimal(f"{sign}{whole}{decimals}")
    exponent = int(match["e"] or match["power"] or 0) + _MYRIADS.get(match["myriad"] or "", 0)
    return times_ten_to(value, exponent) if exponent else value


def arabic_numbers(text: str, comma: bool, start: int = 0, end: int | None = None) -> Iterator[Number]:
    """The numbers in digits between two places of a folded text, in order."""
    for match in _pattern(comma).finditer(text, start, len(text) if end is None else end):
        yield _value(match, comma), match.start(), match.end()


def chinese_numbers(text: str, start: int = 0, end: int | None = None) -> Iterator[Number]:
    """The Chinese numerals between two places of a text, in order, parts of words left out."""
    for match in CHINESE_NUMERAL.finditer(text, start, len(text) if end is None else end):
        value = chinese_value(match)
        if value is not None and not is_word(text, match.start(), match.end()):
            yield value, match.start(), match.end()


_ANCHOR = re.compile(
    r"""
    \b(?i:answers?)\b(?:
        [^\n.:=]{0,40}?(?:\b(?i:is|are|was|be|equals)\b|[:=])
      | [ \t*_]{0,8}\n
    )
  | 答案[^\n。:=]{0,12}?(?:是|为|為|等于|等於|[:=])
  | ^[ \t*_#]{0,8}答[ ]?:
    """,
    re.VERBOSE | re.MULTILINE,
)
_NEGATED = re.compile(r"不|\b(?i:not)\b|n['’]t\b")
_SENTENCE_END = re.compile(r"[。！？!?;]|\.(?=\s)|\n")
_NUMBER_STARTS = re.compile(r"[0-9零一二两三四五六七八九十百千负]")
_CLAUSE = 300
"""How far after an anchor its number may stand, in characters."""


def number(excerpt: Excerpt, comma: bool = False) -> Found | None:
    r"""The number of the first rule that finds one.

    hash: on a line `#### 18`; boxed: in the last \boxed{}; anchor: after the last "answer is" or 答案是 that
    is not negated; last: the last in digits; chinese: the last Chinese numeral, when there are no digits.
    """
    text = fold(excerpt.text)
    for rule, find in (("hash", _hash), ("boxed", _boxed), ("anchor", _anchored), ("last", _last)):
        found = find(text, comma)
        if found:
            return _found(excerpt, found, f"number:{rule}")
    found = _final(chinese_numbers(text))
    return _found(excerpt, found, "number:chinese") if found else None


def last_number(excerpt: Excerpt, comma: bool = False) -> Found | None:
    """The last number in digits, else the last Chinese numeral."""
    text = fold(excerpt.text)
    found = _last(text, comma)
    if found:
        return _found(excerpt, found, "number:last")
    found = _final(chinese_numbers(text))
    return _found(excerpt, found, "number:chinese") if found else None


def _found(excerpt: Excerpt, number: Number, rule: str) -> Found:
    value, start, end = number
    return Found(excerpt.part(start, end).rewritten(value), rule)


def _final(numbers: Iterator[Number]) -> Number | None:
    last: Number | None = None
    for last in numbers:  # noqa: B007 - the last one is what is wanted
        pass
    return last


def _last(text: str, comma: bool) -> Number | None:
    """The last number in digits: no number crosses a line, so lines are read from the end."""
    end = len(text)
    while end >= 0:
        start = text.rfind("\n", 0, end) + 1
        if _DIGIT.search(text, start, end):
            last: re.Match[str] | None = None
            for last in _pattern(comma).finditer(text, start, end):  # noqa: B007 - the last one is wanted
                pass
            if last is not None:
                return _value(last, comma), last.start(), last.end()
        end = start - 1
    return None


def _hash(text: str, comma: bool) -> Number | None:
    """The number of the last `#### 18` line; a heading such as `#### 2. Add them` is none."""
    at = text.rfind("####")
    if at < 0:
        return None
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    found = next(arabic_numbers(text, comma, at + 4, end), None)
    if found is None or text[at + 4 : found[1]].strip("# \t*_`"):
        return None
    rest = text[found[2] : end].strip(" \t*_`")
    is_heading = rest[:1] in (".", ")", ":", "、") and len(rest) > 1
    return None if is_heading or len(rest) > 40 else found


def _boxed(text: str, comma: bool) -> Number | None:
    span = last_boxed(text)
    return _result(text, comma, *span) if span else None


def _anchored(text: str, comma: bool) -> Number | None:
    for anchor in reversed(list(_ANCHOR.finditer(text))):
        start = anchor.end()
        if _NEGATED.search(anchor.group()) or _NEGATED.match(text, start + (text[start : start + 1] == " ")):
            continue
        limit = min(len(text), start + _CLAUSE)
        first = _NUMBER_STARTS.search(text, start, limit)
        if first is None:
            continue
        stop = _SENTENCE_END.search(text, first.end(), limit)
        gap = text[start : first.start()]
        if "\n\n" in gap.strip(" \t*_:") and gap.strip():
            continue
        found = _result(text, comma, start, stop.start() if stop else limit)
        if found:
            return found
    return None


def _result(text: str, comma: bool, start: int, end: int) -> Number | None:
    """The number of a clause: after its last equals sign, else the first; at each comma digits come first."""
    equals = max(text.rfind("=", start, end), text.rfind("≈", start, end))
    for begin in (equals + 1, start) if equals >= 0 else (start,):
        while begin < end:
            comma_at = text.find("，", begin, end)
            stop = comma_at if comma_at >= 0 else end
            found = next(arabic_numbers(text, comma, begin, stop), None)
            found = found or next(chinese_numbers(text, begin, stop), None)
            if found:
                return found
            begin = stop + 1
    return None


_GSM8K = re.compile(r"-?[0-9][0-9,]*(?:\.[0-9]+)?|-?\.[0-9]+")


def gsm8k(excerpt: Excerpt) -> Found | None:
    """The last number after `####`, `$` and the commas of thousands dropped; no answer without the mark.

    The rule by which the recorded outputs of Abel were judged (GAIR-NLP/abel, outputs/gsm8k).
    """
    mark = excerpt.text.rfind("####")
    if mark < 0:
        return None
    last: re.Match[str] | None = None
    for last in _GSM8K.finditer(excerpt.text, mark):  # noqa: B007 - the last one is what is wanted
        pass
    if last is None:
        return None
    value = plain_decimal(last.group().replace(",", ""))
    return Found(excerpt.part(*last.span()).rewritten(value), "gsm8k")
