"""Early stopping: same verdicts, fewer samples, no more errors."""

import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from evalkit.core.errors import StatsError
from evalkit.stats import EProcess, Sequential, confidence_sequence, gaffke_p_less, sequential_verdict
from evalkit.stats.sequential import BETS

differences = st.lists(st.floats(-1, 1, width=16), min_size=1, max_size=40).map(np.array)


def flips(rng, n, worse, better):
    """Paired differences of 0/1 scores with the given rates of losses and gains."""
    return rng.choice([-1.0, 1.0, 0.0], p=[worse, better, 1 - worse - better], size=n)


def test_wealth_is_the_formula_of_the_specification():
    """W_t = mean over 24 bets of prod (1 + f (y_i - m_0) / m_0), recomputed here."""
    e = np.random.default_rng(0).uniform(-0.9, 1.1, 30)
    y, null = (e + 0.9) / 2.0, 0.45
    logs = np.log1p(BETS[None, :] * (y[:, None] - null) / null).cumsum(axis=0)
    assert EProcess(-0.9, 1.1).extend(e) == pytest.approx(logsumexp(logs, axis=1) - np.log(24))


def test_wealth_without_replacement_is_the_formula_of_the_specification():
    """m_i = (N m_0 - S_{i-1}) / (N - i + 1), recomputed here."""
    e, n_total = np.random.default_rng(1).uniform(-1, 0.2, 10), 40
    y, total, wealth = (e + 1) / 2, 0.0, np.ones(24)
    for i, value in enumerate(y):
        fair = (n_total * 0.5 - total) / (n_total - i)
        wealth *= 1 + BETS * (value - fair) / fair
        total += value
    process = EProcess(-1, 1, n_total)
    process.extend(e)
    assert process.log_wealth == pytest.approx(np.log(wealth.mean()))


@settings(deadline=None, max_examples=40)
@given(differences, st.integers(0, 40), st.booleans())
def test_chunks_do_not_matter(e, cut, replacement):
    """Feeding one by one, in two parts or at once gives the same wealth."""
    n_total = None if replacement else 50
    whole, parts = EProcess(-1, 1, n_total), EProcess(-1, 1, n_total)
    whole.extend(e)
    parts.extend(e[:cut])
    for value in e[cut:]:
        parts.extend([value])
    assert parts.log_wealth == pytest.approx(whole.log_wealth)
    assert parts.p == pytest.approx(whole.p)


@settings(deadline=None, max_examples=30)
@given(differences)
def test_wealth_does_not_depend_on_the_order(e):
    """With fixed bets the wealth after n results is that of any order of them."""
    forwards, backwards = EProcess(-1, 1), EProcess(-1, 1)
    forwards.extend(e)
    backwards.extend(e[::-1])
    assert forwards.log_wealth == pytest.approx(backwards.log_wealth)


def test_wealth_is_a_fair_game_on_the_margin():
    """The expected wealth over all 3^5 outcomes of a game at the margin is exactly 1."""
    outcomes, chances = np.array([-1.0, 0.0, 1.0]) + 0.1, np.array([0.2, 0.7, 0.1])
    total = 0.0
    for index in np.ndindex(3, 3, 3, 3, 3):
        process = EProcess(-0.9, 1.1)
        process.extend(outcomes[list(index)])
        total += np.exp(process.log_wealth) * chances[list(index)].prod()
    assert total == pytest.approx(1.0)


def test_certain_when_the_rest_cannot_undo_it():
    """Without replacement, 6 of 10 losses settle that the ten lose on average; the wealth is infinite."""
    path = EProcess(-1, 1, 10).extend(np.ones(6))
    assert np.isfinite(path[:5]).all()
    assert path[5] == np.inf


@pytest.mark.parametrize("target", ["population", "dataset"])
def test_large_drops_stop_early(target):
    """A drop of 20 points at a margin of 2 is proven within a sixth of 1,000 samples."""
    d = flips(np.random.default_rng(2), 1000, 0.25, 0.05)
    verdict, n_used = sequential_verdict(d, 1000, 0.02, 0.05, target)
    assert verdict == "fail"
    assert n_used < 167


