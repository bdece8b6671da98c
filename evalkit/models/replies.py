"""From LiteLLM's reply to a `Response`: text, reasoning, why it stopped, tokens, cost."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from evalkit.errors import CallError
from evalkit.models.settings import Price
from evalkit.records import Response, ResponseStatus, Token, ToolCall, Usage

__all__ = ["TOOL_NOTE", "chat_response", "cost", "cut_at_stop", "text_response", "usage_of"]

TOOL_NOTE = "the answer is a tool call; its text is the call as JSON"
"""Stands among the notes of a response without a text of its own."""
_REFUSALS = frozenset({"content_filter", "refusal", "safety", "guardrail_intervened"})
_LIMITS = frozenset({"length", "max_tokens", "model_length"})


def chat_response(reply: Any, name: str) -> Response:
    """The response of a chat completion; no cost and no latency yet.

    Raises CallError (invalid_response, retry) for a reply without choices or without any content.
    """
    choice = _first_choice(reply, name)
    message = getattr(choice, "message", None)
    if message is None:
        raise _invalid(name, "the reply holds no message")
    text = _text(getattr(message, "content", None))
    reasoning = getattr(message, "reasoning_content", None) or None
    notes: tuple[str, ...] = ()
    tool_calls = getattr(message, "tool_calls", None)
    refusal = _refusal(message)
    if text is None and tool_calls:
        text, notes = _tool_text(tool_calls), (TOOL_NOTE,)
    reason = getattr(choice, "finish_reason", None)
    status = _status(reason)
    if refusal is not None:
        status, text = "refused", text or refusal
    if text is None:
        if reasoning is None and status == "ok":
            raise _invalid(name, "the reply holds neither content nor reasoning")
        text = ""
    return Response(
        status=status,
        text=text,
        reasoning=reasoning if isinstance(reasoning, str) else None,
        finish_reason=reason,
        usage=usage_of(reply),
        model_reported=getattr(reply, "model", None) or None,
        notes=notes,
        tokens=tokens_of(choice),
        tool_calls=_tool_calls(tool_calls or ()),
    )


def tokens_of(choice: Any) -> tuple[Token, ...]:
    """The tokens of a chat reply with what might have stood in their place; empty where it shows none."""
    content = _field(getattr(choice, "logprobs", None), "content")
    if not isinstance(content, list):
        return ()
    found = []
    for item in content:
        text, top = _field(item, "token"), _field(item, "top_logprobs") or ()
        alternatives = {_field(each, "token"): _field(each, "logprob") for each in top}
        alternatives.setdefault(text, _field(item, "logprob"))
        known = {
            name: min(float(value), 0.0)
            for name, value in alternatives.items()
            if isinstance(name, str) and isinstance(value, int | float) and not math.isnan(value)
        }
        if isinstance(text, str):
            found.append(Token(text, known))
    return tuple(found)


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, dict) else getattr(record, name, None)


def text_response(reply: Any, name: str) -> Response:
    """The response of a text completion; no cost and no latency yet. Raises like `chat_response`."""
    choice = _first_choice(reply, name)
    text = getattr(choice, "text", None)
    if not isinstance(text, str):
        raise _invalid(name, "the reply holds no text")
    reason = getattr(choice, "finish_reason", None)
    return Response(
        status=_status(reason),
        text=text,
        finish_reason=reason,
        usage=usage_of(reply),
        model_reported=getattr(reply, "model", None) or None,
    )


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


def usage_of(reply: Any) -> Usage:
    """The tokens of a call; None for what the server did not say (LiteLLM fills such gaps with zeros)."""
    usage = getattr(reply, "usage", None)
    n_input = _count(usage, "prompt_tokens")
    n_output = _count(usage, "completion_tokens")
    if not n_input:  # no prompt is empty: a zero is a gap
        n_input, n_output = None, n_output or None
    return Usage(
        input=n_input,
        output=n_output,
        reasoning=_count(getattr(usage, "completion_tokens_details", None), "reasoning_tokens"),
        cached=_count(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
    )


def cost(usage: Usage, price: Price | None) -> float | None:
    """US dollars of a call at list price; None when price or usage is unknown."""
    if price is None or usage.input is None or usage.output is None:
        return None
    cached = min(usage.cached or 0, usage.input) if price.cached is not None else 0
    cheap = cached * (price.cached or 0.0)
    return (usage.input - cached) * price.input + cheap + usage.output * price.output


def _first_choice(reply: Any, name: str) -> Any:
    """The reply's first choice."""
    choices = getattr(reply, "choices", None)
    if not choices:
        raise _invalid(name, "the reply holds no choices")
    return choices[0]


def _text(content: Any) -> str | None:
    """The content as text: itself, or its text parts joined."""
    if content is None or isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return str(content)


def _refusal(message: Any) -> str | None:
    """What the model said in place of an answer; None when it did not refuse."""
    refusal = getattr(message, "refusal", None)
    if not refusal:
        extra = getattr(message, "provider_specific_fields", None)
        refusal = extra.get("refusal") if isinstance(extra, dict) else None
    return refusal if isinstance(refusal, str) and refusal else None


def _tool_calls(tool_calls: Any) -> tuple[ToolCall, ...]:
    """The calls as records; what the server leaves out is empty, and a missing id is made."""
    found = []
    for number, call in enumerate(tool_calls):
        function = getattr(call, "function", None)
        name, arguments = getattr(function, "name", None), getattr(function, "arguments", None)
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments if arguments is not None else {}).decode()
        found.append(ToolCall(str(getattr(call, "id", None) or f"call-{number}"), str(name or ""), arguments))
    return tuple(found)


def _tool_text(tool_calls: Any) -> str:
    """The calls as JSON: one object, or a list of several."""
    calls = []
    for call in tool_calls:
        function = getattr(call, "function", None)
        arguments = getattr(function, "arguments", None)
        with contextlib.suppress(orjson.JSONDecodeError):  # else shown as the model wrote it
            arguments = orjson.loads(arguments) if isinstance(arguments, str) else arguments
        calls.append({"name": getattr(function, "name", None), "arguments": arguments})
    return orjson.dumps(calls[0] if len(calls) == 1 else calls).decode()


def _status(reason: str | None) -> ResponseStatus:
    """ok, truncated or refused, by the reason for which the model stopped."""
    word = (reason or "").lower()
    if word in _LIMITS:
        return "truncated"
    return "refused" if word in _REFUSALS else "ok"


def _count(record: Any, name: str) -> int | None:
    """A count of tokens; None when it is missing."""
    value = record.get(name) if isinstance(record, dict) else getattr(record, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _invalid(name: str, what: str) -> CallError:
    """The error of a reply that cannot be used; asking again may help."""
    return CallError(f"{name}: {what}", kind="invalid_response", action="retry")
