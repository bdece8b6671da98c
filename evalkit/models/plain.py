"""Plain replies, read without LiteLLM: one choice, a text, a known reason to stop.

Whatever is not plain (tool calls, refusals, filters, thinking inside the text, fields nobody knows) gives
None, and the caller lets LiteLLM translate the same bytes. What is read here looks like LiteLLM's reply, so
that one set of rules makes the response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from evalkit.models.documents import UnreadableError, read_document
from evalkit.models.endings import is_ordinary

__all__ = ["PlainReply", "read_leniently", "reader_for"]


@dataclass(slots=True)
class PlainMessage:
    """The message of a choice."""

    content: str
    reasoning_content: str | None = None


@dataclass(slots=True)
class PlainChoice:
    """A choice of a chat or of a text completion."""

    finish_reason: str
    message: PlainMessage | None = None
    text: str | None = None
    logprobs: Mapping[str, Any] | None = None
    index: int = 0


@dataclass(slots=True)
class PlainUsage:
    """The tokens of a call under OpenAI's names."""

    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: Mapping[str, Any] | None = None
    completion_tokens_details: Mapping[str, Any] | None = None


@dataclass(slots=True)
class PlainReply:
    """What LiteLLM would return, as far as it is read."""

    choices: list[PlainChoice]
    model: str | None
    usage: PlainUsage | Mapping[str, Any] | None


Reader = Callable[[bytes], PlainReply | None]


def reader_for(url: str) -> Reader | None:
    """How the replies of this address are read; None for an unknown dialect."""
    path = url.partition("?")[0]
    return next((reader for end, reader in _READERS.items() if path.endswith(end)), None)


_REASONS = ("stop", "length")
_MESSAGE_KEYS = frozenset(
    {
        "role",
        "content",
        "reasoning_content",
        "refusal",
        "tool_calls",
        "annotations",
        "audio",
        "function_call",
        "name",
    }
)
_NOTHING = frozenset({"refusal", "tool_calls", "annotations", "audio", "function_call"})


def _document(body: bytes) -> dict[str, Any] | None:
    """The JSON object; None when it is none, or tells of an error."""
    try:
        document = read_document(body)
    except UnreadableError:
        return None
    if not isinstance(document, dict) or document.get("error"):
        return None
    return document


def _chat(body: bytes) -> PlainReply | None:
    document = _document(body)
    choices = document.get("choices") if document else None
    if document is None or not isinstance(choices, list) or len(choices) != 1:
        return None
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict) or choice.get("finish_reason") not in _REASONS:
        return None
    if choice.get("logprobs") or not _ended_well(choice):
        return None
    content, reasoning = message.get("content"), message.get("reasoning_content")
    if not isinstance(content, str) or "<think" in content or message.get("role") != "assistant":
        return None
    if not message.keys() <= _MESSAGE_KEYS or any(message.get(key) for key in _NOTHING & message.keys()):
        return None
    if reasoning is not None and not isinstance(reasoning, str):
        return None
    usage = _usage(document.get("usage"))
    if isinstance(usage, bool):
        return None
    plain = PlainChoice(choice["finish_reason"], PlainMessage(content, reasoning))
    return PlainReply([plain], _text(document.get("model")), usage)


def _completion(body: bytes) -> PlainReply | None:
    document = _document(body)
    choices = document.get("choices") if document else None
    if document is None or not isinstance(choices, list) or not choices:
        return None
    found = []
    for choice in choices:
        if not isinstance(choice, dict) or choice.get("finish_reason") not in _REASONS:
            return None
        if not _ended_well(choice):
            return None
        text, logprobs, index = choice.get("text"), choice.get("logprobs"), choice.get("index", 0)
        if not isinstance(text, str) or not isinstance(index, int):
            return None
        if logprobs is not None and not isinstance(logprobs, dict):
            return None
        found.append(PlainChoice(choice["finish_reason"], text=text, logprobs=logprobs, index=index))
    usage = _usage(document.get("usage"))
    if isinstance(usage, bool):
        return None
    return PlainReply(found, _text(document.get("model")), usage)


def _anthropic(body: bytes) -> PlainReply | None:
    document = _document(body)
    blocks = document.get("content") if document else None
    if document is None or not isinstance(blocks, list) or len(blocks) != 1:
        return None
    block = blocks[0]
    reason = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}.get(
        _text(document.get("stop_reason")) or ""
    )
    if not isinstance(block, dict) or block.get("type") != "text" or block.get("citations") or reason is None:
        return None
    usage = document.get("usage")
    if not isinstance(usage, dict) or not isinstance(block.get("text"), str):
        return None
    if any(value for key, value in usage.items() if key.startswith("cache_")) or usage.get("server_tool_use"):
        return None
    counted = _counted(usage.get("input_tokens"), usage.get("output_tokens"))
    if counted is None:
        return None
    counted.prompt_tokens_details = {"cached_tokens": 0}  # the cache fields above are all zero
    counted.completion_tokens_details = {"reasoning_tokens": 0}  # and there was no block of thinking
    return PlainReply(
        [PlainChoice(reason, PlainMessage(block["text"]))], _text(document.get("model")), counted
    )


