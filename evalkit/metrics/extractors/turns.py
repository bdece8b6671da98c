"""Where a reply ends: what follows an invented next turn, or an end token, is not the model's answer."""

from __future__ import annotations

import re

from evalkit.metrics.extractors.excerpt import Excerpt

__all__ = ["own_turn", "without_end_tokens"]

_END_TOKENS = re.compile(
    r"<\|(?:im_end|im_start|eot_id|eom_id|endoftext|end_of_text|start_header_id|return|end|eos|user|assistant"
    r"|END_OF_TURN_TOKEN|END_RESPONSE|END_TEXT)\|>|</s>|<(?:end_of_turn|start_of_turn|eos|EOS)>"
    r"|<｜end▁of▁sentence｜>|<｜User｜>|\[/?INST\]"
)
_STRUCK = re.compile(r"~~[^~\n]{1,80}~~")
_HINTS = ("<|", "</s>", "<end_of", "<start_of", "<eos>", "<EOS>", "<｜", "INST]")
_NEXT = re.compile(
    r"\n[ \t]{0,4}(?:[#>*_-]{1,6}[ \t]{0,2}){0,2}(?:(?:next|new|another)[ ])?"
    r"(?:question|q|problem|exercise|human|user|instruction|passage|review|text|premise|input|问题|题目"
    r"|第[0-9一二三四五六七八九十]{1,3}题|问|用户"
    r"|例题|文本|评论|指令|输入)(?:[ ]?[0-9]{1,4})?[ \t]{0,2}[*_]{0,3}[ \t]{0,2}[:：]",
    re.IGNORECASE,
)
_HEAD = re.compile("\n[^\n:：]{0,64}[:：]")
"""What is found sooner than a next question, which is then looked for there."""
_WORD = re.compile(r"\w")


def own_turn(excerpt: Excerpt) -> Excerpt:
    """The excerpt up to an invented next question or turn, or an end token; all of it where that opens it."""
    excerpt = without_end_tokens(excerpt)
    if "~~" in excerpt.text:
        excerpt = excerpt.without(struck.span() for struck in _STRUCK.finditer(excerpt.text))
    text = excerpt.text
    if "\n" not in text or (":" not in text and "：" not in text):
        return excerpt
    for head in _HEAD.finditer(text):
        if _NEXT.match(text, head.start()) and _WORD.search(text, 0, head.start()):
            return excerpt.part(0, head.start())
    return excerpt


def without_end_tokens(excerpt: Excerpt) -> Excerpt:
    """The excerpt up to the first token by which a model ends its turn, as <|im_end|>."""
    text = excerpt.text
    if ("<" not in text and "INST]" not in text) or not any(map(text.__contains__, _HINTS)):
        return excerpt
    return _before(excerpt, _END_TOKENS)


def _before(excerpt: Excerpt, pattern: re.Pattern[str]) -> Excerpt:
    """The excerpt up to the first match that has words before it."""
    for match in pattern.finditer(excerpt.text):
        if _WORD.search(excerpt.text, 0, match.start()):
            return excerpt.part(0, match.start())
    return excerpt
