"""Holm's and Benjamini-Hochberg's adjustments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

from evalkit.core.errors import StatsError
from evalkit.stats import benjamini_hochberg, holm

p_lists = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_holm_equals_statsmodels(n):
    """statsmodels 0.15, multipletests(p, method="holm"), with ties."""
    p = np.round(np.random.default_rng(n).beta(0.4, 2, n), 2)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(p_lists)
def test_benjamini_hochberg_equals_scipy(p):
    """scipy.stats.false_discovery_control(p)."""
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p), abs=1e-12)


def test_holm_by_hand():
    """0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, made monotone; in the order given."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@settings(deadline=None, max_examples=60)
@given(p_lists)
def test_adjusting_never_helps_and_keeps_the_order(p):
    """Adjusted p-values are at least the raw ones, at most 1, and sorted as they are."""
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= 1.0).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


def test_one_question_needs_no_adjustment():
    """A single p-value stays as it is."""
    assert holm([0.03]) == pytest.approx([0.03])


@pytest.mark.parametrize("p", [[], [1.2], [-0.1], [float("nan")]], ids=str)
def test_what_is_no_p_value_raises(p):
    """No p-values, and numbers that are none, are errors."""
    with pytest.raises(StatsError):
        holm(p)
