"""The split of variance into samples and repeats."""

import numpy as np
import pytest

from evalkit.core.errors import StatsError
from evalkit.stats import repeat_variance


def test_parts_by_hand():
    """Means 0.5 and 1, variances 0.5 and 0: within 0.25, between 0.125 - 0.125 = 0."""
    result = repeat_variance([[0.0, 1.0], [1.0, 1.0]])
    assert (result.within, result.between, result.n) == pytest.approx((0.25, 0.0, 2))


def test_parts_of_a_known_model_are_recovered():
    """Scores drawn with variance 0.04 between samples and p(1-p) within give both back."""
    rng = np.random.default_rng(0)
    p = np.clip(rng.normal(0.5, 0.2, 20_000), 0.01, 0.99)
    result = repeat_variance(rng.random((20_000, 4)) < p[:, None])
    assert result.between == pytest.approx(p.var(), rel=0.05)
    assert result.within == pytest.approx(np.mean(p * (1 - p)), rel=0.02)


def test_observed_variance_is_the_sum_of_the_parts():
    """With K repeats everywhere, the formula at K is the variance of the sample means over n."""
    x = np.random.default_rng(1).random((50, 6)) + np.linspace(0, 1, 50)[:, None]
    assert repeat_variance(x).variance(6) == pytest.approx(x.mean(axis=1).var(ddof=1) / 50)


def test_paired_parts_predict_other_numbers_of_repeats():
    """From 8 repeats, the error of one repeat is predicted within 5 % of its simulated value."""
    rng = np.random.default_rng(2)
    p, q = rng.beta(4, 2, 4000), rng.beta(4, 2, 4000)
    a, b = rng.random((4000, 8)) < p[:, None], rng.random((4000, 8)) < q[:, None]
    predicted = repeat_variance(a, b).variance(1)
    observed = np.mean([(b[:, k] * 1.0 - a[:, k]).var(ddof=1) / 4000 for k in range(8)])
    assert predicted == pytest.approx(observed, rel=0.05)


def test_missing_repeats_are_pooled():
    """A sample with one repeat left counts in the means; the variance within comes from the others."""
    result = repeat_variance([[0.0, 1.0], [1.0, np.nan], [0.0, 0.0]])
    assert result.within == pytest.approx(0.25)
    assert result.n == 3


def test_best_repeats_reach_the_share():
    """K is the smallest number with which the dice make at most a tenth of the variance."""
    result = repeat_variance(np.random.default_rng(3).random((30, 5)) + 3 * np.linspace(0, 1, 30)[:, None])
    k = result.best_repeats(0.01)
    dice = [result.within / m / (result.n * result.variance(m)) for m in (k, k - 1)]
    assert dice[0] <= 0.01 < dice[1]
    assert result.best_repeats(0.9) == 1


def test_a_deterministic_model_needs_one_repeat():
    """Without dice one repeat is best; with nothing but dice, the most allowed."""
    assert repeat_variance([[0.0, 0.0], [1.0, 1.0]]).best_repeats() == 1
    assert repeat_variance([[0.0, 1.0], [0.0, 1.0]]).best_repeats(most=16) == 16


@pytest.mark.parametrize("x", [[[1.0], [0.0]], [[1.0, 0.0]], [1.0, 0.0], [[np.nan, np.nan], [1.0, 0.0]], []])
def test_inseparable_parts_raise(x):
    """One repeat, one sample, no table, and a sample without any score are errors."""
    with pytest.raises(StatsError):
        repeat_variance(x)


def test_unequal_pairs_raise():
    """Both sides need the same samples."""
    with pytest.raises(StatsError, match="same samples"):
        repeat_variance(np.eye(3), np.eye(4))
