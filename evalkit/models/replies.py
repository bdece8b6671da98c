"""From LiteLLM's reply, or the server's own JSON, to a `Response`: text, thoughts, why it ended, tokens."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from evalkit.core.errors import CallError
from evalkit.core.records import Response, ResponseStatus, Token, ToolCall
from evalkit.core.redaction import redact
from evalkit.models.causes import verdict_of
from evalkit.models.documents import UnreadableError, read_document, writable_response
from evalkit.models.endings import Ending, ending_of, raw_choice
from evalkit.models.usage import cost, field_of, usage_of

__all__ = [
    "TOOL_NOTE",
    "chat_response",
    "check_ending",
    "cost",
    "cut_at_stop",
    "document_in",
    "openai_document",
    "reported",
    "text_response",
    "usage_of",
]

TOOL_NOTE = "the answer is a tool call; its text is the call as JSON"
"""Stands among the notes of a response without a text of its own."""
_LEAST_LOGPROB = 1e30
"""No token is less probable than this many nats below certainty; a number beyond it is none."""
_THINKING = frozenset({"thinking", "reasoning", "redacted_thinking"})


def chat_response(reply: Any, name: str, body: bytes | None = None) -> Response:
    """The response of a chat completion; no cost and no latency yet.

    `reply` is LiteLLM's, or the server's own document in OpenAI's form (`openai_document`); `body` is what
    the server sent, None when that is not known: LiteLLM makes a `stop` of a broken answer, and zeros of
    unknown tokens. Raises CallError for a reply without choices or content, and for an answer that broke off.
    """
    document = document_in(body)
    choice = _first_choice(reply, name)
    ending = check_ending(choice, name, document)
    message = field_of(choice, "message")
    if message is None:
        raise _invalid(name, "the reply holds no message")
    content = field_of(field_of(raw_choice(choice, document), "message"), "content")
    if not isinstance(content, list):  # of content in parts LiteLLM keeps the last text alone
        content = field_of(message, "content")
    text, thoughts, refusal = _content(content)
    reasoning = thoughts or field_of(message, "reasoning_content") or field_of(message, "reasoning")
    refusal = _refusal(message) or refusal
    notes: tuple[str, ...] = ()
    tool_calls = field_of(message, "tool_calls")
    tool_calls = tool_calls if isinstance(tool_calls, list | tuple) else ()
    if text is None and tool_calls:
        text, notes = _tool_text(tool_calls), (TOOL_NOTE,)
    status: ResponseStatus = "refused" if refusal is not None else _status(ending)
    if refusal is not None:
        text = text or refusal
    if text is None and reasoning is None and ending.reason is None:
        raise _invalid(name, "the reply holds neither content nor a reason to stop")
    response = _response(reply, text or "", ending, document)
    return writable_response(
        replace(
            response,
            status=status,
            reasoning=reasoning if isinstance(reasoning, str) and reasoning else None,
            notes=notes,
            tokens=tokens_of(choice),
            tool_calls=_tool_calls(tool_calls),
        )
    )


def text_response(reply: Any, name: str, body: bytes | None = None) -> Response:
    """The response of a text completion; no cost and no latency yet. Raises like `chat_response`."""
    document = document_in(body)
    choice = _first_choice(reply, name)
    ending = check_ending(choice, name, document)
    text = field_of(choice, "text")
    if not isinstance(text, str):
        raise _invalid(name, "the reply holds no text")
    return writable_response(_response(reply, text, ending, document))


def check_ending(choice: Any, name: str, document: Any = None) -> Ending:
    """Why the answer in the choice ended. Raises CallError for an answer that broke off."""
    ending = ending_of(choice, document)
    if ending.outcome != "broken":
        return ending
    said = " ".join(redact(ending.said).split())[:500]
    why = f"finish reason {ending.reason!r}" if ending.reason else "no finish reason"
    kind, action = verdict_of(ending.code, said)
    message = f"{name}: the answer broke off ({why})" + (f": {said}" if said else "")
    raise CallError(message, kind=kind, action=action)


def openai_document(body: bytes | None) -> dict[str, Any] | None:
    """The server's reply as JSON where it has OpenAI's form and holds an answer; None elsewhere.

    It goes where LiteLLM's reply goes, for replies that LiteLLM itself cannot read.
    """
    document = document_in(body)
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        return None
    sound = [each for each in choices if isinstance(each, dict) and (each.get("message") or "text" in each)]
    return {**document, "choices": sound} if sound else None


def reported(model: str | None, provider: str) -> str | None:
    """The model's name as the server gave it, without the prefix that LiteLLM puts before it."""
    return model.removeprefix(f"{provider}/") if model else None


def tokens_of(choice: Any) -> tuple[Token, ...]:
    """The tokens of a chat reply with what might have stood in their place; empty where it shows none.

    They are an extra of the answer: what in them is no token or no logprob is left out.
    """
    content = field_of(field_of(choice, "logprobs"), "content")
    if not isinstance(content, list):
        return ()
    found = []
    for item in content:
        text, top = field_of(item, "token"), field_of(item, "top_logprobs")
        if not isinstance(text, str):
            continue
        alternatives = [*(top if isinstance(top, list | tuple) else ()), item]
        pairs = [(field_of(each, "token"), _logprob(field_of(each, "logprob"))) for each in alternatives]
        known: dict[str, float] = {}
        for name, logprob in pairs:
            if isinstance(name, str) and logprob is not None:
                known.setdefault(name, logprob)
        found.append(Token(text, known))
    return tuple(found)


