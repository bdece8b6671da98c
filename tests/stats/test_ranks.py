"""Rank sets."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import binomtest
from scipy.stats import t as student

from evalkit.core.errors import StatsError
from evalkit.stats import better_p, gaffke_p_greater, holm, rank_sets, rank_sets_covariance

CORNERS = json.loads((Path(__file__).parent / "corners.json").read_text())


def covered(sets, places):
    """Whether every true place lies in its set; tied models may hold any of their places."""
    return all(best <= place <= worst for (best, worst), place in zip(sets, places, strict=True))


@pytest.mark.parametrize("n", [60, 400])
def test_clear_differences_are_ranked(n):
    """Models at 90, 50 and 10 % hold places 1, 2 and 3 and no others, by both methods."""
    x = np.random.default_rng(0).random((3, n)) < np.array([0.9, 0.5, 0.1])[:, None]
    assert rank_sets(x, 0.05) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize("n", [50, 300])
def test_equal_models_share_all_places(n):
    """Copies of one model are never told apart."""
    x = np.tile(np.random.default_rng(1).random(n), (5, 1))
    assert rank_sets(x, 0.05) == [(1, 5)] * 5


@pytest.mark.parametrize("n", [50, 300])
def test_order_of_the_models_is_irrelevant(n):
    """Reversing the models reverses the sets."""
    x = np.random.default_rng(2).beta(2, 2, (4, n)) ** np.array([1, 1.5, 2, 3])[:, None]
    assert rank_sets(x[::-1], 0.05) == rank_sets(x, 0.05)[::-1]


@pytest.mark.parametrize(("factor", "apart"), [(1.01, True), (0.99, False)])
def test_critical_value_of_known_errors_is_bonferronis(factor, apart):
    """For unpaired equal errors the first difference is tested at alpha over all ordered pairs."""
    critical = factor * np.sqrt(2.0) * student.ppf(1 - 0.05 / 12, 200)
    sets = rank_sets_covariance([critical, 0.0, 0.0, 0.0], np.eye(4), 200)
    assert sets == ([(1, 1), (2, 4), (2, 4), (2, 4)] if apart else [(1, 4)] * 4)


def test_estimates_without_error_are_not_told_apart():
    """A difference whose error is 0 is unknown, not certain."""
    assert rank_sets_covariance([1.0, 0.0], np.zeros((2, 2)), 50) == [(1, 2), (1, 2)]


@pytest.mark.parametrize("n", [20, 99, 100, 120, 1000])
@pytest.mark.parametrize("gap", [1.0, 0.4])
def test_a_constant_gap_is_not_equality(n, gap):
    """All right against all wrong, or a gap without any spread, is told apart at every size."""
    x = np.stack([np.full(n, 0.5 + gap / 2), np.full(n, 0.5 - gap / 2)])
    assert rank_sets(x) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("case", CORNERS["pair_0_1"], ids=str)
def test_pairs_of_zero_one_scores(case):
    """The exact sign test, with half of the unseen sample's price back from five each way on."""
    wins, losses = case["wins"], case["losses"]
    x = np.zeros((2, wins + losses + 50))
    x[0, :wins], x[1, wins : wins + losses] = 1.0, 1.0
    assert better_p(x)[0, 1] == pytest.approx(case["p"], rel=1e-4)


@pytest.mark.parametrize("case", CORNERS["missing"], ids=str)
def test_missing_scores_count_against_the_better(case):
    """A sample without a score of the model that would be better is taken at its worst."""
    n, up, down = case["n"], case["better"], case["worse"]
    x = np.ones((2, n))
    x[1, :up] = 0.0
    x[0, up : up + down] = 0.0
    x[0, up + down : up + down + case["missing_of_the_better"]] = np.nan
    table = np.where(np.isnan(x), 0.0, x)
    full = betainc(up, (table[0] < table[1]).sum() + 1, 0.5)
    bare = betainc(up, (table[0] < table[1]).sum(), 0.5)
    p = better_p(x)[0, 1]
    assert p == pytest.approx((full + bare) / 2)
    assert full == pytest.approx(case["p_better_adverse"], rel=1e-4)
    assert p > betainc(up, down, 0.5)


@pytest.mark.parametrize("case", CORNERS["large_cluster"], ids=str)
def test_one_large_cluster_carries_no_rank(case):
    """A passage with many of the samples is one unit, however its samples agree."""
    size = int(case["units"].split("one cluster of ")[1].split()[0])
    d = np.r_[np.ones(size), np.tile([0.1, -0.1], 50)[:99]]
    x = np.stack([0.5 + d / 2, 0.5 - d / 2])
    labels = ["passage"] * size + [None] * 99
    assert gaffke_p_greater(d, -1.0, 1.0, labels) == pytest.approx(case["p_greater"], rel=1e-4)
    assert rank_sets(x, clusters=labels) == [(1, 2), (1, 2)]


