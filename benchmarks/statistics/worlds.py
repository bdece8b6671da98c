"""What the cells of the grid share: worlds to draw from, verdicts, and the methods of 0.1.0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import stdtr

from evalkit import stats
from evalkit.metrics.base import Context
from evalkit.metrics.classification import MacroF1
from evalkit.stats import Corpus

ALPHA, SIDE = 0.05, 0.025
DRAWS, MANY = 2_000, 20_000
NAN = float("nan")
Draw = Callable[[np.random.Generator], dict[str, float]]
"""One draw: the name of a rate -> 1 where it happened."""


@dataclass(frozen=True)
class Cell:
    """One line of the grid."""

    family: str
    name: str
    draw: Draw
    limit: float
    """What the rates of errors must not exceed; NaN where no method is valid, which the table says."""
    draws: int = DRAWS

    @property
    def key(self) -> str:
        """What the cell is kept by."""
        return f"{self.family} | {self.name}"


def classes(k: int) -> MacroF1:
    """Macro-F1 over k classes."""
    return MacroF1(Context(labels=tuple(f"c{i}" for i in range(k))))


def outside(found: stats.Evidence, truth: float) -> float:
    """Whether the 95 % interval leaves the truth out; its ends are where these p-values are .025."""
    return float(min(found.p_above(truth), found.p_below(truth)) < SIDE)


def labelled(rng: np.random.Generator, n: int, shares: tuple[float, ...]) -> np.ndarray:
    """Gold labels, every class there; a corpus that lacks one has no interval and no verdict."""
    while True:
        gold = rng.choice(len(shares), n, p=shares)
        if len(np.unique(gold)) == len(shares):
            return gold


def wrong(rng: np.random.Generator, gold: np.ndarray, k: int) -> np.ndarray:
    """Another class than the gold one for each sample."""
    return (gold + rng.integers(1, k, len(gold))) % k


def true_f1(shares: tuple[float, ...], error: float) -> float:
    """Macro-F1 where each sample is wrong with this probability, its class drawn among the others."""
    q = np.array(shares)
    k = len(q)
    predicted = q * (1 - error) + (1 - q) * error / (k - 1) if k == 2 else None
    if predicted is None:
        predicted = q * (1 - error) + (q.sum() - q) * error / (k - 1)
    return float(np.mean(2 * q * (1 - error) / (q + predicted)))


BALANCED, RARE, FOUR = (0.5, 0.5), (0.9, 0.1), (0.25,) * 4


@cache
def paired_p(n: int, up: int, down: int, tolerance: float) -> tuple[float, float]:
    """(p of FAIL, p of PASS) on paired 0/1 scores."""
    a = np.r_[np.zeros(up), np.ones(n - up)]
    b = np.r_[np.ones(up), np.zeros(down), np.ones(n - up - down)]
    found = stats.gate_decision(a, b, tolerance)
    return found.p_fail, found.p_pass


def verdicts(fail: float, passed: float) -> dict[str, float]:
    """What a gate says where the truth is exactly the tolerance, so that FAIL and PASS are both wrong."""
    return {
        "false PASS": passed <= ALPHA,
        "false FAIL": fail <= ALPHA,
        "cannot tell": passed > ALPHA and fail > ALPHA,
    }


def jackknife_t(a: np.ndarray, b: np.ndarray, aggregate: Any, margin: float) -> tuple[float, float]:
    """(p of FAIL, p of PASS) by the method of 0.1.0."""
    n = len(a)
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    gap = float(aggregate(total_b) - aggregate(total_a)) + margin
    parts = aggregate(total_b - b) - aggregate(total_a - a)
    error = ((n - 1) / n * np.sum((parts - parts.mean()) ** 2)) ** 0.5
    if n < 50:
        return 1.0, 1.0
    if error == 0.0:
        return float(gap >= 0.0), float(gap <= 0.0)
    return float(stdtr(n - 1.0, gap / error)), float(stdtr(n - 1.0, -gap / error))


def with_before(found: tuple[float, float], old: tuple[float, float]) -> dict[str, float]:
    """Both methods on the same draw."""
    return {
        **verdicts(*found),
        "false PASS before": old[1] <= ALPHA,
        "false FAIL before": old[0] <= ALPHA,
    }


def corpus_p(a: np.ndarray, b: np.ndarray, metric: Any, possible: Any, margin: float) -> tuple[float, float]:
    """(p of FAIL, p of PASS) of a metric of the corpus."""
    found = stats.paired_evidence(Corpus(a, possible), Corpus(b, possible), metric).evidence
    return (1.0, 1.0) if found is None else (found.p_below(-margin), found.p_above(-margin))


def satterthwaite(parts: list[np.ndarray], tolerance: float) -> tuple[float, float]:
    """(p of FAIL, p of PASS) by the method of 0.1.0, which wanted 50 samples a task."""
    n = np.array([len(d) for d in parts], dtype=float)
    if n.min() < 50:
        return 1.0, 1.0
    squares = np.array([d.var(ddof=1) for d in parts]) / n / len(parts) ** 2
    gap = float(np.mean([d.mean() for d in parts])) + tolerance
    if squares.sum() == 0.0:
        return float(gap >= 0.0), float(gap <= 0.0)
    df = squares.sum() ** 2 / np.sum(squares**2 / (n - 1.0))
    t = gap / squares.sum() ** 0.5
    return float(stdtr(df, t)), float(stdtr(df, -t))


def powers(found: tuple[float, float], old: tuple[float, float], fails: bool) -> dict[str, float]:
    """Whether each method reached the verdict that is right."""
    side = 0 if fails else 1
    return {"power": found[side] <= ALPHA, "power before": old[side] <= ALPHA}
