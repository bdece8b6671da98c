"""Power: minimal detectable effects and plans."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import StatsError
from evalkit.stats import gate_verdict, mde, plan, sd_of_discordance


def test_mde_by_hand():
    """d = 0.02 + (1.645 + 0.842) sqrt(0.3^2 + d - d^2) / sqrt(400) + 1.02 / 401."""
    d = mde(0.3, 400, 0.02)
    spread = (0.3**2 + d - d**2) ** 0.5
    assert d == pytest.approx(0.02 + 2.486475 * spread / 20 + 1.02 / 401, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "discordance", "margin"), [(200, 0.02, 0.02), (100, 0.05, 0.02), (1000, 0.1, 0.02)]
)
def test_the_power_at_the_stated_drop_is_reached(n, discordance, margin):
    """400 seeded gates with the stated drop fail in 80 % or more less two standard errors.

    Taking the spread without the drop for the spread with it, they failed in 39, 45 and 68 %.
    """
    drop = mde(sd_of_discordance(discordance), n, margin)
    rng = np.random.default_rng(n)
    failed = 0
    for _ in range(400):
        p = [discordance / 2 + drop, discordance / 2, 1 - discordance - drop]
        lost, won, _ = rng.multinomial(n, p)
        a = np.r_[np.ones(lost), np.zeros(n - lost)]
        b = np.r_[np.zeros(lost), np.ones(won), np.zeros(n - lost - won)]
        failed += gate_verdict(a, b, margin) == "fail"
    assert failed / 400 >= 0.8 - 2 * (0.8 * 0.2 / 400) ** 0.5


@given(st.floats(0.0, 0.9), st.integers(1, 10_000), st.floats(0.0, 0.2))
def test_more_samples_see_smaller_drops(sd, n, margin):
    """The effect falls with n and is always beyond the margin."""
    assert margin < mde(sd, n + 1, margin) < mde(sd, n, margin)


@given(st.floats(0.01, 0.7), st.floats(0.005, 0.2), st.floats(0.005, 0.3))
def test_plan_is_the_smallest_n_that_is_enough(sd, margin, beyond):
    """At n_fail the drop is detectable, at n_fail - 1 it is not."""
    drop = margin + beyond
    n = plan(sd, margin, drop).n_fail
    assert mde(sd, n, margin) <= drop + 1e-12
    assert n == 1 or mde(sd, n - 1, margin) > drop


def test_a_margin_of_zero_never_passes_an_unchanged_model():
    """Without a margin n_pass is None; without a drop beyond the margin n_fail is."""
    assert plan(0.3, 0.0, 0.05).n_pass is None
    assert plan(0.3, 0.05, 0.05).n_fail is None


def test_planned_power_is_reached():
    """With the planned n, 300 seeded gates pass, and fail, as often as asked for, within 0.1."""
    worse, better, margin, drop = 0.05, 0.05, 0.05, 0.1
    sd = sd_of_discordance(0.1)
    needed = plan(sd, margin, drop)
    rng = np.random.default_rng(0)

    def share(verdict, n, worse, better):
        d = rng.choice([-1.0, 1.0, 0.0], p=[worse, better, 1 - worse - better], size=(300, n))
        pairs = [(np.where(row < 0, 1.0, 0.0), np.where(row > 0, 1.0, 0.0)) for row in d]
        return np.mean([gate_verdict(a, b, margin, 0.05) == verdict for a, b in pairs])

    assert share("pass", needed.n_pass, worse, better) == pytest.approx(0.8, abs=0.1)
    assert share("fail", needed.n_fail, worse + drop, better) == pytest.approx(0.8, abs=0.1)


def test_sd_of_discordance_is_the_sd_of_flips():
    """8 losses and 2 gains among 100 pairs: discordance 0.1, difference -0.06."""
    d = np.r_[-np.ones(8), np.ones(2), np.zeros(90)]
    assert sd_of_discordance(0.1, -0.06) == pytest.approx(d.std())


@pytest.mark.parametrize("call", [lambda: mde(0.3, 0), lambda: mde(-1, 5), lambda: plan(-1, 0.1)])
def test_impossible_plans_raise(call):
    """No samples and negative deviations are errors."""
    with pytest.raises(StatsError):
        call()


def test_impossible_discordance_raises():
    """Models cannot differ by more than the share of samples they disagree on."""
    with pytest.raises(StatsError, match="discordance"):
        sd_of_discordance(0.05, 0.1)
