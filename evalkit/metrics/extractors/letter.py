"""The letter of the option that a response chooses, in English and Chinese.

Letters are read in groups (`A、B和C`); what is said of a group holds for each of its letters. What stands
after a letter and a separator is the option's text, which says nothing of it. A rule that finds several
letters finds no answer: it is counted as such and never guessed.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from evalkit.metrics.extractors.claims import Claim, claim
from evalkit.metrics.extractors.excerpt import Excerpt, Found, fold
from evalkit.metrics.extractors.markup import last_boxed
from evalkit.metrics.extractors.option_text import by_text
from evalkit.metrics.extractors.turns import own_turn
from evalkit.metrics.extractors.verdicts import arrow, verdict_list

__all__ = ["DEFAULT_LETTERS", "letter", "letters_of"]

DEFAULT_LETTERS = "ABCDEFGHIJ"
"""The letters looked for when nobody says how many options there are."""
MAX_GROUPS = 4000
"""Only so many groups are judged, counted from the end: no reply needs more, and time stays linear."""

_SEPARATOR = re.compile(
    r"\s{0,3}(?:[、/&+]|以及|或者|还是|還是|和|与|與|及|或|and|or|nor|(?:,|，)\s?(?:and|or|nor|和"
    r"|或))\s{0,3}",
    re.IGNORECASE,
)
_COMMA = re.compile(r"\s{0,2}[,，]\s{0,2}")
_PLURAL = re.compile(
    r"\W{0,4}(?:选项|選項|三?项|两项|[a-z]*options?|choices?)?\s?"
    r"(?:都|均|全|皆|(?:are|were|all|both|cannot|could|do|have|fail)\b|(?:can|don|aren|couldn|weren"
    r"|haven)['’]t\b)"
)
_ARTICLE = re.compile(
    r"[ \t]+(?!(?:because|since|as|is|was|but|and|or|if|for|with|not|rather|would|which|instead|over|based"
    r"|due|here|must|should|can|could|will|has|does|fits|seems|makes|works|holds|remains|describes|follows"
    r"|matches)\b)[a-z]"
)
_PRONOUN = re.compile(
    r"[ ](?:[a-z]+ly )?(?:think|believe|am|was|would|will|have|had|can|could|do|did|don|need|know|choose"
    r"|chose|go|say|feel"
    r"|see|want|must|should|cannot|get|got|found|find|guess|first|also|picked?|select)\b|['’]"
)
_NAME_BEFORE = re.compile(
    r"(?:vitamin|hepatitis|figure|table|section|part|plan|grade|appendix|type|class|team|point|line|group"
    r"|维生素|维他命|图|表|甲型|点)\s?$",
    re.IGNORECASE,
)
_LEADS = re.compile(r"[^\w\n]*$")
_LED = re.compile(
    r"[*_]{0,3}[)\]）】.:、．][*_]{0,3}\s|[*_)\]）】.:]{0,4}[ \t]*(?:\n|$)|[.:、)）。，．\]】]"
    r"|[*_]{0,3}[ ][-–—][ ]|[ ]?[（(]"
)
_LOWER_LED = re.compile(r"[\s*_(（\[]{0,6}(?P<letter>[a-z])[*_]{0,3}[).:、．\]][*_]{0,3}[ \t]{1,3}\S")
_LOWER_LINE = re.compile(r"^[ \t*_(-]{0,6}[a-z][*_]{0,3}[).:、．][ \t]", re.MULTILINE)
_ENDS = re.compile(r"[\s*_`\"'”’)\]】]{0,4}(?:[.,;:。，；)\]）】]|\n|$)")
_SEVERAL = re.compile(
    r"(?:答案|选|選|answer)[^\nA-Za-z]{0,8}(?:is )?[*_ （(]{0,4}([A-J]{2,10})(?![A-Za-z])", re.IGNORECASE
)
_REVISES = re.compile(
    r"\b(?:wait|actually|correction|corrected|sorry|however|but|second thought|reconsider\w*|re-?read\w*"
    r"|re-?check\w*|let me"
    r"|so|therefore|thus|hence|final\w*|instead|mistake\w*|misread\w*|no|overall|conclusion|hmm|better|wrong"
    r"|incorrect|previously)\b"
    r"|错|更正|等等|不对|但|然而|所以|因此|综上|故|最终|重新|仔细|应该?|不过|修正|[?？]",
    re.IGNORECASE,
)
_RETRACTED = re.compile(
    r"\b(?:that|this)(?:['’]s| is| was| seems) (?:not right|not correct|wrong|incorrect|a mistake)\b|(?:^"
    r"|[。！？\n，…]\s?)(?:这|那)?(?:样|个)?(?:好像|似乎)?不对[，。]|搞错了"
    r"|can(?:['’]t|not) (?:really )?decide|拿不准|无法抉择",
    re.IGNORECASE,
)
_HYPOTHETICAL = re.compile(
    r"(?:如果|假如|若|要是)(?![^。\n]*(?:所以|因此|故))[^。\n]{0,60}$"
    r"|\b(?:if|had) the question\b(?![^.\n]*\b(?:so|therefore)\b)[^.\n]{0,80}$",
    re.IGNORECASE,
)
_CONSIDERED = re.compile(
    r"(?:\b(?:consider|about|at|examine|check|evaluate|with|test|try|assume|take|for|while)[ ](?:(?:option"
    r"|choice|answer)[ ])?"
    r"|看|分析|考虑|对于|关于|假设|检验|来看)(?:选项)?[\s*_(（]{0,3}$",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w")
_NO_ARTICLE_BEFORE = re.compile(
    r"(?:\b(?:only|option|choice|just|letter)|选|选项|只有)[ *_(（]{0,3}$", re.IGNORECASE
)
_NAMES_LETTER = re.compile(r"(?:[(（]|\boption |选项)$", re.IGNORECASE)
_TERMINAL = re.compile(r"[.。!！?？)）\]】}*_\"”'’>$`|]\s*$")
_LINE_OR_SENTENCE = re.compile(r"\n|[。！？!?；;]|\.(?=\s)")

_PAST_SPACE = re.compile(r"[\s*_]{0,4}")
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})


class Group(NamedTuple):
    """Letters named together, and what is said of them."""

    letters: tuple[tuple[str, int], ...]
    """(letter, position) of each."""
    start: int
    end: int
    claim: Claim


def letters_of(labels: Sequence[str]) -> str:
    """The labels when they are letters, else the first letters of the alphabet, one for each label."""
    if labels and all(len(label) == 1 and label in string.ascii_letters for label in labels):
        return "".join(labels).upper()
    return string.ascii_uppercase[: len(labels)] if labels else DEFAULT_LETTERS


@cache
def _letter_pattern(letters: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_'’])[{letters}](?![A-Za-z0-9_]|['’][a-z]|-[A-Za-z0-9])")


@cache
def _whole_pattern(letters: str) -> re.Pattern[str]:
    mark = r"[\s*_`~\"'“”‘’「」『』（(）)\[\]【】{}<>《》$.。,，、:!=-]"
    opening = (
        rf"(?:(?i:the answer is|answer|ans|option|choice)|答案|选项|选择|選項|选|選|是|为)?{mark}{{0,6}}"
    )
    return re.compile(rf"{mark}{{0,6}}{opening}([{letters}{letters.lower()}]){mark}{{0,8}}")


def letter(excerpt: Excerpt, letters: str = DEFAULT_LETTERS) -> Found | None:
    r"""The letter of the first rule that finds one.

    whole: the reply is a letter; boxed: \boxed{B}; anchor: the last letter that is said to be the answer;
    verdict: the only one of a list that is judged right; first: the reply begins with `B.`; final: it ends
    with the letter; only: no other letter is left standing. A negated letter never counts.
    """
    excerpt = own_turn(excerpt)
    text = fold(excerpt.text)
    whole = _whole_pattern(letters).fullmatch(text.strip()) if len(text) < 10_000 else None
    if whole:
        at = len(text) - len(text.lstrip()) + whole.start(1)
        return _found(excerpt, whole[1], at, "whole")
    box = last_boxed(text)
    if box:
        inner = _judged(text, letters, *box)
        if inner:
            return _single(excerpt, inner, "boxed")
    pointed = arrow(text, letters)
    if pointed is not None:
        return _found(excerpt, text[pointed], pointed, "verdict")
    texts = {name: fold(option).strip() for name, option in zip(letters, excerpt.options, strict=False)}
    groups = [group for group in _judged(text, letters, texts=texts) if not _is_word(text, group)]
    standing = [group for group in groups if group.claim != "negated"]
    chosen = [
        group
        for group in standing
        if group.claim == "chosen" and not _HYPOTHETICAL.search(text, max(0, group.start - 90), group.start)
    ]
    if chosen:
        return _last_chosen(excerpt, text, chosen)
    small = _small(text, letters.lower())
    if small:
        return _single(excerpt, small[-1:], "anchor")
    if _SEVERAL.search(text):
        return None
    listed = verdict_list(text, letters, excerpt.options)
    if listed is not None:
        return _found(excerpt, text[listed], listed, "verdict") if listed >= 0 else None
    confirmed = [group for group in standing if group.claim == "confirmed"]
    if confirmed:
        return _single(excerpt, confirmed, "anchor")
    return (
        _leading(excerpt, text, standing)
        or _closing(excerpt, text, standing)
        or _last_line(excerpt, text, letters)
        or _only(excerpt, text, standing)
        or _lower_leading(excerpt, text, letters.lower(), bool(standing))
        or (
            None
            if standing
            else by_text(excerpt, letters, {name for group in groups for name, _ in group.letters})
        )
    )


def _small(text: str, letters: str) -> list[Group]:
    """The small letters that are said to be the answer, or that `option b` names and something confirms."""
    return [
        group
        for group in _judged(text, letters, at_ends=True)
        if (
            group.claim == "chosen"
            or (
                group.claim == "confirmed"
                and _NAMES_LETTER.search(text, max(0, group.start - 9), group.start)
            )
        )
        and _ENDS.match(text, group.end)
    ]


def _found(excerpt: Excerpt, name: str, at: int, rule: str) -> Found:
    return Found(excerpt.part(at, at + 1).rewritten(name.upper()), f"letter:{rule}")


def _single(excerpt: Excerpt, groups: Sequence[Group], rule: str) -> Found | None:
    """The one letter of these groups, at its last place; None when there are several or none."""
    if len({name for group in groups for name, _ in group.letters}) != 1:
        return None
    name, at = groups[-1].letters[-1]
    return _found(excerpt, name, at, rule)


def _last_chosen(excerpt: Excerpt, text: str, chosen: Sequence[Group]) -> Found | None:
    """The last letter that is said to be the answer; None where it is taken back, or contradicts an earlier
    one that is not taken back."""
    last = chosen[-1]
    if _RETRACTED.search(text, last.end):
        return None
    names = {name for name, _ in last.letters}
    for earlier in reversed(chosen[:-1]):
        others = {name for name, _ in earlier.letters}
        if others != names:
            if len(others) == 1 and not _REVISES.search(text, earlier.end, last.start):
                return None
            break
    return _single(excerpt, [last], "anchor")


def _judged(
    text: str,
    letters: str,
    start: int = 0,
    end: int | None = None,
    *,
    texts: Mapping[str, str] = _NO_TEXTS,
    at_ends: bool = False,
) -> list[Group]:
    """The groups of letters in a part of the text, the last `MAX_GROUPS`, each with what is said of it.

    `texts` are the options by letter: where one follows its letter, it says nothing of it. With
    `at_ends` only what is said of letters before a mark or a line's end is read: `a` is an article elsewhere.
    """
    groups: list[list[tuple[str, int]]] = []
    for match in _letter_pattern(letters).finditer(text, start, len(text) if end is None else end):
        if groups and _SEPARATOR.fullmatch(text, groups[-1][-1][1] + 1, match.start()):
            groups[-1].append((match.group(), match.start()))
        else:
            groups.append([(match.group(), match.start())])
    judged: list[Group] = []
    plural_from: int | None = (
        None  # where a plural denial begins: it reaches back over commas (A, B and C are)
    )
    for group in reversed(groups[-MAX_GROUPS:]):
        first, last = group[0][1], group[-1][1] + 1
        if at_ends and _ENDS.match(text, last) is None:
            judged.append(Group(tuple(group), first, last, "mentioned"))
            plural_from = None
            continue
        own = texts.get(group[-1][0])
        named = own is not None and text.startswith(own, _PAST_SPACE.match(text, last).end())  # type: ignore[union-attr]
        says = claim(text, first, last, label=True, named=named)
        reached = plural_from is not None and _COMMA.fullmatch(text, last, plural_from)
        if reached and not (says == "chosen" and text[last : last + 1] == "，"):
            says, plural_from = "negated", first
        else:
            plural_from = first if says == "negated" and _PLURAL.match(text, last) else None
        judged.append(Group(tuple(group), first, last, says))
    return _over_commas(text, judged[::-1])


def _over_commas(text: str, groups: list[Group]) -> list[Group]:
    """The groups in which a choice or a denial reaches over commas: `Answer: A, B` and `not A, B or C`."""
    joined: list[Group] = []
    for group in groups:
        before = joined[-1] if joined else None
        if before and group.claim == "mentioned" and _COMMA.fullmatch(text, before.end, group.start):
            if before.claim == "negated":
                group = group._replace(claim="negated")
            elif before.claim == "chosen" and (_ENDS.match(text, group.end)):
                joined[-1] = Group(before.letters + group.letters, before.start, group.end, "chosen")
                continue
        joined.append(group)
    return joined


def _is_word(text: str, group: Group) -> bool:
    """Whether a letter is an article, a pronoun or part of a name: A cat, I think, vitamin C."""
    if len(group.letters) > 1:
        return False
    name = group.letters[0][0]
    if name == "A" and _ARTICLE.match(text, group.end):
        return not _NO_ARTICLE_BEFORE.search(text, max(0, group.start - 12), group.start)
    if name == "I" and (
        _PRONOUN.match(text, group.end) or (group.claim == "mentioned" and _ARTICLE.match(text, group.end))
    ):
        return True
    return bool(_NAME_BEFORE.search(text, max(0, group.start - 12), group.start))


def _leading(excerpt: Excerpt, text: str, groups: Sequence[Group]) -> Found | None:
    """The letter with which the reply begins, unless its lines list several, as repeated options do."""
    leading = [
        group
        for group in groups
        if len(group.letters) == 1
        and _LEADS.fullmatch(text, _line_start(text, group.start), group.start)
        and _LED.match(text, group.end)
    ]
    if not leading or _WORD.search(text, 0, leading[0].start):
        return None
    first = leading[0]
    line = text.find("\n", first.end)
    if any(
        group.letters[0][0] != first.letters[0][0]
        and (line < 0 or group.start < line)
        and _LABELS.match(text, group.end)
        for group in groups
    ):
        return None
    return _single(excerpt, leading, "first")


_LABELS = re.compile(r"[*_]{0,3}[)）.:：、．]")
_LABELLED_LINE = re.compile(r"^\W{0,6}(?P<letter>[A-Z])[*_]{0,3}[)）.:：、．][ \t]?[^\n]*$", re.MULTILINE)


def _last_line(excerpt: Excerpt, text: str, letters: str) -> Found | None:
    """The letter with which the last line begins, its option's text after it, when no other line does so."""
    lines = list(_LABELLED_LINE.finditer(text, max(0, len(text) - 4000)))
    if len(lines) != 1 or lines[0].end() < len(text.rstrip()) or lines[0]["letter"] not in letters:
        return None
    if "\n" not in text[: lines[0].start()].strip("\n") + "\n" or not text[: lines[0].start()].strip():
        return None
    return _found(excerpt, lines[0]["letter"], lines[0].start("letter"), "final")


