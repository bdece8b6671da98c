"""Means over tasks of which only means, errors and sizes are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import StatsError
from evalkit.stats import Stratum, Summary, pool_centred, pool_summaries


def scores(right, n):
    """0/1 scores."""
    return np.r_[np.ones(right), np.zeros(n - right)]


def summary(x, weight=1.0):
    """What is known of a task's scores."""
    return Summary(float(x.mean()), float(x.std(ddof=1)) / len(x) ** 0.5, float(len(x)), weight)


tasks = st.lists(
    st.integers(2, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1, max_size=5
)


@settings(deadline=None, max_examples=40)
@given(tasks)
def test_of_zero_one_scores_nothing_is_lost(made):
    """Means and errors of 0/1 scores tell the scores: the interval is that of the samples."""
    parts = [scores(right, n) for right, n in made]
    whole = pool_centred([Stratum(x, x, None, 0.0, 1.0) for x in parts]).interval(0.025)
    assert pool_summaries([summary(x) for x in parts]).interval(0.025) == pytest.approx(whole, abs=1e-9)


def test_at_the_ceiling_there_is_a_width():
    """Three tasks all right: the interval is that of one sample more at the worst."""
    low, high = pool_summaries([summary(scores(20, 20))] * 3).interval(0.025)
    assert high == pytest.approx(1.0)
    assert 0.9 < low < 0.97


def test_graded_scores_keep_their_error():
    """Of graded scores the interval is about as wide as the samples' own."""
    rng = np.random.default_rng(1)
    parts = [rng.beta(8, 4, 100) for _ in range(3)]
    whole = pool_centred([Stratum(x, x, None, 0.0, 1.0) for x in parts]).interval(0.025)
    assert pool_summaries([summary(x) for x in parts]).interval(0.025) == pytest.approx(whole, abs=0.005)


def test_one_sample_has_no_mean_over_tasks():
    """A task of one sample tells no error."""
    with pytest.raises(StatsError):
        pool_summaries([Summary(1.0, 0.0, 1.0, 1.0)])


def test_coverage_of_group_rows_at_the_ceiling():
    """Means of five tasks of 20 at a true .98 are covered in 93 % or more; by Student's t in .89."""
    rng = np.random.default_rng(2)
    draws, inside = 400, 0
    for _ in range(draws):
        parts = [summary((rng.random(20) < 0.98).astype(float)) for _ in range(5)]
        low, high = pool_summaries(parts).interval(0.025)
        inside += low <= 0.98 <= high
    assert inside / draws >= 0.93
