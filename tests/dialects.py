"""The forms in which the test server's answers go out: OpenAI's, Anthropic's, Ollama's, Gemini's."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One request as the server saw it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    index: int
    """Position among all calls to endpoints that answer, from 0."""

    @property
    def prompt(self) -> str:
        """The text of the last user message, or the prompt."""
        if "messages" in self.body:
            content = [m for m in self.body["messages"] if m["role"] == "user"][-1]["content"]
            if isinstance(content, list):
                return "".join(part.get("text", "") for part in content)
            return str(content)
        if "contents" in self.body:
            return "".join(part.get("text", "") for part in self.body["contents"][-1]["parts"])
        prompt = self.body.get("prompt", "")
        return str(prompt[0] if isinstance(prompt, list) and prompt else prompt)


@dataclass(frozen=True)
class Reply:
    """An answer with more to it than its text."""

    text: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    usage: bool = True
    """Whether the reply says how many tokens it took."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Fields put into the message as they are."""
    tokens: Mapping[str, float] = field(default_factory=dict)
    """Token -> logprob in the place of the first token, shown where the call asks for logprobs."""


Handler = Callable[[Call], "str | Reply"]
Logprob = Callable[[str, str], float]
"""(text before, token) -> natural logarithm of the token's probability."""


def words(text: str) -> list[str]:
    """The text's tokens: words with the white space before them; joined they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def flat_logprob(_before: str, token: str) -> float:
    """Minus a tenth of the token's length."""
    return -len(token) / 10


def chat(call: Call, reply: Reply) -> dict[str, Any]:
    """A chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, **reply.extra}
    if reply.reasoning is not None:
        message["reasoning_content"] = reply.reasoning
    if reply.refusal is not None:
        message["refusal"] = reply.refusal
    document: dict[str, Any] = {
        "id": f"chatcmpl-{call.index}",
        "object": "chat.completion",
        "created": 0,
        "model": f"{call.body.get('model')}-served",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
    }
    if reply.tokens and call.body.get("logprobs"):
        document["choices"][0]["logprobs"] = {"content": _alternatives(reply)}
    if reply.usage:
        document["usage"] = _usage(call.prompt, reply.text or "")
    return document


def _alternatives(reply: Reply) -> list[dict[str, Any]]:
    """OpenAI's logprobs of a chat reply: each token, with alternatives for the first."""
    found = []
    for place, token in enumerate(words(reply.text or "")):
        top = reply.tokens if place == 0 else {token: -0.1}
        rows = [{"token": name, "logprob": value, "bytes": None} for name, value in top.items()]
        found.append({"token": token, "logprob": top.get(token, -9.0), "bytes": None, "top_logprobs": rows})
    return found


def completion(
    call: Call,
    handler: Handler,
    *,
    echo: bool,
    logprob: Logprob,
    tokenize: Callable[[str], list[str]],
    bos: str | None,
) -> dict[str, Any]:
    """A text completion, with echo and logprobs when they are asked for."""
    prompts = call.body["prompt"] if isinstance(call.body["prompt"], list) else [call.body["prompt"]]
    choices, n_input, n_output = [], 0, 0
    limit = call.body.get("max_tokens", 16)
    echoes = bool(call.body.get("echo")) and echo
    for index, prompt in enumerate(prompts):
        one = Call(call.path, call.headers, {**call.body, "prompt": prompt}, call.index)
        reply = handler(one) if limit else ""
        text = reply if isinstance(reply, str) else reply.text or ""
        generated = words(text)[:limit]
        shown = [*([bos] if bos else []), *tokenize(prompt)] if echoes else []
        n_input += len(tokenize(prompt))
        n_output += len(generated)
        choice: dict[str, Any] = {
            "index": index,
            "text": (prompt if echoes else "") + "".join(generated),
            "finish_reason": "length" if len(generated) < len(words(text)) else "stop",
            "logprobs": None,
        }
        if call.body.get("logprobs") is not None:
            choice["logprobs"] = _logprobs([*shown, *generated], bool(shown), logprob)
        choices.append(choice)
    usage = {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output}
    model = f"{call.body.get('model')}-served"
    return {"id": "c", "object": "text_completion", "model": model, "choices": choices, "usage": usage}


