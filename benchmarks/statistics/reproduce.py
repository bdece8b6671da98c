"""Prints what evalkit's statistics do in simulation beside the published figures; seeded, below five minutes.

    python benchmarks/statistics/reproduce.py [A B C ...]      (all tables, or those named)

The published simulations do not state every detail of their data; where one had to be chosen it stands in
the heading of the table. Columns: ours, published, and "BROKEN" where a guarantee fails by more than three
standard errors of the simulation; the exit code is then 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.stats import binom, multinomial

from evalkit import stats

ALPHA = 0.05
broken: list[str] = []


def heading(text: str) -> None:
    """Prints the title of a table."""
    print(f"\n{text}\n{'-' * min(len(text), 110)}", flush=True)


def row(label: str, ours: str, published: str, *, rate: float = 0.0, limit: float = 1.0, n: int = 1) -> None:
    """Prints a line, and marks it when a rate of n simulations exceeds its limit by three standard errors."""
    bad = rate > limit + 3.0 * (limit * (1.0 - limit) / n) ** 0.5
    if bad:
        broken.append(label)
    print(f"{label:<52} {ours:>24}   {published:>24} {'BROKEN' if bad else ''}", flush=True)


def spread(disc: float, drop: float) -> tuple[float, float]:
    """The rates of losses and gains with a given discordance, or as much as the drop needs."""
    disc = max(disc, drop)
    return (disc + drop) / 2.0, (disc - drop) / 2.0


def flips(rng: np.random.Generator, n: int, rates: tuple[float, float]) -> np.ndarray:
    """n paired differences of 0/1 scores."""
    u = rng.random(n)
    return np.where(u < rates[0], -1.0, np.where(u < sum(rates), 1.0, 0.0))


@cache
def verdict(n: int, losses: int, gains: int, margin: float, alpha: float = ALPHA) -> str:
    """The gate's verdict on paired 0/1 scores, which depends on the counts only."""
    baseline = np.r_[np.ones(losses), np.zeros(gains), np.ones(n - losses - gains)]
    candidate = np.r_[np.zeros(losses), np.ones(n - losses)]
    return stats.gate_verdict(baseline, candidate, margin, alpha)


def gate_rates(
    rng: np.random.Generator, n: int, rates: tuple[float, float], margin: float, sims: int
) -> tuple[float, float]:
    """The shares of FAIL and PASS."""
    counts = rng.multinomial(n, [*rates, 1.0 - sum(rates)], size=sims)
    found = [verdict(n, int(b), int(c), margin) for b, c, _ in counts]
    return found.count("fail") / sims, found.count("pass") / sims


