"""Means, their standard errors, and Student's intervals."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import sem
from scipy.stats import t as student

from evalkit.core.errors import StatsError
from evalkit.stats import gaffke_interval, macro_interval, mean_interval, mean_stderr, t_interval

values = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40).map(np.array)


@settings(deadline=None, max_examples=50)
@given(values)
def test_stderr_is_scipys(x):
    """Without clusters the standard error is scipy.stats.sem."""
    assert mean_stderr(x) == pytest.approx((x.mean(), sem(x)), rel=1e-9, abs=1e-9)


def test_clustered_stderr_is_statsmodels_cr1():
    """With clusters it is the cluster-robust error of a regression on a constant."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 12, 80)
    x = rng.normal(size=80) + rng.normal(size=12)[labels]
    fit = sm.OLS(x, np.ones(80)).fit(cov_type="cluster", cov_kwds={"groups": labels})
    assert mean_stderr(x, labels)[1] == pytest.approx(fit.bse[0], rel=1e-10)


@settings(deadline=None, max_examples=30)
@given(values)
def test_clusters_of_one_give_the_plain_error(x):
    """CR1 with every sample its own cluster is sd / sqrt(n)."""
    assert mean_stderr(x, range(len(x))) == pytest.approx(mean_stderr(x), rel=1e-9, abs=1e-9)


def test_two_clusters_have_an_error():
    """From the second unit on there is an error: of two clusters, half of the difference of their means."""
    assert mean_stderr([0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"]) == (0.5, pytest.approx(0.5))
    assert mean_stderr([0.0, 1.0]) == (0.5, pytest.approx(0.5))


def test_error_of_one_unit_is_unknown():
    """One sample, or one cluster, has a mean; its error is None, not 0."""
    assert mean_stderr([0.7]) == (0.7, None)
    assert mean_stderr([0.0, 1.0], ["a", "a"]) == (0.5, None)
    assert mean_interval([0.7]).lo is None
    assert t_interval([0.7]).hi is None


def test_mean_of_nothing_raises():
    """No samples have no mean."""
    with pytest.raises(StatsError, match="empty"):
        mean_stderr([])


def test_mean_interval_is_gaffkes():
    """The interval of a bounded mean is Gaffke's, beside the mean and its error."""
    x = [0.0, 1.0, 1.0, 0.5, 1.0]
    result = mean_interval(x, 0.9)
    assert (result.lo, result.hi) == gaffke_interval(x, 0.9)
    assert (result.value, result.stderr, result.n_units) == (*mean_stderr(x), 5)


@settings(deadline=None, max_examples=30)
@given(values)
def test_t_interval_is_scipys(x):
    """mean +- t_{n-1} stderr equals scipy.stats.t.interval."""
    if x.std() == 0:
        return
    result = t_interval(x, 0.9)
    expected = student.interval(0.9, len(x) - 1, loc=x.mean(), scale=sem(x))
    assert (result.lo, result.hi) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_log_scale_gives_the_geometric_mean():
    """On the log scale value and interval are exp of those of the logarithms."""
    x = np.array([0.5, 1.0, 2.0, 8.0])
    plain, result = t_interval(np.log(x)), t_interval(x, log_scale=True)
    assert (result.value, result.lo, result.hi) == pytest.approx(np.exp([plain.value, plain.lo, plain.hi]))
    with pytest.raises(StatsError, match="positive"):
        t_interval([0.0, 1.0], log_scale=True)


def test_macro_average_of_two_tasks_is_welchs_interval():
    """With weights 1/2, 1/2 the degrees of freedom are those of Welch's test; checked against scipy's."""
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), 3 * rng.normal(size=25)
    (mean_x, error_x), (mean_y, error_y) = mean_stderr(x), mean_stderr(y)
    result = macro_interval([mean_x, -mean_y], [error_x, error_y], [60, 25])
    welch = ttest_ind(x, y, equal_var=False).confidence_interval(0.95)
    assert (2 * result.lo, 2 * result.hi) == pytest.approx((welch.low, welch.high))


def test_macro_average_weighs_tasks():
    """Weights are shares of their sum."""
    assert macro_interval([0.2, 0.8], [0.1, 0.1], [50, 50], [3, 1]).value == pytest.approx(0.35)


def test_macro_average_without_spread_is_a_point():
    """Tasks without any error give an interval of no width."""
    result = macro_interval([1.0, 0.0], [0.0, 0.0], [50, 50])
    assert (result.lo, result.hi) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("stderrs", "n", "weights"),
    [([0.1], [50, 50], None), ([0.1, 0.1], [50, 1], None), ([0.1, 0.1], [9, 9], [0, 0])],
)
def test_macro_average_of_unfit_tasks_raises(stderrs, n, weights):
    """Tasks that do not line up, have one unit, or weigh nothing are errors."""
    with pytest.raises(StatsError):
        macro_interval([0.5, 0.5], stderrs, n, weights)
