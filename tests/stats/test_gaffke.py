"""Gaffke's test and interval: equal to the exact binomial methods, valid where those do not exist."""

from __future__ import annotations

import time
import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar as mcnemar_oracle

from evalkit.core.errors import StatsError
from evalkit.stats import gaffke_interval, gaffke_p_greater, gaffke_p_less, mean_stderr
from evalkit.stats.gaffke import _tail, saddlepoint_tail

scores = st.lists(st.floats(0.0, 1.0, width=32), min_size=2, max_size=30).map(np.array)


def zeros_and_ones(n: int, k: int) -> np.ndarray:
    """n scores of which k are 1."""
    return np.r_[np.ones(k), np.zeros(n - k)]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("n", "k"), [(2, 0), (2, 1), (10, 10), (20, 7), (100, 99), (1000, 990), (1000, 0)])
def test_zero_one_scores_give_clopper_pearson(n, k, confidence):
    """On 0/1 scores the interval is scipy's binomtest(...).proportion_ci(method="exact")."""
    exact = binomtest(k, n).proportion_ci(confidence, method="exact")
    assert gaffke_interval(zeros_and_ones(n, k), confidence) == pytest.approx(
        (exact.low, exact.high), abs=1e-10
    )


@pytest.mark.parametrize(
    ("n", "expected"), [(20, 0.959), (50, 0.967), (100, 0.956), (300, 0.957), (1000, 0.952)]
)
def test_exact_coverage_of_table_d(n, expected):
    """The smallest exact coverage over ten accuracies is that of table D of statistics.md."""
    bounds = np.array([gaffke_interval(zeros_and_ones(n, k)) for k in range(n + 1)])
    rates = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.02, 0.005)
    covered = [
        binom.pmf(np.arange(n + 1), n, p)[(bounds[:, 0] <= p) & (p <= bounds[:, 1])].sum() for p in rates
    ]
    assert min(covered) == pytest.approx(expected, abs=0.0006)


@pytest.mark.parametrize(
    ("worse", "better", "same"), [(5, 1, 14), (9, 3, 100), (0, 4, 10), (7, 7, 0), (40, 20, 300)]
)
def test_paired_zero_one_scores_give_the_exact_mcnemar_test(worse, better, same):
    """At margin 0 the smaller p-value is half the two-sided exact McNemar p-value of statsmodels."""
    d = np.r_[-np.ones(worse), np.ones(better), np.zeros(same)]
    table = [[same, worse], [better, 0]]
    two_sided = mcnemar_oracle(table, exact=True).pvalue
    smaller = min(gaffke_p_less(d, -1, 1), gaffke_p_greater(d, -1, 1))
    assert min(1.0, 2 * smaller) == pytest.approx(two_sided, rel=1e-12)


@pytest.mark.parametrize("margin", [0.01, 0.03, 0.08])
def test_exact_size_at_the_margin_stays_below_alpha(margin):
    """Enumerated: with paired 0/1 scores and a drop at the margin, no verdict errs more often than alpha."""
    n = 15
    cells = [(b, c) for b in range(n + 1) for c in range(n + 1 - b)]
    p = []
    for worse, better in cells:
        e = np.r_[-np.ones(worse), np.ones(better), np.zeros(n - worse - better)] + margin
        p.append((gaffke_p_less(e, margin - 1, margin + 1), gaffke_p_greater(e, margin - 1, margin + 1)))
    p_values = np.array(p)
    for discordance in (margin, 0.1, 0.3, 0.7):
        if discordance < margin:
            continue
        worse, better = (discordance + margin) / 2, (discordance - margin) / 2
        counts = [[b, c, n - b - c] for b, c in cells]
        chance = multinomial.pmf(counts, n, [worse, better, 1 - worse - better])
        for alpha in (0.01, 0.05):
            assert (chance @ (p_values <= alpha) <= alpha).all()


@pytest.mark.parametrize("n", [2, 3, 8, 30])
def test_distribution_agrees_with_drawing(n):
    """The computed distribution equals 400,000 draws of it within four standard errors."""
    rng = np.random.default_rng(n)
    a = np.append(rng.uniform(-1, 1, n) + 0.3 / n**0.5, 1.0)
    drawn = np.mean(rng.exponential(size=(400_000, n + 1)) @ a >= 0)
    assert _tail(a, np.ones(n + 1)) == pytest.approx(drawn, abs=4 * 0.5 / 400_000**0.5)


