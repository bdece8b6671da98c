"""Which generation parameters a provider takes: asked before the call, dropped by our decision, and said.

LiteLLM's `drop_params` would drop in silence; without it an unsupported parameter fails the call.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import CallError, UsageError, did_you_mean
from evalkit.models import _litellm

__all__ = [
    "DEFAULT_MAX_TOKENS",
    "Plan",
    "check_parameters",
    "merge_parameters",
    "output_limit",
    "plan_parameters",
]

DEFAULT_MAX_TOKENS = 1024
"""Sent when nobody says otherwise: without a limit some providers allow 128,000 tokens."""

# fmt: off
_OPENAI = frozenset((
    "temperature", "top_p", "stop", "max_tokens", "max_completion_tokens", "presence_penalty",
    "frequency_penalty", "logit_bias", "seed", "logprobs", "top_logprobs", "response_format", "tools",
    "tool_choice", "parallel_tool_calls", "reasoning_effort", "user", "thinking",
))
# fmt: on
"""Parameters of OpenAI's protocol, whose support LiteLLM knows; others are passed on as they are."""

# fmt: off
_CHAT_ONLY = frozenset((
    "response_format", "tools", "tool_choice", "parallel_tool_calls", "reasoning_effort", "thinking",
    "top_logprobs", "max_completion_tokens", "chat_template_kwargs",
))
# fmt: on

# fmt: off
_RESERVED = frozenset((
    "model", "messages", "prompt", "api_key", "api_base", "base_url", "api_version", "client", "stream",
    "stream_options", "mock_response", "mock_tool_calls", "mock_timeout", "mock_delay", "fallbacks",
    "model_list", "num_retries", "max_retries", "timeout", "request_timeout", "drop_params",
    "allowed_openai_params", "custom_llm_provider", "litellm_logging_obj", "caching", "cache", "metadata",
    "extra_headers", "headers", "callbacks", "no-log", "echo", "hooks", "organization", "deployment_id",
))
# fmt: on
"""Arguments of LiteLLM that are no generation parameters: a setting must not reach them."""


def _number(least: float, most: float) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most
    )


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    )


_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "temperature": (_number(0, 100), "a number from 0"),
    "top_p": (_number(0, 1), "a number from 0 to 1"),
    "max_tokens": (_whole(1), "a whole number from 1"),
    "max_completion_tokens": (_whole(1), "a whole number from 1"),
    "stop": (_is_stop, "a text or a list of texts"),
    "seed": (_whole(-(2**63)), "a whole number of 64 bits"),
    "n": (_whole(1), "a whole number from 1"),
    "presence_penalty": (_number(-100, 100), "a number"),
    "frequency_penalty": (_number(-100, 100), "a number"),
}
"""Parameter -> whether a value is one of its, and these values in words."""
_NEAR = 0.85
"""From this likeness on, an unknown name is a misspelt one: `temprature`; `top_k` and `top_a` are others."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent for one set of parameters."""

    sent: Mapping[str, Any]
    """The keyword arguments of LiteLLM's call."""
    stops: tuple[str, ...]
    """Stop sequences, at which the text is cut here too."""
    notes: tuple[str, ...]
    """One sentence for each parameter that was dropped or changed."""


def check_parameters(params: Mapping[str, Any], where: str) -> None:
    """Nothing; raises UsageError for a misspelt parameter, and for a value that no server could take.

    Parameters that are not of OpenAI's protocol are the servers' own, whatever their values are.
    """
    if not isinstance(params, Mapping):
        raise UsageError(
            f"{where}: parameters map names to values, such as {{'temperature': 0}}, not {params!r:.80}"
        )
    for key, value in params.items():
        if not isinstance(key, str) or not key.strip():
            raise UsageError(f"{where}: a parameter has a name, not {key!r}")
        if key in _RESERVED:
            raise UsageError(
                f"{where}: {key!r} is no generation parameter; servers, keys, headers and timeouts are set "
                "in evalkit.yaml under the model"
            )
        known = sorted(_OPENAI | set(_VALUES))
        if key not in known and did_you_mean(key, known, 1, _NEAR):
            raise UsageError(f"{where}: no parameter {key!r}.{did_you_mean(key, known, 1, _NEAR)}")
        fits, words = _VALUES.get(key, (lambda _: True, ""))
        if value is not None and (not fits(value) or not _is_sendable(value)):
            raise UsageError(f"{where}: {key} is {words or 'what JSON can hold'}, not {value!r:.80}")


