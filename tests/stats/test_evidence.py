"""The one rule of evidence: values of an independent implementation, and its error rates in simulation."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.metrics.base import Context
from evalkit.metrics.classification import MacroF1
from evalkit.stats import (
    Corpus,
    Stratum,
    corpus_decision,
    corpus_evidence,
    gaffke_interval,
    gaffke_p_greater,
    gate_decision,
    increase_decision,
    make_evidence,
    paired_evidence,
    pool,
    pool_centred,
)

CORNERS = json.loads((Path(__file__).parent / "corners.json").read_text())


def macro_f1(k):
    """Macro-F1 over k classes."""
    return MacroF1(Context(labels=tuple(f"class{i}" for i in range(k))))


def f_of_sums(s):
    """Twice the matches over the lengths of both texts."""
    return 2 * s[..., 0] / (s[..., 1] + s[..., 2])


def stratum(values, lo=-1.0, hi=1.0):
    """A task without missing scores."""
    x = np.asarray(values, dtype=float)
    return Stratum(x, x, None, lo, hi)


def evidence(task):
    """The evidence on one task's mean."""
    return make_evidence(task.worst, task.best, task.lo, task.hi, task.clusters)


def zero_one(n, better, worse):
    """Paired 0/1 scores with as many gains and falls."""
    return np.r_[np.zeros(better), np.ones(worse), np.zeros(n - better - worse)], np.r_[
        np.ones(better), np.zeros(worse), np.zeros(n - better - worse)
    ]


def pairs_of(case):
    """The (gold, answer) rows of both sides of a classification, written out by count."""
    rows = np.array([row[:3] for row in case["gold_base_cand_count"] for _ in range(row[3])], dtype=float)
    return rows[:, [0, 1]], rows[:, [0, 2]]


@pytest.mark.parametrize("case", CORNERS["gate_0_1"], ids=str)
def test_paired_zero_one(case):
    """p-values and verdict of the gate on paired 0/1 scores."""
    found = gate_decision(*zero_one(case["n"], case["better"], case["worse"]), case["tol"])
    assert (found.p_pass, found.p_fail) == pytest.approx((case["p_pass"], case["p_fail"]), rel=1e-4)
    assert found.verdict == case["verdict"]


@pytest.mark.parametrize("case", CORNERS["constant_difference"], ids=str)
def test_a_constant_difference_is_evidence(case):
    """Of range 1 and size c: p = (1 + c)^-n, and never 0 or 1 for want of a spread."""
    p = gaffke_p_greater(np.full(case["n"], case["d"]), *case["range"])
    assert p == pytest.approx(case["closed_form"], rel=1e-5)


@pytest.mark.parametrize("case", CORNERS["macro_f1_gate"], ids=lambda case: case["case"])
def test_macro_f1_gate(case):
    """Difference, p-values, interval and verdict of the gate on macro-F1."""
    metric = macro_f1(case["classes"])
    base, candidate = pairs_of(case)
    possible = metric.possible(np.empty(0))
    found = corpus_decision(
        metric.rows(base),
        metric.rows(candidate),
        metric.aggregate,
        case["tol"],
        possible=(possible, possible),
    )
    assert found.difference == pytest.approx(case["difference"], abs=1e-7)
    assert (found.p_pass, found.p_fail) == pytest.approx((case["p_pass"], case["p_fail"]), rel=1e-4)
    assert (found.lo, found.hi) == pytest.approx(tuple(case["interval90"]), abs=1e-5)
    assert found.verdict == case["verdict"]
    assert found.method == ("influence-mid" if case["mid_used"] else "influence")


@pytest.mark.parametrize("case", CORNERS["macro_f1_shown"], ids=lambda case: str(case["confusion_gold_rows"]))
def test_macro_f1_shown(case):
    """The interval of one macro-F1: never without a width, also where all is right."""
    table = np.array(case["confusion_gold_rows"])
    k = len(table)
    rows = [(g, p) for g in range(k) for p in range(k) for _ in range(table[g, p])]
    metric = macro_f1(k)
    found = corpus_evidence(
        Corpus(metric.rows(np.array(rows, dtype=float)), metric.possible(np.empty(0))), metric.aggregate
    )
    assert found.value == pytest.approx(case["value"], abs=1e-6)
    assert found.evidence.interval(0.025) == pytest.approx(tuple(case["interval95"]), abs=1e-5)


