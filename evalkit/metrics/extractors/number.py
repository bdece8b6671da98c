r"""The number that a response arrives at, in the form in which numbers are compared.

That form is plain: `$1,200.50` is 1200.5, `18.00` is 18, `50%` is 50, `３５` is 35, `3.5万` is 35000; a
fraction is kept as written, without spaces (3/4, 1 3/4). Write targets the same way. Where a reply gives two
numbers, an expression that is no plain number (2π), or says that none can be given, there is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.metrics.extractors.clauses import assigned, beside
from evalkit.metrics.extractors.conclusion import concluding
from evalkit.metrics.extractors.digits import Number, is_sum, numbers_in_digits
from evalkit.metrics.extractors.excerpt import Excerpt, Found, fold
from evalkit.metrics.extractors.markup import last_boxed
from evalkit.metrics.extractors.numerals import chinese_numbers, plain_decimal
from evalkit.metrics.extractors.turns import own_turn
from evalkit.metrics.extractors.words import english_numbers

__all__ = ["decimal_comma", "gsm8k", "last_number", "number"]

# Languages that write 1.234,5 for what English and Chinese write as 1,234.5 (Unicode CLDR, number symbols).
_COMMA_LANGUAGES = frozenset(
    """bg bs ca cs da de el es et eu fi fr gl hr hu hy id is it ka kk lt lv mk nb nl nn no pl pt ro ru sk sl
    sq sr sv tr uk uz vi""".split()  # noqa: SIM905 - a list of forty strings is no easier to read
)
_DIGIT = re.compile("[0-9]")
_GROUP_SPACE = re.compile("(?<=[0-9])[\u00a0\u2007\u2009\u202f](?=[0-9]{3}(?![0-9]))")
_UNCLEAR = Number(None, 0, 0)
"""What a rule returns that finds an answer which is no single number: no later rule may look further."""


def decimal_comma(language: str) -> bool:
    """Whether the language writes a comma before the decimals."""
    return language.lower().replace("_", "-").partition("-")[0] in _COMMA_LANGUAGES


def _folded(text: str) -> str:
    """The folded text, in which a space that groups digits stays apart from one that parts numbers."""
    folded = fold(text)
    if text.isascii():
        return folded
    if "～" in text:  # a range, where ~ groups digits
        folded = "".join("～" if was == "～" else now for was, now in zip(text, folded, strict=True))
    for space in _GROUP_SPACE.finditer(text):
        folded = f"{folded[: space.start()]}\u00a0{folded[space.end() :]}"
    return folded


_ANCHOR = re.compile(
    r"""
    (?<!-)\b(?i:answers?|result)\b(?:
        [^\n.:=]{0,40}?(?:\b(?i:is|are|was|be|equals)\b|:)
      | [^\n.:=0-9]{0,20}=
      | [ \t*_]{0,8}\n
      | >
    )
  | (?:答案|结果)[^\n。:=]{0,12}?(?:是|为|為|等于|等於|[:=】\]])
  | ^[ \t*_#]{0,8}答[ ]?:
  | \b(?i:actually|correction|wait)\b[,:]?[ ](?i:it|that)(?:'s|[ ](?i:is|should[ ]be))
  | (?:更正|等等|等一下|不对|修正|重新)[^\n。]{0,30}?(?:[:]|[应该]+[是为]|[是为])
    """,
    re.VERBOSE | re.MULTILINE,
)
_HINTS = (
    "answer",
    "result",
    "答",
    "结果",
    "actually",
    "correction",
    "wait",
    "更正",
    "等等",
    "等一下",
    "不对",
    "修正",
    "重新",
)
MAX_ANCHORS = 200
"""Only so many anchors are read, counted from the end."""
_NEGATED = re.compile(r"不|没|无法|\b(?i:not|cannot)\b|n['’]t\b")
_DENIED = re.compile(r"[ *_]{0,3}(?:not\b|不是)?", re.IGNORECASE)
_INSTEAD = re.compile(
    r"[^\n.。]{0,40}?(?:[,，;] ?(?:but|it'?s|it is|rather)\b|而是|，是|，应)", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<!\\)[。！？!?;；](?![0-9])|\.(?=\s)|\n")
_NUMBER_STARTS = re.compile(r"[0-9零一二两三四五六七八九十百千负半√π½¼¾⅓⅔]|\\(?:frac|sqrt|pi)")
_WORD_STARTS = re.compile(
    r"[\s*_:$]{0,8}(?:exactly |about |approximately |just |only |a |an |minus |negative )?"
    r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirt|fou?r|fif|sixt|sevent"
    r"|eight|ninet|twent"
    r"|hundred|dozen|thousand|million)",
    re.IGNORECASE,
)
_CONTRASTED = re.compile(r"第一[^。\n]*[0-9][^。\n]*第二[^。\n]*$")
_NONE_GIVEN = re.compile(
    r"[\s*_:]{0,4}(?:depends|undefined|indeterminate|not defined|取决于|不存在|无意义)"
    r"|[^.。\n]{0,10}\bdepends\b",
    re.IGNORECASE,
)
_DEPENDS = re.compile(r"\bdepends\b|取决于", re.IGNORECASE)
_EITHER = re.compile(
    r"[^\w]*(?:[a-z\u4e00-\u9fff]{1,8}[^\w]*)?(?:\bor\b|或者?|还是)[^\w]*"
    r"(?:(?:maybe|possibly|perhaps|even|也许|可能|大概)[^\w]*)?(?:[a-z] ?= ?|是)?",
    re.IGNORECASE,
)
_OR_ELSE = re.compile(r"[.。]\s{0,2}(?:or\b|或者?|也可能)[^.。\n]{0,20}[0-9]", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|either)\b|之间", re.IGNORECASE)
_CHINESE_COMMA = re.compile("，(?!(?<=[0-9]，)[0-9]{3}(?![0-9]))")
_CLAUSE = 160
"""How many characters after an anchor are read."""


def number(excerpt: Excerpt, comma: bool = False) -> Found | None:
    r"""The number of the first rule that finds one.

    hash: on a line `#### 18`; boxed: in the last \boxed{}; anchor: after the last "answer is" or 答案是 that
    is not negated; last: the one at which the last statement arrives; chinese, words: a numeral in Chinese or
    English words, when there are no digits.
    """
    excerpt = own_turn(excerpt)
    text = _folded(excerpt.text)
    for rule, find in (("hash", _hash), ("boxed", _boxed), ("anchor", _anchored)):
        found = find(text, comma)
        if found:
            return None if found.value is None else _found(excerpt, found, f"number:{rule}")
    concluded = concluding(text, comma)
    return _found(excerpt, concluded[1], f"number:{concluded[0]}") if concluded else None


def last_number(excerpt: Excerpt, comma: bool = False) -> Found | None:
    """The last number in digits, else the last Chinese numeral."""
    text = _folded(excerpt.text)
    end = len(text)
    while end >= 0:  # no number crosses a line, so lines are read from the end
        start = text.rfind("\n", 0, end) + 1
        if _DIGIT.search(text, start, end):
            found = _final(each for each in numbers_in_digits(text, comma, start, end) if each.value)
            if found:
                return _found(excerpt, found, "number:last")
        end = start - 1
    found = _final(Number(*each) for each in chinese_numbers(text))
    return _found(excerpt, found, "number:chinese") if found else None


def _found(excerpt: Excerpt, number: Number, rule: str) -> Found:
    return Found(excerpt.part(number.start, number.end).rewritten(number.value or ""), rule)


def _final(numbers: Iterator[Number]) -> Number | None:
    last: Number | None = None
    for last in numbers:  # noqa: B007 - the last one is what is wanted
        pass
    return last


_PLAIN = re.compile(r"[ ]?(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)[ ]{0,3}")
"""What stands after most `####`; the rest is read with all that a number may be."""


def _hash(text: str, comma: bool) -> Number | None:
    """The number of the last `#### 18` line; a heading such as `#### 2. Add them` is none."""
    at = text.rfind("####")
    if at < 0:
        return None
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    plain = _PLAIN.fullmatch(text, at + 4, end)
    if plain and not (comma and "." in plain[1]):
        return Number(plain_decimal(plain[1]), *plain.span(1))
    numbers = numbers_in_digits(text, comma, at + 4, end)
    found, other = next(numbers, None), next(numbers, None)
    if found and other and other.value != found.value and beside(text, found, other):
        return _UNCLEAR
    if found is None or found.value is None or text[at + 4 : found.start].strip("# \t*_`"):
        return None
    rest = text[found.end : end].strip(" \t*_`")
    is_heading = rest[:1] in (".", ")", ":", "、") and len(rest) > 1
    return None if is_heading or len(rest) > 40 else found


_TEXT_IN_BOX = re.compile(r"\\(?:text|mathrm|mbox)\{[^{}]*\}")
_OR_BOX = re.compile(
    r"\}[^\n{}]{0,20}(?:\{)?\s?(?:\bor\b|或|\band\b|和)[^\n]{0,20}\\boxed\s?\{$"
    r"|\}[ $]{0,3}[,，、;][ $]{0,3}\\boxed\s?\{$"
)
_VARIABLE = re.compile(r"(?<![A-Za-z\\])[a-zA-Z](?![A-Za-z])")


def _boxed(text: str, comma: bool) -> Number | None:
    """The number of the last box; unclear where it holds several, or an expression."""
    span = last_boxed(text)
    if span is None:
        return None
    start, end = span
    if _OR_BOX.search(text, max(0, start - 60), start):
        return _UNCLEAR
    if assigned(text, start, end):
        return _UNCLEAR
    equals = text.rfind("=", start, end)
    start = equals + 1 if equals >= 0 else start
    found = list(numbers_in_digits(text, comma, start, end))
    if not found:
        words = [
            Number(*each) for each in (*chinese_numbers(text, start, end), *english_numbers(text, start, end))
        ]
        return words[0] if len(words) == 1 else None
    first = found[0]
    outside = _TEXT_IN_BOX.sub("", text[first.end : end])
    if any(each.value != first.value for each in found if _not_in_text(text, each, start)) or is_sum(
        text, first, end
    ):
        return _UNCLEAR
    before = _TEXT_IN_BOX.sub("", text[start : first.start])
    if _VARIABLE.search(before) or (
        re.match(r"[ ]?[+*-]|[ ]?[a-zA-Z](?![A-Za-z])", outside)
        and not re.match(r"[ ]?(?:m|g|s|h|L|N|J|W|V|A|K|C)\b", outside)
    ):
        return _UNCLEAR
    return first


def _not_in_text(text: str, number: Number, start: int) -> bool:
    opened = text.rfind("\\text", start, number.start)
    return opened < 0 or "}" in text[opened : number.start]


def _anchored(text: str, comma: bool) -> Number | None:
    lowered = text.lower()
    if not any(map(lowered.__contains__, _HINTS)):
        return None
    for anchor in reversed(list(_ANCHOR.finditer(text))[-MAX_ANCHORS:]):
        start = anchor.end()
        limit = min(len(text), start + _CLAUSE)
        denied = _DENIED.match(text, start, limit)
        if _NEGATED.search(anchor.group()) or (denied and denied.group().strip(" *_")):
            instead = _INSTEAD.match(text, start, limit)
            if instead is None:
                continue
            start = instead.end()
        first = _NUMBER_STARTS.search(text, start, limit)
        spelt = _WORD_STARTS.match(text, start, limit)
        if first is None and spelt is None:
            continue
        begun = spelt.end() if spelt else first.end()  # type: ignore[union-attr]
        stop = _SENTENCE_END.search(text, begun, limit)
        if _NONE_GIVEN.match(text, start, limit) or _DEPENDS.search(anchor.group()):
            return _UNCLEAR
        gap = text[start : (spelt.start() if spelt else first.start())]  # type: ignore[union-attr]
        if "\n\n" in gap.strip(" \t*_:") and gap.strip():
            continue
        if _NEGATED.search(gap) or (not spelt and _SENTENCE_END.search(gap.strip())):
            continue
        found = _result(text, comma, start, stop.start() if stop else limit)
        if found:
            contrasted = _CONTRASTED.search(text, max(0, anchor.start() - 60), anchor.start())
            return _UNCLEAR if contrasted or (stop and _OR_ELSE.match(text, stop.start())) else found
    return None


def _result(text: str, comma: bool, start: int, end: int) -> Number | None:
    """The number of a clause: after its last equals sign, else the first; at each comma digits come first."""
    equals = max(text.rfind("=", start, end), text.rfind("≈", start, end))
    if equals >= 0 and assigned(text, start, end):
        return _UNCLEAR
    for begin in (equals + 1, start) if equals >= 0 else (start,):
        while begin < end:
            parted = _CHINESE_COMMA.search(text, begin, end)
            stop = parted.start() if parted else end
            found = _first(text, comma, begin, stop, end)
            if found:
                return found
            begin = stop + 1
    return None


def _first(text: str, comma: bool, start: int, end: int, last: int) -> Number | None:
    """The first number of a clause; unclear where another, up to `last`, stands in its place or beside it."""
    numbers = numbers_in_digits(text, comma, start, end)
    first = next(numbers, None)
    if first and first.year:
        first = next((each for each in numbers if not each.year), None) or first
    spelt = next(english_numbers(text, start, first.start if first else end), None)
    if spelt and _WORD_STARTS.match(text, start, end):
        first, numbers = Number(*spelt), numbers_in_digits(text, comma, spelt[2], end)
    elif first is None:
        chinese = [Number(*each) for each in chinese_numbers(text, start, end)]
        if not chinese:
            return None
        first, numbers = chinese[0], iter(chinese[1:])
    if is_sum(text, first, end) or _BETWEEN.search(text, start, first.start):
        return _UNCLEAR
    second = next(numbers, None) or next(numbers_in_digits(text, comma, max(end, first.end), last), None)
    if second and second.value != first.value:
        either = _EITHER.fullmatch(text, first.end, second.start)
        if either or (not second.year and beside(text, first, second)):
            return _UNCLEAR
    return first


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