def _is_sendable(value: Any, depth: int = 0) -> bool:
    """Whether JSON can hold the value on its way to any server."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**64
    if isinstance(value, Mapping):
        value = list(value.values()) if all(isinstance(key, str) for key in value) else [object()]
    if isinstance(value, list | tuple):
        return depth < 50 and all(_is_sendable(item, depth + 1) for item in value)
    return value is None or isinstance(value, str)


def output_limit(params: Mapping[str, Any]) -> int | None:
    """The most tokens of an answer by these parameters; None when they do not say."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = params.get(name)
        if isinstance(value, int | float) and value > 0:
            return int(value)
    return None


def merge_parameters(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters, of which a later layer's count before an earlier one's.

    An answer has one limit: where any layer calls it `max_completion_tokens`, so is it sent, and the value is
    the latest layer's by either name.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
        if "max_completion_tokens" in merged and "max_tokens" in merged:
            older = merged.pop("max_tokens")
            if "max_completion_tokens" not in layer:
                merged["max_completion_tokens"] = older
    return merged


def plan_parameters(
    litellm: Any, name: str, provider: str, params: Mapping[str, Any], *, chat: bool, where: str
) -> Plan:
    """The plan for `params` on the model `name` of `provider`; `where` is the model's shown name.

    Raises CallError (unsupported, stop_model) for what is no generation parameter.
    """
    wanted = {key: value for key, value in params.items() if value is not None}
    for key in wanted:
        if key in _RESERVED:
            raise CallError(
                f"{where}: {key!r} is no generation parameter; servers, keys, headers and timeouts are set "
                "in evalkit.yaml under the model",
                kind="unsupported",
                action="stop_model",
            )
    notes: list[str] = []
    n = wanted.pop("n", 1)
    if n not in (1, "1"):
        notes.append(f"n={n} was not sent: several answers to one prompt are asked for with --repeats")
    stops = wanted.get("stop") or ()
    stops = (stops,) if isinstance(stops, str) else tuple(stops)
    if not stops:
        wanted.pop("stop", None)
    if "max_completion_tokens" in wanted and "max_tokens" in wanted:
        notes.append(
            f"max_tokens={wanted.pop('max_tokens')} was not sent: "
            f"max_completion_tokens={wanted['max_completion_tokens']} stands in its place"
        )
    if not chat and "max_completion_tokens" in wanted:
        wanted["max_tokens"] = wanted.pop("max_completion_tokens")
        notes.append("max_completion_tokens was sent as max_tokens: a text completion knows no other")
    if "max_tokens" not in wanted and "max_completion_tokens" not in wanted:
        wanted["max_tokens"] = DEFAULT_MAX_TOKENS
    if not chat:
        for key in sorted(_CHAT_ONLY & wanted.keys()):
            notes.append(f"{key} was not sent: a text completion has no such parameter")
            del wanted[key]
    else:
        for key in _unsupported(litellm, name, provider, wanted):
            notes.append(_dropped(key, wanted[key], provider, name))
            del wanted[key]
    return Plan(wanted, stops, tuple(notes))


def _unsupported(litellm: Any, name: str, provider: str, wanted: Mapping[str, Any]) -> list[str]:
    """The names of the parameters that LiteLLM says this model does not take."""
    supported = litellm.get_supported_openai_params(model=name, custom_llm_provider=provider)
    found = []
    for key, value in wanted.items():
        if key not in _OPENAI:
            continue
        alias = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(key)
        unknown = supported is not None and key not in supported and alias not in supported
        if unknown or _refuses(litellm, name, provider, key, value):
            found.append(key)
    return found


def _refuses(litellm: Any, name: str, provider: str, key: str, value: Any) -> bool:
    """Whether LiteLLM's request mapping refuses this value (gpt-5 takes only its own temperature)."""
    try:
        _litellm.mapped(name, provider, {key: value})
    except litellm.exceptions.UnsupportedParamsError:
        return True
    return False


def _dropped(key: str, value: Any, provider: str, name: str) -> str:
    """The note for a dropped parameter."""
    if key == "stop":
        return f"stop is not supported by {provider}/{name}: the text is cut here instead"
    shown = f"{key}={value}" if isinstance(value, int | float | str | bool) else key
    return f"{shown} was not sent: {provider}/{name} does not take it"
