"""Why an answer ended: by itself, at a limit, by a filter, or because something broke.

The words are the providers' own, of which LiteLLM makes OpenAI's four; a broken answer is a `stop` there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from evalkit.models.usage import field_of

__all__ = ["Ending", "ending_of", "is_ordinary", "raw_choice"]

Outcome = Literal["ok", "truncated", "refused", "broken"]

# fmt: off
_ORDINARY = frozenset((
    "stop", "end_turn", "stop_sequence", "complete", "completed", "eos", "eos_token", "tool_calls",
    "tool_use", "tool_call", "function_call", "finished", "done",
))
_LIMITS = frozenset((
    "length", "max_tokens", "max_output_tokens", "max_new_tokens", "max_length", "max_len", "token_limit",
    "model_length", "model_context_window_exceeded", "context_window_exceeded", "context_length_exceeded",
    "error_limit", "pause_turn", "compaction", "continuation",
))
_FILTERS = frozenset((
    "content_filter", "content_filtered", "refusal", "refused", "safety", "guardrail", "guardrail_intervened",
    "guardrails", "sensitive", "recitation", "blocklist", "blocked", "prohibited_content", "spii", "language",
    "escalation", "error_toxic", "moderation", "moderated", "flagged", "policy_violation",
    "content_policy_violation", "model_armor", "image_safety", "image_recitation", "image_prohibited_content",
    "image_other",
))
_BROKEN = frozenset((
    "error", "failed", "failure", "network_error", "insufficient_system_resource", "abort", "aborted",
    "cancelled", "canceled", "interrupted", "timeout", "time_limit", "not_finished", "internal_error",
    "server_error", "engine_error", "overloaded", "other", "malformed_function_call", "malformed_response",
    "malformed_tool_call", "missing_thought_signature", "load", "unload",
))
# fmt: on
"""Words, each in the form of `_word`: DeepSeek insufficient_system_resource, Zhipu network_error, sensitive,
vLLM and SGLang abort, OpenRouter and Mistral error, Gemini OTHER, MALFORMED_* and the filters in capitals,
Cohere ERROR_LIMIT and ERROR_TOXIC, watsonx time_limit and not_finished, Anthropic pause_turn, refusal and
model_context_window_exceeded, Bedrock guardrail_intervened, Ollama load (the model was only loaded)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an answer ended."""

    outcome: Outcome
    """broken: the answer is no answer, and the call may be made again."""
    reason: str | None
    """The word that told; None when the server gave none."""
    said: str = ""
    """What the server said of the break; mostly empty."""
    code: int | None = None
    """The HTTP status that the server gives for the break; None when it gives none."""


def ending_of(choice: Any, document: Any = None) -> Ending:
    """Why the answer in `choice` (LiteLLM's, or the server's own) ended; `document` is what the server sent.

    The most exact witness is heard first: the model's own word, then the server's, then LiteLLM's. An unknown
    word ends an answer like any other, and is shown.
    """
    given = _text(field_of(choice, "finish_reason"))
    raw = raw_choice(choice, document)
    for place in (choice, raw, document):
        error = field_of(place, "error")
        if error and isinstance(error, str | Mapping):
            return Ending("broken", given, _message(error), _code(error))
    words = [*_natives(choice, raw, document), *([given] if given else [])]
    for word in words:
        outcome = _outcome(word)
        if outcome != "ok":
            known = given is not None and _outcome(given) == outcome
            return Ending(outcome, given if known else word)
    strange = next((word for word in words if not is_ordinary(word)), None)
    return Ending("ok", strange or given)


def is_ordinary(word: object) -> bool:
    """Whether the word, or None for no word, says that the answer ended by itself."""
    return word is None or (isinstance(word, str) and _word(word) in _ORDINARY)


def _outcome(word: str) -> Outcome:
    plain = _word(word)
    if plain in _BROKEN:
        return "broken"
    if plain in _FILTERS:
        return "refused"
    return "truncated" if plain in _LIMITS else "ok"


@lru_cache(maxsize=256)
def _word(text: str) -> str:
    """The word in lower case with underscores, without a prefix (FINISH_REASON_SAFETY, maxTokens)."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip())
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_").removeprefix("finish_reason_")


def _natives(choice: Any, raw: Any, document: Any) -> Iterator[str]:
    """The words that did not go through LiteLLM, the most exact one first."""
    for place, names in (
        (raw, ("native_finish_reason",)),
        (choice, ("native_finish_reason",)),
        (field_of(choice, "provider_specific_fields"), ("native_finish_reason",)),
        (raw, ("finish_reason", "finishReason")),
        (document, ("stop_reason", "stopReason", "done_reason", "finish_reason")),
    ):
        for name in names:
            word = _text(field_of(place, name))
            if word:
                yield word


def raw_choice(choice: Any, document: Any) -> Any:
    """The server's own form of this choice; None when there is none."""
    if not isinstance(document, Mapping):
        return None
    for name in ("choices", "candidates"):
        rows = document.get(name)
        if isinstance(rows, list) and rows:
            index = field_of(choice, "index")
            same = (row for row in rows if isinstance(row, Mapping) and row.get("index") == index)
            return next(same, rows[0])
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _message(error: str | Mapping[str, Any]) -> str:
    """What the error says."""
    if isinstance(error, str):
        return error
    found = error.get("message") or error.get("detail") or error.get("type") or ""
    return found if isinstance(found, str) else ""


def _code(error: str | Mapping[str, Any]) -> int | None:
    """The HTTP status in the error; None when it names none."""
    code = error.get("code", error.get("status")) if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:4])
    return code if type(code) is int and 400 <= code < 600 else None
