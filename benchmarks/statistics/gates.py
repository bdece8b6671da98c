"""Cells of the grid: gates whose truth is exactly the tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import stdtr
from worlds import (
    ALPHA,
    BALANCED,
    DRAWS,
    FOUR,
    MANY,
    NAN,
    RARE,
    Cell,
    corpus_p,
    jackknife_t,
    labelled,
    paired_p,
    satterthwaite,
    true_f1,
    verdicts,
    with_before,
    wrong,
)

from evalkit import stats
from evalkit.metrics.base import Context
from evalkit.metrics.classification import MacroF1, MicroF1
from evalkit.stats import Corpus


def gates_of_means() -> Iterator[Cell]:
    """Accuracy: a drop of exactly the tolerance; few and many differing pairs, repeats, clusters, missing."""
    for n in (1, 5, 10, 20, 50, 100, 300, 1000):
        for down, up in ((0.01, 0.0), (0.02, 0.0), (0.05, 0.0), (0.1, 0.05), (0.3, 0.2), (1.0, 0.0)):

            def draw(
                rng: np.random.Generator, n: int = n, down: float = down, up: float = up
            ) -> dict[str, float]:
                lost, won, _ = rng.multinomial(n, [down, up, max(0.0, 1.0 - down - up)])
                fail, passed = paired_p(n, int(won), int(lost), round(down - up, 6))
                return verdicts(fail, passed)

            name = f"n {n}, {down} worse, {up} better, tolerance {round(down - up, 3)}"
            yield Cell("gate of accuracy", name, draw, ALPHA, MANY if n <= 300 else DRAWS)
    for n, repeats in ((50, 4), (200, 4)):

        def repeated(rng: np.random.Generator, n: int = n, repeats: int = repeats) -> dict[str, float]:
            easy = rng.beta(4, 1, n)
            a = rng.binomial(repeats, easy) / repeats
            b = rng.binomial(repeats, np.maximum(easy - 0.02, 0.0)) / repeats
            drop = float(np.mean(easy - np.maximum(easy - 0.02, 0.0)))
            found = stats.gate_decision(a, b, drop)
            return verdicts(found.p_fail, found.p_pass)

        yield Cell("gate of accuracy", f"n {n}, {repeats} repeats, drop = tolerance .02", repeated, ALPHA)
    for share in (0.05, 0.1, 0.15):

        def missing(rng: np.random.Generator, share: float = share) -> dict[str, float]:
            a = (rng.random(200) < 0.9).astype(float)
            b = np.where(rng.random(200) < 0.1, 1.0 - a, a)
            b = np.where((a == 1.0) & (rng.random(200) < 0.04), 0.0, b)
            drop = 0.9 * (0.1 + 0.9 * 0.04) - 0.1 * 0.1
            b[(b == 0.0) & (rng.random(200) < share)] = np.nan
            found, kept = stats.gate_decision(a, b, drop), ~np.isnan(b)
            old = stats.gate_decision(a[kept], b[kept], drop)
            return {
                **verdicts(found.p_fail, found.p_pass),
                "false PASS before": old.p_pass <= ALPHA,
                "false FAIL before": old.p_fail <= ALPHA,
            }

        yield Cell("gate of accuracy", f"n 200, {share} of the wrong answers missing", missing, ALPHA)


def gates_of_classes() -> Iterator[Cell]:
    """Macro- and micro-F1."""
    worlds = [
        (50, 0.0, 0.02, 0.0),
        (100, 0.0, 0.02, 0.0),
        (100, 0.0, 0.03, 0.0),
        (200, 0.0, 0.01, 0.0),
        (50, 0.1, 0.05, 0.02),
        (300, 0.2, 0.08, 0.03),
        (300, 0.3, 0.1, 0.1),
        (20, 0.0, 0.05, 0.0),
    ]
    for name, shares, kind in (
        ("macro-F1, 2 classes", BALANCED, MacroF1),
        ("macro-F1, 90:10", RARE, MacroF1),
        ("macro-F1, 4 classes", FOUR, MacroF1),
        ("micro-F1, 2 classes", BALANCED, MicroF1),
    ):
        for n, error, down, up in worlds:
            after = error + (1 - error) * down - error * up
            if kind is MicroF1:
                tolerance = after - error
            else:
                tolerance = true_f1(shares, error) - true_f1(shares, after)

            def draw(
                rng: np.random.Generator,
                n: int = n,
                shares: tuple = shares,
                kind: Any = kind,
                world: tuple = (error, down, up),
                tolerance: float = tolerance,
            ) -> dict[str, float]:
                metric = kind(Context(labels=tuple(f"c{i}" for i in range(len(shares)))))
                gold, k = labelled(rng, n, shares), len(shares)
                base = np.where(rng.random(n) < world[0], wrong(rng, gold, k), gold)
                move = rng.random(n)
                other = np.where((base == gold) & (move < world[1]), wrong(rng, gold, k), base)
                other = np.where((base != gold) & (move < world[2]), gold, other)
                a, b = (metric.rows(np.stack([gold, x], axis=1).astype(float)) for x in (base, other))
                found = corpus_p(a, b, metric.aggregate, metric.possible(a), tolerance)
                return with_before(found, jackknife_t(a, b, metric.aggregate, tolerance))

            yield Cell(f"gate of {name}", f"n {n}, error {error}, {down} fall, {up} rise", draw, ALPHA)


def f_of_sums(s: np.ndarray) -> np.ndarray:
    """An F-score of matches, as ROUGE and chrF are."""
    return 2 * s[..., 0] / (s[..., 1] + s[..., 2])


def gates_of_sums() -> Iterator[Cell]:
    """A metric like chrF: a share of outputs collapses, or all move a little."""
    for n, share, noise in ((50, 0.02, 0), (100, 0.02, 0), (300, 0.01, 0), (100, 0.02, 1), (300, 0.01, 2)):

        def draw(
            rng: np.random.Generator, n: int = n, share: float = share, noise: int = noise
        ) -> dict[str, float]:
            length = rng.integers(10, 31, n).astype(float)
            match = np.round(0.7 * length)
            moved = np.clip(match + rng.integers(-noise, noise + 1, n), 0, length)
            other = np.where(rng.random(n) < share, 0.0, moved)
            a, b = np.stack([match, length, length], 1), np.stack([other, length, length], 1)
            size = float((length**2).sum() / length.sum())
            possible = np.array([[[size] * 3, [0.0, size, size], [0.0, 0.0, size]]])
            tolerance = 0.7 * share
            return with_before(
                corpus_p(a, b, f_of_sums, possible, tolerance), jackknife_t(a, b, f_of_sums, tolerance)
            )

        yield Cell(
            "gate of an F of sums (chrF, ROUGE)", f"n {n}, {share} collapse, noise {noise}", draw, ALPHA
        )


def gates_over_tasks() -> Iterator[Cell]:
    """The mean over tasks."""
    for name, ns in {
        "1 x 100": [100],
        "2 x 50": [50] * 2,
        "3 x 100": [100] * 3,
        "10 x 50": [50] * 10,
        "20 x 5": [5] * 20,
        "20 + 300": [20, 300],
    }.items():
        for down, up in ((0.01, 0.0), (0.05, 0.0), (0.2, 0.1)):

            def draw(
                rng: np.random.Generator, ns: list = ns, down: float = down, up: float = up
            ) -> dict[str, float]:
                parts = [rng.choice([-1.0, 1.0, 0.0], n, p=[down, up, 1 - down - up]) for n in ns]
                found = stats.pool([stats.make_evidence(d, d, -1.0, 1.0) for d in parts], mid=True)
                return with_before(
                    (found.p_below(up - down), found.p_above(up - down)), satterthwaite(parts, down - up)
                )

            yield Cell("gate of a mean over tasks", f"{name}, {down} worse, {up} better", draw, ALPHA)


def gates_of_amounts() -> Iterator[Cell]:
    """Cost with and without the most that a call can cost; perplexity."""
    for known in (True, False):
        for n, share, times in ((50, 0.02, 10), (100, 0.02, 10), (300, 0.01, 10), (1000, 0.01, 20)):

            def cost(
                rng: np.random.Generator,
                n: int = n,
                share: float = share,
                times: int = times,
                known: bool = known,
            ) -> dict[str, float]:
                base = rng.uniform(0.5, 1.5, n)
                other = np.where(rng.random(n) < share, times * base, base * rng.uniform(0.9, 1.1, n))
                rise = share * (times - 1)
                most = 1.5 * times if known else None
                e = (1 + rise) * base - other
                ends = (None, None) if most is None else (-most, (1 + rise) * most)
                moved = float(other.mean() / base.mean()) * base - other
                found = stats.linear_evidence(e, *ends, moves=moved).evidence
                p = (1.0, 1.0) if found is None else (found.p_below(0.0), found.p_above(0.0))
                d = np.log(other.mean() / base.mean())
                parts = np.log((other.sum() - other) / (base.sum() - base))
                error = ((n - 1) / n * np.sum((parts - parts.mean()) ** 2)) ** 0.5
                t = (np.log1p(rise) - d) / error
                return with_before(p, (float(stdtr(n - 1, t)), float(stdtr(n - 1, -t))))

            name = "cost, the most known" if known else "cost, no most known (approximate)"
            yield Cell(f"gate of {name}", f"n {n}, {share} cost {times} times", cost, ALPHA if known else NAN)
    for n, share, nats in ((50, 0.02, 2.0), (100, 0.02, 2.0), (300, 0.01, 3.0)):

        def perplexity(
            rng: np.random.Generator, n: int = n, share: float = share, nats: float = nats
        ) -> dict[str, float]:
            tokens = np.full(n, 100.0)
            base = tokens * rng.normal(2.0, 0.4, n)
            other = base + tokens * (rng.normal(0, 0.01, n) + nats * (rng.random(n) < share))
            a, b = np.stack([-base, tokens], 1), np.stack([-other, tokens], 1)

            def mean(s: np.ndarray) -> np.ndarray:
                return -s[..., 0] / s[..., 1]

            found = stats.paired_evidence(Corpus(a), Corpus(b), mean, higher_is_better=False).evidence
            tolerance = share * nats
            p = (1.0, 1.0) if found is None else (found.p_below(-tolerance), found.p_above(-tolerance))
            return with_before(p, jackknife_t(a, b, lambda s: -mean(s), tolerance))

        yield Cell(
            "gate of perplexity (approximate)", f"n {n}, {share} worse by {nats} nats", perplexity, NAN
        )
