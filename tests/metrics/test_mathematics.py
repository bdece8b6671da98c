"""Equality of mathematical answers."""

from __future__ import annotations

import importlib.util
import time

import pytest

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics.base import Case, Context
from evalkit.metrics.mathematics import REFERENCES, MathEqual, hendrycks, minerva, qwen

needs_math = pytest.mark.skipif(not importlib.util.find_spec("math_verify"), reason="needs the extra [math]")

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


@needs_math
def test_forms_of_one_value_are_equal_and_others_are_not(metric: MathEqual) -> None:
    """As math-verify's own table has them."""
    for left, right in EQUAL:
        assert score(metric, left, right) == score(metric, right, left) == 1.0, (left, right)
    for left, right in UNEQUAL:
        assert score(metric, left, right) == score(metric, right, left) == 0.0, (left, right)
    assert score(metric, None, "5") == 0.0


@needs_math
def test_an_expression_without_end_is_wrong_and_the_next_is_judged(metric: MathEqual) -> None:
    """The process is killed and another takes its place."""
    quick = MathEqual(Context(), timeout_s=1.0)
    assert score(quick, "2.0", "2") == 1.0
    start = time.monotonic()
    assert score(quick, "9^{9^{9^9}}", "5") == 0.0
    assert time.monotonic() - start < 60
    assert score(quick, "0.5", r"\frac12") == 1.0


# Which reference calls them equal: is_equiv (hendrycks/math 985bdc1), minerva's normal form (lm_eval 0.4.8),
# math-verify 0.9.0, math_equal of Qwen2.5-Math after its strip_string; each was run.
TABLE = [
    (r"\frac{1}{2}", r"\dfrac{1}{2}", "+-++"), (r"\frac{1}{2}", "1/2", "+-++"),
    (r"\frac{1}{2}", "0.5", "+-++"), (r"\frac{1}{4}", "0.25", "--++"), ("5", "x=5", "++++"),
    (r"10\text{ cm}", r"10\text{ m}", "++++"), (r"50\%", "50", "+-++"), ("0.5", r"50\%", "--++"),
    ("2.50", "2.5", "--++"), ("5", "5.0", "--++"), (r"-\frac{1}{2}", r"\frac{-1}{2}", "--++"),
    (r"\left(1,2\right)", "(1,2)", "+-++"), ("1,2", "2,1", "--+-"), (r"\{1,2\}", r"\{2,1\}", "--++"),
    (r"3 \text{ and } 5", "3,5", "-+++"), ("[1,2)", "(1,2]", "---+"), ("1{,}234", "1,234", "-+++"),
    ("1011_2", "1011", "--+-"), (r"\text{Evelyn}", "Evelyn", "-+++"),
    (r"\frac{1}{2}", r"\frac{1}{3}", "----"), ("x+1", "x-1", "----"),
    (r"0.\overline{3}", r"\frac{1}{3}", "----"),
]  # fmt: skip


@pytest.mark.parametrize("place", range(4))
def test_each_reference_judges_as_it_does(
    place: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure of MATH hangs on its reference: on these forms no two of the four agree."""
    reference = ("is_equiv", "minerva", "math-verify", "qwen")[place]
    if place > 1 and not importlib.util.find_spec("math_verify"):
        pytest.skip("needs the extra [math]")
    metric = MathEqual(Context(), reference=reference, timeout_s=8.0)
    if place > 1:  # sympy is imported once
        monkeypatch.setattr(metric, "_ask", request.getfixturevalue("metric")._ask)
    found = {(gold, answer): score(metric, answer, gold) for gold, answer, _ in TABLE}
    assert found == {(gold, answer): float(marks[place] == "+") for gold, answer, marks in TABLE}
    assert reference in metric.signature


def test_references_of_text_need_nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the two that compare texts work, and the others say what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert set(REFERENCES) == {"math-verify", "is_equiv", "minerva", "qwen"}
    assert score(MathEqual(Context(), reference="is_equiv"), "1/2", r"\frac12") == 1.0
    assert score(MathEqual(Context(), reference="minerva"), "1,000 dollars", "1000") == 1.0
    for reference in ("math-verify", "qwen"):
        with pytest.raises(MetricError, match="pip install math-verify"):
            MathEqual(Context(), reference=reference)


@needs_math
def test_strict_tells_units_and_percent_apart(metric: MathEqual, monkeypatch: pytest.MonkeyPatch) -> None:
    """A percentage is a hundredth, and units that both sides name are the same; one alone may be left out."""
    strict = MathEqual(Context(), strict=True, timeout_s=8.0)
    monkeypatch.setattr(strict, "_ask", metric._ask)
    equal = [
        (r"50\%", "0.5"), ("0.5", r"50\%"), (r"50\%", "50%"), (r"10\text{ cm}", "10"),
        (r"10\text{ cm}", r"10\mathrm{cm}"), (r"10\text{ meters}", r"10\text{ meter}"),
    ]  # fmt: skip
    for gold, answer in equal:
        assert score(strict, answer, gold) == 1.0, (gold, answer)
    for gold, answer in [(r"50\%", "50"), ("50", r"50\%"), (r"10\text{ cm}", r"10\text{ m}"),
                         (r"4\text{ cm}^2", r"4\text{ cm}^3")]:  # fmt: skip
        assert score(strict, answer, gold) == 0.0, (gold, answer)
    assert "strict:yes" in strict.signature
    with pytest.raises(MetricError, match="goes with `reference: math-verify`"):
        MathEqual(Context(), strict=True, reference="is_equiv")


@pytest.mark.parametrize(
    "text", ["\\frac", "\\sqrt", "\\frac1", "a\\text{ b\\text{ c", "=", "", "(", "$", "[,]", "nan", "%"]
)
def test_broken_latex_is_compared_as_it_stands(text: str) -> None:
    """No text makes a reference fail, and each equals itself."""
    for name in (hendrycks.is_equiv, minerva.is_equiv):
        assert name(text, text)
        assert not name(text, "17")
    assert qwen.is_equiv(text, text, lambda right, left: False)
    assert not qwen.is_equiv(text, "17", lambda right, left: False)
