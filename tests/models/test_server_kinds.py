"""Whole calls, over the wire, to servers that answer in odd ways: what becomes of each in every lane."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dialects import error
from odd_server import OddServer, chat, odd
from served import ask, failure, model_at, run, set_keys

from evalkit.core.errors import CallError
from evalkit.core.records import Usage
from evalkit.models.lite import LiteModel
from evalkit.models.settings import Price

ROUTES = ["openai/m", "hosted_vllm/m", "mistral/m", "openrouter/m"]
LANES = ["stock", "safe", "fast"]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


def model(server: OddServer, route: str, lane: str) -> LiteModel:
    """The model of a route on the server, in a lane."""
    found = model_at(server.url, route)
    found.use_lane(lane)
    return found


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    "choice",
    [
        {"finish_reason": "network_error"},
        {"finish_reason": "insufficient_system_resource"},
        {"finish_reason": "abort"},
        {"error": {"code": 502, "message": "upstream"}},
        {"native_finish_reason": "error"},
    ],
)
def test_an_answer_that_broke_off_is_a_failed_call(choice: dict[str, Any], route: str, lane: str) -> None:
    """Whatever LiteLLM makes of it: every one of ten calls, checked or compiled."""
    with odd(lambda call: chat("half", usage=USAGE, **choice)) as server:
        asked = model(server, route, lane)
        for _ in range(3):
            assert failure(asked).action == "retry"


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (chat("so \ud83d", usage=USAGE), "so \ufffd"),
        (chat("x", usage=USAGE).replace(b'"x"', b'"x\xe4\xbd"'), "x\ufffd\ufffd"),
        (chat("x", usage={**USAGE, "cost": float("nan")}), "x"),
        (b"\xef\xbb\xbf" + chat("x", usage=USAGE), "x"),
        (chat(None, usage=USAGE), ""),
        (chat([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
               {"type": "text", "text": "4"}, {"type": "text", "text": "2"}], usage=USAGE), "42"),
    ],
    ids=["surrogate", "cut byte", "nan", "bom", "null", "parts"],
)  # fmt: skip
def test_odd_replies_are_read_and_paid_once(body: bytes, text: str, route: str, lane: str) -> None:
    """One call each; what cannot be written is replaced."""
    with odd(lambda call: body) as server:
        responses = run(model(server, route, lane), *[ask(f"{n}") for n in range(10)])
        assert [each.text for each in responses] == [text] * 10
        assert {each.status for each in responses} == {"ok"}
        assert len(server.calls) == 10
        if text == "42":
            assert {each.reasoning for each in responses} == {"hm"}


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 37,
          "completion_tokens_details": {"reasoning_tokens": 30}}, Usage(5, 32, 30, None)),
        ({"prompt_tokens": 5, "completion_tokens": None, "total_tokens": None}, Usage(5, None, None, None)),
        ({"prompt_tokens": -5, "completion_tokens": 1e30, "total_tokens": "many"}, Usage()),
        (None, Usage()),
    ],
    ids=["beside", "null", "absurd", "none"],
)  # fmt: skip
def test_tokens_are_what_the_server_counted(usage: Any, found: Usage, route: str, lane: str) -> None:
    """Reasoning is paid for, and gaps are no zeros; LiteLLM may choke on them, the answer is there."""
    with odd(lambda call: chat("x", usage=usage)) as server:
        responses = run(model(server, route, lane), *[ask(f"{n}") for n in range(10)])
        assert {each.usage for each in responses} == {found}
        assert len(server.calls) == 10


def test_what_broke_off_is_paid_for() -> None:
    """Where the server says how many tokens it took."""
    with odd(lambda call: chat("half", usage=USAGE, finish_reason="error")) as server:
        asked = model_at(server.url, "hosted_vllm/m", price=Price(1.0, 10.0))
        assert failure(asked).paid_usd == 25.0


def refuses(name: str, words: str, instead: str | None = None) -> Callable[[Any], Any]:
    """A server that does not take a parameter."""

    def answer(call: Any) -> Any:
        if name in call:
            return 400, json.dumps(error(words, "unsupported_parameter")).encode()
        return chat("x", usage=USAGE)

    return answer


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("route", ["openai/m", "hosted_vllm/m", "groq/m", "mistral/m"])
def test_a_limit_by_another_name_is_learnt(route: str, lane: str) -> None:
    """Asked again at once, once for the model, and said in every response and of the model."""
    words = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    )
    with odd(refuses("max_tokens", words)) as server:
        asked = model(server, route, lane)
        run(asked, ask("first"))
        assert len(server.calls) == 2
        responses = run(asked, *[ask(f"{n}") for n in range(10)], ask("x", temperature=0.5))
        assert len(server.calls) == 13
        assert all(call["max_completion_tokens"] == 64 for call in server.calls[1:])
        assert all("max_tokens=64 was sent as max_completion_tokens" in each.notes[0] for each in responses)
        assert any("max_completion_tokens" in note for note in asked.notes)


@pytest.mark.parametrize("lane", LANES)
def test_two_lessons_in_one_call_and_many_in_flight(lane: str) -> None:
    """Calls in flight are asked again too; none fails."""

    def answer(call: Any) -> Any:
        for name in ("temperature", "top_p"):
            if name in call:
                words = f"Unsupported value: '{name}' does not support 0 with this model."
                return 400, json.dumps(error(words, "unsupported_value")).encode()
        return chat("x", usage=USAGE)

    with odd(answer) as server:
        asked = model(server, "hosted_vllm/m", lane)
        responses = run(asked, *[ask(f"{n}", temperature=0, top_p=0.5) for n in range(16)])
        assert {each.text for each in responses} == {"x"}
        assert all(len(each.notes) == 2 for each in responses)
        assert len([note for note in asked.notes if "as the server asks" in note]) == 2


@pytest.mark.parametrize("lane", LANES)
def test_a_second_refusal_is_the_failure(lane: str) -> None:
    """A server that refuses whatever is sent is asked twice, not for ever."""
    words = "Unsupported parameter: 'max_tokens' is not supported with this model."
    with odd(lambda call: (400, json.dumps(error(words, "x")).encode())) as server:
        found = failure(model(server, "hosted_vllm/m", lane))
        assert isinstance(found, CallError)
        assert (found.kind, found.action) == ("bad_request", "fail_sample")
        assert len(server.calls) == 2
