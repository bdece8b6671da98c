"""From scores and statistics to one number with its interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, FunctionMetric, Metric, summarise
from evalkit.metrics.base import Array


class Ratio(Metric):
    """A corpus metric for tests: the sum of the first statistic over that of the second."""

    name = "ratio"
    signature = "ratio|v:1"
    aggregation = "corpus"

    def aggregate(self, sums: Array) -> Array:
        """Their ratio."""
        value: Array = sums[..., 0] / sums[..., 1]
        return value


def ids(n: int) -> list[str]:
    """Names for n samples."""
    return [f"s{i}" for i in range(n)]


def test_mean_of_right_and_wrong_is_clopper_pearson(metric: Callable[..., Metric]) -> None:
    """The interval of an accuracy is the exact one."""
    found = summarise(metric("accuracy"), [1.0] * 17 + [0.0] * 3, [()] * 20, sample_ids=ids(20))
    exact = binomtest(17, 20).proportion_ci(0.95, "exact")
    assert found.value == pytest.approx(0.85)
    assert found.interval == pytest.approx((exact.low, exact.high), abs=1e-6)
    assert found.interval_method == "gaffke"
    assert found.n == 20
    assert found.signature == "accuracy|norm:squad+marks|v:2"


def test_unscored_results_leave_the_mean_and_the_count(metric: Callable[..., Metric]) -> None:
    """None is not 0."""
    found = summarise(metric("accuracy"), [1.0, None, 1.0], [()] * 3, sample_ids=ids(3))
    assert found.value == 1.0
    assert found.n == 2


def test_nothing_scored_has_no_value(metric: Callable[..., Metric]) -> None:
    """Where nothing was scored there is no value, and n is 0."""
    for name in ("accuracy", "bleu"):
        found = summarise(metric(name), [None, None], [(), ()], sample_ids=ids(2))
        assert (found.value, found.stderr, found.interval, found.interval_method, found.n) == (None,) * 4 + (
            0,
        )
        assert summarise(metric(name), [], [], sample_ids=[]).value is None


def test_one_unit_has_no_interval(metric: Callable[..., Metric]) -> None:
    """One sample, or samples of one cluster, have a value and nothing else."""
    one = summarise(metric("accuracy"), [1.0], [()], sample_ids=ids(1))
    assert (one.value, one.stderr, one.interval, one.interval_method) == (1.0, None, None, None)
    clustered = summarise(metric("accuracy"), [1.0, 0.0], [()] * 2, sample_ids=ids(2), clusters=["p", "p"])
    assert (clustered.value, clustered.interval, clustered.n) == (0.5, None, 2)
    corpus = summarise(Ratio(), [None], [(1.0, 2.0)], sample_ids=ids(1))
    assert (corpus.value, corpus.stderr, corpus.interval, corpus.interval_method) == (0.5, None, None, None)


def test_repeats_are_averaged_inside_a_sample(metric: Callable[..., Metric]) -> None:
    """A sample that was asked more often weighs no more, and repeats are no samples."""
    scores: list[float | None] = [1.0, 0.0, 0.0, 0.0, 1.0]
    found = summarise(metric("accuracy"), scores, [()] * 5, sample_ids=["a", "b", "b", "b", "a"])
    assert found.value == 0.5
    assert found.n == 2


def test_repeats_are_added_inside_a_sample() -> None:
    """For a corpus metric repeats add their statistics, and the interval leaves out whole samples."""
    stats = [(1.0, 2.0), (1.0, 1.0), (3.0, 4.0), (0.0, 1.0)]
    found = summarise(Ratio(), [None] * 4, stats, sample_ids=["a", "b", "a", "c"])
    merged = summarise(Ratio(), [None] * 3, [(4.0, 6.0), (1.0, 1.0), (0.0, 1.0)], sample_ids=["a", "b", "c"])
    assert found == merged
    assert found.n == 3
    assert found.interval_method == "jackknife-t"


def test_clusters_widen_the_interval(metric: Callable[..., Metric]) -> None:
    """Ten samples of five passages tell less than ten samples of ten."""
    scores: list[float | None] = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    alone = summarise(metric("accuracy"), scores, [()] * 10, sample_ids=ids(10))
    passages = [f"p{i // 2}" for i in range(10)]
    together = summarise(metric("accuracy"), scores, [()] * 10, sample_ids=ids(10), clusters=passages)
    assert alone.value == together.value
    assert alone.n == together.n == 10
    assert alone.interval is not None
    assert together.interval is not None
    assert together.interval[0] < alone.interval[0]
    assert together.interval[1] > alone.interval[1]
    nobody = summarise(metric("accuracy"), scores, [()] * 10, sample_ids=ids(10), clusters=[None] * 10)
    assert nobody == alone


def test_corpus_clusters_are_left_out_whole() -> None:
    """The jackknife of a clustered corpus leaves out one cluster at a time."""
    rng = np.random.default_rng(1)
    stats = [(float(a), 1.0) for a in rng.integers(0, 2, 20)]
    passages = [f"p{i // 4}" for i in range(20)]
    found = summarise(Ratio(), [None] * 20, stats, sample_ids=ids(20), clusters=passages)
    sums = np.array(stats).reshape(5, 4, 2).sum(1)
    each = [(sums.sum(0) - s)[0] / (sums.sum(0) - s)[1] for s in sums]
    assert found.stderr == pytest.approx(np.sqrt(4 / 5 * np.sum((each - np.mean(each)) ** 2)))


def test_intervals_stay_inside_the_range_of_the_metric() -> None:
    """A value of 0.9 from three samples has no upper end above 1."""
    found = summarise(Ratio(), [None] * 3, [(1.0, 1.0), (1.0, 1.0), (0.0, 1.0)], sample_ids=ids(3))
    assert found.interval is not None
    assert found.interval[0] == 0.0
    assert found.interval[1] == 1.0


def test_unbounded_means_have_students_interval() -> None:
    """A metric without range gets mean and t."""
    metric = FunctionMetric("length", lambda case: len(case.answer or ""), scale="unbounded")
    found = summarise(metric, [3.0, 5.0, 10.0], [()] * 3, sample_ids=ids(3))
    assert found.interval_method == "t"
    assert found.interval is not None
    assert found.value == pytest.approx(6.0)
    assert sum(found.interval) / 2 == pytest.approx(6.0)


def test_lengths_must_agree(metric: Callable[..., Metric]) -> None:
    """Lists of different lengths are refused."""
    with pytest.raises(MetricError, match="differ in length"):
        summarise(metric("accuracy"), [1.0], [(), ()], sample_ids=ids(2))


def test_functions_are_held_to_their_range() -> None:
    """A user's function returns a number within its bounds, or None."""
    case = Case("x", Response())
    assert FunctionMetric("m", lambda c: True).score(case) == 1.0
    assert FunctionMetric("m", lambda c: None).score(case) is None
    with pytest.raises(MetricError, match=r"outside 0\.\.1"):
        FunctionMetric("m", lambda c: 7).score(case)
    with pytest.raises(MetricError, match="returned str"):
        FunctionMetric("m", lambda c: "good").score(case)  # type: ignore[arg-type, return-value]
