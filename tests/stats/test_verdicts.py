"""Verdicts of the gate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import StatsError
from evalkit.stats import (
    corpus_decision,
    evidence_decision,
    floor_decision,
    gaffke_p_greater,
    gaffke_p_less,
    gate_decision,
    gate_verdict,
    linear_evidence,
    mde,
)

paired = st.lists(st.tuples(st.floats(0, 1, width=16), st.floats(0, 1, width=16)), min_size=2, max_size=25)


def flipped(n, worse, better):
    """Paired 0/1 scores in which the candidate loses `worse` samples and gains `better`."""
    baseline = np.r_[np.ones(worse), np.zeros(better), np.ones(n - worse - better)]
    candidate = np.r_[np.zeros(worse), np.ones(better), np.ones(n - worse - better)]
    return baseline, candidate


@pytest.mark.parametrize(
    ("n", "worse", "better", "margin", "verdict"),
    [
        (500, 60, 10, 0.02, "fail"),
        (500, 10, 10, 0.05, "pass"),
        (500, 30, 20, 0.02, "inconclusive"),
        (20, 5, 0, 0.0, "fail"),  # 2^-5 = 0.031
        (20, 4, 0, 0.0, "inconclusive"),  # 2^-4 = 0.0625
        (20, 0, 5, 0.0, "pass"),
        (100, 0, 0, 0.0, "inconclusive"),
        (100, 0, 0, 0.03, "pass"),  # the smallest n with 0.97^n <= 0.05 is 99
        (98, 0, 0, 0.03, "inconclusive"),
    ],
)
def test_verdicts_of_paired_zero_one_scores(n, worse, better, margin, verdict):
    """Clear losses fail, clear equality passes, and anything between is inconclusive."""
    assert gate_verdict(*flipped(n, worse, better), margin, 0.05) == verdict


def test_one_pair_is_inconclusive():
    """The rule is valid at any n and proves nothing from one sample."""
    assert gate_verdict([1.0], [0.0], 0.02, 0.05) == "inconclusive"


def test_p_values_are_gaffkes():
    """p_fail and p_pass are those of e = d + margin in [margin - 1, margin + 1] with few differing pairs."""
    baseline, candidate = flipped(100, 9, 4)
    result = gate_decision(baseline, candidate, 0.02)
    e = candidate - baseline + 0.02
    assert result.p_fail == gaffke_p_less(e, -0.98, 1.02)
    assert result.p_pass == gaffke_p_greater(e, -0.98, 1.02)


@settings(deadline=None, max_examples=25)
@given(paired, st.sampled_from([0.0, 0.05, 0.2]), st.sampled_from([0.01, 0.05, 0.2]))
def test_interval_and_verdict_say_the_same(pairs, margin, alpha):
    """fail exactly when the 1 - 2 alpha interval lies below -margin, pass exactly when it lies above."""
    a, b = np.array(pairs).T
    result = gate_decision(a, b, margin, alpha)
    if min(abs(result.p_fail - alpha), abs(result.p_pass - alpha)) < 1e-6:
        return
    expected = "fail" if result.hi < -margin else "pass" if result.lo > -margin else "inconclusive"
    assert result.verdict == expected


@settings(deadline=None, max_examples=25)
@given(paired)
def test_swapping_the_models_at_margin_zero_swaps_the_verdict(pairs):
    """What fails against the baseline is passed by the baseline."""
    a, b = np.array(pairs).T
    swapped = {"fail": "pass", "pass": "fail", "inconclusive": "inconclusive"}
    assert gate_verdict(b, a, 0.0, 0.1) == swapped[gate_verdict(a, b, 0.0, 0.1)]


def test_false_verdicts_at_the_margin_are_rare():
    """With a drop at the margin, 1,000 seeded gates fail, and pass, in at most 5 % of cases plus 2 sigma."""
    rng = np.random.default_rng(0)
    counts = {"pass": 0, "fail": 0, "inconclusive": 0}
    for _ in range(1000):
        worse, better, _ = rng.multinomial(200, [0.06, 0.04, 0.9])
        counts[gate_verdict(*flipped(200, worse, better), 0.02, 0.05)] += 1
    assert counts["fail"] <= 64
    assert counts["pass"] <= 64


def test_missing_scores_cannot_buy_a_verdict():
    """A verdict that rests on a few samples becomes inconclusive when as many are missing."""
    baseline, candidate = flipped(20, 5, 0)
    assert gate_verdict(baseline, candidate, 0.0) == "fail"
    candidate[4] = np.nan
    result = gate_decision(baseline, candidate, 0.0)
    assert (result.verdict, result.n_missing, result.n_units) == ("inconclusive", 1, 20)
    assert result.difference == pytest.approx(-4 / 19)


def test_everything_missing_is_inconclusive():
    """Without any complete pair there is no difference and no verdict."""
    result = gate_decision([1.0, 1.0], [np.nan, np.nan], 0.02)
    assert (result.verdict, result.difference) == ("inconclusive", None)


@pytest.mark.parametrize(("worse", "verdict"), [(1, "pass"), (2, "pass"), (3, "fail")])
def test_dataset_target_compares_the_mean_itself(worse, verdict):
    """When these samples are what is asked for, the drop passes up to and including the margin."""
    assert gate_verdict(*flipped(100, worse, 0), 0.02, target="dataset") == verdict


def test_clusters_weaken_the_verdict():
    """Five losses on one passage are one unit of evidence."""
    baseline, candidate = flipped(20, 5, 0)
    labels = ["one passage"] * 5 + [None] * 15
    assert gate_verdict(baseline, candidate, 0.0, clusters=labels) == "inconclusive"


def test_relative_margin_needs_less_of_a_low_baseline():
    """10 % of a baseline of 0.1 allows a drop of 0.01, not of 0.1."""
    baseline, candidate = np.r_[np.ones(100), np.zeros(900)], np.r_[np.ones(50), np.zeros(950)]
    assert gate_decision(baseline, candidate, 0.1, relative=True).verdict == "fail"
    assert gate_decision(baseline, candidate, 0.1).verdict == "pass"


def test_floor():
    """A mean far above the floor passes, far below fails, near it is inconclusive."""
    scores = np.r_[np.ones(80), np.zeros(20)]
    assert [floor_decision(scores, x).verdict for x in (0.6, 0.8, 0.95)] == ["pass", "inconclusive", "fail"]


def test_mde_is_the_formula_of_the_specification():
    """The effect of a verdict is that of the observed spread."""
    baseline, candidate = flipped(400, 25, 15)
    sd = np.std(candidate - baseline, ddof=1)
    assert gate_decision(baseline, candidate, 0.02).mde == pytest.approx(0.02 + mde(sd, 400, bound=1.02))


def test_values_without_bounds_are_judged_by_their_spread():
    """A fall fails and a rise passes, whatever the size; one without any spread tells nothing."""
    rng = np.random.default_rng(2)
    rise = rng.uniform(2.5, 3.5, 80)
    change = [linear_evidence(fall, None, None) for fall in (-rise, rise, np.full(80, -3.0))]
    decisions = [evidence_decision(found, 0.5) for found in change]
    assert [decision.verdict for decision in decisions] == ["fail", "pass", "inconclusive"]
    assert decisions[2].why is not None


def test_perplexity_margin_is_relative():
    """On the log scale 1 % more perplexity passes a margin of log(1.02) and fails one of 0."""
    rng = np.random.default_rng(3)
    nll, tokens = rng.uniform(50, 150, 60), np.full(60, 40.0)
    more = 40 * np.log(1.01) * rng.uniform(0.9, 1.1, 60)
    a, b = np.stack([nll, tokens], 1), np.stack([nll + more, tokens], 1)

    def perplexity(s):
        return np.exp(s[..., 0] / s[..., 1])

    assert [
        corpus_decision(a, b, perplexity, m, log_scale=True, higher_is_better=False).verdict
        for m in (np.log(1.02), 0.0)
    ] == ["pass", "fail"]


def test_impossible_requests_raise():
    """No pairs, an alpha of one half, and an unknown target are errors."""
    with pytest.raises(StatsError, match="empty"):
        gate_verdict([], [], 0.0)
    with pytest.raises(StatsError, match="alpha"):
        gate_verdict([1.0], [1.0], 0.0, 0.5)
    with pytest.raises(StatsError, match="target"):
        gate_verdict([1.0], [1.0], 0.0, target="sample")
