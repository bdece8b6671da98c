"""JSON as servers send it: strict JSON at the speed of orjson, and what is nearly JSON all the same.

A reply that was paid for is read whatever is odd about it: half of a surrogate pair in a text, `NaN` in a
side field, a character cut in the middle, a byte order mark, a bare line break in a string.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any

import orjson

from evalkit.core.records import Response, Token
from evalkit.core.redaction import MARK, Redactor

__all__ = [
    "REDACTED_NOTE",
    "UnreadableError",
    "read_document",
    "sound_body",
    "without_secrets",
    "writable",
    "writable_response",
]

REPLACED_NOTE = "the reply held characters that are none: they stand as U+FFFD"
"""Stands among the notes of a response of which something could not be written as UTF-8."""
REDACTED_NOTE = f"warning: a key came back in the reply: it reads {MARK}"
"""Stands among the notes of a response that held a key; how many there were, the cell's notes say."""


class UnreadableError(ValueError):
    """The bytes are no JSON document."""


def read_document(body: bytes) -> Any:
    """The JSON document in `body`; of equal keys the last one counts, as everywhere.

    What cannot be written as UTF-8 (half a surrogate pair, a byte that is no UTF-8) stands in texts as a lone
    surrogate, for `writable` to replace; `NaN` and `Infinity` are floats. Raises UnreadableError.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        encoding = json.detect_encoding(body)
        text = body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"{type(error).__name__}: {error}") from None


def sound_body(body: bytes) -> bytes:
    """The same document in bytes that every reader of JSON takes; itself where it is so, or is no JSON.

    Readers that are less patient than we are (LiteLLM's, OpenAI's SDK) then read it too.
    """
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.dumps(read_document(body)).encode()
        except (ValueError, RecursionError):
            return body
    return body


def writable(text: str) -> str:
    """The text with U+FFFD in place of what cannot be written as UTF-8; two halves of a pair become whole."""
    if _is_writable(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def writable_response(response: Response) -> Response:
    """The response with all its texts `writable`, and a note where that changed one; itself for most."""
    if all(map(_is_writable, _texts(response))):
        return response
    return _rewritten(response, writable, REPLACED_NOTE)


def without_secrets(response: Response, redactor: Redactor) -> Response:
    """The response without the keys that the redactor knows, and a note where it held one; itself for most.

    A key that is spread over several tokens is a key too: those tokens are blank, without alternatives.
    """
    tokens = response.tokens and _clean_tokens(response.tokens, redactor)
    if tokens is response.tokens and not redactor.knows("\0".join(_texts(response))):
        return response
    return _rewritten(replace(response, tokens=tokens), redactor.clean, REDACTED_NOTE)


def _clean_tokens(tokens: tuple[Token, ...], redactor: Redactor) -> tuple[Token, ...]:
    """The tokens without those that make up a key; themselves for most."""
    spans = redactor.spans("".join(token.text for token in tokens))
    if not spans:
        return tokens
    found, spots = [], set()
    ends = list(accumulate(len(token.text) for token in tokens))
    for token, end in zip(tokens, ends, strict=True):
        hit = next((span for span in spans if span[0] < end and end - len(token.text) < span[1]), None)
        if hit is None:
            found.append(token)
            continue
        found.append(Token("" if hit in spots else MARK, {}))
        spots.add(hit)
    return tuple(found)


def _rewritten(response: Response, change: Callable[[str], str], note: str) -> Response:
    """The response with every text that a model or a server wrote changed, and the note."""
    calls = (
        replace(call, id=change(call.id), name=change(call.name), arguments=change(call.arguments))
        for call in response.tool_calls
    )
    tokens = (
        replace(token, text=change(token.text), top={change(t): p for t, p in token.top.items()})
        for token in response.tokens
    )
    return replace(
        response,
        text=None if response.text is None else change(response.text),
        reasoning=None if response.reasoning is None else change(response.reasoning),
        finish_reason=None if response.finish_reason is None else change(response.finish_reason),
        model_reported=None if response.model_reported is None else change(response.model_reported),
        notes=(*map(change, response.notes), note),
        tokens=tuple(tokens),
        tool_calls=tuple(calls),
    )


def _texts(response: Response) -> Iterator[str]:
    """Every text of a response that a model or a server wrote."""
    for text in (response.text, response.reasoning, response.finish_reason, response.model_reported):
        if text is not None:
            yield text
    yield from response.notes
    for token in response.tokens:
        yield token.text
        yield from token.top
    for call in response.tool_calls:
        yield from (call.id, call.name, call.arguments)


def _is_writable(text: str) -> bool:
    """Whether the text can be written as UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
