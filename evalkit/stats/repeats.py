"""Repeats: how much of an error bar is the choice of samples, and how much the model's own dice."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.core.errors import StatsError
from evalkit.stats.units import Array


@dataclass(frozen=True, slots=True)
class RepeatVariance:
    """The two parts of the variance of a mean over n samples, each asked several times."""

    between: float
    """omega^2: the variance over samples of the expected score, or of the expected paired difference."""
    within: float
    """The mean variance over repeats of one sample; for a pair, that of the baseline."""
    within_candidate: float
    """For a pair, the mean variance over repeats of the candidate; 0 for a single model."""
    n: int
    """Number of samples."""

    def variance(self, repeats: int, repeats_candidate: int | None = None) -> float:
        """The variance of the mean, (omega^2 + within / K + within_candidate / K_c) / n; K_c is K if None."""
        other = repeats if repeats_candidate is None else repeats_candidate
        return (self.between + self.within / repeats + self.within_candidate / other) / self.n

    def best_repeats(self, share: float = 0.1, most: int = 64) -> int:
        """The fewest repeats, up to `most`, with which the model's dice are at most `share` of the variance.

        statistics.md leaves "the best K" open: with n fixed the variance only falls with K, so this is where
        it stops paying.
        """
        noise = self.within + self.within_candidate
        if noise == 0.0:
            return 1
        if self.between == 0.0:
            return most
        return min(most, max(1, math.ceil(noise * (1.0 - share) / (share * self.between) - 1e-9)))


def repeat_variance(scores: npt.ArrayLike, candidate: npt.ArrayLike | None = None) -> RepeatVariance:
    """The variance of a mean, or of a mean paired difference, split into samples and repeats.

    scores has shape (samples, repeats); NaN is a missing repeat. The between part is unbiased, and cut at 0.
    Raises StatsError with one repeat, which cannot tell the parts apart. Source: Miller 2024,
    arXiv:2411.00640, section 3.
    """
    means, within, noise = _repeats(scores)
    within_b = 0.0
    if candidate is not None:
        means_b, within_b, noise_b = _repeats(candidate)
        if len(means_b) != len(means):
            raise StatsError(f"pairs need the same samples: {len(means)} and {len(means_b)}")
        means, noise = means_b - means, noise + noise_b
    if len(means) < 2:
        raise StatsError("the variance between samples needs at least two samples")
    between = max(0.0, float(means.var(ddof=1)) - noise)
    return RepeatVariance(between, within, within_b, len(means))


def _repeats(scores: npt.ArrayLike) -> tuple[Array, float, float]:
    """The mean of each sample, the mean variance within a sample, and the mean of variance / repeats."""
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or table.size == 0:
        raise StatsError(f"repeats need shape (samples, repeats); the shape is {table.shape}")
    counts = np.sum(~np.isnan(table), axis=1)
    if counts.min() == 0:
        raise StatsError("a sample has no score at all; leave it out and count it")
    if counts.max() < 2:
        raise StatsError("one repeat cannot separate the samples from the model's dice; run with repeats")
    means = np.nansum(table, axis=1) / counts
    squares = np.nansum((table - means[:, None]) ** 2, axis=1)
    # Pooled, so that samples with one repeat left still count in the means.
    within = float(squares.sum() / (counts - 1).sum())
    return means, within, within * float(np.mean(1.0 / counts))
