"""Small good replies in each dialect, with which LiteLLM is tried out without a server."""

from __future__ import annotations

from typing import Any

import orjson

__all__ = ["MADE_UP_TEXT", "MADE_UP_VECTOR", "sample_of"]

MADE_UP_TEXT = "x"
"""What the made-up replies say."""
MADE_UP_VECTOR = [0.5, -0.25]
"""What they embed a text as."""


def sample_of(url: str) -> bytes:
    """A small good reply in the dialect of this address; OpenAI's chat where it is unknown."""
    path = url.partition("?")[0]
    ending = next((end for end in _SAMPLES if path.endswith(end)), "/chat/completions")
    return orjson.dumps(_SAMPLES[ending])


_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_CHOICE = {"index": 0, "message": {"role": "assistant", "content": MADE_UP_TEXT}, "finish_reason": "stop"}
_TEXT_CHOICE = {"index": 0, "text": MADE_UP_TEXT, "finish_reason": "stop", "logprobs": None}
_COMMON = {"id": "x", "created": 0, "model": "x"}
_VECTOR = {"object": "embedding", "index": 0, "embedding": MADE_UP_VECTOR}

_SAMPLES: dict[str, dict[str, Any]] = {
    "/chat/completions": {
        **_COMMON,
        "object": "chat.completion",
        "choices": [_CHOICE],
        "usage": _USAGE,
        "service_tier": "default",  # LiteLLM's code for Groq fails without it
    },
    "/completions": {**_COMMON, "object": "text_completion", "choices": [_TEXT_CHOICE], "usage": _USAGE},
    "/embeddings": {"object": "list", "model": "x", "data": [_VECTOR], "usage": _USAGE},
    "/messages": {
        **_COMMON,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": MADE_UP_TEXT}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    ":generateContent": {
        "candidates": [
            {"content": {"role": "model", "parts": [{"text": MADE_UP_TEXT}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    },
    "/api/chat": {
        "model": "x",
        "message": {"role": "assistant", "content": MADE_UP_TEXT},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 1,
        "eval_count": 1,
    },
    "/api/generate": {
        "model": "x",
        "response": MADE_UP_TEXT,
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 1,
        "eval_count": 1,
    },
    "/api/embed": {"model": "x", "embeddings": [MADE_UP_VECTOR], "prompt_eval_count": 1},
}
"""End of an address -> a reply; the first that fits."""
