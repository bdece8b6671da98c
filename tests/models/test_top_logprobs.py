"""Likely tokens of a chat reply: asked for by name, read in both lanes, kept in the cache."""

from __future__ import annotations

import math

import pytest
from served import ask, model_at, run, set_keys
from server import Reply, serve

from evalkit.models.lite import capabilities_of
from evalkit.models.resolution import resolve_model
from evalkit.store.cache.entry import make_row, read_response

TOP = {"A": math.log(0.7), "B": math.log(0.2), "C": math.log(0.1)}


@pytest.mark.parametrize("lane", ["stock", "safe", "fast"])
def test_likely_tokens_are_read_in_both_lanes(lane: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each token comes with what might have stood in its place; without the wish there are none."""
    set_keys(monkeypatch)
    with serve(lambda call: Reply("A indeed", tokens=TOP)) as server:
        model = model_at(server)
        model.use_lane(lane)
        request = ask(logprobs=True, top_logprobs=20)
        asked, plain = run(model, request, ask())
        assert {call.body.get("top_logprobs") for call in server.calls} == {20, None}
    assert [token.text for token in asked.tokens] == ["A", " indeed"]
    assert dict(asked.tokens[0].top) == pytest.approx(TOP)
    assert (plain.text, plain.tokens) == ("A indeed", ())
    row = make_row("k", request, asked, {})
    assert read_response(row["response"]).tokens == asked.tokens


@pytest.mark.parametrize(
    ("route", "shows"),
    [
        ("openai/gpt-4o-mini", True),
        ("hosted_vllm/x", True),
        ("openai/o3-mini", False),
        ("openai/gpt-5", False),
        ("deepseek/deepseek-reasoner", False),
        ("anthropic/claude-3-5-haiku-latest", False),
        ("ollama_chat/llama3", False),
        ("text-completion-openai/davinci-002", False),
    ],
)
def test_who_shows_likely_tokens(route: str, shows: bool) -> None:
    """Known by provider and name, without a call."""
    assert ("top_logprobs" in capabilities_of(resolve_model(route, {}))) == shows
