"""Preflight: what is wrong is found in seconds, said once, with its cure, and nothing is spent."""

import asyncio
import time

import pytest
from server import closed_port, serve

from evalkit.models import preflight as preflight_room
from evalkit.models.making import make_model
from evalkit.models.preflight import Finding, preflight
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings

KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch):
    """Keys of whoever runs the tests are not there."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


def look(*settings: ModelSettings, needs=()) -> list[Finding]:
    """The findings on models of these settings, named m0, m1, ..."""
    models = [make_model(resolve_model(f"m{i}", {f"m{i}": each})) for i, each in enumerate(settings)]
    return asyncio.run(preflight(models, needs))


def test_a_server_that_has_the_model_is_ok():
    """The list of models is asked for, and no completion."""
    with serve(models=["own"]) as server:
        (found,) = look(ModelSettings("openai/own", api_base=server.url))
        assert (found.status, server.paths, server.n_calls) == ("ok", ["/v1/models"], 0)


def test_a_dead_port_is_said_at_once():
    """Connection refused names the address and what to do."""
    base = f"http://127.0.0.1:{closed_port()}/v1"
    began = time.monotonic()
    (found,) = look(ModelSettings("openai/own", api_base=base))
    assert found.status == "error"
    assert base in found.message
    assert "connection refused" in found.message
    assert "Start the server" in found.cure
    assert time.monotonic() - began < 4  # sooner than the patience with a server that hangs


def test_a_wrong_key_is_said_with_its_variable(monkeypatch: pytest.MonkeyPatch):
    """401 names the variable, never the key."""
    monkeypatch.setenv("MY_KEY", "sk-wrong-0123456789")
    with serve(key="right") as server:
        (found,) = look(ModelSettings("openai/gpt-4", api_base=server.url, api_key_env="MY_KEY"))
    assert found.status == "error"
    assert "MY_KEY" in found.message
    assert "401" in found.message
    assert "sk-wrong" not in str(found)


def test_a_key_that_the_server_wants_and_nobody_named_is_said():
    """401 without a key points to api_key_env."""
    with serve(key="right", models=["own"]) as server:
        (found,) = look(ModelSettings("openai/own", api_base=server.url))
    assert found.status == "error"
    assert "api_key_env" in found.cure


def test_a_gateway_to_a_known_model_needs_its_key():
    """openai/gpt-4 at an address of one's own wants OPENAI_API_KEY; nothing is asked to learn that."""
    with serve() as server:
        (found,) = look(ModelSettings("openai/gpt-4", api_base=server.url))
        assert server.paths == []
    assert found.status == "error"
    assert "OPENAI_API_KEY" in found.message


def test_the_right_key_is_ok(monkeypatch: pytest.MonkeyPatch):
    """A key from the named variable is sent."""
    monkeypatch.setenv("MY_KEY", "right")
    with serve(key="right") as server:
        assert (
            look(ModelSettings("openai/gpt-4", api_base=server.url, api_key_env="MY_KEY"))[0].status == "ok"
        )


def test_an_unknown_model_is_said_with_its_neighbours():
    """The server itself says that there is no such model; near names are offered."""
    with serve(models=["gpt-4", "gpt-4-turbo"]) as server:
        (found,) = look(ModelSettings("openai/gpt-4-turbi", api_base=server.url))
    assert found.status == "error"
    assert "'gpt-4-turbo'" in found.cure


def test_a_server_without_a_list_is_given_the_benefit_of_the_doubt():
    """404 on /models says nothing of the model."""
    with serve(models=[]) as server:
        assert look(ModelSettings("openai/anything", api_base=server.url))[0].status == "ok"


def test_a_vllm_server_lists_all_it_has():
    """A name that vLLM does not list is an error."""
    with serve(models=["llama"]) as server:
        assert look(ModelSettings("hosted_vllm/lama", api_base=server.url))[0].status == "error"


@pytest.mark.parametrize(("name", "status"), [("llama3", "ok"), ("mistral", "error")])
def test_ollama_is_asked_for_its_tags(name: str, status: str):
    """llama3 is llama3:latest; what is missing is pulled."""
    with serve(models=["llama3:latest"]) as server:
        (found,) = look(ModelSettings(f"ollama_chat/{name}", api_base=server.address))
    assert found.status == status
    assert status == "ok" or f"ollama pull {name}" in found.cure