def _gemini(body: bytes) -> PlainReply | None:
    document = _document(body)
    candidates = document.get("candidates") if document else None
    if document is None or not isinstance(candidates, list) or len(candidates) != 1:
        return None
    if not document.keys() <= {"candidates", "modelVersion", "usageMetadata", "responseId", "createTime"}:
        return None
    candidate = candidates[0]
    if not isinstance(candidate, dict) or not candidate.keys() <= {
        "content",
        "finishReason",
        "index",
        "avgLogprobs",
    }:
        return None
    reason = {"STOP": "stop", "MAX_TOKENS": "length"}.get(_text(candidate.get("finishReason")) or "")
    parts = (candidate.get("content") or {}).get("parts")
    if reason is None or not isinstance(parts, list) or len(parts) != 1 or parts[0].keys() != {"text"}:
        return None
    usage = document.get("usageMetadata")
    if not isinstance(usage, dict) or usage.keys() & {"thoughtsTokenCount", "cachedContentTokenCount"}:
        return None
    counted = _counted(usage.get("promptTokenCount"), usage.get("candidatesTokenCount"))
    if counted is None or not isinstance(parts[0]["text"], str):
        return None
    return PlainReply(
        [PlainChoice(reason, PlainMessage(parts[0]["text"]))], _text(document.get("modelVersion")), counted
    )


def _ollama(body: bytes) -> PlainReply | None:
    document = _document(body)
    message = document.get("message") if document else None
    if document is None or not isinstance(message, dict) or document.get("done") is not True:
        return None
    content, reason = message.get("content"), document.get("done_reason")
    if not message.keys() <= {"role", "content"} or not isinstance(content, str) or "<think" in content:
        return None
    counted = _counted(document.get("prompt_eval_count"), document.get("eval_count"))
    if reason not in _REASONS or counted is None:
        return None
    return PlainReply([PlainChoice(reason, PlainMessage(content))], _text(document.get("model")), counted)


def read_leniently(body: bytes) -> dict[str, Any] | None:
    """The answer in a reply of Anthropic's, Google's or Ollama's form as a document of OpenAI's, whatever is
    odd about everything beside its text; None where there is no text, or a tool is called."""
    document = _document(body) or {}
    if isinstance(document.get("content"), list):
        usage = _mapping(document.get("usage"))
        names = ("input_tokens", *(name for name in usage if name.startswith("cache_") and usage[name]))
        texts = _parts(document["content"], "type", ("text", "thinking", "redacted_thinking"), "thinking")
        counts = _total(usage, *names), _total(usage, "output_tokens")
        reason, model = document.get("stop_reason"), document.get("model")
    elif isinstance(document.get("candidates"), list) and document["candidates"]:
        candidate = _mapping(document["candidates"][0])
        usage = _mapping(document.get("usageMetadata"))
        texts = _parts(_mapping(candidate.get("content")).get("parts"), "text", None, "thought")
        thoughts = ("thoughtsTokenCount",) if usage.get("thoughtsTokenCount") else ()
        counts = _total(usage, "promptTokenCount"), _total(usage, "candidatesTokenCount", *thoughts)
        reason, model = candidate.get("finishReason"), document.get("modelVersion")
    else:
        message = _mapping(document.get("message"))
        called = isinstance(message.get("tool_calls"), list) and message["tool_calls"]
        thinking = _text(message.get("thinking"))
        texts = None if called else (_text(message.get("content")) or "", thinking)
        counts = _total(document, "prompt_eval_count"), _total(document, "eval_count")
        reason, model = document.get("done_reason"), document.get("model")
    if texts is None or not texts[0]:
        return None
    word = _text(reason)
    said = {"role": "assistant", "content": texts[0], "reasoning_content": texts[1]}
    return {
        "choices": [{"index": 0, "message": said, "finish_reason": _WORDS.get(word or "", word)}],
        "model": _text(model),
        "usage": {"prompt_tokens": counts[0], "completion_tokens": counts[1]},
    }


_WORDS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "STOP": "stop",
    "MAX_TOKENS": "length",
}
"""Reasons to stop in LiteLLM's words; others stay as they are."""


def _parts(
    blocks: Any, name: str, kinds: Sequence[str] | None, thinking: str
) -> tuple[str, str | None] | None:
    """(text, thoughts) of blocks of these kinds; None where there is one of another."""
    texts, thoughts = [], []
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, dict) or name not in block or (kinds and block[name] not in kinds):
            return None
        if block.get(thinking) or block.get("type") == thinking:
            thoughts.append(_text(block.get(thinking)) or _text(block.get("text")) or "")
        else:
            texts.append(_text(block.get("text")) or "")
    return "".join(texts), "".join(thoughts) or None


def _total(usage: Mapping[str, Any], *names: str) -> int | None:
    """The sum of these counts; None where one is none."""
    counts = [usage.get(name) for name in names]
    return sum(counts) if all(type(each) is int and each >= 0 for each in counts) else None  # type: ignore[arg-type]


def _mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def _ended_well(choice: Mapping[str, Any]) -> bool:
    """Whether nothing in the choice says that its answer broke off or was filtered."""
    return not choice.get("error") and is_ordinary(choice.get("native_finish_reason"))


def _usage(usage: object) -> Mapping[str, Any] | Literal[False] | None:
    """OpenAI's usage; None when it is missing, False when it is not plain."""
    if usage is None:
        return None
    if not isinstance(usage, dict) or not _counted(
        usage.get("prompt_tokens"), usage.get("completion_tokens")
    ):
        return False
    details = (usage.get("prompt_tokens_details"), usage.get("completion_tokens_details"))
    return usage if all(each is None or isinstance(each, dict) for each in details) else False


def _counted(n_input: object, n_output: object) -> PlainUsage | None:
    """The two counts; None when one is no count."""
    if type(n_input) is not int or type(n_output) is not int:
        return None
    return PlainUsage(n_input, n_output)


def _text(value: object) -> str | None:
    """The value if it is a text."""
    return value if isinstance(value, str) else None


_READERS: Mapping[str, Reader] = {
    "/chat/completions": _chat,
    "/completions": _completion,
    "/v1/messages": _anthropic,
    ":generateContent": _gemini,
    "/api/chat": _ollama,
}
"""End of an address -> reader; the first that fits."""