def table_a() -> None:
    """The gate at fixed n, and its exact size."""
    sims = 2000
    heading(f"A. Gate at fixed n: FAIL / PASS, {sims} simulations; discordance .1 (acc .8), .05 (acc .9)")
    cells = [
        (200, 0.0, (0.05, 0.05), ".037/.024", "none, margin 0"),
        (1000, 0.0, (0.05, 0.05), ".038/.049", "none, margin 0"),
        (100, 0.02, (0.05, 0.05), ".004/.096", "none"),
        (200, 0.02, (0.05, 0.05), ".003/.168", "none"),
        (500, 0.02, (0.05, 0.05), ".001/.343", "none"),
        (200, 0.02, (0.06, 0.04), ".033/.041", "at margin"),
        (500, 0.02, (0.06, 0.04), ".048/.029", "at margin"),
        (50, 0.02, (0.035, 0.015), ".003/.008", "at margin, acc .9"),
        (20, 0.05, (0.05, 0.0), ".001/.000", "at margin, acc .9"),
        (200, 0.02, (0.15, 0.05), ".819/-", "drop .10 (power)"),
        (500, 0.02, (0.10, 0.05), ".496/-", "drop .05 (power)"),
        (500, 0.02, (0.13, 0.05), ".940/-", "drop .08 (power)"),
        (1000, 0.02, (0.10, 0.05), ".770/-", "drop .05 (power)"),
    ]
    for i, (n, margin, rates, published, name) in enumerate(cells):
        fail, passed = gate_rates(np.random.default_rng([1, i]), n, rates, margin, sims)
        drop = rates[0] - rates[1]
        wrong = max(fail if drop <= margin else 0.0, passed if drop >= margin else 0.0)
        label = f"n {n}, margin {margin}, {name}"
        row(label, f"{fail:.3f}/{passed:.3f}", published, rate=wrong, limit=ALPHA, n=sims)
    worst = [0.0, 0.0]
    for n in (10, 20, 30):
        counts = [(b, c, n - b - c) for b in range(n + 1) for c in range(n + 1 - b)]
        for margin in (0.0, 0.01, 0.02, 0.05, 0.1):
            found = np.array([verdict(n, b, c, margin) for b, c, _ in counts])
            for disc in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8):
                if disc < margin:
                    continue
                chance = multinomial.pmf(counts, n, [*spread(disc, margin), 1.0 - disc])
                worst = [
                    max(worst[0], chance[found == "fail"].sum()),
                    max(worst[1], chance[found == "pass"].sum()),
                ]
    row("exact size, n 10/20/30, margins 0-.1, enumerated", f"{worst[0]:.4f}/{worst[1]:.4f}", ".0493/.0493")
    if max(worst) > ALPHA:
        broken.append("exact size")
    for n, drop, published in ((200, 0.10, "predicted .100: .82"), (1000, 0.05, "predicted .051: .77")):
        predicted = stats.mde(stats.sd_of_discordance(0.1 + drop, drop), n, 0.02)
        power = gate_rates(np.random.default_rng([2, n]), n, (0.05 + drop, 0.05), 0.02, sims)[0]
        row(f"power near the MDE, n {n}, drop {drop}", f"predicted {predicted:.3f}: {power:.2f}", published)


def sequential(
    draw: Callable[[], np.ndarray], n: int, margin: float, target: str, sims: int
) -> tuple[float, float, float]:
    """The shares of FAIL and PASS, and the mean share of samples used."""
    found = [stats.sequential_verdict(draw(), n, margin, ALPHA, target) for _ in range(sims)]
    words = [word for word, _ in found]
    return (
        words.count("fail") / sims,
        words.count("pass") / sims,
        float(np.mean([used for _, used in found])) / n,
    )