def _logprob(value: Any) -> float | None:
    """The logprob, in nats; None for what is none."""
    if type(value) not in (int, float) or not abs(value) <= _LEAST_LOGPROB:
        return None
    return min(float(value), 0.0)


def cut_at_stop(response: Response, stops: Sequence[str]) -> Response:
    """The response with its text ended before the first of the stop sequences, and a note if that cut it.

    Servers that know no `stop`, or that return the sequence itself, then give what others give.
    """
    text = response.text
    if not text or not stops:
        return response
    position = min((at for at in (text.find(stop) for stop in stops if stop) if at >= 0), default=-1)
    if position < 0:
        return response
    status: ResponseStatus = "ok" if response.status == "truncated" else response.status
    notes = (*response.notes, "cut at a stop sequence here, not by the server")
    return replace(response, text=text[:position], status=status, finish_reason="stop", notes=notes)


def document_in(body: bytes | None) -> Any:
    """The JSON in the body; None when it holds none."""
    try:
        return read_document(body) if body else None
    except UnreadableError:
        return None


def _response(reply: Any, text: str, ending: Ending, document: Any) -> Response:
    """The response with what chat and text completions have in common."""
    usage = usage_of(reply, document)
    reported = field_of(reply, "model")
    return Response(
        status=_status(ending),
        text=text,
        finish_reason=ending.reason,
        usage=replace(usage, output=None) if text and usage.output == 0 else usage,  # a gap, not a count
        model_reported=reported if isinstance(reported, str) and reported else None,
    )


def _first_choice(reply: Any, name: str) -> Any:
    """The reply's first choice."""
    choices = field_of(reply, "choices")
    if not choices:
        raise _invalid(name, "the reply holds no choices")
    return choices[0]


def _content(content: Any) -> tuple[str | None, str | None, str | None]:
    """(text, thoughts, refusal) of a message: a text, or parts of which each is one of these (Mistral)."""
    if content is None or isinstance(content, str):
        return content, None, None
    if not isinstance(content, list):
        content = [content]
    found: dict[str, list[str]] = {"text": [], "thoughts": [], "refusal": []}
    for part in content:
        kind = str(part.get("type")) if isinstance(part, Mapping) else "text"
        value = part.get(kind) if isinstance(part, Mapping) else part
        place = "thoughts" if kind in _THINKING else kind if kind == "refusal" else "text"
        if value is None and isinstance(part, Mapping):
            value = part.get("text")
        found[place].extend(_texts(value))
    text, thoughts, refusal = ("".join(each) for each in found.values())
    return text, thoughts or None, refusal or None


def _texts(value: Any) -> list[str]:
    """The texts in the value of a part: itself, or those of the parts that it is made of."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return _texts(value.get("text")) if isinstance(value, Mapping) and value.get("text") is not value else []


def _refusal(message: Any) -> str | None:
    """What the model said in place of an answer; None when it did not refuse."""
    refusal = field_of(message, "refusal")
    if not refusal:
        extra = field_of(message, "provider_specific_fields")
        refusal = extra.get("refusal") if isinstance(extra, dict) else None
    return refusal if isinstance(refusal, str) and refusal else None


def _tool_calls(tool_calls: Any) -> tuple[ToolCall, ...]:
    """The calls as records; what the server leaves out is empty, and a missing id is made."""
    found = []
    for number, call in enumerate(tool_calls):
        function = field_of(call, "function")
        name, arguments = field_of(function, "name"), field_of(function, "arguments")
        if not isinstance(arguments, str):
            arguments = _json(arguments if arguments is not None else {})
        found.append(ToolCall(str(field_of(call, "id") or f"call-{number}"), str(name or ""), arguments))
    return tuple(found)


def _tool_text(tool_calls: Any) -> str:
    """The calls as JSON: one object, or a list of several."""
    calls = []
    for call in tool_calls:
        function = field_of(call, "function")
        arguments = field_of(function, "arguments")
        with contextlib.suppress(orjson.JSONDecodeError):  # else shown as the model wrote it
            arguments = orjson.loads(arguments) if isinstance(arguments, str) else arguments
        calls.append({"name": field_of(function, "name"), "arguments": arguments})
    return _json(calls[0] if len(calls) == 1 else calls)


def _json(value: Any) -> str:
    """The value as JSON, whatever its texts and numbers are."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, default=str)


def _status(ending: Ending) -> ResponseStatus:
    """The status of a response that ended so."""
    return "ok" if ending.outcome == "broken" else ending.outcome


def _invalid(name: str, what: str) -> CallError:
    """The error of a reply that cannot be used; asking again may help."""
    return CallError(f"{name}: {what}", kind="invalid_response", action="retry")
