"""Cells of the grid: places of a leaderboard, and what exactness costs where the old methods hold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from worlds import (
    ALPHA,
    BALANCED,
    NAN,
    SIDE,
    Cell,
    classes,
    corpus_p,
    jackknife_t,
    labelled,
    paired_p,
    powers,
    satterthwaite,
)

from evalkit import stats


def rank_cells() -> Iterator[Cell]:
    """Equal models, of which none may be called better; failed calls; a large cluster; constant gaps."""
    for m, n, rate in (
        (2, 20, 0.5),
        (2, 100, 0.5),
        (2, 300, 0.95),
        (5, 100, 0.5),
        (5, 50, 0.9),
        (20, 300, 0.8),
    ):

        def equal(rng: np.random.Generator, m: int = m, n: int = n, rate: float = rate) -> dict[str, float]:
            x = (rng.random((m, n)) < rate).astype(float)
            return {"false better": stats.rank_sets(x) != [(1, m)] * m}

        yield Cell("places of equal models", f"{m} models, n {n}, rate {rate}", equal, ALPHA)
    for n, share in ((400, 0.0), (400, 0.05), (400, 0.1), (400, 0.15), (2000, 0.05), (2000, 0.1)):

        def lost(rng: np.random.Generator, n: int = n, share: float = share) -> dict[str, float]:
            x = (rng.random((2, n)) < np.where(rng.random(n) < 0.5, 0.95, 0.65)).astype(float)
            x[1, (x[1] == 0.0) & (rng.random(n) < share)] = np.nan
            kept = ~np.isnan(x[1])
            return {
                "false better": stats.better_p(x)[1, 0] <= SIDE,
                "false better before": stats.better_p(x[:, kept])[1, 0] <= SIDE,
            }

        yield Cell("a model that loses what it gets wrong", f"n {n}, {share} of it missing", lost, SIDE)
    for size in (20, 200, 900):

        def cluster(rng: np.random.Generator, size: int = size) -> dict[str, float]:
            x = np.concatenate([np.repeat(rng.random((5, 1)), size, axis=1), rng.random((5, 99))], axis=1)
            labels = ["large"] * size + [None] * 99
            return {"false better": stats.rank_sets(x, clusters=labels) != [(1, 5)] * 5}

        yield Cell(
            "places with one large cluster", f"5 models, {size} of {size + 99} samples", cluster, ALPHA
        )
    for n, gap in ((6, 1.0), (20, 1.0), (99, 1.0), (100, 1.0), (120, 0.4)):

        def constant(rng: np.random.Generator, n: int = n, gap: float = gap) -> dict[str, float]:
            x = np.stack([np.full(n, 0.5 + gap / 2), np.full(n, 0.5 - gap / 2)])
            return {"told apart": stats.rank_sets(x) == [(1, 1), (2, 2)]}

        yield Cell("a constant gap", f"n {n}, gap {gap}", constant, 1.0, 20)


def power_cells() -> Iterator[Cell]:
    """PASS of an unchanged model and FAIL of a clear drop, where the old method holds."""
    for n, moved, tolerance, drop in (
        (100, 0.1, 0.05, 0.15),
        (300, 0.1, 0.05, 0.1),
        (1000, 0.1, 0.03, 0.06),
        (300, 0.03, 0.03, 0.08),
    ):
        for true_drop in (0.0, drop):

            def means(
                rng: np.random.Generator,
                n: int = n,
                moved: float = moved,
                tolerance: float = tolerance,
                drop: float = true_drop,
            ) -> dict[str, float]:
                lost, won, _ = rng.multinomial(n, [moved + drop, moved, 1 - 2 * moved - drop])
                found = paired_p(n, int(won), int(lost), tolerance)
                a = np.r_[np.zeros(won), np.ones(n - won)]
                d = np.r_[np.ones(won), -np.ones(lost), np.zeros(n - won - lost)] + tolerance
                old = (
                    stats.gaffke_p_less(d, tolerance - 1, tolerance + 1),
                    stats.gaffke_p_greater(d, tolerance - 1, tolerance + 1),
                )
                del a
                return powers(found, old, drop > 0)

            word = "FAIL" if true_drop else "PASS"
            name = f"n {n}, {moved} each way, tolerance {tolerance}, drop {true_drop}"
            yield Cell(f"power to {word}, accuracy", name, means, NAN)

            def f1(
                rng: np.random.Generator,
                n: int = n,
                moved: float = moved,
                tolerance: float = tolerance,
                drop: float = true_drop,
            ) -> dict[str, float]:
                metric = classes(2)
                gold = labelled(rng, n, BALANCED)
                base = np.where(rng.random(n) < 0.3, 1 - gold, gold)
                move = rng.random(n)
                other = np.where((base == gold) & (move < (moved + drop) / 0.7), 1 - gold, base)
                other = np.where((base != gold) & (move < moved / 0.3), gold, other)
                a, b = (metric.rows(np.stack([gold, x], axis=1).astype(float)) for x in (base, other))
                found = corpus_p(a, b, metric.aggregate, metric.possible(a), tolerance)
                return powers(found, jackknife_t(a, b, metric.aggregate, tolerance), drop > 0)

            yield Cell(f"power to {word}, macro-F1 of 2 classes", name, f1, NAN)
    for t, n, moved, tolerance in ((5, 100, 0.08, 0.03), (10, 100, 0.05, 0.02), (3, 300, 0.1, 0.03)):

        def tasks(
            rng: np.random.Generator,
            t: int = t,
            n: int = n,
            moved: float = moved,
            tolerance: float = tolerance,
        ) -> dict[str, float]:
            parts = [rng.choice([-1.0, 1.0, 0.0], n, p=[moved, moved, 1 - 2 * moved]) for _ in range(t)]
            found = stats.pool([stats.make_evidence(d, d, -1.0, 1.0) for d in parts], mid=True)
            p = found.p_below(-tolerance), found.p_above(-tolerance)
            return powers(p, satterthwaite(parts, tolerance), False)

        yield Cell(
            "power to PASS, mean over tasks",
            f"{t} x {n}, {moved} each way, tolerance {tolerance}",
            tasks,
            NAN,
        )
