"""Served models, over real sockets: answers, counts, failures, and nothing left behind."""

import asyncio
import io
import json
import subprocess
import sys
import time
import typing
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from served import KEY, ask, failure, model_at, run, set_keys
from server import Fault, Reply, closed_port, serve

from evalkit.core.records import ImagePart, Message, Request, TextPart
from evalkit.models import _litellm
from evalkit.models.lite import LiteModel
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import Price

ROUTES = ("openai/gpt-4", "hosted_vllm/llama", "anthropic/claude-3-opus-20240229", "ollama_chat/llama3")


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch):
    """The key of all models here, and none of those who run the tests."""
    set_keys(monkeypatch)


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", [*ROUTES, "gemini/gemini-2.5-flash", "text-completion-openai/base"])
def test_an_answer_arrives_whole(route: str):
    """Text, tokens, reason, name and time of an answer, from each kind of server."""
    with serve({"What is 6*7?": "It is 42."}) as server:
        (response,) = run(model_at(server, route), ask())
    assert (response.status, response.text, response.finish_reason) == ("ok", "It is 42.", "stop")
    assert response.usage.input == 3
    assert response.usage.output == 3
    assert response.latency_s is not None
    assert 0 < response.latency_s < 5
    assert response.model_reported is not None


def test_a_conversation_is_sent_as_it_is():
    """Roles, order, images and parameters reach the server unchanged."""
    messages = (
        Message("system", "Be brief."),
        Message("user", (TextPart("Look:"), ImagePart("data:image/png;base64,AAAA"))),
        Message("assistant", "A cat."),
        Message("user", "And now?"),
    )
    request = Request("generate", "m", messages, params={"temperature": 0.5, "max_tokens": 9, "seed": 3})
    with serve() as server:
        run(model_at(server), request)
        body = server.calls[0].body
    assert [m["role"] for m in body["messages"]] == ["system", "user", "assistant", "user"]
    assert body["messages"][1]["content"][1]["image_url"]["url"] == "data:image/png;base64,AAAA"
    assert (body["temperature"], body["max_tokens"], body["seed"]) == (0.5, 9, 3)


def test_a_limit_is_always_sent():
    """Without max_tokens some providers would allow 128,000."""
    with serve() as server:
        run(model_at(server), Request("generate", "m", (Message("user", "x"),)))
        assert server.calls[0].body["max_tokens"] == 1024


def test_parameters_of_the_settings_are_defaults():
    """What evalkit.yaml says of a model is sent unless the request says otherwise."""
    with serve() as server:
        run(model_at(server, params={"temperature": 0.9, "top_p": 0.5}), ask(temperature=0.0))
        assert (server.calls[0].body["temperature"], server.calls[0].body["top_p"]) == (0.0, 0.5)


def test_headers_and_key_are_sent(monkeypatch: pytest.MonkeyPatch):
    """Headers of the settings, literal and from the environment, and the key."""
    monkeypatch.setenv("TEAM", "t-1")
    with serve(key=KEY) as server:
        run(model_at(server, headers={"X-Run": "1"}, headers_env={"X-Team": "TEAM"}), ask())
        sent = server.calls[0].headers
    assert (sent["x-run"], sent["x-team"], sent["authorization"]) == ("1", "t-1", f"Bearer {KEY}")


@pytest.mark.parametrize(
    ("reply", "status", "text"),
    [
        (Reply("half an", finish_reason="length"), "truncated", "half an"),
        (Reply("", finish_reason="content_filter"), "refused", ""),
        (Reply(None, refusal="I will not."), "refused", "I will not."),
        (Reply(None, reasoning="hm", finish_reason="length"), "truncated", ""),
        (Reply(""), "ok", ""),
    ],
)
def test_why_a_model_stopped_is_told_apart(reply: Reply, status: str, text: str):
    """Truncated and refused answers are responses of their own kind."""
    with serve(lambda call: reply) as server:
        (response,) = run(model_at(server), ask())
    assert (response.status, response.text) == (status, text)