@pytest.mark.parametrize(
    ("route", "variable"),
    [
        ("openai/gpt-4", "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("dashscope/qwen-max", "DASHSCOPE_API_KEY"),
        ("zai/glm-4.6", "ZAI_API_KEY"),
    ],
)
def test_a_missing_key_is_said_with_the_line_to_type(
    route: str, variable: str, monkeypatch: pytest.MonkeyPatch
):
    """The variable is named and the export line given, without a connection."""
    monkeypatch.delenv(variable, raising=False)
    (found,) = look(ModelSettings(route))
    assert found.status == "error"
    assert f"{variable}" in found.message
    assert f"export {variable}=" in found.cure


def test_a_missing_variable_of_the_settings_is_said():
    """`api_key_env` must name a variable that is set."""
    (found,) = look(ModelSettings("openai/x", api_base="http://127.0.0.1:9/v1", api_key_env="NOT_SET_AT_ALL"))
    assert "NOT_SET_AT_ALL" in found.message
    assert found.status == "error"


def test_a_server_without_address_is_said(monkeypatch: pytest.MonkeyPatch):
    """hosted_vllm has no address of its own."""
    monkeypatch.delenv("HOSTED_VLLM_API_BASE", raising=False)
    (found,) = look(ModelSettings("hosted_vllm/llama"))
    assert found.status == "error"
    assert "HOSTED_VLLM_API_BASE" in found.cure


def test_built_in_models_need_nothing():
    """A model in this process is ok."""
    assert asyncio.run(preflight([make_model(resolve_model("baseline/random"))]))[0].status == "ok"


def test_a_missing_ability_is_said():
    """A perplexity task on a chat-only model is stopped before it starts, and only for that model."""
    with serve(models=["own"]) as server:
        chat = ModelSettings("openai/own", api_base=server.url)
        text = ModelSettings("hosted_vllm/own", api_base=server.url)
        found = look(chat, text, needs=["rolling"])
    assert [each.status for each in found] == ["error", "ok"]
    assert "loglikelihood" in found[0].message


def test_models_are_looked_at_together_and_a_server_once():
    """Three models of one server cost one request, and a server that hangs holds up no other."""
    with serve(models=["a", "b", "c"]) as server:
        found = look(*(ModelSettings(f"openai/{name}", api_base=server.url) for name in "abc"))
        assert [each.status for each in found] == ["ok"] * 3
        assert server.paths == ["/v1/models"]


def test_a_server_that_never_answers_is_given_up_within_five_seconds():
    """A socket that accepts and says nothing is an error, in time."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        (found,) = look(ModelSettings("openai/x", api_base=f"http://127.0.0.1:{silent.getsockname()[1]}/v1"))
    assert found.status == "error"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(("proxy", "status"), [("", "error"), ("http://127.0.0.1:9", "warning")])
def test_a_provider_out_of_reach_is_said_in_seconds(monkeypatch: pytest.MonkeyPatch, proxy: str, status: str):
    """Without network a hosted model is an error before the run; behind a proxy only the run can tell."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setitem(preflight_room._HOMES, "openai", f"http://127.0.0.1:{closed_port()}/v1")
    (found,) = look(ModelSettings("openai/gpt-4o"))
    assert found.status == status
    assert "cannot be reached" in found.message or "refused" in found.message


@pytest.mark.parametrize("base", ["https://llm.internal/v1", None])
def test_a_certificate_that_is_not_trusted_names_its_cure(base: str | None, monkeypatch: pytest.MonkeyPatch):
    """A company's authority stands before its own servers, and at times before the world outside."""

    async def refused(*_: object) -> object:
        return preflight_room._Page(problem="certificate verify failed: self-signed certificate in chain")

    monkeypatch.setattr(preflight_room, "_get", refused)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    for name in preflight_room._PROXIES:
        monkeypatch.delenv(name, raising=False)
    (found,) = look(ModelSettings("openai/gpt-4o", api_base=base))
    assert found.status == "error"
    assert "SSL_CERT_FILE" in found.cure
