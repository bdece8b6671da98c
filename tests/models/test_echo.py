"""Loglikelihoods from servers that echo: which tokens count, and servers that do not do it."""

import itertools
import random
from typing import Any

import pytest
from served import failure, model_at, run, set_keys
from server import Call, Server, serve, words

from evalkit.core.records import Loglikelihood, Message, Request
from evalkit.models import echo
from evalkit.models.lite import capabilities_of
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch):
    """The key of all models here, and none of those who run the tests."""
    set_keys(monkeypatch)


def score(*continuations: str, context: str = "The sky is") -> Request:
    """A loglikelihood request."""
    return Request("loglikelihood", "m", (Message("user", context),), continuations=continuations)


ROUTES_WITH_LOGPROBS = ("hosted_vllm/x", "text-completion-openai/x")


@pytest.mark.parametrize("route", ROUTES_WITH_LOGPROBS)
@pytest.mark.parametrize("bos", [None, "<s>"])
def test_continuations_are_scored_in_one_call(route: str, bos: str | None):
    """The tokens after the context count, and no others; a beginning-of-sequence token shifts nothing."""
    with serve(bos=bos) as server:
        (response,) = run(model_at(server, route), score(" blue", " very green"))
        assert (server.n_calls, server.calls[0].path) == (1, "/v1/completions")
    assert response.loglikelihoods == (
        Loglikelihood(-0.5, 1, True),
        Loglikelihood(pytest.approx(-1.1), 2, False),
    )


def test_greedy_continuations_are_recognised():
    """A continuation of which every token was the most probable one is greedy."""
    with serve() as server:  # whose tokens of odd length are the most probable ones
        (response,) = run(model_at(server, "hosted_vllm/x"), score(" ab", " ab ab", " ab abc"))
    assert [each.is_greedy for each in response.loglikelihoods] == [True, True, False]


def test_a_token_across_the_boundary_belongs_to_the_continuation():
    """A context that ends in a space scores ' blue' as one token, as when the space is the continuation's."""
    with serve() as server:
        (apart,) = run(model_at(server, "hosted_vllm/x"), score(" blue", context="The sky is"))
        (spaced,) = run(model_at(server, "hosted_vllm/x"), score("blue", context="The sky is "))
    assert apart.loglikelihoods == spaced.loglikelihoods


def test_tokens_that_are_not_text_are_counted_instead():
    """Chinese characters split over byte tokens: the context's own tokens tell where it ends."""

    def split(text: str) -> list[str]:
        return [piece for char in text for piece in (["�", "�"] if ord(char) > 127 else [char])]

    with serve(tokenize=split) as server:
        (response,) = run(model_at(server, "hosted_vllm/x"), score("蓝色", "绿", context="天空是"))
        assert server.n_calls == 2
    assert [each.n_tokens for each in response.loglikelihoods] == [4, 2]
    assert [each.logprob for each in response.loglikelihoods] == [pytest.approx(-0.4), pytest.approx(-0.2)]
    assert "do not line up" in response.notes[0]


def test_a_whole_text_is_scored():
    """Rolling: the sum over all tokens but the first, which nothing precedes."""
    text = "The quick brown fox"
    request = Request("rolling", "m", text=text)
    with serve() as server:
        (response,) = run(model_at(server, "hosted_vllm/x"), request)
    expected = -sum(len(word) for word in words(text)[1:]) / 10
    assert response.loglikelihoods[0].logprob == pytest.approx(expected)
    assert response.loglikelihoods[0].n_tokens == 3
    assert "first token" in response.notes[0]


def test_a_server_that_ignores_echo_is_found_out():
    """llama.cpp returns only the generated token: an error, not a score at chance."""
    with serve(echo=False) as server:
        error = failure(model_at(server, "hosted_vllm/x"), score(" blue", " green"))
    assert (error.kind, error.action) == ("unsupported", "stop_model")


