"""Contributions of pairs, with missing scores at their adverse end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import StatsError
from evalkit.stats import contributions, floor_contributions

score = st.floats(0.0, 1.0)
NAN = float("nan")


def test_absolute_margin():
    """e = candidate - baseline + margin, in [margin - 1, margin + 1]."""
    e = contributions([1.0, 0.5], [0.0, 0.75], 0.02)
    assert e.for_fail == pytest.approx([-0.98, 0.27])
    assert (e.lo, e.hi) == pytest.approx((-0.98, 1.02))


def test_relative_margin():
    """e = candidate - (1 - r) baseline, in [-(1 - r), 1]."""
    e = contributions([1.0, 0.5], [0.0, 0.75], 0.1, relative=True)
    assert e.for_fail == pytest.approx([-0.9, 0.3])
    assert (e.lo, e.hi) == pytest.approx((-0.9, 1.0))


def test_lower_is_better_turns_the_sign():
    """For an error rate, e = baseline - candidate + margin, or (1 + r) baseline - candidate."""
    assert contributions([0.2], [0.3], 0.02, higher_is_better=False).for_fail == pytest.approx([-0.08])
    e = contributions([0.2], [0.3], 0.1, relative=True, higher_is_better=False)
    assert e.for_fail == pytest.approx([-0.08])
    assert (e.lo, e.hi) == pytest.approx((-1.0, 1.1))


def test_missing_scores_speak_against_the_verdict():
    """A missing candidate is 1 for FAIL and 0 for PASS; a missing baseline is mirrored."""
    e = contributions([0.5, NAN, NAN], [NAN, 0.5, NAN], 0.0)
    assert e.for_fail == pytest.approx([0.5, 0.5, 1.0])
    assert e.for_pass == pytest.approx([-0.5, -0.5, -1.0])


@settings(deadline=None)
@given(
    st.lists(st.tuples(score | st.just(NAN), score | st.just(NAN)), min_size=1, max_size=10),
    st.floats(0.0, 0.5),
    st.booleans(),
    st.booleans(),
)
def test_contributions_lie_in_their_range(pairs, margin, relative, higher_is_better):
    """lo <= e for PASS <= e for FAIL <= hi, whatever is missing."""
    a, b = np.array(pairs).T
    e = contributions(a, b, margin, relative, higher_is_better)
    assert (e.lo - 1e-12 <= e.for_pass).all()
    assert (e.for_pass <= e.for_fail).all()
    assert (e.for_fail <= e.hi + 1e-12).all()


def test_floor():
    """e = score - floor, turned when lower is better, in the range that the scores allow."""
    e = floor_contributions([0.9, NAN], 0.8)
    assert e.for_fail == pytest.approx([0.1, 0.2])
    assert e.for_pass == pytest.approx([0.1, -0.8])
    assert (e.lo, e.hi) == pytest.approx((-0.8, 0.2))
    turned = floor_contributions([0.9, NAN], 0.8, higher_is_better=False)
    assert turned.for_fail == pytest.approx([-0.1, 0.8])
    assert turned.for_pass == pytest.approx([-0.1, -0.2])
    assert (turned.lo, turned.hi) == pytest.approx((-0.2, 0.8))


def test_unfit_pairs_raise():
    """Unequal lengths, scores outside the range, and a relative margin on negative scores are errors."""
    with pytest.raises(StatsError, match="as many"):
        contributions([0.5], [0.5, 0.5], 0.0)
    with pytest.raises(StatsError, match="leaves its declared range"):
        contributions([0.5], [1.5], 0.0)
    with pytest.raises(StatsError, match="not negative"):
        contributions([0.5], [0.5], 0.1, relative=True, lo=-1.0)