def test_the_early_verdict_is_that_of_the_first_crossing():
    """n_used is the first time the wealth reaches 1 / (0.2 alpha)."""
    d = flips(np.random.default_rng(3), 500, 0.25, 0.05)
    path = EProcess(-1.02, 0.98).extend(-(d + 0.02))
    first = int(np.argmax(path >= np.log(100))) + 1
    assert sequential_verdict(d, 500, 0.02, 0.05, "population") == ("fail", first)


def test_at_the_end_population_is_gaffkes_test_at_four_fifths_of_alpha():
    """Without an early verdict the result is that of the fixed-n test at 0.8 alpha."""
    for seed in range(40):
        d = flips(np.random.default_rng(seed), 100, 0.14, 0.06)
        verdict, n_used = sequential_verdict(d, 100, 0.02, 0.05, "population")
        if n_used == 100:
            assert (verdict == "fail") == (gaffke_p_less(d + 0.02, -0.98, 1.02) <= 0.04)


@settings(deadline=None, max_examples=60)
@given(differences, st.sampled_from([0.0, 0.1]))
def test_a_full_dataset_run_compares_the_mean_itself(d, margin):
    """At n = N with target dataset there is nothing left to infer, unless a verdict came early."""
    verdict, n_used = sequential_verdict(d, len(d), margin, 1e-9, "dataset")
    expected = "pass" if d.mean() >= -margin - 1e-9 else "fail"
    assert verdict == expected
    assert n_used <= len(d)


def test_a_run_cut_short_gets_no_final_test():
    """40 straight losses of 1,000 registered samples stop early; 4 of them are inconclusive."""
    assert sequential_verdict(-np.ones(40), 1000, 0.0, 0.05, "population")[0] == "fail"
    assert sequential_verdict(-np.ones(4), 1000, 0.0, 0.05, "population") == ("inconclusive", 4)
    assert sequential_verdict([], 1000, 0.0, 0.05, "dataset") == ("inconclusive", 0)


def test_stop_off_is_the_gate():
    """Without early verdicts both tests have the whole alpha at the end, which is gate_verdict."""
    d = np.r_[-np.ones(5), np.zeros(15)]
    assert sequential_verdict(d, 20, 0.0, 0.05, "population", stop="off") == ("fail", 20)
    assert gaffke_p_less(d, -1, 1) == pytest.approx(1 / 32)


def test_stop_fail_never_passes_early():
    """With stop="fail" a much better model runs to the end, and passes there."""
    d = np.ones(200)
    assert sequential_verdict(d, 200, 0.05, 0.05, "population", stop="fail") == ("pass", 200)
    assert sequential_verdict(d, 200, 0.05, 0.05, "population")[1] < 20


@pytest.mark.parametrize("target", ["population", "dataset"])
def test_completion_order_does_not_matter(target):
    """Results that arrive shuffled are buffered, and give the verdict of the registered order."""
    d = flips(np.random.default_rng(5), 300, 0.2, 0.05)
    expected = sequential_verdict(d, 300, 0.02, 0.05, target)
    rule = Sequential(300, -0.98, 1.02, 0.05, target)
    for position in np.random.default_rng(6).permutation(300):
        rule.add(int(position), d[position] + 0.02)
    assert (rule.finish(), rule.n_used) == expected


def test_only_the_contiguous_prefix_counts():
    """While position 0 is missing nothing is consumed, however bad the rest is."""
    rule = Sequential(100, -1, 1)
    for position in range(1, 60):
        assert rule.add(position, -1.0) is None
    assert rule.n_seen == 0
    assert rule.add(0, -1.0) == "fail"
    assert rule.n_used < 60


def test_missing_results_move_the_prefix_adversely():
    """NaN counts as the best score for FAIL and the worst for PASS, so nothing is won by errors."""
    lost = np.full(50, np.nan)
    assert sequential_verdict(lost, 50, 0.02, 0.05, "population")[0] == "inconclusive"
    assert sequential_verdict(lost, 50, 0.02, 0.05, "dataset")[0] == "inconclusive"