def _logprobs(tokens: list[str], from_start: bool, logprob: Logprob) -> dict[str, Any]:
    """The logprobs block of a choice; the first token of a prompt has none."""
    values: list[float | None] = []
    before, offsets = "", []
    for position, token in enumerate(tokens):
        offsets.append(len(before))
        values.append(None if position == 0 and from_start else logprob(before, token))
        before += token
    top = [
        None if value is None else {token: value, "<other>": value - 1 if len(token) % 2 else value + 0.01}
        for token, value in zip(tokens, values, strict=True)
    ]
    return {"tokens": tokens, "token_logprobs": values, "top_logprobs": top, "text_offset": offsets}


def _usage(prompt: str, text: str) -> dict[str, int]:
    """OpenAI's usage block; a token is a word."""
    n_input, n_output = len(prompt.split()), len(text.split())
    return {"prompt_tokens": n_input, "completion_tokens": n_output, "total_tokens": n_input + n_output}


def anthropic(call: Call, reply: Reply) -> dict[str, Any]:
    """The reply in Anthropic's form."""
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text or ""}]
    if reply.reasoning:
        content.insert(0, {"type": "thinking", "thinking": reply.reasoning, "signature": "s"})
    asked = reply.extra.get("tool_calls", ())
    if asked:
        content = [part for part in content if part.get("text") != ""]
        content += [
            {
                "type": "tool_use",
                "id": each["id"],
                "name": each["function"]["name"],
                "input": json.loads(each["function"]["arguments"]),
            }
            for each in asked
        ]
    reasons = {
        "stop": "end_turn",
        "length": "max_tokens",
        "content_filter": "refusal",
        "tool_calls": "tool_use",
    }
    return {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": call.body.get("model"),
        "content": content,
        "stop_reason": reasons[reply.finish_reason],
        "usage": {"input_tokens": len(call.prompt.split()), "output_tokens": len((reply.text or "").split())},
    }


def ollama(call: Call, reply: Reply) -> dict[str, Any]:
    """The reply in Ollama's form."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or ""}
    if "tool_calls" in reply.extra:
        asked = (each["function"] for each in reply.extra["tool_calls"])
        message["tool_calls"] = [
            {"function": {"name": each["name"], "arguments": json.loads(each["arguments"])}} for each in asked
        ]
    return {
        "model": call.body.get("model"),
        "created_at": "2026-01-01T00:00:00Z",
        "message": message,
        "done": True,
        "done_reason": "stop" if "tool_calls" in reply.extra else reply.finish_reason,
        "prompt_eval_count": len(call.prompt.split()),
        "eval_count": len((reply.text or "").split()),
    }


def gemini(reply: Reply) -> dict[str, Any]:
    """The reply in Gemini's form."""
    reasons = {"stop": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}
    n_output = len((reply.text or "").split())
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": reply.text or ""}]},
                "finishReason": reasons[reply.finish_reason],
                "index": 0,
            }
        ],
        "modelVersion": "gemini-served",
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": n_output,
            "totalTokenCount": 3 + n_output,
        },
    }


def error(message: str, code: str | None) -> dict[str, Any]:
    """OpenAI's error document."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


def embed_words(text: str) -> list[float]:
    """A vector by which texts that share words are near: counts of words in 64 places."""
    found = [0.0] * 64
    for word in text.lower().split():
        found[zlib.crc32(word.strip(".,?!").encode()) % 64] += 1.0
    return found


def embeddings(call: Call, embed: Callable[[str], list[float]]) -> tuple[int, Any]:
    """(status, document) of an embedding call; a token is a word."""
    texts = call.body["input"]
    texts = [texts] if isinstance(texts, str) else texts
    vectors = [embed(text) for text in texts]
    n = sum(len(text.split()) for text in texts)
    if call.path == "/api/embed":  # Ollama
        return 200, {"model": call.body["model"], "embeddings": vectors, "prompt_eval_count": n}
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": n, "total_tokens": n}
    return 200, {"object": "list", "model": call.body["model"], "data": data, "usage": usage}
