"""The budget: what is spent and what is in flight together never pass the limit."""

from __future__ import annotations

import pytest
from factories import make_request
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.records import Message, Request, Response
from evalkit.models.settings import Price
from evalkit.running.executors.budget import Budget, dearest

PRICE = Price(input=1e-6, output=5e-6)


def test_reservation_counts_what_is_in_flight() -> None:
    """An amount fits only beside what is spent and reserved; settled ones make room."""
    budget = Budget(limit=1.0)
    assert [budget.reserve(0.5), budget.reserve(0.5), budget.reserve(0.5)] == [True, True, False]
    budget.settle(0.5, Response(cost_usd=0.125))
    assert budget.reserve(0.375) is True
    assert budget.reserve(0.01) is False
    assert (budget.spent, budget.reserved, budget.pending) == (0.125, 0.875, 2)


def test_without_a_limit_everything_fits_and_is_counted() -> None:
    """No cap means no reservation, but the money is counted."""
    budget = Budget()
    assert budget.reserve(1e9)
    budget.settle(1e9, Response(cost_usd=2.0))
    assert (budget.spent, budget.reserved) == (2.0, 0.0)


@pytest.mark.parametrize(
    ("response", "spent"),
    [
        (Response(cost_usd=0.25), 0.25),
        (Response(cost_usd=0.0), 0.0),
        (Response(cost_usd=None), 0.5),  # unknown is never free
        (Response(cost_usd=0.25, from_cache=True), 0.0),
        (Response("error"), 0.0),
        (Response("refused", cost_usd=0.25), 0.25),
        (Response("truncated", cost_usd=0.25), 0.25),
    ],
)
def test_settling_counts_what_was_paid(response: Response, spent: float) -> None:
    """Paid is what the call cost, or the reservation where nobody knows; cached and failed calls are free."""
    budget = Budget(limit=1.0)
    budget.reserve(0.5)
    budget.settle(0.5, response)
    assert (budget.spent, budget.reserved, budget.pending) == (spent, 0.0, 0)


@given(st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 1)), max_size=40), st.randoms())
def test_spent_and_reserved_never_pass_the_limit(calls: list[tuple[float, float]], rng: object) -> None:
    """Whatever the order of calls, money spent stays below the limit while calls keep their reservation."""
    budget = Budget(limit=1.0)
    flying: list[tuple[float, float]] = []
    for amount, share in calls:
        if budget.reserve(amount):
            flying.append((amount, amount * share))
        assert budget.spent + budget.reserved <= 1.0 + 1e-9
        if flying and rng.random() < 0.5:  # type: ignore[attr-defined]
            reserved, cost = flying.pop(rng.randrange(len(flying)))  # type: ignore[attr-defined]
            budget.settle(reserved, Response(cost_usd=cost))
    for reserved, cost in flying:
        budget.settle(reserved, Response(cost_usd=cost))
    assert budget.spent <= 1.0 + 1e-9
    assert (budget.reserved, budget.pending) == (0.0, 0)


def test_dearest_grows_with_prompt_and_max_tokens() -> None:
    """A request costs at most its length and all of its max_tokens."""
    request = make_request("x" * 300, params={"max_tokens": 100})
    assert dearest(request, PRICE) == pytest.approx(200 * 1e-6 + 100 * 5e-6)
    longer = make_request(messages=(Message("system", "y" * 300), Message("user", "x" * 300)))
    assert dearest(longer, PRICE) == pytest.approx(400 * 1e-6 + 1024 * 5e-6)


@pytest.mark.parametrize("params", [{}, {"max_tokens": None}])
def test_dearest_assumes_a_long_answer_where_nothing_is_said(params: dict[str, None]) -> None:
    """Without max_tokens the reservation errs on the dear side."""
    assert dearest(make_request("", params=params), PRICE) == pytest.approx(1024 * 5e-6)


def test_likelihoods_cost_the_prompt_for_each_continuation_and_no_output() -> None:
    """A loglikelihood request pays prompt and continuation for each of them, a rolling one for its text."""
    ranked = make_request("x" * 150, kind="loglikelihood", continuations=("a" * 75, "b" * 75))
    rolling = Request("rolling", "mock/fn", text="x" * 450)
    assert dearest(ranked, PRICE) == dearest(rolling, PRICE) == pytest.approx(300 * 1e-6)


def test_unknown_price_gives_no_estimate() -> None:
    """Without a price nobody knows what a request costs."""
    assert dearest(make_request(), None) is None