def table_b() -> None:
    """Early stopping: validity under peeking, power, samples used, order."""
    sims = 1500
    heading(f"B1. Peeking after every sample, drop at the margin: FAIL / PASS, {sims} simulations")
    cells = [
        (1000, 0.1, 0.0, ".032/.032"),
        (1000, 0.1, 0.02, ".030/.037"),
        (500, 0.02, 0.02, ".012/.027"),
        (1000, 0.01, 0.01, ".014/.026"),
        (200, 0.05, 0.05, ".011/.025"),
    ]
    for i, (n, disc, margin, published) in enumerate(cells):
        rng = np.random.default_rng([3, i])
        rates = spread(disc, margin)
        fail, passed, _ = sequential(lambda: flips(rng, n, rates), n, margin, "population", sims)  # noqa: B023
        label = f"N {n}, discordance {disc}, margin {margin}"
        row(label, f"{fail:.3f}/{passed:.3f}", published, rate=max(fail, passed), limit=ALPHA, n=sims)
    rng = np.random.default_rng([3, 9])

    def graded() -> np.ndarray:
        """30 % of samples change by an amount in [-1, 1] with mean -.1."""
        return np.where(rng.random(500) < 0.3, 2.0 * rng.beta(1.8, 2.2, 500) - 1.0, 0.0)

    fail, passed, _ = sequential(graded, 500, 0.03, "population", 600)
    row(
        "N 500, graded, margin .03",
        f"{fail:.3f}/{passed:.3f}",
        ".020/.021",
        rate=max(fail, passed),
        limit=ALPHA,
        n=600,
    )

    sims = 300
    heading(f"B2. Power fixed -> sequential, and share of samples used, {sims} simulations, discordance .1")
    published = {
        (500, 0.02): ((".34->.30 .99", ".63->.59 .95", "1->1 .30", "1->1 .13"), 0.1),
        (500, 0.05): ((".94->.92 .83", "at margin", ".99->.99 .62", "1->1 .17"), 0.1),
        (1000, 0.02): ((".59->.55 .96", ".93->.90 .83", "1->1 .15", "1->1 .06"), 0.1),
        (1000, 0.05): (("1->1 .52", "at margin", "1->1 .35", "1->1 .08"), 0.1),
        (2000, 0.02): ((".87->.85 .86", ".99->.99 .56", "1->1 .08", "1->1 .03"), 0.1),
        (1000, 0.021): ((".99->.98 .74", "1->1 .49", "1->1 .15", "1->1 .06"), 0.02),
    }
    for i, ((n, key), (figures, disc)) in enumerate(published.items()):
        margin = round(key, 2)
        for drop, figure in zip((0.0, 0.05, 0.10, 0.20), figures, strict=True):
            if drop == margin:
                continue
            rng = np.random.default_rng([4, i, int(100 * drop)])
            rates = spread(disc, drop)
            fixed = gate_rates(rng, n, rates, margin, 2000)[drop < margin]
            result = sequential(lambda: flips(rng, n, rates), n, margin, "population", sims)  # noqa: B023
            label = f"N {n}, margin {margin}, discordance {disc}, drop {drop}"
            row(label, f"{fixed:.2f}->{result[drop < margin]:.2f} {result[2]:.2f}", figure)

    sims = 500
    heading(f"B3. Dataset target: disagreement with the full run, samples used, {sims} random orders")
    used = {(1000, 0.02, 0.0): ".65", (1000, 0.02, 0.05): ".45", (1000, 0.02, 0.1): ".10"}
    used |= {(200, 0.05, 0.0): ".67", (200, 0.05, 0.1): ".59", (200, 0.05, 0.2): ".26"}
    for i, (n, margin) in enumerate(((1000, 0.02), (200, 0.05), (500, 0.02))):
        for drop in (0.0, margin, margin + 2 / n, 0.1, 0.2, 0.05):
            rng = np.random.default_rng([5, i, int(1000 * drop)])
            losses, gains = (round(rate * n) for rate in spread(0.1, drop))
            d = np.r_[-np.ones(losses), np.ones(gains), np.zeros(n - losses - gains)]
            full = "pass" if gains - losses >= -margin * n - 1e-9 else "fail"
            fail, passed, share = sequential(lambda: rng.permutation(d), n, margin, "dataset", sims)  # noqa: B023
            wrong = fail if full == "pass" else passed
            label = f"N {n}, margin {margin}, drop {(losses - gains) / n:.3f} ({full})"
            figure = f"<= .014, {used.get((n, margin, drop), '-')}"
            row(label, f"{wrong:.3f}, {share:.2f}", figure, rate=wrong, limit=ALPHA, n=sims)

    sims, n = 500, 400
    heading(f"B4. Order: false early PASS, N {n}, margin .02, drop .025; regressed samples take 3 x as long")
    rng = np.random.default_rng(6)
    wrong = dict.fromkeys(("prefix", "completion, 32 workers", "all in flight", "hard samples last"), 0)
    for _ in range(sims):
        d = rng.permutation(np.r_[-np.ones(40), np.ones(30), np.zeros(n - 70)])
        seconds = rng.exponential(1.0, n) * np.where(d < 0, 3.0, 1.0)
        orders = {
            "prefix": np.arange(n),
            "completion, 32 workers": np.argsort(finish_times(seconds, 32)),
            "all in flight": np.argsort(seconds),
            "hard samples last": np.argsort(-d, kind="stable"),
        }
        for name, order in orders.items():
            wrong[name] += stats.sequential_verdict(d[order], n, 0.02, ALPHA, "dataset")[0] == "pass"
    for (name, count), figure in zip(wrong.items(), (".012", ".368", ".996", "1.000"), strict=True):
        row(
            name,
            f"{count / sims:.3f}",
            figure,
            rate=count / sims,
            limit=ALPHA if name == "prefix" else 1.0,
            n=sims,
        )


