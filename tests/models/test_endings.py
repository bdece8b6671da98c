"""Why answers end, in the words of providers; a broken answer is a failed call."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.core.errors import CallError
from evalkit.models.endings import ending_of
from evalkit.models.plain import reader_for
from evalkit.models.replies import chat_response, text_response

BROKEN = [
    "error", "insufficient_system_resource", "network_error", "abort", "aborted", "cancelled", "timeout",
    "OTHER", "MALFORMED_FUNCTION_CALL", "FINISH_REASON_OTHER", "time_limit", "engine-error", "load",
]  # fmt: skip
TRUNCATED = [
    "length", "max_tokens", "MAX_TOKENS", "model_length", "model_context_window_exceeded", "pause_turn",
    "ERROR_LIMIT", "max_output_tokens", "maxTokens",
]  # fmt: skip
REFUSED = [
    "content_filter", "refusal", "sensitive", "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST",
    "SPII", "guardrail_intervened", "ERROR_TOXIC", "contentFilter",
]  # fmt: skip
OK = ["stop", "end_turn", "STOP", "COMPLETE", "eos", "tool_calls", "a_word_of_tomorrow"]
OUTCOMES = [
    *((word, "broken") for word in BROKEN),
    *((word, "truncated") for word in TRUNCATED),
    *((word, "refused") for word in REFUSED),
    *((word, "ok") for word in OK),
]


def chat(**choice: Any) -> dict[str, Any]:
    """A chat reply with one choice."""
    message = {"role": "assistant", "content": "half an ans"}
    return {"model": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}


@pytest.mark.parametrize(("word", "outcome"), OUTCOMES)
def test_every_word_has_its_outcome(word: str, outcome: str) -> None:
    """The server's own word, given directly."""
    assert ending_of({"finish_reason": word}).outcome == outcome


@pytest.mark.parametrize(("word", "outcome"), OUTCOMES)
def test_the_native_word_is_heard_before_litellms(word: str, outcome: str) -> None:
    """LiteLLM makes `stop` of most words; the real one stands beside it, or in what the server sent."""
    beside = {"finish_reason": "stop", "provider_specific_fields": {"native_finish_reason": word}}
    assert ending_of(beside).outcome == outcome
    for document in (
        {"choices": [{"finish_reason": word}]},
        {"choices": [{"finish_reason": "stop", "native_finish_reason": word}]},
        {"candidates": [{"finishReason": word}]},
        {"stop_reason": word},
        {"done_reason": word},
    ):
        assert ending_of({"finish_reason": "stop"}, document).outcome == outcome


def test_an_unknown_word_is_shown() -> None:
    """The answer counts, and a reader sees how it ended."""
    ending = ending_of({"finish_reason": "stop"}, {"choices": [{"finish_reason": "a_word_of_tomorrow"}]})
    assert (ending.outcome, ending.reason) == ("ok", "a_word_of_tomorrow")


def test_a_filter_behind_an_error_is_a_refusal() -> None:
    """The model's own word is more exact than the router's."""
    choice = {"finish_reason": "error", "native_finish_reason": "PROHIBITED_CONTENT"}
    assert ending_of(choice).outcome == "refused"


@pytest.mark.parametrize("word", BROKEN)
def test_a_broken_answer_is_a_failed_call(word: str) -> None:
    """It may be made again; half an answer is not scored."""
    with pytest.raises(CallError) as caught:
        chat_response(chat(finish_reason=word), "m")
    assert (caught.value.kind, caught.value.action) == ("server", "retry")
    assert repr(word) in str(caught.value)
    with pytest.raises(CallError):
        text_response({"choices": [{"text": "half", "finish_reason": word}]}, "m")


@pytest.mark.parametrize(
    ("error", "kind", "action"),
    [
        ({"code": 502, "message": "upstream idle"}, "server", "retry"),
        ({"code": "429", "message": "upstream busy"}, "rate_limit", "retry"),
        ({"code": 402, "message": "upstream: out of credit"}, "quota", "stop_model"),
        ("upstream gone", "server", "retry"),
        ({"metadata": {}}, "server", "retry"),
    ],
)
def test_an_error_in_the_choice_says_why(error: Any, kind: str, action: str) -> None:
    """OpenRouter ends an answer as `stop` and puts what happened beside it."""
    body = json.dumps(chat(error=error)).encode()
    with pytest.raises(CallError) as caught:
        chat_response(chat(), "m", body)  # LiteLLM's form, from which the error is gone
    assert (caught.value.kind, caught.value.action) == (kind, action)
    said = error if isinstance(error, str) else error.get("message", "")
    assert said in str(caught.value)


def test_a_key_in_the_error_is_redacted() -> None:
    """What the server repeats is not passed on."""
    with pytest.raises(CallError) as caught:
        chat_response(chat(error={"message": "bad key sk-abcdef0123456789"}), "m")
    assert "abcdef0123456789" not in str(caught.value)


@pytest.mark.parametrize("word", [*TRUNCATED, *REFUSED])
def test_limits_and_filters_are_statuses(word: str) -> None:
    """The model's doing: kept and scored."""
    response = chat_response(chat(finish_reason=word), "m")
    assert response.status == ("truncated" if word in TRUNCATED else "refused")


@pytest.mark.parametrize(
    "choice",
    [
        {"error": {"code": 502}},
        {"native_finish_reason": "SAFETY"},
        {"native_finish_reason": "error"},
        {"finish_reason": "network_error"},
        {"finish_reason": None},
    ],
)
def test_plain_readers_leave_such_replies_to_the_rules(choice: dict[str, Any]) -> None:
    """The fast lane reads only what ended well."""
    read = reader_for("http://x/v1/chat/completions")
    assert read is not None
    assert read(json.dumps(chat()).encode()) is not None
    assert read(json.dumps(chat(**choice)).encode()) is None
    read = reader_for("http://x/v1/completions")
    assert read is not None
    plain = {"index": 0, "text": "x", "finish_reason": "stop"}
    assert read(json.dumps({"choices": [plain]}).encode()) is not None
    assert read(json.dumps({"choices": [{**plain, **choice}]}).encode()) is None
