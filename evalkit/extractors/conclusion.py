"""The number at which a reply without a marked answer arrives: that of its last statement which is no remark."""  # noqa: E501

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from evalkit.extractors.digits import Number, is_sum, numbers_in_digits
from evalkit.extractors.numerals import chinese_numbers
from evalkit.extractors.words import english_numbers

__all__ = ["concluding"]

MAX_STATEMENTS = 40
"""How many statements are read, counted from the end: what it costs stays linear."""

MAX_NUMBERS = 40
"""How many numbers of a statement are weighed, counted from its end."""
_TAIL = 600
"""In how many characters at the end it is looked for that none can be given."""
_DIGIT = re.compile("[0-9½¼¾⅓⅔√π]")
_ENDS = re.compile(r"[。！？!?；;](?![0-9])|\.(?=\s|$)")
_NUMBERED = re.compile(r"[ \t#*_-]{0,8}(?:[A-Za-z]{2,9}[ ])?[0-9]{1,2}\.")
_MARKS = " \t\r*_#>`$\"'“”【】[]-•|"
_REMARK = re.compile(
    r"""(?:note|remark|n\.b\.|check|double.check|verif|confidence|explanation|reason|sources?\b|assum|this[ ]assumes
    |i[ ]hope|p\.?s\b|because|here['’]s|here[ ](?:is|are)[ ]|if[ ]|如果|若|working|done|let[ ]me[ ]know|as[ ]a[ ]check|to[ ]verify
    |注[意:（(]|备注|说明|验算|验证|检验|检查|解析|解释|理由|置信度|来源|假设|其中|以上计算|希望)""",  # noqa: E501
    re.VERBOSE | re.IGNORECASE,
)
_LISTED = re.compile(
    r"[ \t]*(?:[*-][ ]+)?(?:[*_]{0,2}[0-9]{1,2}[.)、](?=[ \t*_]|[^\x00-\x7f])|[*_#]{0,5}[ ]?(?:step|步骤|第)[ ]?[0-9]{1,2}[ ]?[步:.]?)",  # noqa: E501
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"""\b(?:can(?:no|['’])t|could[ ]?n[o'’]t)\b.{0,30}?\b(?:determin|answer|comput|calculat|solv|work[ ]it|find|know|say|tell|be[ ]known)
    |(?:\bnot|n['’]t)\b.{0,12}?\b(?:enough|sufficient)[ ](?:info|data|detail)|\binsufficient\b|\bunable[ ]to\b
    |\bimpossible[ ]to\b|\bneeds?[ ]more[ ](?:info|data|detail)|\bnot[ ](?:sure|able[ ]to)|don['’]t[ ]know
    |\bas[ ]an[ ]ai\b|\b(?:exact|precise)[ ]\w+[ ](?:is|was)(?:[ ]not|n['’]t)[ ]known|\bunknown\b
    |作为一[个款](?:人工智能|AI|语言)|(?:不能|无法)提供|不详
    |\brather[ ]not[ ]guess|\bplease[ ](?:provide|tell)|\bundefined\b|请(?:告诉|提供)|无意义|不存在|无解
    |无法(?:确定|计算|求|得|判断|回答|算|知道)|不能(?:确定|计算|求出|判断)|(?:条件|信息|数据)不(?:足|够)|不知道|缺少.{0,8}(?:条件|信息)""",  # noqa: E501
    re.VERBOSE | re.IGNORECASE,
)
_REFUSING = (
    "n't",
    "n’t",
    "not",
    "insuff",
    "unable",
    "impossible",
    "more ",
    "unknown",
    "as an ai",
    "please",
    "undefined",
    "请",
    "无",
    "无法",
    "不",
    "缺",
    "作为",
)
_DANGLING = re.compile(
    r"\b(?:whom|which|of|and|the|to|with|is|are|for|a|an|in|than|that|then|so|but|or|by|was|were|has|have|had|from|at|we|he"
    r"|she|they|it)\s*$|(?:买了|还有|一共有|又|然后|接着|因此|所以|以外|之外|的时候|除了|[和与是为有了中后]|(?<!小)时)\s*$",
    re.IGNORECASE,
)
_PARENTHESES = re.compile(r"\([^()]{0,80}\)|（[^（）]{0,80}）|\[[^\[\]]{0,12}\]")
_ASIDE_BEFORE = re.compile(
    r"""(?:\b(?:per|every|in|within|after|for|over|from|than|of[ ]the|out[ ]of|of[ ]all|among|by|on|if|when|each
    |the[ ]next|the[ ]first|the[ ]last|past|since|until|before|at|with|all|these|those|nearest|the)[ ]
    |每[人个天周月年件只本份次]?|在|经过|从|比|分给|按|以|才能|如果|保留|前|后)[ ]?[*_$£€¥~]{0,4}$""",  # noqa: E501
    re.VERBOSE | re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:in|by|since|until|during|of|year|from|before|after)[ ]$", re.IGNORECASE)