def test_reasoning_is_kept_beside_the_answer():
    """reasoning_content does not mix with the text."""
    with serve(lambda call: Reply("42", reasoning="6*7")) as server:
        (response,) = run(model_at(server, "hosted_vllm/x"), ask())
    assert (response.text, response.reasoning) == ("42", "6*7")


def test_a_tool_call_is_an_answer():
    """A reply that is a tool call has the call as its text, and says so."""
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    with serve(lambda _: Reply(None, finish_reason="tool_calls", extra={"tool_calls": [call]})) as server:
        (response,) = run(model_at(server), ask())
    assert json.loads(response.text or "") == {"name": "add", "arguments": {"a": 1}}
    assert "tool call" in response.notes[0]


def test_missing_usage_is_unknown_not_zero():
    """No tokens counted: usage and cost are None."""
    with serve(lambda call: Reply("42", usage=False)) as server:
        (response,) = run(model_at(server), ask())
    assert response.usage.input is None
    assert response.usage.output is None
    assert response.cost_usd is None


def test_cost_is_price_times_tokens():
    """The settings' price wins over the map's; an unknown price is None."""
    with serve({"What is 6*7?": "It is 42."}) as server:
        (own,) = run(model_at(server, price=Price(1e-3, 2e-3)), ask())
        (listed,) = run(model_at(server), ask())
        (unknown,) = run(model_at(server, "hosted_vllm/own"), ask())
    assert own.cost_usd == pytest.approx(3 * 1e-3 + 3 * 2e-3)
    assert listed.cost_usd == pytest.approx(3 * 3e-5 + 3 * 6e-5)
    assert unknown.cost_usd is None


def test_text_is_cut_at_a_stop_that_the_server_let_through():
    """A server that ignores `stop` gives what others give, with a note."""
    with serve(lambda call: "42\n\nQuestion: next") as server:
        (response,) = run(model_at(server), ask(stop=["\n\n", "Q:"]))
    assert (response.text, response.finish_reason) == ("42", "stop")
    assert "stop sequence" in response.notes[0]


def test_a_parameter_that_a_provider_lacks_is_dropped_and_said():
    """Anthropic takes no seed; the model's own note says so, and the call works."""
    with serve() as server:
        (response,) = run(model_at(server, "anthropic/claude-3-opus-20240229"), ask(seed=7))
        assert "seed" not in server.calls[0].body
    assert response.notes == ("seed=7 was not sent: anthropic/claude-3-opus-20240229 does not take it",)


def test_a_value_that_a_model_lacks_is_dropped_and_said():
    """gpt-5 takes only its own temperature."""
    with serve() as server:
        (response,) = run(model_at(server, "openai/gpt-5"), ask(temperature=0))
        assert "temperature" not in server.calls[0].body
        assert server.calls[0].body["max_completion_tokens"] == 64
    assert any("temperature=0 was not sent" in note for note in response.notes)


def test_a_setting_cannot_reach_the_machinery():
    """`mock_response` as a parameter would fake answers."""
    with serve() as server:
        error = failure(model_at(server), ask(mock_response="42"))
    assert (error.kind, error.action) == ("unsupported", "stop_model")


def test_a_finished_prefill_turn_is_said():
    """A last message of the assistant is continued by vLLM; elsewhere a note says that it need not be."""
    request = Request("generate", "m", (Message("user", "x"), Message("assistant", "So")))
    with serve() as server:
        (vllm,) = run(model_at(server, "hosted_vllm/x"), request)
        assert server.calls[0].body["continue_final_message"] is True
        (openai,) = run(model_at(server), request)
    assert vllm.notes == ()
    assert "prefill" in openai.notes[0]


# -- failures --------------------------------------------------------------------------------------