def test_a_server_that_takes_one_prompt_a_call_is_asked_one_by_one():
    """Fewer choices than prompts: each continuation gets a call of its own."""

    class OneByOne:
        """Hides all choices but the first."""

        def __init__(self, server: Server) -> None:
            self.inner = server._answer

        def __call__(self, call: Call) -> tuple[int, Any]:
            status, document = self.inner(call)
            return status, {**document, "choices": document["choices"][:1]}

    with serve() as server:
        server._answer = OneByOne(server)  # type: ignore[method-assign]
        (response,) = run(model_at(server, "hosted_vllm/x"), score(" blue", " very green"))
        assert server.n_calls == 3
    assert [each.n_tokens for each in response.loglikelihoods] == [1, 2]
    assert response.usage.input == 9


def test_a_chat_model_refuses_to_score():
    """A provider that LiteLLM routes to /chat/completions has no loglikelihoods, and is not asked."""
    with serve() as server:
        error = failure(model_at(server), score(" blue"))
        assert server.n_calls == 0
    assert (error.kind, error.action) == ("unsupported", "stop_model")


@pytest.mark.parametrize(
    ("route", "base", "has"),
    [
        ("openai/gpt-4", None, False),
        ("openai/own", "http://h/v1", False),
        ("hosted_vllm/own", "http://h/v1", True),
        ("text-completion-openai/own", "http://h/v1", True),
        ("text-completion-openai/gpt-3.5-turbo-instruct", None, False),
        ("text-completion-openai/davinci-002", None, True),
        ("lm_studio/own", "http://h/v1", False),
        ("llamafile/own", "http://h/v1", False),
        ("ollama_chat/llama3", None, False),
    ],
)
def test_only_servers_known_to_echo_have_loglikelihoods(route: str, base: str | None, has: bool):
    """The allowlist decides, not hope."""
    resolved = resolve_model("m", {"m": ModelSettings(route, api_base=base)})
    assert ({"loglikelihood", "rolling"} <= capabilities_of(resolved)) is has


def test_settings_override_capabilities():
    """A user who knows the server better says so."""
    given = ModelSettings("lm_studio/x", api_base="http://h/v1", capabilities=("generate", "rolling"))
    assert capabilities_of(resolve_model("m", {"m": given})) == {"generate", "rolling"}


def _slowly(tokens: list[str], prompt: str) -> list[int] | None:
    """The lengths of the tokens whose texts, joined, are the prompt, taken one by one."""
    at, lengths = 0, []
    for token in tokens:
        if at == len(prompt):
            break
        if not prompt.startswith(token, at):
            return None
        lengths.append(len(token))
        at += len(token)
    return lengths if at == len(prompt) else None


@pytest.mark.parametrize("seed", range(40))
def test_boundaries_are_found_as_by_walking(seed: int) -> None:
    """Tokens of any length, empty ones too, and any boundary between context and continuation."""
    rng = random.Random(seed)
    tokens = ["ab cd"[: rng.randrange(4)] for _ in range(rng.randrange(1, 12))]
    prompt = "".join(tokens[: rng.randrange(1, len(tokens) + 1)]) or "a"
    logprobs = [-1.0 - n for n in range(len(tokens))]
    block = {"tokens": tokens, "token_logprobs": logprobs, "top_logprobs": [{"x": -1.5}] * len(tokens)}
    lengths = _slowly(tokens, prompt)
    if lengths is None:
        return
    found = echo.read_echo(block, prompt, "m", n_generated=0)
    assert list(found.lengths) == lengths
    for boundary in range(len(prompt)):
        ends = list(itertools.accumulate(lengths))
        first = next((i for i, end in enumerate(ends) if end > boundary), len(lengths))
        likelihood = echo.continuation_likelihood(found, boundary)
        assert likelihood.logprob == pytest.approx(sum(logprobs[first : len(lengths)]))
        assert likelihood.n_tokens == len(lengths) - first
