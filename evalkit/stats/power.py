"""Power: the smallest drop that a gate can see, and the number of samples it needs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from evalkit.core.errors import StatsError
from evalkit.stats.root import root
from evalkit.stats.units import check_alpha, check_level


@dataclass(frozen=True, slots=True)
class Plan:
    """How many samples a gate needs."""

    n_pass: int | None
    """Samples after which an unchanged model passes with the power asked for; None when margin <= 0."""
    n_fail: int | None
    """Samples after which the drop fails with that power; None when the drop is not beyond the margin."""


def mde(
    sd: float, n: int, margin: float = 0.0, alpha: float = 0.05, power: float = 0.8, bound: float = 1.0
) -> float:
    """The minimal detectable effect: the true drop that is reported as FAIL with the given power.

    The d at which d = margin + (z_{1-alpha} + z_power) s(d) / sqrt(n) + (bound + margin) / (n + 1). sd is of
    the paired differences without the drop (of the contributions e_g with clusters, and n then counts
    clusters); bound is the largest |difference| possible. A drop comes as whole falls of that size, which
    spread: s(d)^2 = sd^2 + bound d - d^2. Without them the power at low discordance is .3 to .7, not .8. The
    last term is what the unseen unit costs.
    """
    if n < 1 or sd < 0.0:
        raise StatsError(f"the power of a gate needs n >= 1 and sd >= 0, not n = {n}, sd = {sd}")

    def beyond(d: float) -> float:
        return d - margin - _reach(_spread(sd, d, bound), n, alpha, power, bound + margin)

    most = margin + _reach(sd + max(bound, 0.0), n, alpha, power, bound + margin)
    return most if beyond(margin) >= 0.0 or beyond(most) <= 0.0 else root(beyond, margin, most)


def plan(
    sd: float,
    margin: float,
    drop: float | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    bound: float = 1.0,
) -> Plan:
    """The numbers of samples at which no change passes and at which `drop` fails, each with the given power.

    drop defaults to twice the margin. PASS is the mirror of the formula of `mde`: margin must be at least
    (z_{1-alpha} + z_power) sd / sqrt(n) + (bound - margin) / (n + 1). sd comes from the baseline's own
    repeats (an A/A comparison), or from `sd_of_discordance`.
    """
    if sd < 0.0:
        raise StatsError(f"a standard deviation is not negative: {sd}")
    fall = 2.0 * margin if drop is None else drop
    beyond, spread = fall - margin, _spread(sd, fall, bound)
    return Plan(
        n_pass=_smallest(lambda n: _reach(sd, n, alpha, power, bound - margin) <= margin, margin > 0.0),
        n_fail=_smallest(lambda n: _reach(spread, n, alpha, power, bound + margin) <= beyond, beyond > 0.0),
    )


def sd_of_discordance(discordance: float, difference: float = 0.0) -> float:
    """The sd of paired 0/1 differences: sqrt(discordance - difference^2).

    discordance is the share of samples on which exactly one of the two is right.
    """
    if not abs(difference) <= discordance <= 1.0:
        raise StatsError(f"discordance must lie between |difference| and 1, not {discordance}")
    return math.sqrt(discordance - difference**2)


def _spread(sd: float, drop: float, bound: float) -> float:
    """The sd of the differences when falls of the size `bound` add a drop."""
    return math.sqrt(max(sd**2 + max(bound * drop - drop**2, 0.0), 0.0))


def _reach(sd: float, n: int, alpha: float, power: float, end: float) -> float:
    """How far beyond the margin the truth must lie for a verdict with the given power."""
    from scipy.special import ndtri

    z = float(ndtri(1.0 - check_alpha(alpha)) + ndtri(check_level(power, "power")))
    return z * sd / math.sqrt(n) + end / (n + 1)


def _smallest(enough: Callable[[int], bool], possible: bool) -> int | None:
    """The smallest n >= 1 that is enough, by doubling and halving; None when none can be."""
    if not possible:
        return None
    high = 1
    while not enough(high):
        high *= 2
        if high > 2**60:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
