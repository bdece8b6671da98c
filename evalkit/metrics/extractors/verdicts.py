"""Lists that judge each option: `A. Incorrect` / `B. Correct`, tables, ticks and crosses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

__all__ = ["arrow", "verdict_list"]

_TICKS, _CROSSES = "✅✓✔√☑⭕", "❌✗✘×☒✖"
_MARK = re.compile(f"[{_TICKS}{_CROSSES}]")
_RIGHT = r"correct|true|right|yes|valid|supported|是?正确的?|对|符合题意|符合|成立"
_WRONG = (
    r"incorrect|false|wrong|no|invalid|not (?:correct|right|true|supported)|是?错误的?|错|不对|是?不正确的?"
    r"|不符合题意|不符合|有误"
    r"|不成立"
)
_AT_START = re.compile(
    rf"(?:this is |is |说法|表述)?(?:(?P<right>{_RIGHT})"
    rf"|(?P<wrong>{_WRONG}))(?:[*_]{{0,3}}\s*(?:[.,;:，。；：(（|—–!！-]|$))",
    re.IGNORECASE,
)
_AT_END = re.compile(
    rf"(?:[—–:：(（|→-]|\bis\b|说法|表述)[\s*_]*(?:(?P<right>{_RIGHT})"
    rf"|(?P<wrong>{_WRONG}))[\s*_.。)）!！|;；]*$",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(
    rf"[\s,，](?:(?P<right>{_RIGHT})|(?P<wrong>{_WRONG}))[\s*_.。)）!！|;；]*$", re.IGNORECASE
)
_AFTER_TEXT = re.compile(
    rf"[\s*_]*(?:[—–:：→-]|\bis\b)[\s*_]*(?:(?P<right>{_RIGHT})|(?P<wrong>{_WRONG}))[\s*_]*(?:[,.;，。；(（]"
    rf"|\b(?:because|since|as)\b)",
    re.IGNORECASE,
)
_SEPARATED = " \t*_|.、:：．)）]】—–-,，（("


@cache
def _line_pattern(letters: str) -> re.Pattern[str]:
    return re.compile(
        rf"^[ \t|>*_#•·-]{{0,8}}(?:[0-9][.)] )?(?P<mark>[{_TICKS}{_CROSSES}])?\ufe0f?[ \t*_|]{{0,4}}"
        rf"(?:(?:option|choice|statement|选项)[ ]?)?[(（\[【]?"
        rf"(?P<letter>[{letters}])(?P<rest>[)）\]】*_ \t]{{0,4}}(?:选项"
        rf"|项)?(?:[.、:：．)|—–,，(（✅❌✓✗✔✘√×-]|[ \t]|说法|$)[^\n]{{0,400}})$",
        re.IGNORECASE | re.MULTILINE,
    )


_ARROW = re.compile(
    r"^[^\w\n]{0,6}(?:option |选项)?[(（]?(?P<letter>[A-Z])[)）.:：、][^\n]{0,300}?(?:<-+|←|⇐|<=|⬅️?)[ \t]*"
    r"(?:correct|right|the (?:correct |right )?answer|answer|this|正确|答案|选)",
    re.IGNORECASE | re.MULTILINE,
)


_TICKED = re.compile(r"^[ \t]*[-*+][ ]\[[xX✓✔]\][ ]*[*_(（]{0,3}(?P<letter>[A-Z])[)）.:：、]", re.MULTILINE)


@cache
def _inline_pattern(letters: str, mark_first: bool) -> re.Pattern[str]:
    letter = rf"(?<![A-Za-z0-9])(?P<letter>[{letters}])(?![A-Za-z0-9])"
    mark = f"(?P<mark>[{_TICKS}{_CROSSES}])\ufe0f?"
    if mark_first:
        return re.compile(rf"{mark}[ \t\u3000]{{0,3}}{letter}")
    return re.compile(rf"{letter}[)）.:：、]?[ \t\u3000]{{0,3}}{mark}")


def _in_line(text: str, letters: str) -> int | None:
    """As `verdict_list`, for letters with a mark each in one line: A ✗ B ✓."""
    first = _MARK.search(text)
    mark_first = (
        first is not None
        and re.search(rf"(?<![A-Za-z])[{letters}](?![A-Za-z])", text[: first.start()]) is None
    )
    found = list(_inline_pattern(letters, mark_first).finditer(text))
    if len({each["letter"] for each in found}) < 2 or len({each["letter"] for each in found}) < len(found):
        return None
    right = [each.start("letter") for each in found if each["mark"] in _TICKS]
    return right[0] if len(right) == 1 else -1


def arrow(text: str, letters: str) -> int | None:
    """The place of the one letter whose line an arrow points at as the answer: `C. Rome <-- correct`."""
    ticked = (
        [each for each in _TICKED.finditer(text) if each["letter"].upper() in letters] if "[" in text else []
    )
    if len(ticked) == 1:
        return ticked[0].start("letter")
    if "<-" not in text and "←" not in text and "⇐" not in text and "⬅" not in text:
        return None
    found = [each for each in _ARROW.finditer(text) if each["letter"].upper() in letters]
    return found[0].start("letter") if len(found) == 1 else None


def verdict_list(text: str, letters: str, options: Sequence[str] = ()) -> int | None:
    """The place of the one letter that a list of verdicts calls right; -1 where a list calls none or several
    right; None where there is no such list.

    A list judges every option that it names. Words alone make one of three lines or more: two lines, True and
    False, may be the options themselves, unless `options` tells that they are not.
    """
    if _MARK.search(text):
        inline = _in_line(text, letters)
        if inline is not None:
            return inline
    verdicts: dict[str, tuple[bool, int]] = {}
    marked, struck, repeated = 0, 0, bool(options)  # of a struck option (~~Tin~~) the letter is left
    texts = {name: option.strip().lower() for name, option in zip(letters, options, strict=False)}
    for line in _line_pattern(letters).finditer(text):
        name = line["letter"].upper()
        rest = line["rest"].strip(_SEPARATED)
        cells = line["rest"].strip(" \t|").split("|")
        judged = _judge(line["mark"] or "", f"|{cells[-1]}" if len(cells) > 1 else line["rest"])
        repeated = repeated and rest.lower() == texts.get(name)
        if judged is None or (name in verdicts and verdicts[name][0] != judged[0]):
            if judged is None and not line["rest"].strip(_SEPARATED):
                struck += name not in verdicts
                continue
            return None
        verdicts[name] = (judged[0], line.start("letter"))
        marked += judged[1]
    right = [place for good, place in verdicts.values() if good]
    if struck and len(right) == 1 and marked == len(verdicts):
        return right[0]
    if len(verdicts) < (2 if marked == len(verdicts) or texts or len(letters) == 2 else 3):
        return None
    if repeated and marked < len(verdicts):
        return None
    if not right and len(verdicts) < len(letters):
        return None
    return right[0] if len(right) == 1 else -1


def _judge(mark: str, rest: str) -> tuple[bool, bool] | None:
    """(whether the option is called right, whether by a mark); None where nothing is said of it."""
    marks = {found in _TICKS for found in [*mark, *_MARK.findall(rest)]}
    if len(marks) == 1:
        return marks.pop(), True
    inner = rest.strip(_SEPARATED)
    said = (
        _AT_END.search(inner)
        or _AT_START.match(inner)
        or _LAST_WORD.search(inner)
        or _AFTER_TEXT.search(inner)
    )
    if said is None or marks:
        return None
    return said["right"] is not None, False