def finish_times(seconds: np.ndarray, workers: int) -> np.ndarray:
    """When each sample is done, if `workers` take the next sample as they become free."""
    free, done = np.zeros(workers), np.empty(len(seconds))
    for i, duration in enumerate(seconds):
        first = int(free.argmin())
        free[first] += duration
        done[i] = free[first]
    return done


def table_c() -> None:
    """Several tasks, and missing scores."""
    sims, n = 1500, 400
    heading(
        f"C. Policy, {sims} simulations (errors: 400), n {n}, discordance .1; errors hit only what is named"
    )

    @cache
    def p_values(losses: int, gains: int, margin: float) -> tuple[float, float]:
        e = np.r_[-np.ones(losses), np.ones(gains), np.zeros(n - losses - gains)] + margin
        return stats.gaffke_p_less(e, margin - 1, margin + 1), stats.gaffke_p_greater(
            e, margin - 1, margin + 1
        )

    rng = np.random.default_rng(7)
    for tasks, published in ((10, ".325, Holm .029"), (20, ".530, Holm .029")):
        counts = rng.multinomial(n, [0.05, 0.05, 0.9], size=(sims, tasks))
        p = np.array([[p_values(int(b), int(c), 0.0)[0] for b, c, _ in suite] for suite in counts])
        raw, holm = np.mean(p.min(axis=1) <= ALPHA), np.mean([stats.holm(x).min() <= ALPHA for x in p])
        label = f"false FAIL somewhere, {tasks} unchanged tasks"
        row(label, f"{raw:.3f}, Holm {holm:.3f}", published, rate=float(holm), limit=ALPHA, n=sims)
    counts = rng.multinomial(n, [0.05, 0.05, 0.9], size=(sims, 10))
    p = np.array([[p_values(int(b), int(c), 0.05)[1] for b, c, _ in suite] for suite in counts])
    every = np.mean([x.max() <= ALPHA for x in p])
    row("PASS of 10 unchanged tasks, margin .05", f"all {every:.3f}", "all .370")
    sims = 400
    for name, hit in (("at random", None), ("on regressed samples", -1.0), ("on improved samples", 1.0)):
        found: dict[str, list[str]] = {"left out": [], "adverse": []}
        for _ in range(sims):
            d = flips(rng, n, (0.06, 0.04))
            chance = (
                np.full(n, 0.03)
                if hit is None
                else np.where(d == hit, 0.03 * n / max((d == hit).sum(), 1), 0.0)
            )
            gone = rng.random(n) < chance
            same = (rng.random(n) < 0.83).astype(float)
            baseline, candidate = np.where(d == 0, same, d < 0), np.where(d == 0, same, d > 0)
            kept = d[~gone]
            found["left out"].append(verdict(len(kept), int((kept < 0).sum()), int((kept > 0).sum()), 0.02))
            candidate[gone] = np.nan
            found["adverse"].append(stats.gate_verdict(baseline, candidate, 0.02, ALPHA))
        rates = {k: (v.count("fail") / sims, v.count("pass") / sims) for k, v in found.items()}
        figures = {
            "at random": ".043/.037",
            "on regressed samples": ".000/.338",
            "on improved samples": ".116/.013",
        }
        row(f"3 % errors {name}, left out", "{:.3f}/{:.3f}".format(*rates["left out"]), figures[name])
        adverse = "{:.3f}/{:.3f}".format(*rates["adverse"])
        row(
            f"3 % errors {name}, adverse",
            adverse,
            "<= .004/.000",
            rate=max(rates["adverse"]),
            limit=ALPHA,
            n=sims,
        )


