"""Names of models: what each means, in which order, and what is said when it means nothing."""

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from evalkit.core.errors import ConfigError, ModelError
from evalkit.models import catalog
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings, parse_settings


@pytest.fixture(autouse=True)
def _no_ollama(monkeypatch: pytest.MonkeyPatch):
    """An Ollama of the machine that runs the tests must not answer: port 9 is closed."""
    monkeypatch.delenv("OLLAMA_API_BASE", raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")


@contextmanager
def ollama(*tags: str) -> Iterator[str]:
    """The address of a server that lists `tags` as Ollama does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"models": [{"name": tag} for tag in tags]}).encode()
            self.send_response(200 if self.path == "/api/tags" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def unknown(name: str, **aliases: ModelSettings) -> str:
    """The message for a name that means nothing."""
    with pytest.raises(ModelError) as caught:
        resolve_model(name, aliases)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("gpt-4", "openai/gpt-4"),
        ("gpt-3.5-turbo-instruct", "text-completion-openai/gpt-3.5-turbo-instruct"),
        ("gemini-2.5-pro", "gemini/gemini-2.5-pro"),
        ("openai/anything", "openai/anything"),
        ("hosted_vllm/meta-llama/Llama-3.1-8B", "hosted_vllm/meta-llama/Llama-3.1-8B"),
        ("openrouter/qwen/qwen3-8b", "openrouter/qwen/qwen3-8b"),
        ("baseline/ngram", "baseline/ngram"),
        ("hf/Qwen/Qwen2.5-0.5B", "hf/Qwen/Qwen2.5-0.5B"),
    ],
)
def test_a_name_without_alias_has_one_meaning(name: str, route: str):
    """Built-in prefixes, explicit providers and LiteLLM's map each lead to their route."""
    resolved = resolve_model(name)
    assert resolved.route == resolved.name == resolved.settings.model == route
    assert resolved.asked == name


def test_a_recording_keeps_its_whole_path_as_route():
    """The file is found again by its route, whatever name results show."""
    assert resolve_model("replay/out/gpt-4.jsonl").route == "replay/out/gpt-4.jsonl"


def test_an_alias_wins_over_the_map():
    """A name defined in evalkit.yaml is taken from there, settings included."""
    settings = parse_settings("gpt-4", {"model": "openai/local", "api_base": "http://h:1/v1"}, "evalkit.yaml")
    resolved = resolve_model("gpt-4", {"gpt-4": settings})
    assert (resolved.name, resolved.route) == ("gpt-4", "openai/local")
    assert resolved.settings.api_base == "http://h:1/v1"
    assert resolved.how == "gpt-4 is defined in evalkit.yaml as openai/local at http://h:1/v1"


def test_an_alias_may_use_a_bare_name_of_the_map():
    """`model: gpt-4` inside of an alias is completed like on the command line."""
    assert resolve_model("smart", {"smart": ModelSettings("gpt-4")}).route == "openai/gpt-4"


def test_a_server_of_ones_own_takes_any_name():
    """With api_base, an unknown name or a hub id is a model behind OpenAI's protocol."""
    for name in ("llama3", "meta-llama/Llama-3.1-8B"):
        settings = ModelSettings(name, api_base="http://127.0.0.1:8000/v1")
        assert resolve_model("mine", {"mine": settings}).route == f"openai/{name}"


def test_an_alias_of_an_alias_is_an_error():
    """Aliases do not chain."""
    with pytest.raises(ConfigError, match="itself an alias"):
        resolve_model("a", {"a": ModelSettings("b"), "b": ModelSettings("openai/x")})


@pytest.mark.parametrize("name", ["llama3", "llama3:latest"])
def test_a_model_of_the_local_ollama_is_found(name: str, monkeypatch: pytest.MonkeyPatch):
    """A bare name that Ollama lists goes to ollama_chat at that server."""
    with ollama("qwen3:8b", "llama3:latest") as address:
        monkeypatch.setenv("OLLAMA_API_BASE", address)
        resolved = resolve_model(name)
    assert resolved.route == f"ollama_chat/{name}"
    assert resolved.settings.api_base == address
    assert "has it" in resolved.how


def test_a_tag_that_ollama_lacks_is_not_guessed(monkeypatch: pytest.MonkeyPatch):
    """llama3 is not llama3:8b; the error shows what there is."""
    with ollama("llama3:8b") as address:
        monkeypatch.setenv("OLLAMA_API_BASE", address)
        assert "llama3:8b" in unknown("llama3")


def test_an_unknown_bare_name_gets_neighbours_and_cures():
    """The message says where was looked, what is near and what to write."""
    message = unknown("gpt-4o-minii", fast=ModelSettings("openai/x"))
    assert "'gpt-4o-mini'" in message
    assert "ollama_chat/gpt-4o-minii" in message
    assert "api_base" in message
    assert "fast" in message


def test_a_name_of_several_providers_is_not_guessed():
    """A paid route is never chosen for the user."""
    assert "dashscope/qwen-max" in unknown("qwen-max")


def test_a_misspelt_provider_is_named():
    """The nearest provider is offered."""
    assert "'openai'" in unknown("opnai/gpt-4")


def test_a_hub_id_is_pointed_to_a_server_or_this_process():
    """A Hugging Face id alone says not where it runs."""
    message = unknown("meta-llama/Llama-3.1-8B")
    assert "hosted_vllm/meta-llama/Llama-3.1-8B" in message
    assert "hf/meta-llama/Llama-3.1-8B" in message


@pytest.mark.parametrize("name", ["", " ", "openai/"])
def test_half_a_name_is_an_error(name: str):
    """Empty names and names that end at the slash are said to be so."""
    assert "write" in unknown(name).lower()


def test_prices_come_with_their_source():
    """A price of the bundled map names the version of LiteLLM it is from."""
    price = catalog.price("openai/gpt-4")
    assert price is not None
    assert (price.input, price.output) == (3e-05, 6e-05)
    assert catalog.litellm_version() in price.source


def test_an_unknown_price_is_none():
    """A model that the map does not price has no price, not a price of zero."""
    assert catalog.price("hosted_vllm/own-model") is None
    assert catalog.price("dashscope/qwen3-max") is None  # priced in tiers only


def test_resolution_does_not_import_litellm():
    """Names, prices and providers are known without the three seconds of `import litellm`."""
    code = (
        "import sys; from evalkit.models.resolution import resolve_model; resolve_model('gpt-4'); "
        "print(sorted({'litellm', 'openai', 'aiohttp', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
