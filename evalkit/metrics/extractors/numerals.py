"""Numbers as text: decimals in one plain form, and Chinese numerals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

__all__ = ["chinese_numbers", "plain_decimal", "times_ten_to"]

_DIGITS = {
    character: value
    for value, characters in enumerate(
        ("零〇○", "一壹", "二两兩贰貳", "三叁參", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖")
    )
    for character in characters
}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_D = "".join(_DIGITS)
_DU = _D + "".join(_UNITS) + "".join(_MYRIADS)
_START = _D + "十拾百佰千仟"
_UNIT_OR_DIGIT = f"(?:[{''.join(ch for ch in _DU if ch != '千')}]|千(?![米克瓦卡焦]))"

CHINESE_NUMERAL = re.compile(
    rf"(?P<sign>负的?|零下)?(?:"
    rf"(?:(?P<ones>[{_START}][{_DU}]{{0,15}})又)?(?P<below>[{_START}][{_DU}]{{0,15}})分之(?P<above>[{_START}][{_DU}]{{0,15}}(?:点[{_D}]{{1,20}})?)|"
    rf"(?<![第几数{_DU}点])(?P<whole>[{_START}]{_UNIT_OR_DIGIT}{{0,39}})(?:点(?P<decimals>[{_D}]{{1,20}}))?(?!{_UNIT_OR_DIGIT})"
    rf")"
)
"""A Chinese number: a fraction (四分之三, 百分之二十), or a whole with decimals (三点五); never 第三."""

_ABOUT = re.compile("[几多来]")
_ONE_HALF = re.compile("一半(?![以个])")


def _is_about(written: str) -> bool:
    """Whether it is two digits that follow each other: 三四 is three or four."""
    return (
        len(written) == 2
        and all(ch in _DIGITS for ch in written)
        and abs(_DIGITS[written[1]] - _DIGITS[written[0]]) == 1
        and _DIGITS[written[0]] > 0
    )


_PARTS_OF_WORDS = frozenset({"一", "十", "百", "千", "千万"})
_NO_NUMBER_AFTER = frozenset("言些起般样下直定切共旦方面边律致向同体半会时带贯味心生流点不别要姓")
_NO_NUMBER_BEFORE = frozenset("统唯单专万同划归不之某每")


_JIAO = re.compile(
    "(?:[元块](?=.[角毛])|[块米](?=.(?![\u4e00-\u9fff])))(?P<jiao>[一二三四五六七八九])[角毛]?"
)
_HALF = re.compile(r"个?(?:半|(?:小时|年|天|月|吨|公里|公斤|斤|米|里)半)(?![0-9])")
_HALVES = re.compile(r"(?<![0-9一二两三四五六七八九十个多大夜下上])半(?=个?小时|公里|公斤|斤|米|升|吨)")


def chinese_numbers(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[str, int, int]]:
    """(value, start, end) of the Chinese numerals between two places, in order, parts of words left out.

    一个半 is 1.5, 半小时 is 0.5.
    """
    end = len(text) if end is None else end
    at = start
    for match in CHINESE_NUMERAL.finditer(text, start, end):
        if match.start() < at:  # 五 in 八十五元五角, which is 85.5
            continue
        value = chinese_value(match)
        if value is None or is_word(text, match.start(), match.end()):
            continue
        if _ABOUT.match(text, match.end(), end) or _is_about(match.group()):
            continue
        jiao = _JIAO.match(text, match.end(), end)
        if jiao and value.isdigit():
            at = jiao.end()
            yield f"{value}.{_DIGITS[jiao['jiao']]}", match.start(), at
            continue
        half = _HALF.match(text, match.end(), end)
        if half and value.lstrip("-").isdigit():
            yield f"{value}.5", match.start(), half.end()
        else:
            yield value, match.start(), match.end()
    for match in _ONE_HALF.finditer(text, start, end):
        yield "1/2", match.start(), match.end()
    for match in _HALVES.finditer(text, start, end):
        yield "0.5", match.start(), match.end()


def is_word(text: str, start: int, end: int) -> bool:
    """Whether the numeral at this place is a part of a word (一起, 统一, 千万别) and no number."""
    if (
        text[end : end + 1] in ("点", "时")
        and text[end + 1 : end + 2] != "钟"
        and text[end : end + 2] != "时间"
    ):
        return True  # a time of day
    if text[start:end] in ("两", "兩") and text[end : end + 1] in ("地", "者", "边", "侧", "岸", "旁"):
        return True
    if text[start:end] == "十" and text[end : end + 1] == "分":
        return text[end : end + 2] not in ("分钟", "分之")
    if text[start:end] not in _PARTS_OF_WORDS:
        return False
    return text[end : end + 1] in _NO_NUMBER_AFTER or text[max(0, start - 1) : start] in _NO_NUMBER_BEFORE


def chinese_value(match: re.Match[str]) -> str | None:
    """The number that a match of `CHINESE_NUMERAL` spells, in digits; None when it spells none.

    A percentage is its number (百分之二十 is 20), another fraction is kept as one (四分之三 is 3/4).
    """
    sign = "-" if match["sign"] else ""
    if not match["below"]:
        whole = _whole(match["whole"])
        return None if whole is None else plain_decimal(f"{sign}{whole}{_decimals(match['decimals'])}")
    written, _, decimals = match["above"].partition("点")
    above, below = _whole(written), _whole(match["below"])
    if above is None or not below:
        return None
    value = plain_decimal(f"{sign}{above}{_decimals(decimals)}")
    if match["below"] in ("百", "佰"):
        return value
    return (
        f"{sign}{_whole(match['ones'])} {value.lstrip('-')}/{below}" if match["ones"] else f"{value}/{below}"
    )


def _decimals(text: str | None) -> str:
    return "." + "".join(str(_DIGITS[character]) for character in text) if text else ""


def _whole(text: str) -> int | None:
    """The whole number that Chinese digits and units spell; None when they spell none."""
    if all(character in _DIGITS for character in text):
        return int("".join(str(_DIGITS[character]) for character in text))
    total = section = 0
    digit: int | None = None
    unit = 1
    for character in text:
        if character in _DIGITS:
            if digit:
                return None
            unit = 1 if digit == 0 or _DIGITS[character] == 0 else unit
            digit = _DIGITS[character]
        elif character in _UNITS:
            unit = _UNITS[character]
            section += (1 if digit is None else digit) * unit
            digit = None
        else:
            unit = _MYRIADS[character]
            section += digit or 0
            total = (total + section) * unit if unit == 10**8 else total + (section or 1) * unit
            section, digit = 0, None
    # A last digit without a unit counts in tens of the unit before: 三千五 is 3500; but 三千零五 is 3005.
    return total + section + (digit or 0) * max(1, unit // 10)


def plain_decimal(number: str) -> str:
    """The number without leading zeros, trailing zeros after the point or a sign of zero: 018.50 is 18.5."""
    sign = "-" if number.startswith("-") else ""
    whole, _, decimals = number.lstrip("+-").partition(".")
    whole, decimals = whole.lstrip("0") or "0", decimals.rstrip("0")
    plain = f"{whole}.{decimals}" if decimals else whole
    return plain if plain == "0" else sign + plain


def times_ten_to(number: str, exponent: int) -> str:
    """The decimal with its point moved to the right, exactly: 1.25 and 4 make 12500."""
    return plain_decimal(format(Decimal(f"{number}e{exponent}"), "f"))
