"""Replies become responses: LiteLLM's, and the server's own where LiteLLM cannot read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from served import ask, model_at, run, set_keys
from server import Reply, serve

from evalkit.core.errors import CallError
from evalkit.models import _litellm
from evalkit.models.replies import chat_response, openai_document, text_response


def reply(message: Any, **choice: Any) -> dict[str, Any]:
    """A chat reply with one choice, in OpenAI's form."""
    return {"model": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}]}


@pytest.mark.parametrize("reason", ["stop", "length", "end_turn", "word"])
def test_no_content_is_an_empty_answer(reason: str) -> None:
    """`null` is like an empty text: it is not asked for again."""
    for content in (None, "", []):
        response = chat_response(reply({"role": "assistant", "content": content}, finish_reason=reason), "m")
        assert response.text == ""
        assert response.status == ("truncated" if reason == "length" else "ok")


def test_no_content_and_no_reason_is_no_answer() -> None:
    """Nothing says that this was the end."""
    with pytest.raises(CallError) as caught:
        chat_response(reply({"content": None}, finish_reason=None), "m")
    assert (caught.value.kind, caught.value.action) == ("invalid_response", "retry")


@pytest.mark.parametrize("document", [{}, {"choices": []}, {"choices": None}, reply(None)])
def test_no_choice_and_no_message_are_no_answer(document: Any) -> None:
    """They may be asked for again."""
    with pytest.raises(CallError):
        chat_response(document, "m")


@pytest.mark.parametrize(
    ("content", "text", "reasoning"),
    [
        ([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}], "42", None),
        (
            [
                {
                    "type": "thinking",
                    "thinking": [{"type": "text", "text": "six "}, {"type": "text", "text": "x"}],
                },
                {"type": "text", "text": "42"},
            ],
            "42",
            "six x",
        ),
        ([{"type": "thinking", "thinking": "hm"}, {"type": "output_text", "text": "42"}], "42", "hm"),
        ([{"type": "reasoning", "text": "hm"}, "42"], "42", "hm"),
        ([{"type": "text", "text": "42"}, {"type": "reference", "reference_ids": [1]}], "42", None),
        ({"type": "text", "text": "42"}, "42", None),
        ([{"type": "text", "text": None}, 7, None, {"text": ["4", {"text": "2"}]}], "42", None),
    ],
)
def test_content_in_parts_is_read(content: Any, text: str, reasoning: str | None) -> None:
    """Mistral's form: texts are the answer, thinking is reasoning, what is neither is left out."""
    response = chat_response(reply({"role": "assistant", "content": content}), "m")
    assert (response.text, response.reasoning) == (text, reasoning)


def test_a_refusal_in_parts_is_a_refusal() -> None:
    """As in its own field."""
    response = chat_response(reply({"content": [{"type": "refusal", "refusal": "No."}]}), "m")
    assert (response.status, response.text) == ("refused", "No.")


def test_the_servers_document_is_read_like_litellms_reply() -> None:
    """Two ways to the same response: for replies that LiteLLM cannot read."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    logprobs = {"content": [{"token": "x", "logprob": -0.5, "top_logprobs": [{"token": "y", "logprob": -2}]}]}
    for message, more in (
        ({"content": "x", "reasoning_content": "hm"}, {}),
        ({"content": None, "tool_calls": [call]}, {"finish_reason": "tool_calls"}),
        ({"content": "x", "refusal": "No."}, {}),
        ({"content": "x"}, {"logprobs": logprobs}),
    ):
        raw = {**reply({"role": "assistant", **message}, **more), "usage": usage, "id": "i", "created": 0}
        theirs = _litellm.load().ModelResponse(**json.loads(json.dumps(raw)))
        body = json.dumps(raw).encode()
        own = openai_document(body)
        assert own is not None
        assert chat_response(own, "m", body) == chat_response(theirs, "m", body)


@pytest.mark.parametrize(
    "body",
    [None, b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"delta": {}}]}', b'{"content": []}'],
)
def test_what_has_not_openais_form_is_left_to_litellm(body: bytes | None) -> None:
    """Only what can be read is read."""
    assert openai_document(body) is None


def test_a_text_that_cannot_be_written_is_mended() -> None:
    """With a note; half of a surrogate pair would reach no file."""
    response = text_response({"choices": [{"text": "a\ud83d", "finish_reason": "stop"}]}, "m")
    assert response.text == "a\ufffd"
    call = {"id": "c", "function": {"name": "f\ud800", "arguments": {"a": "\udfff", "b": float("nan")}}}
    response = chat_response(reply({"content": None, "tool_calls": [call]}), "m")
    json.dumps([response.text, response.tool_calls[0].name], ensure_ascii=False).encode()
    assert any("U+FFFD" in note for note in response.notes)


@pytest.mark.parametrize("route", ["hosted_vllm/m", "deepseek/m"])
def test_half_a_character_is_read_over_the_wire(route: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model may stop in the middle of an emoji: the answer is there, and can be stored."""
    set_keys(monkeypatch)
    with serve(lambda call: Reply("so \ud83d", extra={"side": float("nan")})) as server:
        model = model_at(server, route)
        for response in run(model, *[ask(f"{n}") for n in range(12)]):
            assert response.text == "so \ufffd"
            assert response.status == "ok"
