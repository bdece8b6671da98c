"""Kappa and correlations with intervals, against scikit-learn and scipy, and on published figures."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import StatsError
from evalkit.stats.agreement import confusion_matrix, correlation_interval, kappa, kappa_interval


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=40),
    st.sampled_from(["none", "linear", "quadratic"]),
)
def test_kappa_is_scikit_learns(pairs: list[tuple[int, int]], weights: str) -> None:
    """Cohen's kappa, weighted or not, is sklearn.metrics.cohen_kappa_score."""
    from sklearn.metrics import cohen_kappa_score

    a, b = zip(*pairs, strict=True)
    found = kappa(confusion_matrix(a, b, 4), weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sklearn divides 0 by 0 where chance explains all
        other = cohen_kappa_score(a, b, labels=range(4), weights=None if weights == "none" else weights)
    assert found == pytest.approx(other, nan_ok=True)


def test_kappa_of_cohens_own_example() -> None:
    """Cohen 1960, table 1: proportions .25 .13 .12 / .12 .02 .16 / .03 .15 .02 give -.0909."""
    table = np.array([[25, 13, 12], [12, 2, 16], [3, 15, 2]])
    expected = (0.29 - 0.35) / (1 - 0.35)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    assert (rows @ columns) / 100**2 == pytest.approx(0.35)
    assert kappa(table) == pytest.approx(expected)


def test_intervals_cover() -> None:
    """95 % intervals of kappa hold the truth in about 95 % of 300 draws."""
    rng = np.random.default_rng(1)
    truth = 0.6  # b repeats a with probability 0.6, else it is drawn alike
    hits = 0
    for _ in range(300):
        a = rng.integers(0, 2, 80)
        b = np.where(rng.random(80) < truth, a, rng.integers(0, 2, 80))
        found = kappa_interval(a, b, 2)
        assert found.lo is not None
        assert found.hi is not None
        hits += found.lo <= truth <= found.hi
    assert 0.91 <= hits / 300 <= 0.99


def test_clusters_widen_the_interval() -> None:
    """Items that repeat each other count once."""
    rng = np.random.default_rng(2)
    a = rng.integers(0, 2, 40)
    b = np.where(rng.random(40) < 0.7, a, 1 - a)
    once = kappa_interval(a, b, 2)
    thrice = kappa_interval(np.repeat(a, 3), np.repeat(b, 3), 2, clusters=np.repeat(np.arange(40), 3))
    assert thrice.stderr == pytest.approx(once.stderr)


def test_what_is_undefined_is_none() -> None:
    """One label throughout has no kappa, a constant no correlation, and nothing is made of nothing."""
    assert kappa_interval([0, 0], [0, 0], 2).value is None
    assert correlation_interval([1, 1, 1], [1, 2, 3], "pearson").value is None
    with pytest.raises(StatsError):
        correlation_interval([1, 2], [1, 2], "cosine")


@pytest.mark.realdata
def test_published_correlations_of_unieval() -> None:
    """Pearson, Spearman and Kendall of the UniEval README on QAGS-CNN/DM, six digits."""
    shared = Path(__file__).resolve().parents[3] / "shared" / "data"
    file = Path(os.environ.get("EVALKIT_REALDATA") or shared) / "meta_eval" / "qags_cnndm_unieval.json"
    if not file.is_file():
        pytest.skip("no folder of real benchmark data; set EVALKIT_REALDATA")
    rows = json.loads(file.read_text())
    human = [row["scores"]["consistency"] for row in rows]
    machine = [row["predict_scores"]["consistency"] for row in rows]
    published = {"pearson": 0.681681, "spearman": 0.662255, "kendall": 0.531636}
    for kind, value in published.items():
        found = correlation_interval(human, machine, kind)
        assert found.value == pytest.approx(value, abs=5e-7)
        assert found.lo is not None
        assert found.lo < value
