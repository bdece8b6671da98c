"""Bradley-Terry strengths."""

import numpy as np
import pytest
import statsmodels.api as sm

from evalkit.core.errors import StatsError
from evalkit.stats import bradley_terry


def games(rng, strengths, n):
    """Random pairs of models and the outcomes that their strengths give."""
    a = rng.integers(0, len(strengths), n)
    b = (a + rng.integers(1, len(strengths), n)) % len(strengths)
    wins = rng.random(n) < 1 / (1 + np.exp(strengths[b] - strengths[a]))
    return a, b, wins.astype(float)


def test_two_models_by_hand():
    """30 wins of 40: log-odds log(3) apart, half to each side."""
    result = bradley_terry([0] * 40, [1] * 40, [1] * 30 + [0] * 10, 2)
    assert result.strengths == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-3)


def test_strengths_and_errors_are_those_of_statsmodels():
    """A logistic regression on +1/-1 columns with cluster-robust errors gives the same numbers."""
    rng = np.random.default_rng(0)
    strengths = np.array([1.0, 0.3, -0.2, -1.1])
    a, b, y = games(rng, strengths, 600)
    prompts = np.arange(600) // 5
    design = np.zeros((600, 4))
    design[np.arange(600), a], design[np.arange(600), b] = 1.0, -1.0
    fit = sm.GLM(y, design[:, 1:], family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": prompts, "use_correction": False}
    )
    result = bradley_terry(a, b, y, 4, prompts)
    centre = np.vstack([np.zeros(3), np.eye(3)]) - 1 / 4
    covariance = centre @ fit.cov_params() @ centre.T * 120 / 119
    assert result.strengths == pytest.approx(centre @ fit.params, abs=1e-3)
    assert result.stderrs == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-3)


def test_interval_covers_under_repeated_votes():
    """With 4 equal votes a prompt, the clustered 95 % interval covers in over 90 % of 200 arenas."""
    rng = np.random.default_rng(1)
    strengths = np.array([0.6, 0.0, -0.6])
    hits = plain = 0
    for _ in range(200):
        a, b, y = (np.repeat(v, 4) for v in games(rng, strengths, 150))
        clustered = bradley_terry(a, b, y, 3, np.arange(600) // 4)
        alone = bradley_terry(a, b, y, 3)
        hits += clustered.lo[0] <= 0.6 <= clustered.hi[0]
        plain += alone.lo[0] <= 0.6 <= alone.hi[0]
    assert hits >= 180
    assert plain < hits


def test_ties_are_half_a_win():
    """A tie is the same as half a win and half a loss."""
    tied = bradley_terry([0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0.5], 2)
    assert tied.strengths[0] - tied.strengths[1] == pytest.approx(np.log(2.5 / 1.5), abs=2e-3)


def test_swapping_the_sides_changes_nothing():
    """The game (a, b, y) is the game (b, a, 1 - y)."""
    a, b, y = games(np.random.default_rng(2), np.array([0.5, 0.0, -0.5]), 200)
    one, other = bradley_terry(a, b, y, 3), bradley_terry(b, a, 1 - y, 3)
    assert one.strengths == pytest.approx(other.strengths)
    assert one.stderrs == pytest.approx(other.stderrs)


def test_strengths_sum_to_zero_and_ranks_follow():
    """Far apart models hold one place each."""
    a, b, y = games(np.random.default_rng(3), np.array([-1.5, 0.0, 1.5]), 900)
    result = bradley_terry(a, b, y, 3)
    assert result.strengths.sum() == pytest.approx(0.0, abs=1e-9)
    assert result.ranks == [(3, 3), (2, 2), (1, 1)]


def test_a_model_that_always_wins_is_its_own_component():
    """Unbeaten, it cannot be placed on the scale of the others: nan, not a huge number."""
    a, b, y = games(np.random.default_rng(4), np.array([0.0, 0.2]), 100)
    result = bradley_terry(np.r_[a, [2] * 10], np.r_[b, [0] * 10], np.r_[y, np.ones(10)], 3)
    assert np.isnan(result.strengths[2])
    assert result.components[0] == result.components[1] != result.components[2]
    assert result.strengths[:2].sum() == pytest.approx(0.0, abs=1e-9)


def test_a_cycle_of_wins_is_one_component():
    """Wins that lead from each model to each other, over others, connect them."""
    result = bradley_terry([0, 1, 2, 3], [1, 2, 3, 0], [1, 1, 1, 1], 4)
    assert len(set(result.components.tolist())) == 1
    assert result.strengths == pytest.approx(np.zeros(4), abs=1e-9)


def test_one_prompt_has_no_error():
    """Votes on a single prompt give strengths without errors, and no order."""
    result = bradley_terry([0, 0, 0], [1, 1, 1], [1, 1, 0], 2, ["p"] * 3)
    assert np.isnan(result.stderrs).all()
    assert result.ranks == [(1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("a", "b", "y"), [([], [], []), ([0], [0], [1]), ([0], [5], [1]), ([0], [1], [2]), ([0, 1], [1], [1])]
)
def test_impossible_games_raise(a, b, y):
    """No games, a game against oneself or a stranger, and an outcome beyond a win are errors."""
    with pytest.raises(StatsError):
        bradley_terry(a, b, y, 2)