@pytest.mark.parametrize(("n", "share"), [(400, 0.1), (400, 0.15), (2000, 0.1)])
def test_outputs_missing_where_they_are_wrong_prove_nothing(n, share):
    """Equal models, one of which loses a tenth of what it gets wrong, is called better in at most 2.5 %.

    Without its missing samples it was called better in .079, .116 and .226 of runs.
    """
    rng = np.random.default_rng([n, round(100 * share)])
    draws, called = 400, 0
    for _ in range(draws):
        x = (rng.random((2, n)) < np.where(rng.random(n) < 0.5, 0.95, 0.65)).astype(float)
        x[1, (x[1] == 0.0) & (rng.random(n) < share)] = np.nan
        called += better_p(x)[1, 0] <= 0.025
    assert called / draws <= 0.025 + 2 * (0.025 * 0.975 / draws) ** 0.5


def test_samples_that_neither_was_asked_are_no_pair():
    """What was never asked of either is left out; what was asked of one is missing for the other."""
    x = np.full((2, 40), np.nan)
    x[0, :30], x[1, :30] = 1.0, 0.0
    absent = np.zeros((2, 40), dtype=bool)
    absent[:, 30:] = True
    assert better_p(x, absent=absent)[0, 1] == pytest.approx(2.0**-30)
    absent[1, 30:] = False
    assert better_p(x, absent=absent)[0, 1] > 2.0**-30
    graded = np.where(np.isnan(x), np.nan, 0.1 + 0.8 * x)
    absent[1, 30:] = True
    assert better_p(graded, absent=absent)[0, 1] == pytest.approx(1.8**-30)


@pytest.mark.parametrize(("n", "n_runs"), [(50, 60), (200, 120)])
def test_tied_models_are_all_covered(n, n_runs):
    """With 6 equal models all sets hold every place in at least 95 % of seeded runs less three sigma."""
    rng = np.random.default_rng(3)
    hits = sum(rank_sets(rng.random((6, n)) < 0.8, 0.05) == [(1, 6)] * 6 for _ in range(n_runs))
    assert hits >= n_runs * (0.95 - 3 * np.sqrt(0.05 * 0.95 / n_runs))


def test_small_samples_use_holm_over_exact_tests():
    """With two models on 0/1 scores the sets part exactly when Holm's exact McNemar p-value is <= alpha."""
    for losses in range(4, 10):
        x = np.zeros((2, 20))
        x[0, :losses] = 1.0
        p = holm([binomtest(losses, losses, 0.5, alternative="greater").pvalue, 1.0])[0]
        assert (rank_sets(x, 0.05) == [(1, 1), (2, 2)]) == (p <= 0.05)


def test_few_and_many_graded_pairs_agree():
    """The exact test and the formula for many pairs give the same sets on 40 graded samples."""
    from evalkit.stats import ranks

    x = np.random.default_rng(4).beta(2, 2, (12, 40)) ** np.linspace(1, 4, 12)[:, None]
    expected = rank_sets(x, 0.05)
    limit, ranks.N_EXACT_PAIRS = ranks.N_EXACT_PAIRS, 0
    try:
        assert rank_sets(x, 0.05) == expected
    finally:
        ranks.N_EXACT_PAIRS = limit


@pytest.mark.parametrize("n", [60, 400])
def test_clusters_widen_the_sets(n):
    """Writing every sample ten times in one cluster leaves the sets of single samples."""
    x = (np.random.default_rng(5).random((4, n)) < np.array([0.85, 0.8, 0.7, 0.6])[:, None]).astype(float)
    repeated, labels = np.repeat(x, 10, axis=1), np.repeat(np.arange(n), 10)
    assert rank_sets(repeated, 0.05, labels) == rank_sets(x, 0.05)
    assert rank_sets(repeated, 0.05) != rank_sets(x, 0.05)


def test_one_model_is_first():
    """A single model holds place 1."""
    assert rank_sets(np.eye(1, 9), 0.05) == [(1, 1)]


@pytest.mark.parametrize("n", [50, 200])
def test_a_thousand_models_take_seconds(n):
    """1,000 models take below 15 s (0.4 and 1.8 s when measured): no loop over triples."""
    x = np.random.default_rng(6).random((1000, n)) < np.linspace(0.3, 0.9, 1000)[:, None]
    start = time.perf_counter()
    sets = rank_sets(x, 0.05)
    assert time.perf_counter() - start < 15
    assert covered(sets, range(1000, 0, -1))


@pytest.mark.parametrize("x", [[], [0.5, 0.5], [[0.5]], [[0.5, 1.5], [0.1, 0.2]]], ids=str)
def test_undefined_ranks_raise(x):
    """No table, one sample, and scores outside their range are errors."""
    with pytest.raises(StatsError):
        rank_sets(x, 0.05)


def test_covariance_must_fit():
    """A covariance of another size is an error."""
    with pytest.raises(StatsError, match="does not fit"):
        rank_sets_covariance([1.0, 2.0], np.eye(3), 10)