VERDICTS: dict[str, tuple[str, str]] = {
    "429": ("rate_limit", "retry"),
    "429-date": ("rate_limit", "retry"),
    "500": ("server", "retry"),
    "503": ("server", "retry"),
    "401": ("authentication", "stop_model"),
    "403": ("permission", "stop_model"),
    "404": ("not_found", "stop_model"),
    "400": ("bad_request", "fail_sample"),
    "context": ("context_length", "fail_sample"),
    "quota": ("quota", "stop_model"),
    "reset": ("connection", "retry"),
    "hang": ("timeout", "retry"),
    "trickle": ("timeout", "retry"),
    "truncated": ("connection", "retry"),
    "not-json": ("invalid_response", "retry"),
    "empty-choices": ("invalid_response", "retry"),
    "redirect": ("not_found", "stop_model"),
}


@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama", "anthropic/claude-3-opus-20240229"])
@pytest.mark.parametrize("fault", [each for each in typing.get_args(Fault) if each in VERDICTS])
def test_each_fault_has_its_verdict(fault: Fault, route: str):
    """One attempt, no hidden retry; kind and action as the runner needs them."""
    with serve(faults=lambda call: fault) as server:
        error = failure(model_at(server, route, timeout_s=0.3))
        assert (error.kind, error.action, server.n_calls) == (*VERDICTS[fault], 1)


@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama"])
def test_no_content_is_an_empty_answer(route: str):
    """`content: null` with `stop` is no failed call: it would be paid for nine times."""
    with serve(faults=["null-content"]) as server:
        (response,) = run(model_at(server, route), ask())
    assert (response.status, response.text) == ("ok", "")


@pytest.mark.parametrize("route", ["openai/gpt-4", "hosted_vllm/llama"])
def test_a_filtered_prompt_is_a_refusal(route: str):
    """The provider's content filter is the model's doing, not an error."""
    with serve(faults=["policy"]) as server:
        (response,) = run(model_at(server, route), ask())
    assert (response.status, response.text) == ("refused", "")


@pytest.mark.parametrize("route", ROUTES)
def test_the_wait_that_the_server_asks_for_is_passed_on(route: str):
    """Retry-After arrives from every provider."""
    with serve(faults=["429"], retry_after="7") as server:
        began = time.monotonic()
        error = failure(model_at(server, route))
        assert (error.retry_after, server.n_calls) == (7.0, 1)
    assert time.monotonic() - began < 5


def test_a_refused_connection_is_a_connection_error():
    """Not a server error, though LiteLLM says 500."""
    error = failure(model_at(f"http://127.0.0.1:{closed_port()}/v1"))
    assert (error.kind, error.action) == ("connection", "retry")
    assert "connection refused" in str(error)


def test_a_missing_key_stops_the_model():
    """Without a key nothing is sent."""
    error = failure(LiteModel(resolve_model("anthropic/claude-3-opus-20240229")))
    assert (error.kind, error.action) == ("authentication", "stop_model")


def test_the_deadline_is_for_the_whole_call():
    """A server that trickles bytes is given up in time."""
    with serve(faults=["trickle"]) as server:
        began = time.monotonic()
        failure(model_at(server, timeout_s=0.4))
    assert time.monotonic() - began < 10


