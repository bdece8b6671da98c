"""What evalkit needs of LiteLLM, lane by lane and provider by provider, whichever version is installed.

These tests ask nothing of LiteLLM's inside: an answer arrives, once, from the right address, and a failure is
one request. They run against the oldest LiteLLM that is supported, the locked one and the newest.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from served import NATIVE, ask, failure, model_at, run, set_keys
from server import Server, closed_port, serve

from evalkit.core.records import Request, Response
from evalkit.models.lite import LiteModel
from evalkit.models.served import Served

ROUTES = {
    "openai/gpt-4": "/v1/chat/completions",
    "litellm_proxy/any": "/v1/chat/completions",
    "hosted_vllm/llama": "/v1/chat/completions",
    "anthropic/claude-3-opus-20240229": "/v1/messages",
    "gemini/gemini-2.5-flash": ":generateContent",
    "ollama_chat/llama3": "/api/chat",
    "mistral/mistral-small-latest": "/v1/chat/completions",
    "deepseek/deepseek-chat": "/v1/chat/completions",
    "openrouter/meta/llama": "/v1/chat/completions",
    "azure/gpt-4": "/openai/deployments/gpt-4/chat/completions",
    "dashscope/qwen-plus": "/v1/chat/completions",
    "text-completion-openai/base": "/v1/completions",
}
"""Route -> where its requests end."""
LITELLM = tuple(int(part) for part in version("litellm").split(".")[:2])
UNCLOSED = ("Unclosed c", "connections: ", "connector: ", "client_session: ")
LANES = ("stock", "safe", "fast")
CHECKS = 1
SEAMS = ["openai/gpt-4", "azure/gpt-4", "hosted_vllm/llama", "anthropic/claude-3-opus-20240229"]
"""One route for each kind of client."""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    set_keys(monkeypatch)


@pytest.fixture(autouse=True)
def _litellms_own_connections(request: pytest.FixtureRequest) -> Iterator[None]:
    """LiteLLM opens a client for each text completion and closes none: plain LiteLLM leaves them behind."""
    yield
    if "stock" not in request.node.name:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def model(server: Server | str, route: str, lane: str, folder: Path) -> LiteModel:
    """The model of a route on the server, whose findings are its own."""
    settings = {"api_version": "2024-06-01"} if route.startswith("azure") else {}
    address = server if isinstance(server, str) else server.url
    if route.partition("/")[0] in (*NATIVE, "azure"):
        address = address.removesuffix("/v1")
    made = model_at(address, route, timeout_s=20.0, **settings)
    made._served = Served(made.resolved, lane, folder=folder, checks=CHECKS)  # type: ignore[arg-type]
    return made


def one_after_another(made: LiteModel, *requests: Request) -> list[Response]:
    """The responses, in order."""

    async def work() -> list[Response]:
        found = [await made.generate(request) for request in requests]
        await made.aclose()
        return found

    return asyncio.run(work())


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("route", ROUTES)
def test_answers_arrive_once_from_the_right_address(route: str, lane: str, tmp_path: Path) -> None:
    """Text and tokens of three calls, in the lane that was asked for, without a word of warning."""
    with serve(lambda call: f"You said {call.prompt}.") as server:
        made = model(server, route, lane, tmp_path)
        found = one_after_another(made, *[ask(f"q{number}") for number in range(3)])
        paths = {call.path for call in server.calls}
        assert server.n_calls == 3
    assert [response.text for response in found] == [f"You said q{number}." for number in range(3)]
    assert {response.usage.output for response in found} == {3}
    assert len(paths) == 1
    assert paths.pop().endswith(ROUTES[route])
    assert made.lane == lane
    warnings = [note for note in made.notes if note.startswith("warning")]
    if (lane, route[:6]) == ("fast", "gemini") and LITELLM < (1, 104):
        assert "reads something else" in warnings[0]  # it hid which model the server says has answered
        return
    assert not warnings
    if lane == "fast":
        assert made.notes[0].startswith("fast lane: requests compiled")


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("route", SEAMS)
@pytest.mark.parametrize("fault", ["500", "429", "400"])
def test_an_error_of_the_server_is_one_request(route: str, lane: str, fault: str, tmp_path: Path) -> None:
    """Nobody but the runner retries."""
    with serve(faults=lambda call: fault) as server:  # type: ignore[arg-type, return-value]
        error = failure(model(server, route, lane, tmp_path))
        assert server.n_calls == 1
    assert error.kind == {"500": "server", "429": "rate_limit", "400": "bad_request"}[fault]
    assert error.retry_after == (0.05 if fault == "429" else None)


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", SEAMS)
@pytest.mark.parametrize("fault", ["reset", "truncated"])
def test_a_broken_connection_is_one_request(route: str, lane: str, fault: str, tmp_path: Path) -> None:
    """LiteLLM is not told of it, for it would send again, or round the transport."""
    with serve(faults=lambda call: fault) as server:  # type: ignore[arg-type, return-value]
        error = failure(model(server, route, lane, tmp_path))
        assert (server.n_calls, server.connections) == (1, 1)
    assert (error.kind, error.action) == ("connection", "retry")


@pytest.mark.parametrize("lane", ["safe", "fast"])
@pytest.mark.parametrize("route", SEAMS)
def test_a_closed_port_is_told_as_one(route: str, lane: str, tmp_path: Path) -> None:
    """Whatever LiteLLM makes of it."""
    error = failure(model(f"http://127.0.0.1:{closed_port()}/v1", route, lane, tmp_path))
    assert (error.kind, error.action) == ("connection", "retry")
    assert "connection refused" in str(error)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("route", ["hosted_vllm/base"])
def test_likelihoods_of_given_text_arrive(route: str, lane: str, tmp_path: Path) -> None:
    """The echo of a prompt with its logprobs, through LiteLLM's text completion."""
    with serve() as server:
        made = model(server, route, lane, tmp_path)
        (response,) = run(made, Request("rolling", "m", text="Once upon a time"))
    assert response.loglikelihoods[0].n_tokens == 3


ALL = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from contract.test_lanes import ROUTES, ask, model, serve
from evalkit.models.lite import LiteModel

async def work(server):
    for route in ROUTES:
        made = model(server, route, sys.argv[2], Path(sys.argv[3]))
        for number in range(3):
            await made.generate(ask(f"q{number}"))
        await made.aclose()

with serve() as server:
    asyncio.run(work(server))
    print(server.n_calls)
"""


@pytest.mark.parametrize("lane", LANES)
def test_nothing_is_printed(lane: str, tmp_path: Path) -> None:
    """A user's terminal stays clean of LiteLLM, OpenAI's SDK and pydantic, whatever the provider."""
    done = subprocess.run(
        [sys.executable, "-c", ALL, str(Path(__file__).parents[1]), lane, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    said = done.stderr.splitlines()
    if lane == "stock":  # LiteLLM leaves connections of its own open
        said = [line for line in said if not line.startswith(UNCLOSED)]
    assert (done.stdout.strip(), said) == (str(3 * len(ROUTES)), [])
