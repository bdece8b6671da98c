"""A compiled request: what LiteLLM sends for one set of parameters, with holes for the texts.

LiteLLM is made to send twice, with different texts, over a wire that only notes. Where both requests are the
same but for those texts, each of which stands as one whole JSON string, the rest does not depend on the
prompt and need not be worked out again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from evalkit.models.transport import Sent

__all__ = ["FIRST_TEXTS", "Template", "compile_template", "second_texts"]

FIRST_TEXTS = tuple(f"evalkit sentinel {n} 5b1f0c" for n in range(64))
"""Texts that no provider has reason to change, one for each hole."""


def second_texts(n: int, *, edges: bool) -> list[str]:
    """`n` texts with what a translation might trip over; `edges`: also with white space at both ends."""
    inner = 'line one\nline "two" \\ {curly} %s 中文 é 🙂 </s> {}'
    return [f" \t{i} {inner} \n" if edges else f"{i} {inner}." for i in range(n)]


@dataclass(slots=True)
class Template:
    """A request with holes."""

    url: str
    headers: Mapping[str, str]
    segments: tuple[bytes, ...]
    """The JSON body between the holes; one more than there are holes."""
    order: tuple[int, ...]
    """Which text goes into each hole."""
    trims: bool
    """Whether LiteLLM changes white space at the ends of a text: such texts do not fit."""
    passed: int = 0
    """Calls on which both lanes agreed."""
    fit: bool = True
    """Whether the template may be used; False for good once the lanes disagreed."""
    name: str = field(default="")
    """A digest of everything but the headers' values, among which is the key."""
    remembered: bool = False
    """Whether it was compiled and checked in an earlier run."""

    def takes(self, texts: Sequence[str]) -> bool:
        """Whether the texts may be put in as they are."""
        return self.fit and not (self.trims and any(text != text.strip() for text in texts))

    def fill(self, texts: Sequence[str]) -> bytes:
        """The body with these texts."""
        parts = [self.segments[0]]
        for place, segment in zip(self.order, self.segments[1:], strict=True):
            parts += (orjson.dumps(texts[place]), segment)
        return b"".join(parts)

    def same_request(self, sent: Sent, texts: Sequence[str]) -> bool:
        """Whether LiteLLM sent just what the template makes of the texts."""
        url, headers, body = sent
        return (
            url == self.url
            and _plain(headers) == _plain(self.headers)
            and bool(orjson.loads(body) == orjson.loads(self.fill(texts)))
        )


def compile_template(
    first: Sent, first_texts: Sequence[str], second: Sent, second_texts: Sequence[str], *, trims: bool
) -> Template | None:
    """The template of two requests that differ in their texts alone; None when they differ elsewhere."""
    url, headers, _ = first
    if url != second[0] or _plain(headers) != _plain(second[1]):
        return None
    cut, other = _cut(first[2], first_texts), _cut(second[2], second_texts)
    if cut is None or cut != other:
        return None
    segments, order = cut
    name = hashlib.sha256(b"\0".join((url.partition("?")[0].encode(), *segments))).hexdigest()[:12]
    kept = {key: value for key, value in headers.items() if key.lower() != "content-length"}
    return Template(url, kept, segments, order, trims, name=name)


def _cut(body: bytes, texts: Sequence[str]) -> tuple[tuple[bytes, ...], tuple[int, ...]] | None:
    """(pieces of the body between the texts, the order of the texts); None unless each is there once."""
    try:
        rest = orjson.dumps(orjson.loads(body))
    except orjson.JSONDecodeError:
        return None
    places = []
    for number, text in enumerate(texts):
        needle = orjson.dumps(text)
        if rest.count(needle) != 1:
            return None
        places.append((rest.index(needle), len(needle), number))
    places.sort()
    segments, at = [], 0
    for start, length, _ in places:
        segments.append(rest[at:start])
        at = start + length
    segments.append(rest[at:])
    return tuple(segments), tuple(number for _, _, number in places)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that matter, by lower-case name."""
    return {str(k).lower(): str(v) for k, v in headers.items() if str(k).lower() != "content-length"}


def holes(given: Mapping[str, Any]) -> tuple[list[str], tuple[str, ...]] | None:
    """(the texts of a call, its shape); None for calls with images, tools or empty texts."""
    prompt = given.get("prompt")
    if prompt is not None:
        texts = [prompt] if isinstance(prompt, str) else list(prompt)
        shape = ("prompt",) if isinstance(prompt, str) else ("prompts", str(len(texts)))
    else:
        messages = given.get("messages") or []
        if any(message.keys() - {"role", "content"} for message in messages):
            return None  # calls of tools, which are no texts
        texts = [message.get("content") for message in messages]
        shape = tuple(message["role"] for message in messages)
    if not texts or len(texts) > len(FIRST_TEXTS):
        return None
    if not all(isinstance(text, str) and text.strip() for text in texts):
        return None
    return texts, shape


def with_texts(given: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The same call with other texts."""
    prompt = given.get("prompt")
    if prompt is not None:
        return {**given, "prompt": texts[0] if isinstance(prompt, str) else list(texts)}
    messages = [{**message, "content": text} for message, text in zip(given["messages"], texts, strict=True)]
    return {**given, "messages": messages}