def test_a_verdict_stays_while_p_values_move_on():
    """Results after the verdict do not change it or the count of samples used."""
    rule = Sequential(200, -1, 1)
    rule.extend(-np.ones(30))
    used, p = rule.n_used, rule.p_fail
    rule.extend(-np.ones(170))
    assert (rule.finish(), rule.n_used) == ("fail", used)
    assert rule.p_fail < p


def test_position_is_open_once():
    """A position twice, or beyond the registered order, is an error."""
    rule = Sequential(3, -1, 1)
    rule.add(1, 0.5)
    for position in (1, 3, -1):
        with pytest.raises(StatsError, match="not open"):
            rule.add(position, 0.5)


@pytest.mark.parametrize(
    ("n", "worse", "better", "margin"), [(400, 0.05, 0.05, 0.0), (300, 0.03, 0.01, 0.02)]
)
def test_false_verdicts_under_peeking_stay_below_alpha(n, worse, better, margin):
    """With a drop at the margin and a look after every sample, 800 runs err in at most 5 % a side."""
    rng = np.random.default_rng(7)
    verdicts = [
        sequential_verdict(flips(rng, n, worse, better), n, margin, 0.05, "population")[0] for _ in range(800)
    ]
    assert verdicts.count("fail") <= 40
    assert verdicts.count("pass") <= 40


def test_dataset_verdicts_disagree_with_the_full_run_at_most_alpha():
    """Over 600 orders of a set near the margin, early verdicts differ from the full run in under 5 %."""
    rng = np.random.default_rng(8)
    d = np.r_[-np.ones(30), np.ones(20), np.zeros(150)]
    full = "pass" if d.mean() >= -0.04 else "fail"
    wrong = sum(
        sequential_verdict(rng.permutation(d), 200, 0.04, 0.05, "dataset")[0] != full for _ in range(600)
    )
    assert wrong <= 30


def test_confidence_sequence_is_where_the_wealth_is_two_over_alpha():
    """At the lower end the wealth against "the mean is at most this" is 40 for 95 %."""
    x = np.random.default_rng(9).beta(3, 2, 60)
    lower, upper = confidence_sequence(x, 200)
    against = EProcess(-lower, 1 - lower)
    against.extend(x - lower)
    assert np.exp(against.log_wealth) == pytest.approx(40, rel=1e-6)
    assert lower < x.mean() < upper


def test_confidence_sequence_of_the_whole_dataset_is_near_its_mean():
    """Without replacement little is unknown near the end, and less than of a population."""
    x = np.random.default_rng(10).beta(3, 2, 100)
    lower, upper = confidence_sequence(x, 100, target="dataset")
    assert upper - lower < 0.05
    half = [confidence_sequence(x[:80], 100, target=target) for target in ("dataset", "population")]
    assert half[0][1] - half[0][0] < half[1][1] - half[1][0]


def test_thousand_samples_take_milliseconds():
    """1,000 results through both processes take below 0.1 s (2 ms when measured)."""
    d = flips(np.random.default_rng(11), 1000, 0.05, 0.05)
    seconds = timeit.repeat(lambda: sequential_verdict(d, 1000, 0.02, 0.05, "population"), number=1, repeat=5)
    assert min(seconds) < 0.1


def test_impossible_rules_raise():
    """More results than registered, unknown words, and a range that excludes 0 are errors."""
    with pytest.raises(StatsError, match="registered"):
        sequential_verdict(np.zeros(5), 4, 0.0, 0.05, "population")
    with pytest.raises(StatsError, match="no such rule"):
        sequential_verdict(np.zeros(5), 5, 0.0, 0.05, "everyone")
    with pytest.raises(StatsError, match="both sides"):
        EProcess(0.1, 1.0)
    with pytest.raises(StatsError, match="leaves its declared range"):
        sequential_verdict([0.0, 2.0], 5, 0.0, 0.05, "population")