_YEARS = re.compile(r"(?:1[5-9]|20)[0-9]{2}")
_ASIDE_AFTER = re.compile(
    r"[ ]?(?:decimal|significant|d\.p\.|%?[ ](?:confiden|sure|certain)|位(?:小数|有效)|(?:个)?[天日周月年小时分钟人]{1,2}(?:之?内|以内|前|后|就|才))|[^，。,.;；]{0,6}(?:便宜|贵|更)",  # noqa: E501
    re.IGNORECASE,
)
_SPELT_RANGE = re.compile("个?(?:到|至|比|或者?|还是|和|与|但不[到足])")
_RESULT = re.compile(
    r"\b(?:needs?|gets?|is|are|have|has|makes?|will|can|must|left|gives?|receives?|takes?|comes?|remains?|change of|difference of)\b"  # noqa: E501
    r"|每人|分到|得到|分得|还剩|剩下|可以|需要|余|就能|能|变化",
    re.IGNORECASE,
)
_PARALLEL = re.compile(r"第一|第二|另|也可能|\b(?:while|other|another|but|and)\b|而|但|或", re.IGNORECASE)
_TOTALLED = re.compile(
    r"(?:一共|总共|共|合计|总计|\btotal(?: of|:| is)?)[ ]?[:是有为]?[ ]?[$€£¥]?$", re.IGNORECASE
)
_VARIABLES = re.compile(
    r"(?P<one>[A-Za-z](?:_\{?[0-9]\}?)?)[ ]?=[^=]*?(?:[,，、;；和]|(?P<or>或|\bor\b|\\text\{ ?or ?\}))(?:[ $]|\\\w+|or\b|and\b){0,6}"  # noqa: E501
    r"(?P<other>[A-Za-z](?:_\{?[0-9]\}?)?)[ ]?="
)
_CONTRASTED = re.compile(
    r"第一.*第二|可能.*可能|\bmay(?:be)?\b.*\bmay(?:be)?\b|\bthe first\b.*\bthe second\b", re.IGNORECASE
)
_FAILS = re.compile(r"[*_$]{0,3}[ ](?:fails|does[ ]?n[o'’]t|is[ ]?n[o'’]t|won['’]t|is too)\b", re.IGNORECASE)
_TOTAL = re.compile(
    r"\b(?:total|altogether|in all|left|remain\w*|therefore|thus|leaves|makes|gives|get|is|are|was|were|equals|has|have|be)\b"  # noqa: E501
    r"|一共|总共|共|还剩|剩下|等于|需要|应为|[是为]",
    re.IGNORECASE,
)
_ARRIVES = re.compile(r"\b(?:gives?|makes?|leaves?|is|get|yields?|so)\b|[得为是]|所以", re.IGNORECASE)
_DENIED_BEFORE = re.compile(r"(?:\bnot|n['’]t|\bneither|\bnor|不是)[ *_]{0,3}$", re.IGNORECASE)
_JOINED = re.compile(
    r"[^.。]*(?:\band\b|\bbut\b|,|，|;|和|与|、|\bor\b|或|还是|\bwhile\b|而|但|也)[^.。]*", re.IGNORECASE
)


