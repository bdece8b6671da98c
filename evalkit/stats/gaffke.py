"""Gaffke's bound: tests and intervals for the mean of bounded scores, at any number of samples.

A Bayesian bootstrap with one more observation at the adverse end of the range. On 0/1 scores it is the
Clopper-Pearson interval, on paired 0/1 scores the exact one-sided McNemar test, on graded scores it tends to
the t-test. Proved for two-point data, conjectured in general; no counterexample is known.

Source: N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
nonnegative variable", Mathematical Methods of Statistics 14 (2005); E. Learned-Miller and P. Thomas,
arXiv:1905.06208. The distribution is computed, not drawn, so there is no seed: in closed form for two values,
else by a contour integral, to ten digits. The formula of R. Lugannani and S. Rice (Advances in Applied
Probability 12, 1980) errs by up to 0.008 where a few samples carry the evidence, and serves only where it is
known to err by less than 1e-5, and where there are many tests to do at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.root import root
from evalkit.stats.units import Array, Clusters, Units, bounded, check_level, units

# Beyond this many distinct values the integral takes milliseconds, and the formula is tried first.
N_CONTOUR = 256
BLOCK = 24


def gaffke_p_less(e: npt.ArrayLike, lo: float, hi: float, clusters: Clusters = None) -> float:
    """The p-value of "the mean of e is below 0" against "it is 0 or more"; e lies in [lo, hi].

    P(G_0 hi + sum G_i e_i >= 0) with G ~ iid Exp(1). With clusters, a unit is a cluster and contributes its
    mean times its size over the largest size. Valid from one unit up. Raises StatsError on no data.
    """
    return Values.of(units(bounded(e, lo, hi, "e"), clusters)).tail(0.0, hi, 1.0)


def gaffke_p_greater(e: npt.ArrayLike, lo: float, hi: float, clusters: Clusters = None) -> float:
    """The p-value of "the mean of e is above 0" against "it is 0 or less"; the mirror of gaffke_p_less."""
    return Values.of(units(bounded(e, lo, hi, "e"), clusters)).tail(0.0, lo, -1.0)


def gaffke_interval(
    x: npt.ArrayLike,
    confidence: float = 0.95,
    clusters: Clusters = None,
    lo: float = 0.0,
    hi: float = 1.0,
) -> tuple[float, float]:
    """The two-sided confidence interval (lower, upper) of the mean of scores that lie in [lo, hi].

    On 0/1 scores this is the Clopper-Pearson interval. Clusters are the units where they are given. Raises
    StatsError on fewer than two units and on scores outside [lo, hi].
    """
    data = Values.of(units(bounded(x, lo, hi), clusters))
    if data.counts.sum() < 2:
        raise StatsError("an interval needs at least two units, and there is one")
    side = (1.0 - check_level(confidence)) / 2.0
    return data.lower(side, lo), data.upper(side, hi)


@dataclass(frozen=True, slots=True)
class Values:
    """The distinct units and how often each occurs."""

    means: Array
    weights: Array
    counts: Array

    @classmethod
    def of(cls, data: Units) -> Values:
        """The distinct values of the units."""
        if data.weights.min() == 1.0:
            means, counts = np.unique(data.means, return_counts=True)
            return cls(means, np.ones(len(means)), counts.astype(np.float64))
        pairs, counts = np.unique(data.means + 1j * data.weights, return_counts=True)
        return cls(pairs.real, pairs.imag, counts.astype(np.float64))

    def lower(self, side: float, lo: float, mid: bool = False) -> float:
        """The lower end of an interval that errs there with probability `side`; lo is the least possible."""
        largest = float(self.means.max())
        if largest <= lo:
            return lo
        return root(lambda m: self.above(m, lo, mid) - side, lo, largest, self.near(side, lo))

    def upper(self, side: float, hi: float, mid: bool = False) -> float:
        """The upper end of an interval that errs there with probability `side`; hi is the most possible."""
        smallest = float(self.means.min())
        if smallest >= hi:
            return hi
        return root(lambda m: self.below(m, hi, mid) - side, smallest, hi, self.near(side, hi))

    def above(self, m: float, lo: float, mid: bool = False) -> float:
        """The p-value of "the mean is above m"; with mid half of it is without the unseen unit."""
        p = self.tail(m, lo, -1.0)
        return (p + self.tail(m, None, -1.0)) / 2.0 if mid else p

    def below(self, m: float, hi: float, mid: bool = False) -> float:
        """The p-value of "the mean is below m"; with mid half of it is without the unseen unit."""
        p = self.tail(m, hi, 1.0)
        return (p + self.tail(m, None, 1.0)) / 2.0 if mid else p

    def near(self, side: float, end: float) -> tuple[float, float]:
        """Two points between which the bound towards `end` almost always lies (normal approximation)."""
        from scipy.special import ndtri

        share = self.weights * self.counts
        size = float(share.sum())
        mean = float((share * self.means).sum()) / size
        error = float(np.sqrt((share * self.weights * (self.means - mean) ** 2).sum())) / size
        reach = -float(ndtri(side)) * error
        guess = mean + (end - mean) / (size + 1.0) + (reach if end > mean else -reach)
        return guess - 0.2 * reach, guess + 0.2 * reach

    def tail(self, m: float, end: float | None, sign: float) -> float:
        """P(sign * (G_0 (end - m) + sum G_i weight_i (mean_i - m)) >= 0); without G_0 where end is None."""
        a, c = self.weights * (self.means - m), self.counts
        if end is not None:
            a, c = np.append(a, end - m), np.append(c, 1.0)
        return _tail(sign * a, c)


def _tail(a: Array, c: Array) -> float:
    """P(sum_j a_j Gamma(c_j) >= 0); 1 when every a_j is 0, so that no evidence is never evidence."""
    keep = (a != 0.0) & (c > 0.0)
    a, c = a[keep] / np.abs(a).max(initial=1e-300), c[keep]
    smallest, largest = a.min(initial=0.0), a.max(initial=0.0)
    if smallest == 0.0:
        return 1.0
    if largest == 0.0:
        return 0.0
    up = a > 0.0
    if (a[up] == largest).all() and (a[~up] == smallest).all():
        from scipy.special import betainc

        # G/(G + G') is Beta(c, c'), and the sum is positive where it exceeds -smallest/(largest - smallest).
        return float(betainc(c[~up].sum(), c[up].sum(), largest / (largest - smallest)))
    t = float(_saddlepoint(a, c))
    if len(a) > N_CONTOUR and _is_near_normal(a, c, t):
        return float(saddlepoint_tail(a, c))
    return _contour_tail(a, c, t) if t >= 0.0 else 1.0 - _contour_tail(-a, c, -t)


def _is_near_normal(a: Array, c: Array, t: float) -> bool:
    """Whether skewness and kurtosis at the saddlepoint make the formula err by less than 1e-5."""
    r = a / (1.0 - t * a)
    # Sums, not dot products: those wake the threads of BLAS, which stall on a busy machine.
    crr = c * r * r
    k2, k3, k4 = crr.sum(), 2.0 * (crr * r).sum(), 6.0 * (crr * r * r).sum()
    return bool(k4 / k2**2 + k3**2 / k2**3 < 0.01)


def _contour_tail(a: Array, c: Array, t: float) -> float:
    """P(sum_j a_j Gamma(c_j) >= 0) to about 1e-10, by inverting its transform along a line in the strip.

    Re (1/pi) int_0^inf exp(K(s + iy)) / (s + iy) dy for 0 < s < 1/max(a), with y = width sinh(v): the
    trapezoid rule then converges exponentially, and its step is halved until it has. t >= 0 is the
    saddlepoint.
    """
    right, left = 1.0 / a.max(), 1.0 / a.min()
    spread = 1.0 / np.sqrt(np.sum(c * (a / (1.0 - t * a)) ** 2))
    s = min((t + np.sqrt(t * t + 4.0 * spread**2)) / 2.0, (t + right) / 2.0)
    width = min(s, right - s, s - left, 8.0 * spread)

    # exp(K(s + iy)) = exp(K(s)) / prod_j (1 - iy r_j)^c_j. Products of eight, padded with zeros, which
    # multiply by 1, leave an eighth of the logarithms to take.
    r, single = a / (1.0 - s * a), (c == 1.0) & (len(a) > 64)
    height = float(np.sum(c * np.log1p(-s * a)))
    eights = np.append(r[single], np.zeros(-np.count_nonzero(single) % 8)).reshape(8, -1)
    rest, powers = r[~single], c[~single]

    def integrand(v: Array) -> Array:
        y = (1j * width * np.sinh(v))[:, None]
        k = np.log(1.0 - y * rest) @ powers
        if eights.size:
            product = 1.0 - y * eights[0]
            for row in eights[1:]:
                product *= 1.0 - y * row
            k += np.log(product).sum(axis=1)
        return np.asarray((np.exp(-height - k) / (s + y[:, 0])).real * width * np.cosh(v))

    def integral(offset: float, step: float) -> float:
        total, peak = 0.0, 0.0
        for start in range(0, 4000, BLOCK):
            f = integrand(step * (offset + np.arange(start, start + BLOCK, dtype=np.float64)))
            total, peak = total + float(f.sum()), max(peak, float(np.abs(f).max()))
            if start + offset == 0.0:
                total -= float(f[0]) / 2.0
            if np.abs(f[-4:]).max() <= 1e-14 * peak or step * start > 40.0:
                break
        return step * total / np.pi

    step = min(0.25, float(spread / width))
    value = integral(0.0, step)
    for _ in range(6):
        finer = (value + integral(0.5, step)) / 2.0
        done = abs(finer - value) <= 1e-7 * finer
        value, step = finer, step / 2.0
        # The error squares with every halving, so that the finer value is good to far more digits.
        if done:
            break
    return float(np.clip(value, 0.0, 1.0))


def saddlepoint_tail(a: Array, c: Array) -> Array:
    """P(sum_j a_j Gamma(c_j) >= 0) over the last axis, by the formula of Lugannani and Rice.

    Every row of a, shape (..., values), needs a positive and a negative entry; c broadcasts against it.
    """
    from scipy.special import ndtr

    t = _saddlepoint(a, c)
    ta = t[..., None] * a
    r = a / (1.0 - ta)
    crr = c * r * r
    k = -np.sum(c * np.log1p(-ta), axis=-1)
    k2, k3 = crr.sum(axis=-1), 2.0 * (crr * r).sum(axis=-1)
    w = np.sign(t) * np.sqrt(np.maximum(-2.0 * k, 0.0))
    u = t * np.sqrt(k2)
    near = np.abs(w) < 1e-4
    w_, u_ = np.where(near, 1.0, w), np.where(near, 1.0, u)
    p = ndtr(-w_) + np.exp(-(w_**2) / 2.0) / np.sqrt(2.0 * np.pi) * (1.0 / u_ - 1.0 / w_)
    at_mean = 0.5 - k3 / (6.0 * np.sqrt(2.0 * np.pi) * k2**1.5)
    return np.asarray(np.clip(np.where(near, at_mean, p), 0.0, 1.0))


def _saddlepoint(a: Array, c: Array) -> Array:
    """The t at which K'(t) = sum_j c_j a_j / (1 - t a_j) is 0, over the last axis.

    Newton's method on K' times (right - t)(t - left), which has no poles and is linear for two values;
    bisection where a step would leave the bracket.
    """
    left, right = 1.0 / a.min(axis=-1), 1.0 / a.max(axis=-1)
    below, above = left, right
    t = np.zeros_like(left)
    for _ in range(100):
        r = a / (1.0 - t[..., None] * a)
        cr = c * r
        k1, k2 = cr.sum(axis=-1), (cr * r).sum(axis=-1)
        below, above = np.where(k1 <= 0.0, t, below), np.where(k1 >= 0.0, t, above)
        q = (right - t) * (t - left)
        slope = k2 * q + k1 * (right + left - 2.0 * t)
        new = t - k1 * q / np.where(slope > 0.0, slope, 1.0)
        safe = (slope > 0.0) & (new > below) & (new < above)
        new = np.where(safe, new, (below + above) / 2.0)
        done = np.abs(k1) <= 1e-12 * np.sqrt(k2)
        if done.all() or (np.abs(new - t) <= 1e-15 * (right - left)).all():
            return np.asarray(t)
        t = np.where(done, t, new)
    return np.asarray(t)
