"""Everything in a reply beside its text may be odd: the answer is there, asked and paid for once."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from odd_server import odd
from served import ask, model_at, set_keys

from evalkit.models.settings import Price

LEFT_OUT = object()
VALUES = (1e30, -1, "7", {}, [7, None], None, LEFT_OUT)
"""What stands in the place of a field."""
OPENAI: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": "f",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {
                "content": [
                    {"token": "42", "logprob": -0.1, "top_logprobs": [{"token": "42", "logprob": -0.1}]}
                ]
            },
            "message": {"role": "assistant", "content": "42"},
        }
    ],
    "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7,
        "cost": 0.1,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
ANTHROPIC: dict[str, Any] = {
    "id": "m1", "type": "message", "role": "assistant", "model": "c", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "42"}],
    "usage": {"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 0, "service_tier": "x"},
}  # fmt: skip
GEMINI: dict[str, Any] = {
    "candidates": [{"content": {"parts": [{"text": "42"}], "role": "model"}, "finishReason": "STOP",
                    "index": 0, "avgLogprobs": -0.1, "safetyRatings": [], "citationMetadata": {}}],
    "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7,
                      "thoughtsTokenCount": 0}, "modelVersion": "g", "responseId": "r",
}  # fmt: skip
OLLAMA: dict[str, Any] = {
    "model": "m", "created_at": "2024-01-01T00:00:00Z", "done": True, "done_reason": "stop",
    "message": {"role": "assistant", "content": "42", "thinking": "", "images": None},
    "prompt_eval_count": 5, "eval_count": 2, "total_duration": 1,
}  # fmt: skip
EXTRA = ("tool_calls", "function_call", "annotations", "audio", "reasoning_content", "refusal", "name",
         "images", "provider_specific_fields", "thinking_blocks")  # fmt: skip
# fmt: off
NEEDED = {
    ("choices",), ("choices", 0), ("choices", 0, "message"), ("choices", 0, "message", "content"),
    ("content",), ("content", 0), ("content", 0, "type"), ("content", 0, "text"),
    ("candidates",), ("candidates", 0), ("candidates", 0, "content"), ("candidates", 0, "content", "parts"),
    ("candidates", 0, "content", "parts", 0), ("candidates", 0, "content", "parts", 0, "text"),
    ("done",), ("message",), ("message", "content"),
}
# fmt: on
"""What an answer needs; all else is optional."""
SPEAKS = {("choices", 0, "message", "tool_calls"), ("choices", 0, "message", "refusal"),
          ("choices", 0, "message", "function_call")}  # fmt: skip
"""What says something of the answer where it is a text or a list of mappings: these are left as they are."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all fields of a document."""
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in found:
        yield (*path, name)
        yield from places(item, (*path, name))


def odd_documents(base: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, document) for each optional field and each odd value of it."""
    paths = [path for path in places(base) if path not in NEEDED]
    if base is OPENAI:
        paths += [("choices", 0, "message", name) for name in EXTRA] + [
            ("error",),
            ("citations",),
            ("choices", 1),
        ]
    for path in paths:
        for value in VALUES:
            if path in SPEAKS and isinstance(value, str):
                continue
            if path == ("error",) and value:
                continue  # it tells of one
            document = copy.deepcopy(base)
            place: Any = document
            for part in path[:-1]:
                place = place[part]
            if path[-1] == 1:
                place.append(None if value is LEFT_OUT else value)
            elif value is LEFT_OUT and (isinstance(place, list) or path[-1] in place):
                del place[path[-1]]
            elif value is not LEFT_OUT:
                place[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {'nothing' if value is LEFT_OUT else value!r}", document


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize(
    ("route", "base"),
    [("hosted_vllm/m", OPENAI), ("anthropic/claude-3-opus-20240229", ANTHROPIC),
     ("gemini/gemini-2.5-flash", GEMINI), ("ollama_chat/llama3", OLLAMA)],
)  # fmt: skip
def test_whatever_is_odd_the_answer_counts_once(
    route: str, base: dict[str, Any], lane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call each, the text as it is, and no number that the server did not mean."""
    set_keys(monkeypatch)
    documents = [("as usual", base)] * 8 + list(odd_documents(base))
    with odd(lambda call: json.dumps(documents[len(server.calls) - 1][1]).encode()) as server:
        url = server.url.removesuffix("/v1") if base is not OPENAI else server.url
        model = model_at(url, route, price=Price(1.0, 10.0))
        model.use_lane(lane)

        async def ask_all() -> None:
            for n, (name, _) in enumerate(documents):
                response = await model.generate(ask(f"{name}, {n}"))
                assert response.text == "42", name
                assert response.status in ("ok", "truncated"), name
                assert response.cost_usd is None or 0 <= response.cost_usd < 100, name
                assert len(server.calls) == n + 1, name
            await model.aclose()

        asyncio.run(ask_all())