def concluding(text: str, comma: bool) -> tuple[str, Number] | None:
    """(rule, number) of the last statement that gives one; None where it gives several, or says that none can
    be given, or breaks off."""
    digits = bool(_DIGIT.search(text))
    leading = _leading(text, comma) if digits else None
    if leading:
        return "first", leading
    section = _SECTION.search(text) if digits and "#" in text else None
    section = section or (_WHY.search(text) if digits and (":" in text or "：" in text) else None)
    if section and _DIGIT.search(text, 0, section.start()):
        text = text[: section.start()]
    tail = text[-_TAIL:].lower()
    refused = []
    if any(hint in tail for hint in _REFUSING):
        refused = [match.start() for match in _REFUSED.finditer(text, max(0, len(text) - _TAIL))]
    for count, (start, end) in enumerate(_statements(text)):
        if count == MAX_STATEMENTS:
            return None
        if any(at >= start for at in refused) or (count == 0 and _breaks_off(text, start, end)):
            return None
        whole = _after_marker(text, start, end), end
        begin, end = _heart(text, *whole)
        if not _DIGIT.search(text, begin, end):
            spelt = _spelt(text, begin, end) if not digits or (begin, end) != whole else None
            if spelt:
                return spelt if spelt[1].value else None
            continue
        if _REMARK.match(text[begin : begin + 40].lstrip(_MARKS + "(（✓✔")):
            continue
        found = list(numbers_in_digits(text, comma, begin, end))
        plain = _without_asides(text, found, begin, end)
        if not plain:
            if any(each.value is None for each in found):
                return None
            if count == 0 and len(found) == 1 and found[0].year and not _DIGIT.search(text, 0, start):
                return "last", found[0]
            continue
        if any(at >= begin - 300 for at in refused):
            return None
        spelt = _spelt_clause(text, begin, end)
        chosen = None if spelt else _chosen(text, plain, begin, end)
        return spelt or (("last", chosen) if chosen and chosen.value is not None else None)
    return None


_SECTION = re.compile(
    r"^[ \t]{0,3}#{1,6}[ ]*(?:\d\.? )?(?:explanation|reasoning|working|steps?|why|verification|check|解析|解释|说明|过程|验算)\b",  # noqa: E501
    re.IGNORECASE | re.MULTILINE,
)
_CLAUSES = 400
"""How many characters of a statement are read for its reasons and conclusions."""
_WHY = re.compile(
    r"(?:\bhere['’]s (?:why|how)|\breason(?:ing)?|\bexplanation|理由|原因|解析)"
    r"[^\n:：]{0,20}[:：][ \t*_]{0,4}$",
    re.IGNORECASE | re.MULTILINE,
)
_FOOTNOTE = re.compile(r"\[[0-9]{1,2}\][ \t]*(?:\S|$)")
_STEP_BEGUN = re.compile(r"\W{0,4}(?:next|then|now|second|再|然后|接着|下一步)", re.IGNORECASE)
_SO = re.compile(
    r"(?:\b(?:so|thus|therefore|hence|giving|making|leaving|in total)\b,?|所以|因此|因而|故(?!事)|从而)",
    re.IGNORECASE,
)
_GROUND = re.compile(
    r"(?:\b(?:because|since|as there|when|whenever|if|where|i\.e\.|that is|e\.g\.|for example|down from|up from"  # noqa: E501
    r"|instead of|rather than|compared)\b|[ ][—–][ ]|因为|由于|当且仅当|[，]当|[，]即|也就是|[，]比|而不是)",
    re.IGNORECASE,
)


_RUN = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def _breaks_off(text: str, start: int, end: int) -> bool:
    """Whether the last statement has no end, or begins a step that is not taken."""
    if _DANGLING.search(text, max(start, end - 16), end):
        return True
    ended = text[:end].rstrip()[-1:] in ".。!！?？)）]】}*$"
    return not ended and not _DIGIT.search(text, start, end) and _STEP_BEGUN.match(text, start) is not None


