"""What the words around a letter or a label say of it: that it is the answer, that it is not, or nothing.

The words to the left are read from right to left, those to the right from left to right, each until a word
that says nothing to the matter.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

__all__ = ["Claim", "claim"]

Claim = Literal["chosen", "confirmed", "negated", "mentioned"]
"""The answer is this; this is right; the answer is not this (or might it be?); this occurs."""

WINDOW = 48
"""How many characters on each side are read."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A copula or a colon links an anchor to its letter: `option: B` is an answer, `option B` a mention.
_LINKS = _words("""is are was be must should would will 's : = 是 为 為 属于 屬於 → => -> becomes""")
_ANCHORS = _words(
    """answer answers choose choosing chose pick select selected solution verdict go_with go_for opt_for
    correct     right best left_with settle_on i'd_say would_say 答案 选 選 选择 選擇 故选 故選 应选 應選"""
)
_LINKED_ANCHORS = _words(
    """option choice letter it it's that's label category class classification sentiment topic conclusion
    result overall prediction judgment judgement output response statement tone claim review emotion
    sentence text message email comment document best_fit fit appropriate suitable likely match leaves
    leaning_towards fits matches supports conclude 符合题意 符合 符合要求 恰当 最佳 合适 最合适 最恰当
    最符合 剩下 剩 判 归
    正确 选项 選項 应该 應該 应当 应 應 而 就 只能 结论 結論 类别 類別 分类 分類 标签 標籤 情感 倾向
    主题 结果 判断 归类 类型"""
)
_WEAK_ANCHORS = _words("""so thus hence therefore finally 所以 因此 故 因而 综上 綜上 综上所述 总之""")
"""They count even before a comma: `therefore, B`."""
_FILLERS_BEFORE = _words(
    """- the a an to this that question here as follows likely most probably clearly then definitely
    final my i would think say statement one out_of among for of being only one has most 能 要 可 可以
    会 會 宜 该 該 得 确定 知道 一定 只 也 还 都 均 肯定 显然 顯然 最终 最後 最后 正确 正確 不得不
    非常 选项 選項 项 项目 option choice letter label category class sentiment overall dominant short
    underlying 的 了 掉 整体 总体"""
)
_NEGATORS_BEFORE = _words(
    """not no none never neither nor without nothing hardly except eliminate eliminates eliminated eliminating
    exclude excludes excluded excluding reject rejects rejected if unless n't isn't aren't wasn't
    don't doesn't cannot can't couldn't wouldn't shouldn't non rule_out rules_out ruled_out
    rather_than instead_of other_than whether 不 别 別 勿 非 哪 哪里 并非 並非 绝非 没 没有 沒有 排除
    误 誤 错 錯 漏 除 除了 如果 若 假如 要是 假设 是否 能否 而非 不是 不属于 不算"""
)
_FILLERS_AFTER = _words(
    """is are was were can could would does do seems must be should all both also clearly obviously
    definitely therefore indeed the simply it they option options choice choices : - 's 都 均 全 皆 也
    就 则 則 才 是 为 為 显然 明显 可以 可 应 应该 的 选项 選項 项 項 两项 三项 唯一 最"""
)
_OTHERS = _words("""people students others many some readers they 人 人们 同学 考生 学生 容易 有人""")
"""What they choose is not what the reply chooses."""
_NEGATORS_AFTER = _words(
    """not never cannot can't isn't aren't wasn't doesn't don't won't n't incorrect wrong false ruled_out
    eliminated excluded invalid untrue 不 不对 不是 不正确 不可能 错 錯 错误 錯誤 有误 有誤 排除
    被排除"""
)
_QUESTIONS = _words("? ？ 吗 嗎 么")
_HEADINGS = _words(
    """answer answers solution verdict choice option label category sentiment 答案 选项 結論 结论 标签
    结果"""
)
"""They reach over a line break."""
_STATEMENTS = _words("说法 說法 描述 表述 叙述")
"""`A说法正确` tells that a statement is true, not that it is the answer."""
_ASSERTERS_AFTER = _words(
    """correct right true best answer 正确 正確 对 對 符合题意 符合題意 符合条件 符合條件
    符合要求 满足条件 滿足條件 最合适 最恰当 最符合 最佳 答案 wins fits_best fits_better"""
)

_ALL = (
    _LINKS
    | _ANCHORS
    | _LINKED_ANCHORS
    | _WEAK_ANCHORS
    | _FILLERS_BEFORE
    | _NEGATORS_BEFORE
    | _FILLERS_AFTER
    | _OTHERS
) | (_NEGATORS_AFTER | _QUESTIONS | _STATEMENTS | _ASSERTERS_AFTER)
_CHINESE = sorted((word for word in _ALL if word[0] > "\u2e7f"), key=len, reverse=True)
_TOKEN = re.compile(
    r"go with|go for|so is|so are|opt for|i'd say|would say|left with|settle on|leaning towards|best fit|"
    r"fits best|fits better|rule[sd]? out|rather than|instead of|other than|out of|[a-z]+(?:'[a-z]+)?|'s|=>"
    r"|->|" + "|".join(_CHINESE) + r"|\n|[^\S\n]+|.",
)
_MARKS = frozenset("*_`~\"'“”‘’「」『』（(）)[]【】{}<>《》$#")


