"""Which number of a statement is the one it arrives at; none where it names several side by side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from evalkit.metrics.extractors.digits import Number
from evalkit.metrics.extractors.numerals import plain_decimal

__all__ = ["arrived_at", "assigned", "beside", "emphasised", "of_last_result", "repeats", "said_of"]

_CUT = re.compile(
    r"[,，;；](?![0-9]{3})|\b(?:and|but|while|whereas|although)\b|而(?!是)|但|且|并且", re.IGNORECASE
)
_LIST_GAP = re.compile(
    r"[ ]?(?P<unit>[a-zA-Z%°]{1,6}|[\u4e00-\u9fff]{1,2})?[ ]?(?:[,，、]|,?[ ]?\band\b|和|与)[ ]?[$€£¥]?-?",
    re.IGNORECASE,
)
_EQUATES = re.compile(r"\b(?:is|are|was|were|equals?|becomes?|be)\b|[=:：]|等于|[是为]", re.IGNORECASE)
_HOLDS = re.compile(
    r"(?<!to )\b(?:has|have|had|gets?|got|costs?|pays?|paid|takes?|took|needs?|weighs?|makes?|gives?"
    r"|receives?|contains?"
    r"|earns?|earned|spends?|spent|remain\w*|leaves?|keeps?|kept|saves?|saved|contribut\w+|totals?)\b|[有得需花用要余剩收达]|可以|能"
    r"|最[多少]|至[多少]",
    re.IGNORECASE,
)
_TOTALS = re.compile(
    r"\b(?:total\w*|altogether|in all|left|remain\w*|leaves|combined|together|difference|change of)\b"
    r"|一共|总共|合计|总计|共(?!同)|剩|还[需有多]|多出|[尚仍][有余]|(?<!平均)每人|余(?!数)|变化",
    re.IGNORECASE,
)
_SUMMED = re.compile(
    r"(?:一共|总共|共|合计|总计|\btotal(?: of|: is)?)[ ]?[:是有为]?[ ]?[$€£¥]?$", re.IGNORECASE
)
_CONCLUDES = re.compile(
    r"\b(?:then|so|thus|hence|therefore|ending|giving|leaving|making|makes|which (?:makes|gives|leaves|means)"
    r"|exactly|precisely|actually|only|finally|we get)\b"
    r"|就|则|便|即|故|准确|最终|其实|实际|所以|因此",
    re.IGNORECASE,
)
_CIRCUMSTANCE = re.compile(
    r"\W*(?:after|when|if|since|given|because|as|before|once|rounding|starting)\b"
    r"|\W*(?:如果|若|当|因为|由于|按|以|从|经过|对于|平均每|每|把|将|取|令)",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(r"\W*(?:(?:for|with|at|on|in|from|by|of|out of|to)\b|在)", re.IGNORECASE)
_RESULT = re.compile(
    r"\b(?:needs?|gets?|gives?|receives?|makes?|can)\b|分到|得到|分得|可以|需要|能", re.IGNORECASE
)
_PURPOSE = re.compile(
    r"[^\n,，.。;；]{0,60}?\b(?:(?:in order |so as |enough )?to (?!(?:get|give|obtain|reach|yield) [$0-9]"
    r"|(?:be|the|a|an|his|her|their|its|each|zero)\b)[a-z]+"
    r"|by [a-z]+ing|out of|of (?:his|her|their|its|my|your|the)"
    r"|because|since|before|until)\b|[^\n，。；]{0,20}?(?:才|以便|用来)",
    re.IGNORECASE,
)
_MARK = re.compile("[,，;；]")
_SPENDS = re.compile(
    r"\b(?:us|sp|pa|sol|add|multipl|divid|subtract|increas|reduc|go|gr)[a-z]*[ ]\W{0,2}$", re.IGNORECASE
)
_LATER_VERB = re.compile(r"\W*(?:is|are|was|were|equals?|是|为|等于)", re.IGNORECASE)


class _Clause(NamedTuple):
    start: int
    end: int
    numbers: list[Number]


def arrived_at(text: str, numbers: Sequence[Number], start: int, end: int) -> Number | None:
    """The number at which a statement with several of them arrives; None where two may be meant.

    Clauses that each say a quantity of something else (the length is 8 m and the width is 3 m) give none; the
    numbers of a subject (the mean of 4 and 8 is 6), of a circumstance (for 30 students, ...) and those that a
    total sums up do not count.
    """
    numbers = _without_purposes(text, numbers, start)
    if len({each.value for each in numbers}) == 1:
        return numbers[0]
    clauses = [clause for clause in _clauses(text, numbers, start, end) if clause.numbers]
    totals = [clause for clause in clauses if _TOTALS.search(text, clause.start, clause.end)]
    if len(totals) > 1 and len({each.value for clause in totals for each in clause.numbers}) > 1:
        return None
    last, others = clauses[-1], clauses[:-1]
    if totals:
        others = [clause for clause in clauses if clause is not totals[0]]
        said = any(
            verb.search(text, clause.start, clause.end) for clause in others for verb in (_EQUATES, _RESULT)
        )
        if said and not _CONCLUDES.search(text, last.start, last.end):
            return None
        summed = [each for each in totals[0].numbers if _SUMMED.search(text, totals[0].start, each.start)]
        return summed[0] if summed else _value(text, totals[0])
    if (
        _CONCLUDES.search(text, last.start, last.end)
        or _are_circumstances(text, others)
        or (
            _RESULT.search(text, last.start, last.end)
            and not any(
                verb.search(text, clause.start, clause.end)
                for clause in others
                for verb in (_EQUATES, _HOLDS)
            )
        )
    ):
        return _value(text, last)
    return None


def _are_circumstances(text: str, clauses: Sequence[_Clause]) -> bool:
    """Whether all of the clauses are circumstances, or go on with one: after paying $5 and $3 for food."""
    before = False
    for clause in clauses:
        said = any(verb.search(text, clause.start, clause.end) for verb in (_EQUATES, _HOLDS))
        before = _is_circumstance(text, clause) or (
            before and not said and text[: clause.start].endswith("and")
        )
        if not before:
            return False
    return True


def _is_circumstance(text: str, clause: _Clause) -> bool:
    """Whether a clause only says under what conditions: for 30 students; when x is 2."""
    if _PREPOSITION.match(text, clause.start, clause.end):
        return not any(verb.search(text, clause.start, clause.end) for verb in (_EQUATES, _HOLDS))
    return _CIRCUMSTANCE.match(text, clause.start, clause.end) is not None


def said_of(text: str, numbers: Sequence[Number]) -> list[Number]:
    """The numbers after the last verb, where all expressions and ranges stand before it, in its subject."""
    last = [each.end for each in numbers if each.value is None][-1]
    verbs = [verb.end() for verb in _EQUATES.finditer(text, last, numbers[-1].start)]
    return [each for each in numbers if verbs and each.start >= verbs[-1]]


def _without_purposes(text: str, numbers: Sequence[Number], start: int) -> list[Number]:
    """The numbers without those of a purpose: 3 trucks are needed to carry 80 stones."""
    kept = list(numbers[:1])
    for one, two in pairwise(numbers):
        purpose = _PURPOSE.match(text, one.end, two.start)
        if (
            purpose
            and not _MARK.search(text, purpose.end(), two.start)
            and not _SPENDS.search(text, max(start, one.start - 24), one.start)
        ):
            return kept
        kept.append(two)
    return kept


def _clauses(text: str, numbers: Sequence[Number], start: int, end: int) -> list[_Clause]:
    """The clauses of a statement with their numbers; no list is cut, nor a subject from its verb."""
    listed = [(one.end, two.start) for one, two in pairwise(numbers) if _is_list(text, one, two)]
    cuts = [start]
    for cut in _CUT.finditer(text, start, end):
        if any(a <= cut.start() < b for a, b in listed) or _LATER_VERB.match(text, cut.end(), end):
            continue
        cuts.append(cut.end())
    return [
        _Clause(a, b, [each for each in numbers if a <= each.start < b]) for a, b in pairwise([*cuts, end])
    ]


def _is_list(text: str, one: Number, two: Number) -> bool:
    """Whether two numbers are members of a list, both bare or both with one unit: 3, 7; 3 cm and 7 cm."""
    gap = _LIST_GAP.fullmatch(text, one.end, two.start)
    if gap is None or not gap["unit"]:
        return gap is not None
    return text[two.end : two.end + 1 + len(gap["unit"])].lstrip().startswith(gap["unit"])


def _value(text: str, clause: _Clause) -> Number | None:
    """The number after the last verb of a clause, or its only one."""
    verbs = [
        verb.end()
        for pattern in (_EQUATES, _HOLDS)
        for verb in pattern.finditer(text, clause.start, clause.numbers[-1].start)
    ]
    after = [each for each in clause.numbers if verbs and each.start >= max(verbs)]
    if not verbs and len({each.value for each in clause.numbers}) > 1:
        return None
    chosen = after or clause.numbers
    return chosen[0] if len({each.value for each in chosen}) == 1 else None


_BESIDE = re.compile(
    r"[^\n.。!?()（）=≈:：+]{0,24}?(?:[,，、;；]|\band\b|[和与及]|\bby\b"
    r"|[ ][×x][ ])[^\n.。()（）=≈+<>]{0,24}",
    re.IGNORECASE,
)
_ASIDE = re.compile(
    r"\b(?:because|since|as|so|of|out|for|which|not|per|every|each|if|when|than|instead|rather|after|before"
    r"|from|making|in|at"
    r"|to|or|i\.?e|rounded|approximately|about|given|with|where|it|he|she|they|we|that|this|correct)\b"
    r"|因为|由于|所以|其中|即|不是|比|共|由|约|大约|按|因|也就|折合|每|保留|如|若|当|超过|小于|大于|满足",
    re.IGNORECASE,
)
_COMPOUND = re.compile(
    r"[ ]?(?:hours?|hrs?|h|minutes?|mins?|feet|foot|ft|pounds?|lbs?|weeks?|days?|years?|months?|个?小时|时"
    r"|分钟?|天|年|个月|周"
    r"|公斤|千克|kg|km|千米|公里|米|m)[ ,]{0,2}(?:and )?[0-9]+[ ]?[A-Za-z\u4e00-\u9fff]",
    re.IGNORECASE,
)


def beside(text: str, first: Number, second: Number) -> bool:
    """Whether a second number stands beside the first as another quantity: 8 m and 3 m, 3 h 20 min."""
    compound = _COMPOUND.match(text, first.end)
    if compound and compound.end() > second.start:
        return True
    return (
        _BESIDE.fullmatch(text, first.end, second.start) is not None
        and _ASIDE.search(text, first.end, second.start) is None
        and re.match(r"[^\n.。,，;；]{0,12}[=+×*÷/]", text[second.end : second.end + 14]) is None
    )


_ASSIGNED = re.compile(
    r"(?<![A-Za-z0-9_\\.])(?P<name>[A-Za-z](?:_?\{?[0-9₀-₉]\}?)?|[A-Za-z]{3,12}"
    r"|[\u4e00-\u9fff]{1,6})[ ]?=(?!=)[ ]?"
    r"-?(?:\\[a-z]{0,2}frac\{[^{}]{1,20}\}\{[^{}]{1,20}\}|\$?[0-9][^\s=,，;、。和或]{0,24})(?=$"
    r"|[$\s,，;、。和或])"
)
_EITHER = re.compile(
    r"[^\n]{0,8}(?:\b(?:or|and)\b|[或和])[^\n]{0,8}|[$ ]{0,3}[,，、][$ ]{0,3}", re.IGNORECASE
)
_APART = re.compile(r"[^0-9=+]{0,24}")
_SUPPOSED = re.compile(
    r"(?:\b(?:when|if|for|at|let|with|where|since)\b|[当令取设若把将])[^=,，;；]{0,8}$", re.IGNORECASE
)


def assigned(text: str, start: int, end: int) -> bool:
    """Whether two things are each set equal to a number: x = 3, y = 4 (but when x = 3, y = 4)."""
    if text.count("=", start, end) < 2:
        return False
    named = [
        each
        for each in _ASSIGNED.finditer(text, start, end)
        if not _SUPPOSED.search(text, max(start, each.start() - 12), each.start())
    ]
    return any(
        _EITHER.fullmatch(text, one.end(), two.start())
        if one["name"] == two["name"]
        else _APART.fullmatch(text, one.end(), two.start())
        and not _CONCLUDES.search(text, one.end(), two.start())
        for one, two in pairwise(named)
    )


_COMPUTED = re.compile(r"=[ ]?[$€£¥]?[ ]?(-?[0-9][0-9,]*(?:\.[0-9]+)?)(?![0-9]*[ ]?[-+*/×÷=(^])")
_COMPUTED_WITHIN = 800
"""In how many characters before a statement results are looked for."""


def of_last_result(text: str, numbers: Sequence[Number], start: int) -> Number | None:
    """The one of several numbers of a statement that is the last result computed before it (... = 36).

    None where there are not several, or another of them was computed as well.
    """
    values = {each.value for each in numbers if each.value is not None}
    if len(values) < 2 or "=" not in text[max(0, start - _COMPUTED_WITHIN) : start]:
        return None
    found = _COMPUTED.findall(text, max(0, start - _COMPUTED_WITHIN), start)
    results = [plain_decimal(each.replace(",", "")) for each in found]
    if not results or results[-1] not in values or len(values & set(results)) > 1:
        return None
    return next(each for each in numbers if each.value == results[-1])


_BOLD = re.compile(r"\*\*([^*\n]{1,60})\*\*")


def emphasised(text: str, numbers: Sequence[Number], start: int, end: int) -> Number | None:
    """The number of the only bold passage that holds one; None where there is no such passage."""
    if "**" not in text[start:end]:
        return None
    spans = [span.span(1) for span in _BOLD.finditer(text, start, end)]
    held = [[each for each in numbers if a <= each.start and each.end <= b] for a, b in spans]
    held = [group for group in held if group]
    return held[0][0] if len(held) == 1 and len(held[0]) == 1 else None


_TOKEN = re.compile(r"[A-Za-z₀-₉']+|[\u4e00-\u9fff]|[=:：]")
_COPULAS = frozenset(
    ("is", "are", "was", "were", "has", "have", "had", "gets", "costs", "takes", "needs", "equals",
     "=", ":", "是", "为", "有", "得", "要", "需", "了")
)  # fmt: skip
_POINTING = frozenset(["it", "that", "this", "these", "there", "they", "这", "那", "此", "它"])
_FIRST_DIGIT = re.compile(r"[-$€£¥]{0,2}[0-9]")
_DIGITS = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
MAX_HEAD = 12
"""Words before a number that two statements are compared by."""


def repeats(text: str, earlier: tuple[int, int], later: tuple[int, int]) -> bool:
    """Whether two statements say the same of two things: `The length is 8. The width is 3.`"""
    heads = []
    for start, end in (earlier, later):
        written = text[start:end]
        digit = _FIRST_DIGIT.search(written)
        if digit is None or digit.start() > 120 or len(_DIGITS.findall(written)) != 1:
            return False
        heads.append([token.lower() for token in _TOKEN.findall(written, 0, digit.start())])
    one, two = heads
    differing: int = sum(a != b for a, b in zip(one, two, strict=False))
    if len(one) != len(two) or not 2 <= len(one) <= MAX_HEAD or not differing or one[-1] != two[-1]:
        return False
    if one[-1] not in _COPULAS or two[0] in _POINTING or one[0] in _POINTING:
        return False
    start, end = later
    if _TOTALS.search(text, start, end) or _CONCLUDES.search(text, start, end):
        return False
    return differing <= max(2, len(one) // 2)
