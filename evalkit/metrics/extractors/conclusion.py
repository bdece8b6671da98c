"""The number at which a reply without a marked answer arrives: of its last statement that is no remark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from evalkit.metrics.extractors.asides import without_asides
from evalkit.metrics.extractors.clauses import (
    arrived_at,
    assigned,
    beside,
    emphasised,
    of_last_result,
    repeats,
    said_of,
)
from evalkit.metrics.extractors.digits import Number, is_sum, numbers_in_digits
from evalkit.metrics.extractors.numerals import chinese_numbers
from evalkit.metrics.extractors.refusals import refused
from evalkit.metrics.extractors.words import english_numbers

__all__ = ["concluding"]

MAX_STATEMENTS = 40
"""How many statements are read, counted from the end: what it costs stays linear."""

_DIGIT = re.compile("[0-9½¼¾⅓⅔√π]")
_ENDS = re.compile(r"[。！？!?；;](?![0-9])|\.(?=\s|$)")
_ABBREVIATED = re.compile(r"\b(?:vs|mrs?|ms|dr|st|ca|approx|e\.g|i\.e)\.$", re.IGNORECASE)
_NUMBERED = re.compile(r"[ \t#*_-]{0,8}(?:[A-Za-z]{2,9}[ ])?[0-9]{1,2}\.")
_MARKS = " \t\r*_#>`$\"'“”【】[]-•|"
_REMARK = re.compile(
    r"""(?:note|remark|n\.b\.|check|double.check|verif|confidence|explanation|reason
    |sources?\b|assum|this[ ]assumes
    |i[ ]hope|p\.?s\b|because|here['’]s|here[ ](?:is|are)[ ]|if[ ](?!.*[0-9$][^=a-z]{0,40}[a-z ]{0,20}=)
    |plug(?!.*\bgets?\b)|substitut(?!.*\b(?:gets?|gives?)\b)|testing|如果|若|working|done|let[ ]me[ ]know
    |as[ ]a[ ]check|to[ ]verify
    |注[意:（(]|备注|说明|验算|验证|检验|检查|解析|解释|理由|置信度|来源|假设|其中|以上计算|希望|代入|带入
    |经检验|经验证)""",
    re.VERBOSE | re.IGNORECASE,
)
_LISTED = re.compile(
    r"[ \t]*(?:[*-][ ]+)?(?:[*_]{0,2}[0-9]{1,2}[.)、](?=[ \t*_]|[^\x00-\x7f])|[*_#]{0,5}[ ]?(?:step|步骤"
    r"|第)[ ]?[0-9]{1,2}[ ]?[步:.]?)",
    re.IGNORECASE,
)
_DANGLING = re.compile(
    r"\b(?:whom|which|of|and|the|to|with|is|are|for|a|an|in|than|that|then|so|but|or|by|was|were|has|have|had"
    r"|from|at|we|he"
    r"|she|they|it)\s*$|(?:买了|还有|一共有|又|然后|接着|因此|所以|以外|之外|的时候|除了|[和与是为有了中后]"
    r"|(?<!小)时|首先|其次|=)\s*$",
    re.IGNORECASE,
)
_SPELT_RANGE = re.compile("个?(?:到|至|比|或者?|还是|和|与|但不[到足])")
_RESULT = re.compile(
    r"\b(?:needs?|gets?|is|are|have|has|makes?|will|can|must|left|gives?|receives?|takes?|comes?|remains?"
    r"|change of|difference of)\b"
    r"|每人|分到|得到|分得|还剩|剩下|可以|需要|余|就能|能|变化",
    re.IGNORECASE,
)
_CONTRASTED = re.compile(
    r"(?:might|may|could)[ ]also[ ]be|也(?:可能|许)是|第一.*第二|可能.*可能|\bmay(?:be)?\b.*\bmay(?:be)?\b"
    r"|\bthe first\b.*\bthe second\b",
    re.IGNORECASE,
)
_ARRIVES = re.compile(
    r"\b(?:gives?|makes?|leaves?|is|get|yields?|so|rounds?|rounded)\b|[得为是]|所以", re.IGNORECASE
)


def concluding(text: str, comma: bool) -> tuple[str, Number] | None:
    """(rule, number) of the last statement that gives one; None where it gives several, or says that none can
    be given, or breaks off."""
    digits = bool(_DIGIT.search(text))
    leading = _leading(text, comma) if digits else None
    if leading:
        return "first", leading
    if digits:
        text = text[: _explained_from(text)]
    denials = refused(text)
    if_statement: tuple[int, int] | None = None
    statements = _statements(text)
    for count, (start, end) in enumerate(statements):
        if count == MAX_STATEMENTS or any(at >= start for at in denials):
            return None
        if count == 0 and _breaks_off(text, start, end):
            return None
        whole = _after_marker(text, start, end), end
        begin, end = _heart(text, *whole)
        if not _DIGIT.search(text, begin, end):
            spelt = _spelt(text, begin, end) if not digits or (begin, end) != whole else None
            if spelt:
                return spelt if spelt[1].value else None
            continue
        opening = text[begin : min(end, begin + 300)].lstrip(_MARKS + "(（✓✔")
        if _REMARK.match(opening):
            if_statement = if_statement or ((begin, end) if _IF.match(opening) else None)
            continue
        if any(at >= begin - 300 for at in denials):
            return None
        said = _statement(text, comma, begin, end)
        if said is None:
            if count == 0 and not _DIGIT.search(text, 0, start):
                return _year(text, comma, begin, end)
            continue
        before = next(statements, None) if begin == whole[0] else None
        if before and _SECOND.match(text, begin) and _THE_FIRST.search(text, *before):
            return None
        if said[1].value is None or (
            before and repeats(text, (_after_marker(text, *before), before[1]), whole)
        ):
            return None
        return said
    return _main_clause(text, comma, *if_statement) if if_statement else None


_THE_FIRST = re.compile(r"\bthe first\b|第一", re.IGNORECASE)
_SECOND = re.compile(r"\W{0,3}(?:and |while )?the (?:second|other)\b|\W{0,3}第二", re.IGNORECASE)
_IF = re.compile("(?:if|如果|若)", re.IGNORECASE)


def _statement(text: str, comma: bool, start: int, end: int) -> tuple[str, Number] | None:
    """(rule, number) of a statement in digits, the number without a value where it is unclear; None where it
    only holds numbers of years and the like, so that the statement before it may say more."""
    unclear = "last", Number(None, start, end)
    found = list(numbers_in_digits(text, comma, start, end))
    computed = None if "=" in text[start:end] else of_last_result(text, found, start)
    if computed:
        return "last", computed
    plain = without_asides(text, found, start, end)
    if not plain:
        return unclear if any(each.value is None for each in found) else None
    spelt = _spelt_clause(text, start, end)
    if spelt:
        return spelt
    chosen = _chosen(text, plain, start, end)
    return ("last", chosen) if chosen else unclear


def _year(text: str, comma: bool, start: int, end: int) -> tuple[str, Number] | None:
    """The number of the year that is all that a statement gives."""
    found = list(numbers_in_digits(text, comma, start, end))
    return ("last", found[0]) if len(found) == 1 and found[0].year else None


def _main_clause(text: str, comma: bool, start: int, end: int) -> tuple[str, Number] | None:
    """The number of what follows from an `if`, where the reply says nothing else."""
    clause = max(text.find(mark, start, end) for mark in (", ", "，")) + 1
    said = _statement(text, comma, clause, end) if clause else None
    return said if said and said[1].value is not None else None


_SECTION = re.compile(
    r"^[ \t]{0,3}#{1,6}[ ]*(?:\d\.? )?(?:explanation|reasoning|working|steps?|why|verification|check|解析"
    r"|解释|说明|过程|验算)\b",
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSES = 400
"""How many characters of a statement are read for its reasons and conclusions."""
_COLON = re.compile(r":[ \t*_]{0,4}$", re.MULTILINE)
_WHY = re.compile(
    r"(?:\bhere['’]s (?:why|how)|\breason(?:ing)?|\bexplanation|理由|原因|解析)[^\n:：]{0,20}$", re.IGNORECASE
)
_FOOTNOTE = re.compile(r"\[[0-9]{1,2}\][ \t]*(?:\S|$)")
_STEP_BEGUN = re.compile(r"\W{0,4}(?:next|then|now|second|再|然后|接着|下一步)", re.IGNORECASE)
_SO = re.compile(
    r"(?:\b(?:so(?!\s+(?:that(?!['’]s)|much|many|far)\b)|thus|therefore|hence|in total(?=,))\b,?"
    r"|[,—][ ](?:giving|making|leaving)\b|所以|因此|因而|故(?!事)|从而)",
    re.IGNORECASE,
)
_SOS = ("so", "thus", "erefore", "hence", "total,", "giving", "making", "leaving", "所以", "因", "故", "从而")
_GROUND = re.compile(
    r"(?:\b(?:because|since|as there|when|whenever|if|where|i\.e|that is|e\.g\.|for example|down from|up from"
    r"|instead of|rather than|compared|assuming|provided|as long as)\b"
    r"|[ ][—–][ ]|因为|由于|当且仅当|[，]当|[，]即|也就是|[，]比|而不是)",
    re.IGNORECASE,
)


_GROUNDS = (
    *("because", "since", "as there", "when", "if", "where", "i.e", "that is", "e.g", "for example", "from"),
    *("assuming", "provided", "as long as"),
    *(
        "instead of",
        "rather than",
        "compared",
        "—",
        "–",
        "因为",
        "由于",
        "当",
        "，即",
        "也就是",
        "，比",
        "而不是",
    ),
)
_SHARE = re.compile(r"[0-9][ ]?(?:%|倍|times)")
_COMPUTES = re.compile(r"[-+×*÷/−][ ]?[$€£¥]?[0-9][^=\n]{0,40}=")
_RUN = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _explained_from(text: str) -> int:
    """Where an explanation begins that has a heading of its own and digits before it; else the end."""
    section = _SECTION.search(text) if "#" in text else None
    found = section.start() if section else None
    for colon in _COLON.finditer(text) if found is None and ":" in text else ():
        why = _WHY.search(text, max(0, colon.start() - 32), colon.start())
        if why:
            found = why.start()
            break
    return found if found is not None and _DIGIT.search(text, 0, found) else len(text)


def _breaks_off(text: str, start: int, end: int) -> bool:
    """Whether the last statement has no end, or begins a step that is not taken."""
    last = text[start:end].rstrip()[-1:]
    if last in ".。!！?？)）":
        return False
    if _DANGLING.search(text, max(start, end - 16), end):
        return True
    return (
        last not in "]】}*$"
        and not _DIGIT.search(text, start, end)
        and _STEP_BEGUN.match(text, start) is not None
    )


def _heart(text: str, start: int, end: int) -> tuple[int, int]:
    """The part of a statement after its last `so` and before its grounds."""
    written = text[max(start, end - _CLAUSES) : end].lower()
    sos = _SO.finditer(text, max(start, end - _CLAUSES), end) if any(map(written.__contains__, _SOS)) else ()
    for so in reversed(list(sos)[-3:]):
        if _DIGIT.search(text, so.end(), end) or _spelt(text, so.end(), end):
            start = so.end()
            break
    if not any(map(text[start : start + _CLAUSES].lower().__contains__, _GROUNDS)):
        return start, end
    ground = _GROUND.search(text, start, min(end, start + _CLAUSES))
    if ground and _COMPUTES.search(text, ground.end(), end):
        return start, end
    if ground and ground.group().lower() in ("，即", "i.e", "that is", "也就是"):
        before = _RUN.findall(text, start, ground.start())
        if len(before) != 1 or _SHARE.search(text, start, ground.start()):
            return (ground.end() if _DIGIT.search(text, ground.end(), end) else start), end
    if ground and (_DIGIT.search(text, start, ground.start()) or _spelt(text, start, ground.start())):
        end = ground.start()
    return start, end


def _spelt_clause(text: str, start: int, end: int) -> tuple[str, Number] | None:
    """The number in words of a last clause that says a result: ..., you need two buses."""
    clause = max(text.rfind(",", start, end), text.rfind("，", start, end)) + 1
    if not clause or _DIGIT.search(text, clause, end) or not _RESULT.search(text, clause, end):
        return None
    return _spelt(text, clause, end)


def _spelt(text: str, start: int, end: int) -> tuple[str, Number] | None:
    chinese = [Number(*each) for each in chinese_numbers(text, start, end)]
    if len(chinese) > 1 and _SPELT_RANGE.fullmatch(text, chinese[-2].end, chinese[-1].start):
        return "chinese", Number(None, start, end)
    english = [] if chinese else [Number(*each) for each in english_numbers(text, start, end)]
    found = chinese or english
    if len({each.value for each in found}) > 1:
        chosen = arrived_at(text, found, start, end)
        return "chinese" if chinese else "words", chosen or Number(None, start, end)
    return ("chinese" if chinese else "words", found[-1]) if found else None


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence of each line begins and ends, from the last to the first; those in brackets not."""
    stop = len(text)
    while stop >= 0:
        line = text.rfind("\n", 0, stop) + 1
        ends = (end.end() for end in _ENDS.finditer(text, line, stop))
        cuts = [line, *(end for end in ends if not _is_no_end(text, line, end)), stop]
        for start, end in zip(reversed(cuts[:-1]), reversed(cuts[1:]), strict=True):
            written = text[start:end].strip()
            aside = written[:1] in ("(", "（") and written.rstrip("。.")[-1:] in (")", "）")
            if written and not _FOOTNOTE.match(written) and not (aside and len(written) < len(text.strip())):
                yield start, end
        stop = line - 1


def _is_no_end(text: str, line: int, end: int) -> bool:
    """Whether the dot before a place ends no sentence: that of a list's number, or of an abbreviation."""
    if text[end - 2 : end - 1].isdigit():
        return _NUMBERED.fullmatch(text, line, end) is not None
    return text[end - 1] == "." and _ABBREVIATED.search(text, max(line, end - 9), end) is not None


def _after_marker(text: str, start: int, end: int) -> int:
    listed = _LISTED.match(text, start, end)
    return listed.end() if listed else start


_BARE_LINE = re.compile(r"\s*(?P<line>[^\n]{1,30})\n\s*(?=\S)")
_WORDS = re.compile(r"[A-Za-z\u4e00-\u9fff]{1,12}")


def _leading(text: str, comma: bool) -> Number | None:
    """The number that is the whole first line, when an explanation follows."""
    line = _BARE_LINE.match(text)
    if line is None or text[line.start("line")] == "#":
        return None
    found = list(numbers_in_digits(text, comma, line.start("line"), line.end("line")))
    if len(found) != 1 or found[0].value is None:
        return None
    around = text[line.start("line") : found[0].start] + text[found[0].end : line.end("line")]
    if (
        len(_WORDS.findall(around)) > 1
        or "=" in around
        or ":" in around
        or re.search(r"^[ ]?[.)、]", text[found[0].end :][:3])
    ):
        return None
    last = text.rstrip()
    tail = list(numbers_in_digits(text, comma, last.rfind("\n") + 1, len(last)))
    alone = len(tail) == 1 and not _WORDS.search(last[last.rfind("\n") + 1 :])
    return None if alone and tail[0].value != found[0].value else found[0]


def _result(text: str, results: Sequence[Number], end: int) -> Number | None:
    """The one of the numbers after the last equals sign; None where it is no single number."""
    first = results[0]
    if len(results) > 1 and _ARRIVES.search(text, first.end, results[-1].start):
        first = results[-1]
    elif any(
        one.value != two.value and (beside(text, one, two) or _ANOTHER.match(text, one.end, two.start))
        for one, two in pairwise(results)
    ):
        return None
    return None if first.value is None or is_sum(text, first, end) else first


_ANOTHER = re.compile("[^，。；]{0,12}[，；][^，。；]{0,4}(?:一共|总共|共)[^，。；]{0,8}$")
_CONDITION = re.compile(r"\b(?:at|when|where|with|for|if)[ ]\$?[a-z][ ]?=[ ]?", re.IGNORECASE)


def _without_conditions(text: str, numbers: Sequence[Number], start: int, end: int) -> Sequence[Number]:
    """The numbers without those of a condition after them: the maximum is 9, attained at x = 2."""
    if text.find("=", numbers[0].end, end) < 0:
        return numbers
    conditions = [match.end() for match in _CONDITION.finditer(text, numbers[0].end, end)]
    kept = [each for each in numbers if each.start not in conditions]
    return kept if len(kept) < len(numbers) and kept[-1].value is not None else numbers


def _chosen(text: str, numbers: Sequence[Number], start: int, end: int) -> Number | None:
    """The one that a statement arrives at; None where it names several, or an expression."""
    bold = emphasised(text, numbers, start, end)
    if bold and bold.value is not None and not is_sum(text, bold, end):
        return bold
    if assigned(text, start, end):
        return None
    numbers = _without_conditions(text, numbers, start, end)
    equals = max(text.rfind("=", start, numbers[-1].start), text.rfind("≈", start, numbers[-1].start))
    results = [each for each in numbers if each.start > equals] if equals >= 0 else []
    if results:
        return _result(text, results, end)
    if any(each.value is None for each in numbers):
        numbers = said_of(text, numbers)
        if not numbers:
            return None
    if _CONTRASTED.search(text, start, end):
        return None
    if len({each.value for each in numbers}) == 1:
        return None if is_sum(text, numbers[-1], end) else numbers[-1]
    return arrived_at(text, numbers, start, end)