_LABEL = re.compile(
    r"(?:选项|项)?[*_`]{0,3}(?:[.)）:：．\]】、][*_`]{0,3}[ \t]{0,3}|[ \t]{1,3}[-–—]{1,3}[ \t]{1,3}"
    r"|[ \t]{0,2}[（(“\"「《])(?=[^\s*_`.。,，;；])"
)
_SAID_OF_LABEL = re.compile(
    r"(?:is|are|was|were|isn't|aren't|cannot|can't|doesn't|does not|can be|must be|should be"
    r"|would be)\b(?! the \w+ of)"
    r"|(?:不?正确|错误?|不?对)的?(?=[，,；;])|是(?:不?正确|错误?|不?对)的?|都|均|皆"
)
_CONFIRMED = re.compile(
    r"[^.。\n;；，]{0,90}?(?:\bis (?:therefore |clearly |indeed |thus )?(?:the |my )?(?:only |best |most )?"
    r"(?:correct|right|best|appropriate|answer)\b|(?:才|就)?是(?:唯一)?(?:正确|最佳)(?:的)?(?:答案|选项))",
    re.IGNORECASE,
)


def claim(text: str, start: int, end: int, label: bool = False, named: bool = False) -> Claim:
    """What is said of the place from `start` to `end` in a folded text.

    With `label`, a separator and a text after it make it the label of that text, which says nothing of it;
    with `named` that text is known to follow.
    """
    named = named or bool(
        label and _labels_a_text(text, end, _LINKED.search(text, max(0, start - 12), start))
    )
    if named:
        confirmed = _CONFIRMED.match(text, end)
        after: Claim = "confirmed" if confirmed else "mentioned"
    else:
        after = _after(text, end)
    if after == "negated":
        return "negated"
    before = _before(text, start)
    return before if before != "mentioned" else after


def _labels_a_text(text: str, end: int, linked: re.Match[str] | None) -> bool:
    separator = _LABEL.match(text, end)
    if separator is None:
        return False
    return bool(linked and ":" in separator.group()) or not _SAID_OF_LABEL.match(text, separator.end())


_LINKED = re.compile(
    r"(?:答案(?:是|为|:|应该?[是为选])|[^不别勿排]选择?|\banswer(?:[ ]is|:))[\s*_(（\[【]{0,4}$",
    re.IGNORECASE,
)


def _tokens(text: str) -> list[str]:
    lowered = text.lower().replace("’", "'")
    return [token.replace(" ", "_") if token.strip() else token for token in _TOKEN.findall(lowered)]


def _before(text: str, start: int) -> Claim:
    found: Claim = "mentioned"
    linked = comma = line = False
    for token in reversed(_tokens(text[max(0, start - WINDOW) : start])):
        if token == "\n":
            line = True
        elif token in ",，":
            comma = True
        elif token.isspace() or token in _MARKS or (token.startswith("_") and not token.strip("_")):
            continue
        elif token in _NEGATORS_BEFORE:
            return found if comma or line else "negated"
        elif token in _OTHERS and found == "chosen":
            return "mentioned"
        elif line and not (token in _LINKS or (token in _ANCHORS if linked else token in _HEADINGS)):
            break
        elif token in _WEAK_ANCHORS:
            found = "chosen"
        elif comma:
            break
        elif token in _ANCHORS or (linked and token in _LINKED_ANCHORS):
            found = "chosen"
        elif token in _LINKS:
            linked = True
        elif token not in _FILLERS_BEFORE and token not in _LINKED_ANCHORS:
            break
    return found


def _after(text: str, end: int) -> Claim:
    found: Claim = "mentioned"
    statement = bracket = False
    tokens = [token for token in _tokens(text[end : end + WINDOW]) if token == "\n" or not token.isspace()]
    for token, following in pairwise([*tokens, "\n"]):
        if token in _QUESTIONS:
            return "negated"
        if bracket and token in ("not", "不是") and following not in _ASSERTERS_AFTER | _MARKS:
            break  # (not B) is said of B
        bracket = bracket or token in "(（"
        if token in _NEGATORS_AFTER:
            return found if found == "confirmed" else "negated"
        if token in _STATEMENTS:
            statement = True
        elif token in _ASSERTERS_AFTER:
            found = found if statement else "confirmed"
        elif token == "\n" or not (token in _MARKS or token in _FILLERS_AFTER):
            break
    return found
