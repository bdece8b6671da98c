"""Brier score, calibration error, AUROC and selective accuracy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.core.records import MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sklearn.metrics import roc_auc_score

Choice = Callable[..., Case]
judged = st.lists(
    st.tuples(st.sampled_from([0.3, 0.51, 0.52, 0.83, 0.99]), st.booleans()), min_size=2, max_size=20
)


def value_of(metric: Metric, results: list[tuple[float, bool]]) -> MetricValue:
    """The value over (confidence, right) pairs."""
    stats = [(confidence, float(right)) for confidence, right in results]
    return summarise(metric, [None] * len(stats), stats, sample_ids=[str(i) for i in range(len(stats))])


def build(spec: object) -> Metric:
    """The metric of a choice task."""
    (metric,) = build_metrics([spec], language="en", kind="choice")  # type: ignore[list-item]
    return metric


def test_brier(choice: Choice) -> None:
    """The squared distance from the truth, as numpy gives it, and its extremes."""
    logprobs = [-1.0, -2.0, -4.0]
    p = np.exp(logprobs) / np.exp(logprobs).sum()
    expected = float(((p - np.array([0, 1, 0])) ** 2).sum())
    assert build("brier").score(choice(1, logprobs, "abc")) == pytest.approx(expected)
    assert build("brier").score(choice(0, [0.0, -1e4], "ab")) == pytest.approx(0.0)
    assert build("brier").score(choice(1, [0.0, -1e4], "ab")) == pytest.approx(2.0)
    assert build("brier").score(choice(1, [-math.inf, -math.inf], "ab")) == pytest.approx(0.5)


def test_probabilities_by_length(choice: Choice) -> None:
    """Likelihoods may be divided by the options' lengths first."""
    case = choice(1, [-3.0, -4.0], ["no", "certainly"])
    assert build({"name": "ece", "by": "characters"}).stats(case)[1] == 1.0
    assert build("ece").stats(case)[1] == 0.0


@given(judged)
def test_calibration_error_is_guos(results: list[tuple[float, bool]]) -> None:
    """The sum over bins of share times |accuracy - confidence|, written out."""
    confidence = np.array([c for c, _ in results])
    right = np.array([r for _, r in results], dtype=float)
    expected = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert value_of(build("ece"), results).value == pytest.approx(expected)


@given(judged)
@settings(max_examples=25)
def test_auroc_is_scikit_learns(results: list[tuple[float, bool]]) -> None:
    """The area equals scikit-learn's, with ties; it is unknown when all are right or all wrong."""
    metric = build("auroc")
    found = value_of(metric, results)
    right = [r for _, r in results]
    if len(set(right)) < 2:
        assert found.value is None
        return
    confidence = [c for c, _ in results]
    assert found.value == pytest.approx(roc_auc_score(right, confidence))
    rows = metric.rows(np.array([(c, float(r)) for c, r in results]))
    for i in range(len(results)):
        rest = [r for j, r in enumerate(right) if j != i]
        if len(set(rest)) == 2:
            expected = roc_auc_score(rest, [c for j, c in enumerate(confidence) if j != i])
            assert metric.aggregate(rows.sum(0) - rows[i]) == pytest.approx(expected)


def test_selective_accuracy() -> None:
    """Accuracy on the most confident share; ties at its end are taken too."""
    results = [(0.9, True), (0.8, True), (0.7, False), (0.7, True), *[(0.4, False)] * 6]
    for coverage, expected in ((0.1, 1.0), (0.2, 1.0), (0.3, 3 / 4), (1.0, 3 / 10)):
        metric = build({"name": "selective_accuracy", "coverage": coverage})
        assert value_of(metric, results).value == pytest.approx(expected)
    assert build("selective_accuracy").signature == "selective_accuracy|by:sum|coverage:0.1|v:1"


def test_without_likelihoods_nothing_is_known() -> None:
    """A model that only names a letter has no confidence."""
    case = Case("a", Response(text="A"), choices=("a", "b"), gold=(0,), chosen=0)
    for name in ("brier", "ece", "auroc", "selective_accuracy"):
        assert build(name).score(case) is None
        assert build(name).stats(case) == ()


def test_wrong_settings(choice: Choice) -> None:
    """Settings outside their range are named."""
    for spec, message in (
        ({"name": "ece", "bins": 0}, "bins lies between"),
        ({"name": "selective_accuracy", "coverage": 2}, "coverage is a share"),
        ({"name": "brier", "by": "tokens"}, "by must be one of"),
    ):
        with pytest.raises(MetricError, match=message):
            build(spec)
    with pytest.raises(MetricError, match="`gold`"):
        build("brier").score(Case(None, Response(), choices=("a", "b")))