def _heart(text: str, start: int, end: int) -> tuple[int, int]:
    """The part of a statement after its last `so` and before its grounds."""
    for so in reversed(list(_SO.finditer(text, max(start, end - _CLAUSES), end))[-3:]):
        if _DIGIT.search(text, so.end(), end) or _spelt(text, so.end(), end):
            start = so.end()
            break
    ground = _GROUND.search(text, start, min(end, start + _CLAUSES))
    if ground and ground.group() == "，即" and len(_RUN.findall(text, start, ground.start())) != 1:
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
    if chinese:
        return "chinese", chinese[-1]
    english = [Number(*each) for each in english_numbers(text, start, end)]
    if len({each.value for each in english}) == 1:
        return "words", english[-1]
    return None


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each sentence of each line begins and ends, from the last to the first; those in brackets not."""
    stop = len(text)
    while stop >= 0:
        line = text.rfind("\n", 0, stop) + 1
        ends = (end.end() for end in _ENDS.finditer(text, line, stop))
        cuts = [line, *(end for end in ends if not _NUMBERED.fullmatch(text, line, end)), stop]
        for start, end in zip(reversed(cuts[:-1]), reversed(cuts[1:]), strict=True):
            written = text[start:end].strip()
            aside = written[:1] in ("(", "（") and written.rstrip("。.")[-1:] in (")", "）")
            if written and not _FOOTNOTE.match(written) and not (aside and len(written) < len(text.strip())):
                yield start, end
        stop = line - 1


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


def _without_asides(text: str, numbers: Sequence[Number], start: int, end: int) -> list[Number]:
    """The numbers without those of years, of decimals to round to, of circumstances (in 5 days, 每人3元) and of
    brackets; circumstances stay where nothing else is left."""  # noqa: E501
    numbers = numbers[-MAX_NUMBERS:]
    start = max(start, numbers[0].start - 100) if numbers else start
    spans = [match.span() for match in _PARENTHESES.finditer(text, start, end)]
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
        (asides if after or _ASIDE_BEFORE.search(before) else plain).append(each)
    return plain or asides


def _chosen(text: str, numbers: Sequence[Number], start: int, end: int) -> Number | None:
    """The one that a statement arrives at; None where it names several, or an expression."""
    equals = max(text.rfind("=", start, end), text.rfind("≈", start, end))
    several = _VARIABLES.search(text, start, end) if equals >= 0 else None
    if several and (several["one"] != several["other"] or several["or"]):
        return None
    if equals >= 0:
        results = [each for each in numbers if each.start > equals]
        if results:
            first = results[0]
            if len(results) > 1 and _ARRIVES.search(text, first.end, results[-1].start):
                first = results[-1]
            if first.value is None or is_sum(text, first, end):
                return None
            earlier = text.rfind("=", start, equals)
            if earlier >= 0 and re.search(
                r"\d[^\w=]{0,4}(?:\bor\b|\band\b|,|或|和)[^\d=]{1,6}=", text[earlier : equals + 1]
            ):
                return None
            return first
    if any(each.value is None for each in numbers):
        return None
    if len({each.value for each in numbers}) == 1:
        return None if is_sum(text, numbers[-1], end) else numbers[-1]
    if _CONTRASTED.search(text, start, end):
        return None
    totalled = [each for each in numbers if _TOTALLED.search(text, max(start, each.start - 12), each.start)]
    if len(totalled) == 1:
        return totalled[0]
    clause = max(text.rfind(",", start, end), text.rfind("，", start, end))
    last = [each for each in numbers if each.start > clause]
    if clause >= 0 and len({each.value for each in last}) == 1 and _RESULT.search(text, clause, end):
        return (
            None
            if _PARALLEL.search(text, start, end) and not text[start:clause].lstrip().startswith("For ")
            else last[-1]
        )
    totals = [match.end() for match in _TOTAL.finditer(text, start, end)]
    following = [each for each in numbers if totals and each.start >= totals[-1]]
    candidates = following or list(numbers)
    if len({each.value for each in candidates}) == 1:
        return candidates[-1]
    if _JOINED.fullmatch(text, candidates[-2].end, candidates[-1].start):
        return None
    return candidates[-1]
