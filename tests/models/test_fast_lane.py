"""The fast lane: it sends and reads what the safe lane does, on every dialect, whatever the reply."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest
from served import KEY, ask, model_at, run, set_keys
from server import Reply, Server, serve

from evalkit.core.errors import CallError, UsageError
from evalkit.core.records import ImagePart, Message, Request, Response, TextPart
from evalkit.models.lite import LiteModel
from evalkit.models.served import Served
from evalkit.models.template import Template, compile_template

CHAT_ROUTES = (
    "openai/gpt-4",
    "hosted_vllm/llama",
    "anthropic/claude-3-opus-20240229",
    "gemini/gemini-2.5-flash",
    "ollama_chat/llama3",
    "deepseek/deepseek-chat",
    "text-completion-openai/base",
)
TEXTS = (
    "What is 6*7?",
    'a "quoted"\nline \\ {x} %s',
    "六乘七等于几？🙂",
    "x" * 5000,
    " edges ",
    "tab\tend\n",
)


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


def lanes(server: Server, route: str, **settings: Any) -> tuple[LiteModel, LiteModel]:
    """The same model over the safe lane, and over the fast lane without its guard."""
    safe, fast = model_at(server, route, **settings), model_at(server, route, **settings)
    safe.use_lane("safe")
    fast._served = Served(fast.resolved, "fast", checks=0)
    return safe, fast


def one_by_one(model: LiteModel, *requests: Request) -> list[Response | CallError]:
    """What comes of each request, asked one after the other; times left out."""

    async def work() -> list[Response | CallError]:
        found: list[Response | CallError] = []
        try:
            for request in requests:
                try:
                    call = model.generate if request.kind == "generate" else model.loglikelihood
                    found.append(dataclasses.replace(await call(request), latency_s=None))
                except CallError as error:
                    found.append(error)
        finally:
            await model.aclose()
        return found

    return asyncio.run(work())


def templates(model: LiteModel) -> list[Template | None]:
    """The templates that were compiled."""
    fast = model._served._ladder._fast
    assert fast is not None
    return list(fast._templates.values())


@pytest.mark.parametrize("route", CHAT_ROUTES)
def test_both_lanes_send_and_read_the_same(route: str) -> None:
    """Bodies, headers, paths and responses are equal, and the fast lane was really taken."""
    requests = [ask(text, temperature=0.3) for text in TEXTS]
    requests.append(
        Request("generate", "m", (Message("system", "Be brief."), Message("user", "Hi")), params={"seed": 1})
    )
    with serve(lambda call: Reply(f"Answer to {call.prompt[:40]}", reasoning=None)) as server:
        safe, fast = lanes(server, route)
        theirs = one_by_one(safe, *requests)
        first = [(call.path, call.body, call.headers.get("authorization")) for call in server.calls]
        server.calls.clear()
        ours = one_by_one(fast, *requests)
        second = [(call.path, call.body, call.headers.get("authorization")) for call in server.calls]
    assert second == first
    assert ours == theirs
    compiled = templates(fast)
    assert compiled
    assert all(template is not None and template.fit for template in compiled)


REPLIES = {
    "length": Reply("half", finish_reason="length"),
    "filter": Reply("", finish_reason="content_filter"),
    "refusal": Reply(None, refusal="I will not."),
    "reasoning": Reply("42", reasoning="6*7"),
    "only reasoning": Reply(None, reasoning="hm", finish_reason="length"),
    "empty": Reply(""),
    "no usage": Reply("42", usage=False),
    "think tag": Reply("<think>hm</think>42"),
    "tool": Reply(
        None,
        finish_reason="tool_calls",
        extra={"tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    ),
    "unknown field": Reply("42", extra={"provider_specific_fields": {"refusal": "no"}}),
    "unknown reason": Reply("42", finish_reason="eos"),
}


@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama", "deepseek/deepseek-chat"])
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_odd_replies_mean_the_same(route: str, reply: Reply) -> None:
    """Refusals, cuts, reasoning, tool calls and fields that nobody knows are what LiteLLM says they are."""
    with serve(lambda call: reply) as server:
        safe, fast = lanes(server, route)
        assert str(one_by_one(fast, ask())) == str(one_by_one(safe, ask()))


@pytest.mark.parametrize("route", ["anthropic/claude-3-opus-20240229", "gemini/gemini-2.5-flash"])
@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
def test_reasons_of_other_dialects_mean_the_same(route: str, reason: str) -> None:
    """Anthropic's and Gemini's own words for why they stopped."""
    with serve(lambda call: Reply("42", finish_reason=reason)) as server:
        safe, fast = lanes(server, route)
        assert str(one_by_one(fast, ask())) == str(one_by_one(safe, ask()))


@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama", "anthropic/claude-3-opus-20240229"])
@pytest.mark.parametrize(
    "fault",
    ["429", "500", "503", "401", "404", "400", "context", "policy", "quota", "reset", "truncated", "not-json",
     "empty-choices", "null-content", "redirect"],
)  # fmt: skip
def test_failures_mean_the_same(route: str, fault: str) -> None:
    """A failure has one kind, action, message and wait, whichever lane met it, after one call."""
    found = []
    for number in (0, 1):
        with serve(faults=lambda call: fault) as server:  # type: ignore[arg-type, return-value]
            (outcome,) = one_by_one(lanes(server, route)[number], ask())
            assert server.n_calls == 1
            text = str(outcome).replace(str(server.port), "PORT")
        if isinstance(outcome, CallError):
            found.append((outcome.kind, outcome.action, outcome.retry_after, text))
        else:
            found.append((text,))
    assert found[0] == found[1]
    assert KEY not in str(found)


def test_a_hanging_server_meets_the_deadline() -> None:
    """The fast lane's calls have the same total deadline."""
    with serve(faults=lambda call: "trickle") as server:
        model = lanes(server, "openai/gpt-4", timeout_s=0.3)[1]
        (outcome,) = one_by_one(model, ask())
    assert isinstance(outcome, CallError)
    assert outcome.kind == "timeout"


