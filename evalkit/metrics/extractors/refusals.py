"""Where a reply says that no number can be given."""

from __future__ import annotations

import re

__all__ = ["refused"]

TAIL = 600
"""In how many characters at the end it is looked for."""

# (what the text must hold, the pattern): most replies hold nothing of it, and a pattern costs more.
_REFUSALS = (
    (
        ("cannot", "can't", "can’t", "couldn", "could n"),
        r"c(?:an(?:no|['’])t|ould[ ]?n[o'’]t)\b.{0,30}?\b(?:determin|answer|comput|calculat|solv|work it|find"
        r"|know|say|tell|be known)",
    ),
    (
        ("enough ", "sufficient"),
        r"(?:not|\w{1,6}n['’]t)\b.{0,12}?\b(?:enough|sufficient) (?:info|data|detail)|insufficient\b",
    ),
    (("unable", "impossible"), r"(?:unable|impossible) to\b"),
    (("more info", "more data", "more det"), r"needs? more (?:info|data|detail)"),
    (
        ("not sure", "not able", "t know", "rather not"),
        r"not (?:sure|able to)|don['’]t know|rather not guess",
    ),
    (("as an ai",), r"as an ai\b"),
    (
        ("known",),
        r"(?:exact|precise) \w+ (?:is|was)(?: not|n['’]t) known|unknown\b(?! \w+ (?:is|are|was|has)\b)",
    ),
    (("please ", "undefined"), r"please (?:provide|tell)|undefined\b"),
    (("请", "作为"), r"请(?:告诉|提供)|作为一[个款](?:人工智能|ai|语言)"),
    (("无",), r"无(?:意义|解)|无法(?:确定|计算|求|得|判断|回答|算|知道|提供)"),
    (
        ("不详", "不存在", "不能", "不足", "不够", "不知道", "缺少"),
        r"不(?:详|存在|知道)|不能(?:确定|计算|求出|判断|提供)|(?:条件|信息|数据)不[足够]|缺少.{0,8}(?:条件|信息)",
    ),
)
_PATTERNS = [(hints, re.compile(rf"(?<![a-z])(?:{pattern})")) for hints, pattern in _REFUSALS]


def refused(text: str) -> list[int]:
    """The places near the end at which it is said, in no order."""
    start = max(0, len(text) - TAIL)
    tail = text[start:].lower()
    return [
        start + match.start()
        for hints, pattern in _PATTERNS
        if any(map(tail.__contains__, hints))
        for match in pattern.finditer(tail)
    ]