@pytest.mark.parametrize("case", CORNERS["f_of_sums_gate"], ids=str)
def test_f_of_sums(case):
    """A metric of matches and lengths, with the unseen sample as long as the sample of a unit of text."""
    sides = [[], []]
    for *values, n in case["rows_base_cand_m_h_r_count"]:
        sides[0] += [values[:3]] * n
        sides[1] += [values[3:]] * n
    length = case["length_size_biased"]
    possible = np.array([[[length] * 3, [0.0, length, length], [0.0, 0.0, length]]])
    found = paired_evidence(*(Corpus(np.array(side, dtype=float), possible) for side in sides), f_of_sums)
    assert found.evidence.lo - found.value == pytest.approx(case["psi_min"], rel=1e-4)
    assert found.evidence.p_above(-case["tol"]) == pytest.approx(case["p_pass"], rel=1e-4)


@pytest.mark.parametrize("case", CORNERS["macro_over_tasks"], ids=lambda case: case["case"])
def test_mean_over_tasks(case):
    """p-values of the mean difference over tasks, at any number of samples."""
    strata = [
        stratum(np.concatenate([[value] * n for value, n in task])) for task in case["tasks_value_count"]
    ]
    found = pool([evidence(each) for each in strata], mid=True)
    assert found.mid == case["mid_used"]
    p = found.p_above(-case["tol"]), found.p_below(-case["tol"])
    assert p == pytest.approx((case["p_pass"], case["p_fail"]), rel=1e-4)


@pytest.mark.parametrize("case", CORNERS["overall_shown"], ids=str)
def test_overall_shown(case):
    """The interval of a mean over tasks without centring."""
    strata = [
        stratum(np.r_[np.ones(right), np.zeros(n - right)], 0.0, 1.0) for right, n in case["tasks_right_of_n"]
    ]
    assert pool([evidence(each) for each in strata]).interval(0.025) == pytest.approx(
        tuple(case["uncentred95"]), abs=1e-5
    )


@pytest.mark.parametrize("right", [0, 1, 14, 20])
def test_the_mean_over_one_task_is_that_task(right):
    """With one task, centred or not, the interval is the task's own."""
    x = np.r_[np.ones(right), np.zeros(20 - right)]
    one = stratum(x, 0.0, 1.0)
    for made in (pool([evidence(one)]), pool_centred([one])):
        assert made.interval(0.025) == pytest.approx(gaffke_interval(x), abs=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=2, max_size=12), min_size=1, max_size=4),
    st.data(),
)
def test_clusters_of_one_are_samples(tasks, data):
    """Labels that never repeat change nothing in a mean over tasks."""
    plain = [stratum(task, 0.0, 1.0) for task in tasks]
    labelled = [Stratum(s.worst, s.best, [f"c{i}" for i in range(len(s.worst))], 0.0, 1.0) for s in plain]
    side = data.draw(st.sampled_from([0.025, 0.2]))
    assert pool_centred(labelled).interval(side) == pytest.approx(
        pool_centred(plain).interval(side), abs=1e-9
    )
    one, other = (pool([evidence(each) for each in tasks]) for tasks in (labelled, plain))
    assert one.interval(side) == pytest.approx(other.interval(side), abs=1e-9)


@pytest.mark.parametrize("case", CORNERS["cost_gate_linear"], ids=str)
def test_cost_with_the_true_most(case):
    """The cost gate where the most that one call can cost is known."""
    base = np.full(case["n"], case["base_cost"])
    candidate = np.full(case["n"], case["cand_cost"])
    k, value = case["cand_cost_of_first_k"]
    candidate[: int(k)] = value
    found = increase_decision(base, candidate, case["allowed_increase"], case["cap"], case["cap"])
    assert found.p_pass == pytest.approx(case["p_pass"], rel=1e-4)


def test_the_guard_counts_magnitudes():
    """Noise of a hundredth both ways beside one fall of 1 gives nothing of the unseen unit's price back."""
    noise = np.tile([0.01, -0.01], 50)
    small = gate_decision(np.full(101, 0.5), 0.5 + np.r_[noise, -0.5], 0.05)
    large = gate_decision(*zero_one(100, 5, 5), 0.05)
    assert (small.method, large.method) == ("gaffke", "gaffke-mid")


def false_passes(rng, draws, n, down, up, tolerance, gold, error=0.0):
    """How often macro-F1 passes with a true drop just beyond the tolerance."""
    metric = macro_f1(2)
    possible = metric.possible(np.empty(0))
    passed = 0
    for _ in range(draws):
        label = (rng.random(n) < gold).astype(int)
        base = np.where(rng.random(n) < error, 1 - label, label)
        move = rng.random(n)
        candidate = np.where((base == label) & (move < down), 1 - label, base)
        candidate = np.where((base != label) & (move < up), label, candidate)
        sides = [metric.rows(np.stack([label, said], axis=1).astype(float)) for said in (base, candidate)]
        if min(label.mean(), 1 - label.mean()) == 0.0:
            continue
        found = paired_evidence(*(Corpus(side, possible) for side in sides), metric.aggregate)
        passed += found.evidence.p_above(-tolerance) <= 0.05
    return passed / draws


