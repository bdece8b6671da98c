"""The estimate before a run: calls, tokens and a range of dollars; unknown prices are named, not zero."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from factories import make_task

from evalkit.core.records import Message, Request, Response
from evalkit.models.making import make_model
from evalkit.models.resolution import Resolved
from evalkit.models.settings import ModelSettings, Price
from evalkit.models.tokens import tokenizer
from evalkit.running.estimate import count_tokens, estimate
from evalkit.running.planning import Plan, PlanOptions, make_plan
from evalkit.store.cache import Cache, cache_key, known_keys


def plan(folder: Path, price: Price | None, route: str = "hosted_vllm/x", rows: int = 250) -> Plan:
    """A plan of one model on sums of forty characters."""
    settings = ModelSettings(route, api_base="http://127.0.0.1:9/v1", price=price)
    resolved = Resolved("m", "m", route, settings, "")
    data = [{"id": f"s{n}", "question": "x" * 20, "answer": "1"} for n in range(rows)]
    task = make_task(folder, data, generation={"max_tokens": 50})
    return make_plan([(resolved, make_model(resolved))], [task], PlanOptions())


def test_estimate_covers_what_a_run_can_cost(tmp_path: Path) -> None:
    """The range holds the true cost of short and of full-length answers."""
    found = estimate(plan(tmp_path, Price(1e-6, 2e-6)))
    assert found is not None
    characters = len("Question: " + "x" * 20 + "\nAnswer:")
    assert found.n_requests == 250
    assert found.input_tokens == pytest.approx(250 * characters / 4)
    assert found.output_tokens == 250 * 50
    low, high = found.cost_usd
    assert low < 250 * (characters / 4 * 1e-6 + 10 * 2e-6) < 250 * (characters / 4 * 1e-6 + 50 * 2e-6) < high
    assert "250 requests" in str(found)
    assert "$" in str(found)


def test_unknown_price_is_said(tmp_path: Path) -> None:
    """A model without a price has no cost, not a cost of zero."""
    found = estimate(plan(tmp_path, None))
    assert found is not None
    assert found.unpriced == ("m",)
    assert "price unknown: m" in str(found)
    assert "$" not in str(found)


def test_built_in_models_need_no_estimate(tmp_path: Path) -> None:
    """What costs nothing is not estimated."""
    assert estimate(plan(tmp_path, None, "mock/echo")) is None


@pytest.mark.parametrize(
    ("text", "least", "most"), [("", 0, 0), ("four char" * 4, 7, 12), ("六乘七等于几", 3, 9)]
)
def test_tokens_are_about_right(text: str, least: float, most: float) -> None:
    """English and Chinese are counted apart."""
    assert least <= count_tokens(text) <= most


def cached_plan(folder: Path, rows: int, order: str | None = None, votes: str = "direct") -> Plan:
    """A plan of one served model on choices of three, or on sums."""
    settings = ModelSettings("hosted_vllm/x", api_base="http://127.0.0.1:9/v1", price=Price(1e-6, 2e-6))
    resolved = Resolved("m", "m", "hosted_vllm/x", settings, "")
    resolved = replace(resolved, settings=replace(settings, capabilities=("generate", "chat")))
    data = [
        {"id": f"s{n}", "question": f"Number {n}?", "options": ["a", "b", "c"], "answer": 0}
        for n in range(rows)
    ]
    task = make_task(folder, data, kind="choice", choices="options", metrics=["accuracy"])
    return make_plan(
        [(resolved, make_model(resolved))], [task], PlanOptions(choices_order=order, prompts=(votes,))
    )


def test_what_the_cache_answers_is_looked_up_and_taken_off(tmp_path: Path) -> None:
    """Exact where every call was looked up: the rest alone is counted and priced."""
    made = cached_plan(tmp_path, 40)
    works = list(made.cells[0].work())
    there = {cache_key(work.request, made.cells[0].bound.identity) for work in works[:30]}
    found = estimate(made, lambda keys: there & set(keys))
    whole = estimate(made)
    assert found is not None
    assert whole is not None
    assert (found.n_requests, found.n_cached, found.n_looked_up) == (40, 30, 40)
    assert found.cost_usd[1] == pytest.approx(whole.cost_usd[1] / 4, rel=0.02)
    assert "40 requests, 30 of them in the cache; about" in str(found)
    nothing = estimate(made, lambda keys: set(keys))
    assert str(nothing) == "40 requests, 40 of them in the cache: nothing to pay"
    assert estimate(made, lambda keys: None) == whole


def test_a_large_plan_is_looked_up_in_part_and_says_so(tmp_path: Path) -> None:
    """Samples are spread over the data, so that a run that was interrupted half way shows as half."""
    made = cached_plan(tmp_path, 9000)
    seen: list[int] = []

    def known(keys: Sequence[str]) -> set[str]:
        seen.append(len(keys))
        return set(keys[: len(keys) // 2])

    found = estimate(made, known)
    assert found is not None
    assert (seen, found.n_requests, found.n_cached) == ([1800], 9000, 4500)
    assert "about 4,500 of them in the cache, by 1,800 that were looked up" in str(found)


@pytest.mark.parametrize(
    ("order", "prompt", "calls"), [("circular", "direct", 3), (None, "self_consistency:5", 5)]
)
def test_samples_of_several_calls_count_each(
    tmp_path: Path, order: str | None, prompt: str, calls: int
) -> None:
    """Rotations and votes are calls; a sample is in the cache where all of its calls are."""
    made = cached_plan(tmp_path, 4, order, prompt)
    first: list[str] = []

    def known(keys: Sequence[str]) -> set[str]:
        first.extend(keys)
        return set(keys[: calls + 1])

    found = estimate(made, known)
    assert found is not None
    assert (found.n_requests, len(set(first)), found.n_cached) == (4 * calls, 4 * calls, calls)
    assert made.cells[0].n_calls == 4 * calls


def test_openai_models_are_counted_by_their_own_tokenizer(tmp_path: Path) -> None:
    """LiteLLM's package holds OpenAI's tokenizers: they need neither its import nor the network."""
    count, exact = tokenizer("openai/gpt-4o-mini")
    assert (exact, count("Hello, world!"), count("<|endoftext|>")) == (True, 4.0, 7.0)
    assert tokenizer("openai/gpt-4")[1]
    for route in ("anthropic/claude-3-5-haiku", "openai/some-model-of-mine", "hosted_vllm/x"):
        assert tokenizer(route) == (count_tokens, False)
    found = estimate(plan(tmp_path, None, "openai/gpt-4"))
    assert found is not None
    assert found.exact_tokens
    assert "; about 2.25k tokens in, at most" in str(found)
    rough = estimate(plan(tmp_path / "b", None))
    assert "tokens in (approximate count)" in str(rough)


def test_known_answers_are_read_without_touching_the_cache(tmp_path: Path) -> None:
    """A cache that is not there is empty and stays away; a damaged one is left to the run to explain."""
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    assert known_keys(url, ["k"]) == set()
    assert not (tmp_path / "cache.db").exists()
    cache = Cache(url)
    request = Request("generate", "m", (Message("user", "hi"),))
    cut = replace(request, repeat=1)
    keys = [cache_key(each, {}) for each in (request, cut)]

    async def fill() -> None:
        await cache.put(keys[0], request, Response(text="a"), identity={})
        await cache.put(keys[1], cut, Response("truncated", text="b"), identity={})

    asyncio.run(fill())
    cache.close()
    assert known_keys(url, [*keys, "other"] * 400) == set(keys)
    assert known_keys(url, keys, ["truncated"]) == {keys[0]}
    (tmp_path / "bad.db").write_text("no database")
    assert known_keys(f"sqlite:///{tmp_path / 'bad.db'}", keys) is None


def test_calls_that_tools_may_bring_are_a_range(tmp_path: Path) -> None:
    """A sample with tools asks once at least, and max_steps times at most, reading what was said before."""
    settings = ModelSettings("hosted_vllm/x", api_base="http://127.0.0.1:9/v1", price=Price(1e-6, 2e-6))
    resolved = Resolved("m", "m", "hosted_vllm/x", settings, "")
    solver = {"name": "react", "tools": ["calculator"], "max_steps": 4}
    task = make_task(
        tmp_path,
        [{"id": f"s{n}", "question": "x" * 20, "answer": "1"} for n in range(10)],
        prompts={"agent": {"user": "{{ question }}{{ tools }}", "solver": solver, "max_tokens": 100}},
    )
    found = estimate(make_plan([(resolved, make_model(resolved))], [task], PlanOptions()))
    assert found is not None
    assert (found.n_requests, found.n_possible) == (10, 30)
    prompt = found.input_tokens / 10
    # Each step reads one more answer of 100 tokens and one more result of a few.
    assert found.input_tokens + found.possible_tokens >= 10 * sum(prompt + n * 101 for n in range(4))
    assert found.output_tokens == 40 * 100
    low, high = found.cost_usd
    assert low < 10 * prompt * 1e-6 + 10 * 100 * 2e-6 < 40 * 100 * 2e-6 < high
    assert "10 requests, up to 30 more where tools are used; about" in str(found)