def inverted(a: np.ndarray) -> float:
    """P(sum a_j Exp(1) >= 0) by a trapezoid rule with 16,000 points, after Gil-Pelaez."""
    s = 0.3 / a.max()
    u = np.linspace(0, 40, 16_001)
    z = s + 1j * s * np.sinh(u)
    f = (np.exp(-sum(np.log(1 - z * x) for x in a)) / z).real * s * np.cosh(u)
    return float((f.sum() - f[0] / 2) * 0.0025 / np.pi)


@pytest.mark.parametrize(
    ("n_large", "n_small", "scale"), [(2, 0, 1), (1, 60, 1e-5), (3, 300, 1e-3), (40, 0, 1)]
)
def test_distribution_is_right_where_few_samples_carry_the_evidence(n_large, n_small, scale):
    """Agrees to ten digits with a plain numerical inversion, also where a large-sample formula does not."""
    rng = np.random.default_rng(7)
    large, small = rng.uniform(-1, 0.8, n_large), rng.normal(-0.2 * scale, scale, n_small)
    a = np.concatenate([large, small, [1.0]])
    assert _tail(a, np.ones(len(a))) == pytest.approx(inverted(a), abs=1e-10)


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.05, 0.08])
def test_formula_for_many_samples_agrees_with_the_integral(shift):
    """On 800 samples of like weight the saddlepoint formula is right to 1e-5."""
    a = np.append(np.random.default_rng(7).uniform(-1, 1, 800) + shift, 1.0)
    assert float(saddlepoint_tail(a, np.ones(801))) == pytest.approx(inverted(a), abs=1e-5, rel=1e-3)


def test_two_values_are_a_beta_distribution():
    """The closed form of two values is the limit of the integral for three."""
    from scipy.special import betainc

    closed = _tail(np.array([0.3, -0.7]), np.array([4.0, 2.0]))
    assert closed == pytest.approx(betainc(2.0, 4.0, 0.3), abs=1e-14)
    assert _tail(np.array([0.3, 0.3 + 1e-13, -0.7]), np.array([3.0, 1.0, 2.0])) == pytest.approx(
        closed, abs=1e-10
    )


@settings(deadline=None, max_examples=40)
@given(scores, st.sampled_from([0.5, 0.8, 0.95]))
def test_interval_contains_the_mean_and_lies_in_the_range(x, confidence):
    """lo <= lower <= mean <= upper <= hi."""
    lower, upper = gaffke_interval(x, confidence)
    assert 0.0 <= lower <= x.mean() + 1e-9
    assert x.mean() - 1e-9 <= upper <= 1.0


@settings(deadline=None, max_examples=25)
@given(scores)
def test_more_confidence_never_narrows(x):
    """The 99 % interval contains the 90 % interval."""
    narrow, wide = gaffke_interval(x, 0.9), gaffke_interval(x, 0.99)
    assert wide[0] <= narrow[0] + 1e-9
    assert narrow[1] <= wide[1] + 1e-9


@settings(deadline=None, max_examples=25)
@given(scores)
def test_mirrored_scores_give_the_mirrored_interval(x):
    """The interval of 1 - x is 1 minus that of x."""
    lower, upper = gaffke_interval(x)
    assert gaffke_interval(1.0 - x) == pytest.approx((1.0 - upper, 1.0 - lower), abs=1e-7)


@settings(deadline=None, max_examples=25)
@given(scores, st.floats(0.5, 5.0), st.floats(-3.0, 3.0))
def test_interval_moves_with_scale_and_origin(x, scale, origin):
    """Scores on another declared range give the same interval on that range."""
    expected = origin + scale * np.array(gaffke_interval(x))
    y = np.clip(origin + scale * x, origin, origin + scale)
    assert gaffke_interval(y, lo=origin, hi=origin + scale) == pytest.approx(expected, abs=1e-6 * scale)