def table_d() -> None:
    """Coverage of the 95 % interval."""
    heading("D1. 0/1 scores: exact coverage, smallest of ten accuracies; width at p = .9")
    figures = {
        20: ".959 .292",
        50: ".967 .180",
        100: ".956 .126",
        300: ".957 .071",
        1000: ".952 .038",
        2000: ".953 .027",
    }
    for n, published in figures.items():
        x = np.zeros(n)
        bounds = []
        for k in range(n + 1):
            x[:k] = 1.0
            bounds.append(stats.gaffke_interval(x))
        lower, upper = np.array(bounds).T
        k = np.arange(n + 1)
        rates = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.02, 0.005)
        coverage = min(binom.pmf(k, n, p)[(lower <= p) & (p <= upper)].sum() for p in rates)
        width = float(binom.pmf(k, n, 0.9) @ (upper - lower))
        row(f"n {n}", f"{coverage:.3f} {width:.3f}", published)
        if coverage < 0.95:
            broken.append(f"D1 n {n}")
    sims = 300
    heading(f"D2. Graded scores: coverage of t and of Gaffke, {sims} simulations; 2 % of samples lose U(0,1)")
    for n, published in ((20, "t .373, Gaffke .987"), (200, "t .873, Gaffke .980")):
        rng = np.random.default_rng([8, n])
        hits = np.zeros(2)
        for _ in range(sims):
            x = 1.0 - np.where(rng.random(n) < 0.02, rng.random(n), 0.0)
            plain, (lo, hi) = stats.t_interval(x), stats.gaffke_interval(x)
            hits += plain.lo <= 0.99 <= plain.hi, lo <= 0.99 <= hi
        label, ours = f"mean .99, n {n}", f"t {hits[0] / sims:.3f}, Gaffke {hits[1] / sims:.3f}"
        row(label, ours, published, rate=1 - hits[1] / sims, limit=ALPHA, n=sims)
    sims = 200
    heading(f"D3. Clusters of 2 to 10, ICC .5: coverage without clusters, CR t, Gaffke, {sims} simulations")
    for n_clusters, mean in ((30, 0.8), (100, 0.8), (30, 0.95)):
        rng = np.random.default_rng([9, n_clusters, int(100 * mean)])
        hits = np.zeros(3)
        for _ in range(sims):
            sizes = rng.integers(2, 11, n_clusters)
            labels = np.repeat(np.arange(n_clusters), sizes)
            x = (rng.random(len(labels)) < rng.beta(mean, 1 - mean, n_clusters)[labels]).astype(float)
            ignoring, student = stats.gaffke_interval(x), stats.t_interval(x, clusters=labels)
            lo, hi = stats.gaffke_interval(x, clusters=labels)
            hits += ignoring[0] <= mean <= ignoring[1], student.lo <= mean <= student.hi, lo <= mean <= hi
        ours = " ".join(f"{h:.3f}" for h in hits / sims)
        label = f"{n_clusters} clusters, accuracy {mean}"
        row(label, ours, ".66-.73 .76-.953 .987-1", rate=1 - hits[2] / sims, limit=ALPHA, n=sims)