def _closing(excerpt: Excerpt, text: str, groups: Sequence[Group]) -> Found | None:
    """The letter with which the last sentence ends."""
    if (
        not groups
        or _ENDS.match(text, groups[-1].end) is None
        or text[groups[-1].end :].strip(' \t\r\n*_)）】].。!！`"”$项选')
    ):
        return None
    last = groups[-1]
    sentence = max(text.rfind(mark, 0, last.start) for mark in ("\n", "。", ". ", "；"))
    if any(group.letters[-1][0] != last.letters[-1][0] and group.start > sentence for group in groups):
        return None
    if _COMMA.search(text, max(0, last.start - 2), last.start) and len(groups) > 1:
        return None
    if _CONSIDERED.search(text, max(0, last.start - 24), last.start):
        return None
    return _single(excerpt, [last], "final")


def _only(excerpt: Excerpt, text: str, groups: Sequence[Group]) -> Found | None:
    """The only letter that is left, unless it is only looked at, or the reply breaks off after it."""
    left = [group for group in groups if not _CONSIDERED.search(text, max(0, group.start - 24), group.start)]
    found = _single(excerpt, left, "only")
    if found is None or len(left) != len(groups):
        return None
    last = groups[-1].end
    if not _TERMINAL.search(text[-4:]) and len(text) - last > 40:
        return None
    ends = _LINE_OR_SENTENCE.search(text, last)
    return found if ends is None or len(text) - ends.end() < 200 else None


def _lower_leading(excerpt: Excerpt, text: str, letters: str, capitals: bool) -> Found | None:
    """The small letter with which the reply begins, its option's text after it: `b) Paris`."""
    led = _LOWER_LED.match(text)
    if led is None or capitals or led["letter"] not in letters or len(_LOWER_LINE.findall(text)) > 1:
        return None
    return _found(excerpt, led["letter"], led.start("letter"), "first")


def _line_start(text: str, at: int) -> int:
    """Where the line of this place begins, or a few characters before the place where that is far."""
    near = max(0, at - 8)
    return max(near, text.rfind("\n", near, at) + 1)