@settings(deadline=None, max_examples=25)
@given(scores, st.randoms(use_true_random=False))
def test_order_of_the_samples_is_irrelevant(x, random):
    """A permutation changes nothing."""
    y = list(x)
    random.shuffle(y)
    assert gaffke_interval(y) == pytest.approx(gaffke_interval(x), abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(scores)
def test_clusters_of_one_are_no_clusters(x):
    """Labelling every sample differently changes nothing."""
    labels = [f"passage {i}" for i in range(len(x))]
    assert gaffke_interval(x, clusters=labels) == gaffke_interval(x)


def test_clusters_of_equal_samples_count_as_single_samples():
    """Writing each sample three times in one cluster leaves the interval as it was."""
    x = np.random.default_rng(1).beta(2, 2, 25)
    labels = np.repeat(np.arange(25), 3)
    assert gaffke_interval(np.repeat(x, 3), clusters=labels) == pytest.approx(gaffke_interval(x), abs=1e-9)


def test_interval_of_clusters_of_unequal_size_contains_the_sample_mean():
    """With weights the interval is about the mean over samples, not the mean of cluster means."""
    x = np.r_[np.ones(90), np.zeros(20)]
    labels = np.r_[np.arange(90) // 10, 100 + np.arange(20)]
    lower, upper = gaffke_interval(x, clusters=labels)
    assert lower < x.mean() < upper


def test_a_sample_without_a_label_is_its_own_cluster():
    """None as a label does not join samples."""
    x = np.linspace(0.1, 0.8, 12)
    assert gaffke_interval(x, clusters=[None] * 12) == gaffke_interval(x)


def test_many_graded_samples_give_the_t_interval():
    """At n = 20,000 the interval is mean +- 1.96 stderr to a hundredth of its width."""
    x = np.random.default_rng(5).beta(3, 2, 20_000)
    mean, stderr = mean_stderr(x)
    lower, upper = gaffke_interval(x)
    assert lower == pytest.approx(mean - 1.96 * stderr, abs=0.03 * stderr + 1 / 20_000)
    assert upper == pytest.approx(mean + 1.96 * stderr, abs=0.03 * stderr + 1 / 20_000)


def test_one_unit_is_exact():
    """One value 1/2 against the end -1: P(G_0 >= G_1 / 2) = 2/3."""
    assert gaffke_p_greater([0.5], -1, 1) == pytest.approx(2 / 3)
    assert gaffke_p_less([-0.5], -1, 1) == pytest.approx(2 / 3)


def test_no_change_at_all_proves_nothing():
    """Contributions that are all 0 have p-value 1 on both sides."""
    assert gaffke_p_greater([0.0] * 5, -1, 1) == 1.0
    assert gaffke_p_less([0.0] * 5, -1, 1) == 1.0


def test_one_sided_data_is_certain_only_beyond_the_range():
    """Positive scores whose range excludes 0 prove a positive mean, and do not speak for a negative one."""
    assert gaffke_p_greater([0.2, 0.4], 0.1, 1.0) == 0.0
    assert gaffke_p_less([0.2, 0.4], 0.1, 1.0) == 1.0


def test_tiny_p_values_keep_their_relative_precision():
    """The p-value of 400 losses in a row is 2^-400 and not 0."""
    assert gaffke_p_less(-np.ones(400), -1, 1) == pytest.approx(0.5**400, rel=1e-9)


def test_ten_thousand_samples_take_milliseconds():
    """10,000 distinct scores take below 0.2 s of CPU (12 ms when measured), so that tables stay instant."""
    x = np.random.default_rng(0).beta(2, 3, 10_000)
    assert min(timeit.repeat(lambda: gaffke_interval(x), timer=time.process_time, number=1, repeat=5)) < 0.2


@pytest.mark.parametrize("x", [[], [0.5], [0.5, float("nan")], [0.5, 1.2], [[0.1, 0.2]], ["a", "b"]], ids=str)
def test_undefined_intervals_raise(x):
    """Nothing, one unit, an unknown score, a score outside the range and a table are errors."""
    with pytest.raises(StatsError):
        gaffke_interval(x)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_impossible_confidence_raises(confidence):
    """Confidence is a fraction strictly between 0 and 1."""
    with pytest.raises(StatsError, match="between 0 and 1"):
        gaffke_interval([0.0, 1.0], confidence)


def test_wrong_number_of_labels_raises():
    """Every sample needs a cluster label."""
    with pytest.raises(StatsError, match="cluster labels"):
        gaffke_interval([0.0, 1.0], clusters=["a"])
