"""Equality of mathematical answers."""

from __future__ import annotations

import time

import pytest

from evalkit.metrics.base import Case, Context
from evalkit.metrics.mathematics import MathEqual
from evalkit.records import Response

pytest.importorskip("math_verify")

# math-verify 0.9.0, both directions.
EQUAL = [
    (r"\frac{1}{2}", r"\frac12"), (r"\frac{1}{2}", "0.5"), (r"\sqrt{12}", r"2\sqrt{3}"),
    ("(x+1)^2", "x^2+2x+1"),
    ("5", "x=5"), (r"\{1,2\}", "2,1"), (r"2\frac{1}{2}", "2.5"), ("4500", r"4.5\times10^3"),
]  # fmt: skip
UNEQUAL = [
    (r"-\frac{1}{2}", r"\frac{1}{2}"), ("x+1", "x-1"), ("[1,2)", "(1,2]"), ("(1,2)", "(2,1)"), (r"2\pi", "2"),
]  # fmt: skip


@pytest.fixture(scope="module")
def metric() -> MathEqual:
    return MathEqual(Context(), timeout_s=8.0)


def score(metric: MathEqual, answer: str | None, target: str) -> float:
    return metric.score(Case(answer, Response(text=answer or ""), (target,)))


def test_forms_of_one_value_are_equal_and_others_are_not(metric: MathEqual) -> None:
    """As math-verify's own table has them."""
    for left, right in EQUAL:
        assert score(metric, left, right) == score(metric, right, left) == 1.0, (left, right)
    for left, right in UNEQUAL:
        assert score(metric, left, right) == score(metric, right, left) == 0.0, (left, right)
    assert score(metric, None, "5") == 0.0


def test_an_expression_without_end_is_wrong_and_the_next_is_judged(metric: MathEqual) -> None:
    """The process is killed and another takes its place."""
    quick = MathEqual(Context(), timeout_s=1.0)
    assert score(quick, "2.0", "2") == 1.0
    start = time.monotonic()
    assert score(quick, "9^{9^{9^9}}", "5") == 0.0
    assert time.monotonic() - start < 60
    assert score(quick, "0.5", r"\frac12") == 1.0
