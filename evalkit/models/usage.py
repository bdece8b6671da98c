"""Tokens and dollars of a call. What the server did not say, or cannot mean, is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.core.records import Usage
from evalkit.models.settings import Price

__all__ = ["cost", "field_of", "usage_of"]

_MOST = 10**9
"""Tokens that no call has; a greater count is a fault of the server's."""


def usage_of(reply: Any, document: Any = None) -> Usage:
    """The tokens of a call.

    `reply` is LiteLLM's, or the reply itself as JSON; `document` is what the server sent, None when that is
    not known. It is believed before LiteLLM, which fills gaps with zeros and guesses.

    Reasoning tokens are output, and providers count them in two ways (OpenAI and DeepSeek inside of
    completion_tokens, xAI and Gemini's OpenAI form beside them): the total tells which it is.
    """
    usage = field_of(reply, "usage")
    if isinstance(document, Mapping) and "choices" in document:  # OpenAI's form: nothing to translate
        usage = document.get("usage")
    n_input = _count(usage, "prompt_tokens")
    n_output = _count(usage, "completion_tokens")
    reasoning = _first(
        _count(field_of(usage, "completion_tokens_details"), "reasoning_tokens"),
        _count(usage, "reasoning_tokens"),
    )
    cached = _first(
        _count(field_of(usage, "prompt_tokens_details"), "cached_tokens"),
        _count(usage, "prompt_cache_hit_tokens"),
        _count(usage, "cached_tokens"),
    )
    said_input, said_output = _said(document)
    n_input = n_input if said_input else None
    n_output = n_output if said_output else None
    if not n_input:  # no prompt is empty: a zero is a gap
        n_input, n_output, cached = None, n_output or None, None
    if n_output is not None:
        total = _count(usage, "total_tokens")
        n_output += _beside(n_input, n_output, reasoning, total)
        if reasoning is not None and reasoning > n_output:  # no part of it: beside it, or wrong
            n_output, reasoning = (n_output + reasoning, reasoning) if total is None else (n_output, None)
    if cached is not None and n_input is not None and cached > n_input:
        cached = None
    return Usage(n_input, n_output, reasoning, cached)


def cost(usage: Usage, price: Price | None) -> float | None:
    """US dollars of a call at list price; None when price or usage is unknown."""
    if price is None or usage.input is None or usage.output is None:
        return None
    cached = min(usage.cached or 0, usage.input) if price.cached is not None else 0
    cheap = cached * (price.cached or 0.0)
    return (usage.input - cached) * price.input + cheap + usage.output * price.output


def field_of(record: Any, name: str) -> Any:
    """A field of a JSON object or of LiteLLM's; None when it has none of this name."""
    return record.get(name) if isinstance(record, dict) else getattr(record, name, None)


def _beside(n_input: int | None, n_output: int, reasoning: int | None, total: int | None) -> int:
    """The output tokens that are counted in the total and not in `n_output`."""
    if n_input is None or total is None:
        return 0
    more = total - n_input - n_output
    return more if more > 0 and reasoning in (None, more) else 0


_COUNTS = (
    ("usage", ("input_tokens",), ("output_tokens",)),  # Anthropic
    ("usage", ("inputTokens",), ("outputTokens",)),  # Bedrock
    ("usageMetadata", ("promptTokenCount",), ("candidatesTokenCount", "thoughtsTokenCount")),  # Gemini
)
"""Where servers that do not speak OpenAI's protocol count: (block, names of input, names of output)."""


def _said(document: Any) -> tuple[bool, bool]:
    """Whether the server itself counted (input, output): LiteLLM guesses where it did not."""
    if not isinstance(document, Mapping):
        return True, True
    if "done" in document and ("message" in document or "response" in document):  # Ollama
        return _count(document, "prompt_eval_count") is not None, _count(document, "eval_count") is not None
    for block, inputs, outputs in _COUNTS:
        usage = document.get(block)
        if isinstance(usage, Mapping) and any(name in usage for name in (*inputs, *outputs)):
            return tuple(any(_count(usage, n) is not None for n in names) for names in (inputs, outputs))  # type: ignore[return-value]
    return True, True


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _count(record: Any, name: str) -> int | None:
    """A count of tokens; None when it is missing or cannot be one."""
    value = field_of(record, name)
    return value if type(value) is int and 0 <= value <= _MOST else None