@pytest.mark.parametrize("route", ["hosted_vllm/base", "text-completion-openai/base"])
def test_loglikelihoods_are_equal(route: str) -> None:
    """Continuations and whole texts score the same in both lanes."""
    requests = [
        Request("loglikelihood", "m", (Message("user", f"The sky {n} is"),), (" blue", " green and red"))
        for n in range(3)
    ]
    requests += [
        Request("rolling", "m", text="Once upon a time, 从前"),
        Request("rolling", "m", text="One two"),
    ]
    with serve() as server:
        safe, fast = lanes(server, route)
        theirs = one_by_one(safe, *requests)
        ours = one_by_one(fast, *requests)
    assert ours == theirs
    assert all(isinstance(response, Response) and response.loglikelihoods for response in ours)
    assert all(template is not None for template in templates(fast))


def test_images_and_empty_texts_take_the_safe_lane() -> None:
    """What has no place in a template is sent by LiteLLM itself."""
    image = (TextPart("Look:"), ImagePart("data:image/png;base64,AAAA"))
    with serve() as server:
        fast = lanes(server, "openai/gpt-4")[1]
        found = one_by_one(fast, Request("generate", "m", (Message("user", image),)), ask(""))
    assert [getattr(response, "status", None) for response in found] == ["ok", "ok"]
    assert templates(fast) == []


def test_first_calls_are_checked_and_then_trusted() -> None:
    """The guard passes eight times; each call is made once, and the run can say which lane it was."""
    with serve() as server:
        model = model_at(server)
        run(model, *[ask(f"q{n}") for n in range(12)])
        assert server.n_calls == 12
        (template,) = templates(model)
    assert template is not None
    assert template.passed >= 8
    assert "fast lane" in model.notes[0]
    assert template.name in model.notes[0]


def test_a_difference_ends_the_fast_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """When both lanes would send different requests, the safe one's is sent, and it takes over."""
    monkeypatch.setattr(Template, "fill", lambda self, texts: b'{"model": "another"}')
    with serve() as server:
        model = model_at(server)
        one_by_one(model, *[ask(f"q{n}") for n in range(10)])
        assert {call.body["model"] for call in server.calls} == {"gpt-4"}
    assert any("warning" in note and "sends something else" in note for note in model.notes)


def test_a_reply_that_is_read_differently_ends_the_fast_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """When both lanes read different answers, the safe one's counts, and it takes over."""
    import evalkit.models.fast_lane as module

    read = module._read

    def twisted(template: Template, body: bytes) -> Any:
        reply = read(template, body)
        assert reply is not None
        assert reply.choices[0].message is not None
        reply.choices[0].message.content += "!"
        return reply

    monkeypatch.setattr(module, "_read", twisted)
    with serve(lambda call: "42") as server:
        model = model_at(server)
        found = one_by_one(model, *[ask(f"q{n}") for n in range(10)])
    assert {getattr(response, "text", None) for response in found} == {"42"}
    assert any("reads something else" in note for note in model.notes)


def test_requests_that_differ_elsewhere_are_no_template() -> None:
    """A time stamp, a signature or a changed text in the request forbids a template."""

    def sent(body: str, **headers: str) -> tuple[str, dict[str, str], bytes]:
        return "http://h/v1/chat/completions", headers, body.encode()

    good = compile_template(sent('{"p": "A"}'), ["A"], sent('{"p": "B"}'), ["B"], trims=False)
    assert good is not None
    assert good.fill(['"\n']) == b'{"p":"\\"\\n"}'
    for other in (sent('{"p": "B", "t": 2}'), sent('{"p": "B."}'), sent('{"p": "B"}', sig="x"), sent("B")):
        assert compile_template(sent('{"p": "A"}'), ["A"], other, ["B"], trims=False) is None
    twice = sent('{"p": "A", "q": "A"}')
    assert compile_template(twice, ["A"], twice, ["A"], trims=False) is None


@pytest.mark.parametrize(
    ("lane", "first"), [("stock", "stock"), ("safe", "safe"), ("fast", "fast"), ("auto", "fast")]
)
def test_lane_is_the_users_choice(monkeypatch: pytest.MonkeyPatch, lane: str, first: str) -> None:
    """EVALKIT_LANE decides; a provider that asks the network in its own way gets plain LiteLLM."""
    monkeypatch.setenv("EVALKIT_LANE", lane)
    assert model_at("http://127.0.0.1:9/v1").lane == first
    assert model_at("http://127.0.0.1:9/v1", "cohere_chat/command-r").lane == "stock"
    with pytest.raises(UsageError, match="auto, stock, safe, fast"):
        model_at("http://127.0.0.1:9/v1").use_lane("x")