def test_a_key_that_the_server_repeats_is_redacted():
    """Neither our key nor another one stands in the message."""
    with serve(key="another") as server:
        error = failure(model_at(server))
    assert KEY not in str(error)
    assert "[redacted]" in str(error)
    assert "TEST_KEY" in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_failures_print_nothing():
    """LiteLLM's advice does not reach stdout or stderr."""
    out, err = io.StringIO(), io.StringIO()
    with (
        serve(faults=["401", "500", "404", "not-json"]) as server,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        for _ in range(4):
            failure(model_at(server))
    assert out.getvalue() == err.getvalue() == ""


# -- connections -----------------------------------------------------------------------------------


def test_calls_share_a_pool():
    """Sixty text completions in a row use one connection (LiteLLM alone opens sixty)."""

    async def work(model: LiteModel) -> None:
        for _ in range(20):
            await model.generate(ask())
        await model.aclose()

    for route in ("openai/gpt-4", "hosted_vllm/x", "text-completion-openai/x"):
        with serve() as server:
            asyncio.run(work(model_at(server, route)))
            assert (server.n_calls, server.connections) == (20, 1)


def test_calls_run_at_the_same_time():
    """Thirty calls of a second are all on their way at once."""
    with serve(latency=1.0) as server:
        run(model_at(server), *[ask() for _ in range(30)])
        assert server.peak == 30


def test_a_model_outlives_its_loop():
    """A second asyncio.run with the same model works."""
    with serve() as server:
        model = model_at(server)
        assert run(model, ask())[0].text == run(model, ask())[0].text == "ok"


def test_a_cancelled_call_is_cancelled():
    """Cancellation is not turned into an error."""

    async def work(model: LiteModel) -> None:
        task = asyncio.create_task(model.generate(ask()))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.aclose()

    _litellm.load()
    with serve(latency=5.0) as server:
        asyncio.run(work(model_at(server)))


def test_nothing_is_imported_before_the_first_call():
    """Making a model, its capabilities and its identity cost no import of LiteLLM; the import is silent."""
    code = (
        "import sys; from evalkit.models.making import make_model; "
        "from evalkit.models.resolution import resolve_model; m = make_model(resolve_model('gpt-4')); "
        "m.capabilities, m.identity; assert not {'litellm', 'aiohttp', 'openai'} & set(sys.modules); "
        "from evalkit.models import _litellm; t = _litellm.preload(); t.join(); "
        "import logging; assert 'litellm' in sys.modules; "
        "assert logging.getLogger('LiteLLM').level == logging.CRITICAL"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_call_connects_to_its_server_and_nowhere_else(tmp_path: Path):
    """No price map, no telemetry, no tokenizer is fetched, and no .env is read."""
    (tmp_path / ".env").write_text("FROM_DOTENV=1\n")
    code = """
import asyncio, os, socket, sys
hosts = set()
for name in ("connect", "connect_ex"):
    real = getattr(socket.socket, name)
    setattr(socket.socket, name, lambda self, to, real=real: (hosts.add(to[0]), real(self, to))[1])
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: (hosts.add(host), look_up(host, *rest, **more))[1]
from evalkit.models.making import make_model
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings
from evalkit.core.records import Message, Request
model = make_model(resolve_model("m", {"m": ModelSettings("openai/gpt-4", api_base=sys.argv[1])}))
async def work():
    response = await model.generate(Request("generate", "m", (Message("user", "x"),)))
    await model.aclose()
    return response.text
print(asyncio.run(work()), sorted(map(str, hosts)), os.environ.get("FROM_DOTENV"))
"""
    with serve() as server:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, server.url],
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
    assert (done.stdout, done.stderr) == ("ok ['127.0.0.1'] None\n", "")


def test_azure_goes_over_litellms_own_client():
    """Azure's addresses and versions are LiteLLM's business; limits and waits are understood all the same."""
    with serve(faults=[None, "429"], retry_after="7") as server:
        model = model_at(server.address, "azure/gpt-4", api_version="2024-06-01")
        assert run(model, ask())[0].text == "ok"
        assert failure(model).retry_after == 7.0
        assert server.calls[0].path == "/openai/deployments/gpt-4/chat/completions"
        assert server.n_calls == 2


def test_identity_holds_what_decides_an_answer_and_no_key():
    """Route, server, parameters; the key's value is nowhere."""
    first = model_at("http://h:1/v1", params={"top_p": 0.5})
    second = model_at("http://h:2/v1", params={"top_p": 0.5})
    assert first.identity["route"] == "openai/gpt-4"
    assert first.identity != second.identity
    assert KEY not in json.dumps(dict(first.identity))


def test_the_silent_log_fits_this_litellm():
    """The no-op logging object is in use; if LiteLLM changed its shape this test says so."""
    assert _litellm.no_op_log() is not None


def test_a_users_callbacks_are_heard(monkeypatch: pytest.MonkeyPatch):
    """With callbacks registered, LiteLLM logs as usual."""
    monkeypatch.setattr(_litellm.load(), "success_callback", [print])
    assert _litellm.no_op_log() is None