@pytest.mark.parametrize(
    ("n", "down", "tolerance", "gold"),
    [(50, 0.02, 0.019, 0.5), (100, 0.03, 0.029, 0.5), (100, 0.02, 0.019, 0.5)],
)
def test_macro_f1_does_not_pass_falsely(n, down, tolerance, gold):
    """A drop just beyond the tolerance passes in at most 5 % of gates plus two standard errors.

    By a jackknife and Student's t it was .363, .217 and .130.
    """
    draws = 300
    rate = false_passes(np.random.default_rng([n, round(1000 * down)]), draws, n, down, 0.0, tolerance, gold)
    assert rate <= 0.05 + 2 * (0.05 * 0.95 / draws) ** 0.5


@pytest.mark.parametrize(("n_tasks", "n"), [(2, 50), (3, 100), (10, 50)])
def test_the_mean_over_tasks_does_not_pass_falsely(n_tasks, n):
    """With a drop at the tolerance, at most 5 % pass; by Satterthwaite's t .376, .205 and .131 did."""
    rng = np.random.default_rng([n_tasks, n])
    draws = 600
    passed = 0
    for _ in range(draws):
        strata = [stratum(-(rng.random(n) < 0.01).astype(float)) for _ in range(n_tasks)]
        passed += pool([evidence(each) for each in strata], mid=True).p_above(-0.01) <= 0.05
    assert passed / draws <= 0.05 + 2 * (0.05 * 0.95 / draws) ** 0.5


def test_cost_does_not_pass_falsely():
    """Two of a hundred calls cost ten times as much, the increase allowed: by Student's t .37 passed."""
    rng = np.random.default_rng(3)
    passed = {"known": 0, "unknown": 0}
    for _ in range(30):
        base = rng.uniform(0.5, 1.5, 50)
        candidate = np.where(rng.random(50) < 0.02, 10.0, base)
        passed["known"] += increase_decision(base, candidate, 0.179, 10.0, 10.0).verdict == "pass"
        passed["unknown"] += increase_decision(base, candidate, 0.179).verdict == "pass"
    assert passed == {"known": 0, "unknown": 0}


def test_what_cannot_be_known_is_said():
    """Without a most extreme sample a verdict is approximate, and there is none where no sample differs."""
    rng = np.random.default_rng(4)
    tokens = np.full(60, 40.0)
    base = np.stack([rng.uniform(50, 150, 60), tokens], axis=1)
    other = base + np.stack([rng.normal(0, 0.1, 60), np.zeros(60)], axis=1)

    def perplexity(s):
        return np.exp(s[..., 0] / s[..., 1])

    kinds = {"log_scale": True, "higher_is_better": False}
    same = corpus_decision(base, base, perplexity, 0.1, **kinds)
    assert (same.verdict, same.lo) == ("inconclusive", None)
    assert "each way" in same.why
    few = corpus_decision(base[:49], other[:49], perplexity, 0.1, **kinds)
    assert "below 50" in few.why
    found = corpus_decision(base, other, perplexity, 0.1, **kinds)
    assert (found.verdict, found.method, found.why) == ("pass", "approximate", None)
    assert found.reach > 0.0


def test_one_more_sample_of_an_unseen_class_has_no_limit():
    """A class that is neither gold nor answered could move macro-F1 by a whole class: nothing can be said."""
    metric = macro_f1(3)
    rows = metric.rows(np.array([[0, 0], [1, 1]] * 30, dtype=float))
    possible = (metric.possible(np.empty(0)),) * 2
    found = corpus_decision(rows, rows, metric.aggregate, 0.5, possible=possible)
    assert (found.verdict, found.p_pass) == ("inconclusive", 1.0)
    assert "without limit" in found.why


def test_missing_rows_are_adverse():
    """One answer lost among forty equal ones keeps both verdicts open; nothing lost passes."""
    metric = macro_f1(2)
    rows = metric.rows(np.array([[0, 0], [1, 1]] * 40, dtype=float))
    possible = (metric.possible(np.empty(0)),) * 2
    lost = rows.copy()
    lost[:8] = np.nan
    whole = corpus_decision(rows, rows, metric.aggregate, 0.05, possible=possible)
    found = corpus_decision(rows, lost, metric.aggregate, 0.05, possible=possible)
    assert (whole.verdict, found.verdict, found.n_missing) == ("pass", "inconclusive", 8)
    assert found.lo < whole.lo
    assert found.p_pass > whole.p_pass
