"""Cells of the grid: intervals that are shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from worlds import BALANCED, FOUR, RARE, Cell, classes, labelled, outside, true_f1, wrong

from evalkit import stats
from evalkit.stats import Corpus, Stratum


@cache
def mean_ends(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a 0/1 mean."""
    return stats.gaffke_interval(np.r_[np.ones(right), np.zeros(n - right)])


def shown_means() -> Iterator[Cell]:
    """Accuracy, and graded scores near an end."""
    for n in (2, 5, 10, 20, 50, 100, 300, 1000):
        for rate in (0.0, 0.01, 0.02, 0.05, 0.5, 0.95, 0.98, 0.99, 1.0):

            def draw(rng: np.random.Generator, n: int = n, rate: float = rate) -> dict[str, float]:
                low, high = mean_ends(int(rng.binomial(n, rate)), n)
                return {"missed": not low <= rate <= high, "width": high - low}

            yield Cell("interval of accuracy", f"n {n}, rate {rate}", draw, 0.07)
    for n in (10, 20, 100, 300):

        def graded(rng: np.random.Generator, n: int = n) -> dict[str, float]:
            x = 1.0 - np.where(rng.random(n) < 0.02, rng.random(n), 0.0)
            old = stats.t_interval(x)
            found = stats.make_evidence(x, x, 0.0, 1.0)
            return {"missed": outside(found, 0.99), "missed before": not old.lo <= 0.99 <= old.hi}

        yield Cell("interval of a graded mean", f"n {n}, mean .99, rare losses", graded, 0.07)


def shown_corpus() -> Iterator[Cell]:
    """Macro-F1 of one model."""
    for name, shares in (("2 classes", BALANCED), ("90:10", RARE), ("4 classes", FOUR)):
        for n in (20, 50, 100, 300):
            for error in (0.01, 0.05, 0.2):

                def draw(
                    rng: np.random.Generator, n: int = n, shares: tuple = shares, error: float = error
                ) -> dict[str, float]:
                    metric = classes(len(shares))
                    gold = labelled(rng, n, shares)
                    said = np.where(rng.random(n) < error, wrong(rng, gold, len(shares)), gold)
                    rows = metric.rows(np.stack([gold, said], axis=1).astype(float))
                    truth = true_f1(shares, error)
                    found = stats.corpus_evidence(Corpus(rows, metric.possible(rows)), metric.aggregate)
                    old = stats.corpus_interval(rows, metric.aggregate)
                    lo, hi = max(old.lo or 0.0, 0.0), min(old.hi or 1.0, 1.0)
                    missed = 1.0 if found.evidence is None else outside(found.evidence, truth)
                    return {"missed": missed, "missed before": not lo <= truth <= hi}

                yield Cell("interval of macro-F1", f"{name}, n {n}, error {error}", draw, 0.07)


def shown_overall() -> Iterator[Cell]:
    """The mean over tasks of one model."""
    sizes = {"1 x 20": [20], "1 x 100": [100], "5 x 20": [20] * 5, "20 x 5": [5] * 20, "5 and 300": [5, 300]}
    for name, ns in {**sizes, "10 x 100": [100] * 10}.items():
        for rate in (0.5, 0.9, 0.98, 1.0):

            def draw(rng: np.random.Generator, ns: list = ns, rate: float = rate) -> dict[str, float]:
                parts = [(rng.random(n) < rate).astype(float) for n in ns]
                found = stats.pool_centred([Stratum(x, x, None, 0.0, 1.0) for x in parts])
                old = stats.macro_interval(
                    [x.mean() for x in parts], [x.std(ddof=1) / len(x) ** 0.5 for x in parts], ns
                )
                return {
                    "missed": outside(found, rate),
                    "missed before": not old.lo <= rate <= min(old.hi, 1.0),
                }

            yield Cell("interval of a mean over tasks", f"{name}, rate {rate}", draw, 0.07)
