"""ROUGE against rouge-score, value by value and in time; BLEU's interval on a large corpus.

    python benchmarks/metrics/speed.py [--data FOLDER] [--pairs 10000]

Half of the pairs are random, half real (XSum's references and outputs, paired at random too). Times are CPU
seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rouge_score import rouge_scorer

from evalkit.core.records import Response
from evalkit.metrics import Case, build_metrics, summarise

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
VOCABULARY = (
    "the",
    "a",
    "cat",
    "dogs",
    "running",
    "ran",
    "house",
    "Houses",
    "3.5",
    "U.S.",
    "don't",
    "über",
    "café",
    "of",
    "in",
    "and",
    "said,",
    "government",
)


def pairs(n: int, data: Path) -> list[tuple[str, str]]:
    """(reference, answer) pairs: random words, and real texts."""
    rng = random.Random(0)

    def text() -> str:
        words = [rng.choice(VOCABULARY) for _ in range(rng.randint(0, 40))]
        return "".join(word + rng.choice([" ", " ", " ", "\n", ". "]) for word in words)

    made = [(text(), text()) for _ in range(n // 2)]
    file = data / "xsum_faithfulness/outputs.jsonl"
    if not file.is_file():
        return made + [(text(), text()) for _ in range(n - len(made))]
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    real = [(row["reference"], row["output"]) for row in rows]
    while len(made) + len(real) < n:
        real.append((rng.choice(rows)["reference"], rng.choice(rows)["output"]))
    return made + real[: n - len(made)]


def cpu(function: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    function()
    return time.process_time() - start


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    default = (
        os.environ.get("EVALKIT_REALDATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data"
    )
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--pairs", type=int, default=10_000)
    given = parser.parse_args()
    tested = pairs(given.pairs, given.data)
    for stem in (False, True):
        theirs = rouge_scorer.RougeScorer(list(TYPES), use_stemmer=stem)
        ours = build_metrics([{"name": name, "use_stemmer": stem} for name in TYPES], language="en")
        worst = 0.0
        for reference, answer in tested:
            scores = theirs.score(reference, answer)
            case = Case(answer, Response(text=answer), target=(reference,))
            for metric in ours:
                worst = max(worst, abs(scores[metric.name].fmeasure - (metric.score(case) or 0.0)))
        print(f"ROUGE-1/2/L/Lsum, {len(tested):,} pairs, stemming {stem}: largest difference {worst:.1e}")

    rng = random.Random(1)
    words = [f"w{number}" for number in range(800)]
    texts = [" ".join(rng.choice(words) for _ in range(2000)) for _ in range(2)]
    for name in TYPES:
        scorer = rouge_scorer.RougeScorer([name])
        (metric,) = build_metrics([name], language="en")
        case = Case(texts[1], Response(text=texts[1]), target=(texts[0],))
        slow = cpu(lambda scorer=scorer: scorer.score(*texts))
        n = 20

        def fresh(metric: object = metric, case: Case = case, n: int = n) -> None:
            from evalkit.metrics import rouge

            for _ in range(n):
                rouge._tokens.cache_clear()
                metric.score(case)  # type: ignore[attr-defined]

        fast = cpu(fresh) / n
        print(f"{name}, 2,000 tokens: rouge_score {slow:.4f} s, evalkit {fast:.6f} s, {slow / fast:,.0f}x")

    (bleu,) = build_metrics(["bleu"], language="en")
    segments = [(reference, answer) for reference, answer in tested if reference.strip()]
    segments = (segments * (10_000 // len(segments) + 1))[:10_000]
    cases = [Case(answer, Response(text=answer), target=(reference,)) for reference, answer in segments]
    stats: list[tuple[float, ...]] = []
    counting = cpu(lambda: stats.extend(bleu.stats(case) for case in cases))
    ids = [str(number) for number in range(len(cases))]
    jackknife = cpu(lambda: summarise(bleu, [None] * len(cases), stats, sample_ids=ids))
    rows = bleu.rows(np.array(stats))
    resampling = cpu(lambda: bootstrap(rows, bleu.aggregate, 1000))
    print(
        f"BLEU, 10,000 segments: n-grams counted in {counting:.2f} s; jackknife interval {jackknife:.3f} s; "
        f"bootstrap of 1,000 resamples {resampling:.3f} s"
    )


def bootstrap(rows: np.ndarray, aggregate: Callable[[np.ndarray], Any], draws: int) -> None:
    """The metric on corpora drawn with replacement, by adding up the statistics of samples."""
    rng = np.random.default_rng(0)
    n = len(rows)
    for start in range(0, draws, 256):
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=min(256, draws - start))
        aggregate(weights @ rows)


if __name__ == "__main__":
    main()