def table_e() -> None:
    """Corpus metrics: one-sided error of the difference by influences."""
    sims = 1500
    heading(f"E. Corpus metrics: error of each bound, nominal .05, {sims} simulations, no true difference")

    def f1(s: np.ndarray) -> np.ndarray:
        return 2 * s[..., 0] / np.maximum(2 * s[..., 0] + s[..., 1] + s[..., 2], 1e-12)

    def perplexity(s: np.ndarray) -> np.ndarray:
        return np.exp(s[..., 0] / s[..., 1])

    # By what is asked, a positive or a negative, and what is answered.
    answers = np.array([[[1.0, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]])
    for name, aggregate, possible in (("micro-F1", f1, answers), ("perplexity", perplexity, None)):
        for n in (20, 50, 200):
            rng = np.random.default_rng([10, n, len(name)])
            missed = np.zeros(2)
            for _ in range(sims):
                if name == "micro-F1":
                    gold = rng.random(n) < 0.4
                    said = np.where(rng.random((2, n)) < 0.8, gold, ~gold)
                    sides = [np.stack([s & gold, s & ~gold, ~s & gold], axis=1).astype(float) for s in said]
                else:
                    tokens, common = rng.integers(20, 200, n), rng.normal(2, 0.5, n)
                    sides = [
                        np.stack([tokens * (common + rng.normal(0, 0.1, n)), tokens], axis=1)
                        for _ in range(2)
                    ]
                found = stats.paired_evidence(
                    *(stats.Corpus(side, possible) for side in sides), aggregate, log_scale=possible is None
                ).evidence
                if found is not None:
                    missed += found.p_above(0.0) <= ALPHA, found.p_below(0.0) <= ALPHA
            published = ".042-.069" if n == 20 else ".039-.063"
            rate = float(missed.max()) / sims
            row(
                f"{name}, n {n}",
                "/".join(f"{m:.3f}" for m in missed / sims),
                published,
                rate=rate,
                limit=ALPHA,
                n=sims,
            )


def table_f() -> None:
    """Rank sets, and the arena."""
    sims = 1000
    heading(f"F. Simultaneous coverage of all true ranks, {sims} simulations, 8 models")
    for name, n, accuracies in (
        ("8 tied, n 100, Holm", 100, np.full(8, 0.8)),
        ("8 tied, n 50, Holm", 50, np.full(8, 0.8)),
        ("4 tied and 4 spread, n 300, Holm", 300, np.array([0.8] * 4 + [0.75, 0.7, 0.65, 0.6])),
    ):
        rng = np.random.default_rng([11, n])
        low = 1 + (accuracies[None, :] > accuracies[:, None]).sum(axis=1)
        high = 8 - (accuracies[None, :] < accuracies[:, None]).sum(axis=1)
        hits, naive, size = 0, 0, 0.0
        for _ in range(sims):
            x = (rng.random((8, n)) < accuracies[:, None]).astype(float)
            sets = stats.rank_sets(x, ALPHA)
            hits += all(b <= lo and hi <= w for (b, w), lo, hi in zip(sets, low, high, strict=True))
            size += float(np.mean([w - b + 1 for b, w in sets])) / sims
            ends = [stats.t_interval(v) for v in x]
            best = [1 + sum(o.lo > v.hi for o in ends) for v in ends]
            worst = [8 - sum(o.hi < v.lo for o in ends) for v in ends]
            naive += all(b <= lo and hi <= w for b, w, lo, hi in zip(best, worst, low, high, strict=True))
        published = "Holm >= .967"
        ours = f"{hits / sims:.3f} (overlap {naive / sims:.3f})"
        row(f"{name}: mean size {size:.1f}", ours, published, rate=1 - hits / sims, limit=ALPHA, n=sims)
    sims = 300
    heading(f"F2. Bradley-Terry: coverage of the 95 % interval, 3 models, 200 prompts, {sims} simulations")
    strengths = np.array([0.5, 0.0, -0.5])
    for name, repeated, published in (
        ("4 votes on one pair", True, ".943-.949"),
        ("4 random pairs", False, ".948"),
    ):
        rng = np.random.default_rng([12, repeated])
        inside, prompts = 0, np.repeat(np.arange(200), 4)
        for _ in range(sims):
            taste = np.repeat(rng.normal(0, 1, 200), 4) if repeated else np.zeros(800)
            a = np.repeat(rng.integers(0, 3, 200), 4) if repeated else rng.integers(0, 3, 800)
            b = (a + (np.repeat(rng.integers(1, 3, 200), 4) if repeated else rng.integers(1, 3, 800))) % 3
            # Judges of one prompt share a taste; the marginal log-odds of a win stay near the strengths.
            wins = rng.random(800) < 1 / (1 + np.exp(-(strengths[a] - strengths[b]) * 1.16 - taste))
            arena = stats.bradley_terry(a, b, wins.astype(float), 3, prompts)
            truth = strengths if repeated else strengths * 1.16
            inside += int(((arena.lo <= truth) & (truth <= arena.hi)).sum())
        row(name, f"{inside / (3 * sims):.3f}", published)


def main() -> int:
    """Prints the tables named on the command line, all when there are none."""
    tables = {"A": table_a, "B": table_b, "C": table_c, "D": table_d, "E": table_e, "F": table_f}
    chosen = sys.argv[1:] or list(tables)
    start = time.perf_counter()
    print(f"{'':<52} {'ours':>24}   {'published':>24}")
    for name in chosen:
        tables[name]()
    print(f"\n{time.perf_counter() - start:.0f} s; guarantees broken: {', '.join(broken) or 'none'}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
