"""The root finder."""

import math

import pytest
from scipy.optimize import brentq

from evalkit.core.errors import StatsError
from evalkit.stats.root import root


@pytest.mark.parametrize("near", [(), (0.7, 0.75), (-5.0, 0.0)])
def test_root_equals_brentq(near):
    """The root of cos(x) - x is that of scipy, wherever the search starts."""

    def f(x: float) -> float:
        return math.cos(x) - x

    assert root(f, 0.0, 2.0, near) == pytest.approx(brentq(f, 0.0, 2.0), abs=1e-11)


def test_root_at_an_end_is_found():
    """A zero at an end of the bracket is the answer."""
    assert root(lambda x: x, 0.0, 1.0) == 0.0


def test_no_change_of_sign_raises():
    """Without a change of sign there is nothing to return."""
    with pytest.raises(StatsError, match="no root"):
        root(lambda x: 1.0 + x, 0.0, 1.0)
