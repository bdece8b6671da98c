"""Tokens of a call: what the server counted, in whichever way it counts; never a zero for what is unknown."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.records import Usage
from evalkit.models.replies import chat_response
from evalkit.models.settings import Price
from evalkit.models.usage import cost, usage_of


def counted(reasoning: object = None, cached: object = None, **usage: object) -> Usage:
    """The usage of a reply in OpenAI's form."""
    block = {
        **usage,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    return usage_of({"usage": block})


@pytest.mark.parametrize(
    ("prompt", "completion", "total", "reasoning", "output"),
    [
        (10, 50, 60, 40, 50),  # OpenAI, DeepSeek: inside
        (10, 9, 59, 40, 49),  # xAI: beside
        (8, 9, 517, None, 509),  # Gemini's OpenAI form: beside, and not told
        (10, 9, None, 40, 49),  # more than the whole: beside
        (10, 50, None, 40, 50),
        (10, 50, 60, 0, 50),
        (10, 5, 99, 0, 5),  # the total counts something else
        (10, 5, 12, 3, 5),  # the total is wrong
    ],
)
def test_reasoning_is_output_wherever_it_is_counted(
    prompt: int, completion: int, total: int | None, reasoning: int | None, output: int
) -> None:
    """The total tells whether it stands inside of completion_tokens or beside them; it is paid for."""
    usage = counted(reasoning, prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)
    assert usage == Usage(prompt, output, reasoning, None)
    assert cost(usage, Price(1.0, 100.0)) == prompt + 100 * output


ABSURD = [None, -1, 1e30, math.nan, math.inf, 12.5, "7", True, [], {}, 10**30]


@pytest.mark.parametrize("value", ABSURD)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_absurd_counts_are_unknown(name: str, value: object) -> None:
    """Nothing is made of what cannot be a count, and nothing breaks."""
    usage = counted(**{"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5, name: value})
    assert usage.input == (None if name == "prompt_tokens" else 3)
    assert usage.output == (None if name == "completion_tokens" else 2)


@pytest.mark.parametrize("value", ABSURD)
def test_absurd_details_are_unknown(value: object) -> None:
    """Reasoning and cached tokens too."""
    usage = counted(value, value, prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert (usage.reasoning, usage.cached) == (None, None)


@pytest.mark.parametrize(
    "block", [None, [], "x", 7, {"prompt_tokens_details": 3, "completion_tokens_details": []}]
)
def test_a_usage_that_is_none_is_unknown(block: Any) -> None:
    """Whatever stands in its place."""
    assert usage_of({"usage": block}) == Usage()


def test_more_cached_than_input_is_unknown() -> None:
    """No part is larger than the whole, and no discount is given for it."""
    assert counted(None, 11, prompt_tokens=10, completion_tokens=1).cached is None
    assert counted(None, 10, prompt_tokens=10, completion_tokens=1).cached == 10


LITELLM = {"usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}
"""What LiteLLM makes of a reply with gaps: zeros, or tokens that it counted itself."""


@pytest.mark.parametrize(
    ("document", "known"),
    [
        ({"choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": None}}, (4, None)),
        ({"choices": [], "usage": None}, (None, None)),
        ({"choices": []}, (None, None)),
        ({"done": True, "message": {}, "eval_count": 0}, (None, None)),
        ({"done": True, "message": {}, "prompt_eval_count": 4}, (4, None)),
        ({"content": [], "usage": {"input_tokens": 4, "output_tokens": None}}, (4, None)),
        ({"candidates": [], "usageMetadata": {"promptTokenCount": 4}}, (4, None)),
        ({"candidates": [], "usageMetadata": {"promptTokenCount": 4, "thoughtsTokenCount": 0}}, (4, 0)),
        (None, (4, 0)),
    ],
)
def test_a_gap_is_no_zero_where_the_reply_is_known(
    document: Any, known: tuple[int | None, int | None]
) -> None:
    """The server's own counts are believed before LiteLLM's."""
    usage = usage_of(LITELLM, document)
    assert (usage.input, usage.output) == known


def test_an_answer_takes_more_than_no_tokens() -> None:
    """A zero beside a text is a gap; beside no text it is a count."""
    reply = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], **LITELLM}
    assert chat_response(reply, "m").usage.output is None
    reply["choices"] = [{"message": {"content": ""}, "finish_reason": "stop"}]
    assert chat_response(reply, "m").usage.output == 0


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


@given(st.fixed_dictionaries(dict.fromkeys(COUNTS, anything)), anything, anything)
def test_counts_are_sound_whatever_was_sent(block: dict[str, Any], reasoning: object, cached: object) -> None:
    """Parts never exceed wholes, and no count is negative."""
    usage = counted(reasoning, cached, **block)
    for count in (usage.input, usage.output, usage.reasoning, usage.cached):
        assert count is None or (type(count) is int and count >= 0)
    assert usage.cached is None or (usage.input is not None and usage.cached <= usage.input)
    assert usage.reasoning is None or usage.output is None or usage.reasoning <= usage.output


@pytest.mark.parametrize(
    ("price", "dollars"),
    [
        (Price(1.0, 2.0, cached=0.25), 60 * 1.0 + 40 * 0.25 + 10 * 2.0),
        (Price(1.0, 2.0, cached=0.0), 60 * 1.0 + 10 * 2.0),
        (Price(1.0, 2.0), 100 * 1.0 + 10 * 2.0),  # no price of its own: as other input
    ],
)
def test_each_token_is_charged_once(price: Price, dollars: float) -> None:
    """Cached tokens are part of the input: they are charged at their own price, and at no other besides."""
    assert cost(Usage(100, 10, 5, 40), price) == pytest.approx(dollars)


def test_cost_without_cached_tokens_is_that_of_all_input() -> None:
    """Where no token is said to be cached, all are charged as input."""
    assert cost(Usage(100, 10), Price(1.0, 2.0, cached=0.25)) == pytest.approx(120.0)


@pytest.mark.parametrize("usage", [Usage(None, 10), Usage(100, None), Usage()])
def test_cost_of_unknown_tokens_is_unknown(usage: Usage) -> None:
    """Input or output that nobody counted has no cost, and neither has a call without a price."""
    assert cost(usage, Price(1.0, 2.0)) is None
    assert cost(Usage(100, 10), None) is None
