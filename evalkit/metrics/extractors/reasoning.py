"""Reasoning that models write into the text before they answer.

Tags by family as SGLang (srt/parser/reasoning_parser.py) and vLLM (vllm/reasoning) read them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.metrics.extractors.excerpt import Excerpt, Found

__all__ = ["strip_reasoning"]

_NAMES = r"(?:seed:|mm:)?(?:longcat_)?(?:think(?:ing)?|thought|reasoning|reason)"
_PAIRS = {  # opener: closer, both as they are written; those in angle brackets stand in _TAG
    "◁think▷": "◁/think▷",
    "[THINK]": "[/THINK]",
    "<|START_THINKING|>": "<|END_THINKING|>",
    "<|open|>think<|sep|>": "<|close|>think<|sep|>",
    "<|channel>thought": "<channel|>",
    "<|channel|>thought": "<|channel|>",
    "<unused94>thought": "<unused95>",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<|content_thinking|>": "<|end_message|>",
}
_SIGN = re.compile(r"[<◁\[]")
_CLOSERS = {closer.lower(): opener.lower() for opener, closer in _PAIRS.items()}
_TAG = re.compile(
    rf"<(?P<close>/?)(?P<name>{_NAMES})(?::[a-z]{{1,20}})?>|(?P<opener>{'|'.join(map(re.escape, _PAIRS))})"
    rf"|(?P<closer>{'|'.join(map(re.escape, _PAIRS.values()))})|(?P<tool><tool_call>"
    rf"|<\|tool_calls_section_begin\|>)",
    re.IGNORECASE,
)
_ALL_CONTENT = frozenset({"[think]", "<|content_thinking|>", "<|channel|>thought"})
"""Families whose lone closer ends nothing."""
_WRAPPERS = re.compile(
    r"(?:<\|START_(?:RESPONSE|TEXT)\|>|<\|open\|>response<\|sep\|>|<\|begin_of_solution\|>"
    r"|<\|content_text\|>)"
    r"|(?:<\|END_(?:RESPONSE|TEXT)\|>|<\|close\|>response<\|sep\|>|<\|end_of_solution\|>|<\|return\|>"
    r"|<\|end_message\|>"
    r"|<\|end\|>|<\|im_end\|>|<\|eot_id\|>|<\|endoftext\|>|</s>)(?=\s*$)"
)
_ANSWER_TAG = re.compile(r"\s*<(answer|response)>\s*(?P<inside>.*?)\s*(?:</\1>\s*)?", re.DOTALL)
_FINAL_CHANNEL = re.compile(
    r"<\|channel\|>\s*final\b[^<]{0,40}(?:<\|constrain\|>\s*\w{0,20}\s*)?<\|message\|>"
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(?:analysis|commentary)\b[^<]{0,60}(?:<\|constrain\|>[^<]{0,20})?<\|message\|>"
)
_GRANITE = re.compile(r"\s*Here(?:['’]s| is) my (?:thought|thinking) process:")
_GRANITE_ANSWER = re.compile(r"Here(?:['’]s| is) my response:")
_FENCE = re.compile(r"^[ \t]{0,3}```", re.MULTILINE)
_WORDS = frozenset({"reason", "reasoning", "thought"})
"""Names that occur in other XML; they open reasoning at the start alone."""
_HINTS = (
    "hink",
    "HINK",
    "hought",
    "HOUGHT",
    "eason",
    "EASON",
    "<|",
    "</s>",
    "<unused9",
    "channel>",
    "<tool_call>",
)
"""Without one of these no tag is there: most replies need no more than this."""
_QUOTES = frozenset("`\"'“”‘’「」")


def strip_reasoning(excerpt: Excerpt) -> Found | None:
    """The text without the reasoning that a model marks: <think>…</think>, [THINK]…[/THINK], channels, ...

    A closing tag without an opening one ends reasoning that began in the prompt: all before it goes.
    Reasoning that never ends was cut off before the answer: nothing is left, whatever stood before it. A tag
    in quotes or backticks, or in the midst of a sentence, is talked about and stays.
    """
    text = excerpt.text
    start = text.lstrip()[:20]
    if start.startswith("analysis") and "assistantfinal" in text:
        return Found(excerpt.part(text.rindex("assistantfinal") + 14, len(text)).stripped())
    if start.startswith("Here") and _GRANITE.match(text):
        answer = _GRANITE_ANSWER.search(text)
        return Found(excerpt.part(answer.end(), len(text)).stripped()) if answer else None
    if ("<" not in text and "◁" not in text and "[" not in text) or not any(map(text.__contains__, _HINTS)):
        return Found(excerpt.stripped())
    if _CHANNEL.search(text) or _FINAL_CHANNEL.search(text):
        finals = list(_FINAL_CHANNEL.finditer(text))
        return _unwrapped(excerpt.part(finals[-1].end(), len(text)), removed=False) if finals else None
    spans = _spans(text)
    if spans is None:
        return None
    return _unwrapped(excerpt.without(spans) if spans else excerpt, removed=bool(spans))


def _spans(text: str) -> list[tuple[int, int]] | None:
    """Where reasoning stands; None when it never ends."""
    spans: list[tuple[int, int]] = []
    opened: tuple[str, int] | None = None
    quoted: int | None = None  # the end of a closer in quotes, which counts where no other comes
    for tag in _tags(text):
        if tag["tool"]:
            if opened is not None:
                spans.append((opened[1], tag.start()))
                opened = None
            continue
        closing = tag["close"] == "/" or bool(tag["closer"])
        family = (tag["name"] or _CLOSERS.get((tag["closer"] or "").lower()) or tag["opener"] or "").lower()
        if not closing:
            if opened is None and _opens(text, tag, spans):
                opened, quoted = (family, tag.start()), None
        elif opened is None:
            talked_about = _is_quoted(text, tag) or _in_code(text, tag.start()) or _in_sentence(text, tag)
            if family in _WORDS:
                talked_about = talked_about or f"<{family}>" in text[: tag.start()].lower()
            if family not in _ALL_CONTENT and not talked_about:
                spans = [(0, tag.end())]
        elif family == opened[0]:
            if _is_quoted(text, tag):
                quoted = tag.end()
            else:
                spans.append((opened[1], tag.end()))
                opened = None
    if opened is not None and quoted is not None:
        spans.append((opened[1], quoted))
        opened = None
    return None if opened is not None else spans


def _tags(text: str) -> Iterator[re.Match[str]]:
    """The tags in order: each begins with one of three signs, which are found sooner."""
    at = 0
    for sign in _SIGN.finditer(text):
        tag = _TAG.match(text, sign.start()) if sign.start() >= at else None
        if tag:
            yield tag
            at = tag.end()


def _opens(text: str, tag: re.Match[str], spans: list[tuple[int, int]]) -> bool:
    """Whether an opening tag is one at work: at the start, after a closed block, on a line of its own, or
    directly before a word."""
    since = spans[-1][1] if spans else 0
    if not text[since : tag.start()].strip():
        return True
    if _is_quoted(text, tag) or _in_code(text, tag.start()) or (tag["name"] or "").lower() in _WORDS:
        return False
    line_before = text[text.rfind("\n", 0, tag.start()) + 1 : tag.start()].strip()
    after = text[tag.end() : tag.end() + 1]
    return not line_before or after == "\n" or after.isalnum()


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    return (
        text[tag.start() - 1 : tag.start()] in _QUOTES
        and text[tag.end() : tag.end() + 1] in _QUOTES
        and (tag.start() > 0 and tag.end() < len(text))
    )


def _in_code(text: str, at: int) -> bool:
    """Whether a place is inside backticks on its line, or inside a fenced block."""
    line = text.rfind("\n", 0, at) + 1
    return text.count("`", line, at) % 2 == 1 or len(_FENCE.findall(text, 0, line)) % 2 == 1


def _in_sentence(text: str, tag: re.Match[str]) -> bool:
    """Whether a tag stands between words: `the </think> tag`."""
    before, after = text[max(0, tag.start() - 2) : tag.start()], text[tag.end() : tag.end() + 2]
    return (
        before[-1:] == " "
        and before[:1].isalpha()
        and after[:1] in (" ", ",", ".")
        and after[1:].strip() != ""
    )


def _unwrapped(excerpt: Excerpt, removed: bool) -> Found:
    """The excerpt without the tokens around an answer; <answer> only goes where reasoning went before it."""
    if not removed and "<|" not in excerpt.text and "</s>" not in excerpt.text:
        return Found(excerpt.stripped())
    spans = [wrapper.span() for wrapper in _WRAPPERS.finditer(excerpt.text)]
    length = len(excerpt.text.rstrip())
    spans = [
        (start, end) for start, end in spans if removed or end == length or not excerpt.text[:start].strip()
    ]
    if spans:
        excerpt = excerpt.without(spans)
    wrapped = _ANSWER_TAG.fullmatch(excerpt.text) if removed else None
    return Found((excerpt.part(*wrapped.span("inside")) if wrapped else excerpt).stripped())
