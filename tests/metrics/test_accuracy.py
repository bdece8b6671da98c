"""Accuracy of answers and of options."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, Metric

Value = Callable[..., float]
Choice = Callable[..., Case]


def test_generated_answers_are_compared_in_normal_form(value: Value) -> None:
    """An answer is right when it equals any target in the language's normal form."""
    assert value("accuracy", "en", "The Positive.", "positive") == 1.0
    assert value("accuracy", "zh", "「体育」", "财经", "体育") == 1.0
    assert value("accuracy", "en", "negative", "positive") == 0.0


def test_the_chosen_option_is_right_when_it_is_among_the_gold(metric: Callable[..., Metric]) -> None:
    """Several options may be right; no choice is wrong."""
    accuracy = metric("accuracy", kind="choice")
    for chosen, expected in ((0, 0.0), (1, 1.0), (2, 1.0), (None, 0.0)):
        case = Case(None, Response(), choices=("a", "b", "c"), gold=(1, 2), chosen=chosen)
        assert accuracy.score(case) == expected


def test_likelihood_per_length(metric: Callable[..., Metric], choice: Choice) -> None:
    """A long option wins per character, a Chinese one per byte, where the bare sum prefers another."""
    case = choice(1, [-3.0, -4.0], ["no", "certainly"])
    assert metric("accuracy", kind="choice").score(case) == 0.0
    assert metric("accuracy_norm", kind="choice").score(case) == 1.0
    mixed = choice(0, [-6.0, -5.5], ["是的", "yes"])
    assert metric("accuracy_norm", kind="choice").score(mixed) == 0.0
    assert metric("accuracy_bytes", kind="choice").score(mixed) == 1.0


def test_ties_go_to_the_first_option(metric: Callable[..., Metric], choice: Choice) -> None:
    """Equal likelihoods choose as numpy's argmax does, which is what lm-eval does."""
    assert metric("accuracy_norm", kind="choice").score(choice(0, [-2.0, -2.0], ["ab", "cd"])) == 1.0
    assert metric("accuracy_norm", kind="choice").score(choice(1, [-2.0, -2.0], ["ab", "cd"])) == 0.0


def test_without_likelihoods_there_is_no_score(metric: Callable[..., Metric]) -> None:
    """A model that was asked for the letter has no accuracy_norm; it is unknown, not 0."""
    case = Case("a", Response(text="A"), choices=("a", "b"), gold=(0,), chosen=0)
    assert metric("accuracy_norm", kind="choice").score(case) is None
    assert metric("accuracy", kind="choice").score(case) == 1.0


def test_wrong_use(metric: Callable[..., Metric], choice: Choice) -> None:
    """Missing gold, empty options and the wrong kind of task are named."""
    with pytest.raises(MetricError, match="in `gold`"):
        metric("accuracy", kind="choice").score(Case("a", Response(), choices=("a",)))
    with pytest.raises(MetricError, match="one is empty"):
        metric("accuracy_norm", kind="choice").score(choice(0, [-1.0, -1.0], ["", "b"]))
    with pytest.raises(MetricError, match="is for tasks of kind choice, and this one is of kind 'generate'"):
        metric("accuracy_norm")
