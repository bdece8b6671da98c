"""Metrics over the repeats of a sample: pass@k, maj@k and avg@k of another metric.

pass@k is the chance that at least one of k repeats is right, without bias from n >= k repeats of which c are
right: 1 - C(n - c, k) / C(n, k) (M. Chen et al., "Evaluating Large Language Models Trained on Code",
arXiv:2107.03374, equation 1). maj@k judges the most frequent answer of the first k repeats, the earliest
among equals (X. Wang et al., "Self-Consistency Improves Chain of Thought Reasoning", ICLR 2023); repeats
without an answer do not vote. avg@k is the mean of the first k. A sample with fewer than k scored repeats is
unscored.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from evalkit.core.errors import MetricError
from evalkit.core.language import normalize_answer
from evalkit.metrics.answers import parse_number
from evalkit.metrics.base import Case, Context, Metric

# Keys of answers must be whole numbers that a float holds exactly.
_KEY_BITS = 52
_NO_ANSWER = -1.0


class OverRepeats(Metric):
    """What the three have in common: the metric that judges one repeat, and k."""

    def __init__(self, context: Context, *, of: Metric, k: int, name: str) -> None:
        if k < 1:
            raise MetricError(f"metric {name!r}: k is at least 1, not {k}")
        if of.aggregation != "mean":
            raise MetricError(
                f"metric {name!r} combines scores of single answers, and {of.name!r} is a metric of the "
                "corpus; use one such as exact_match"
            )
        self.name, self.of, self.k = name, of, k
        self.lang = context.language
        self.higher_is_better, self.scale, self.bounds = of.higher_is_better, of.scale, of.bounds
        self.guarded, self.runs_code, self.slow = of.guarded, of.runs_code, of.slow

    def score(self, case: Case) -> float | None:
        """The score of this repeat alone."""
        return self.of.score(case)

    def rate(self, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """The same with its notes."""
        return self.of.rate(case)


class PassAtK(OverRepeats):
    """The chance that one of k repeats is right, 0 to 1; a repeat is right with a score of 1."""

    def __init__(self, context: Context, *, of: Metric, k: int, name: str) -> None:
        super().__init__(context, of=of, k=k, name=name)
        if of.bounds != (0.0, 1.0):
            raise MetricError(
                f"metric {name!r} needs a metric that is 1 where an answer is right, as exact_match is"
            )
        self.signature = f"pass@{k}|of:{of.signature}"

    def combine(self, scores: Sequence[float], stats: Sequence[tuple[float, ...]]) -> float | None:
        """The unbiased chance from all repeats."""
        n, n_right = len(scores), sum(score >= 1.0 for score in scores)
        if n < self.k:
            return None
        return 1.0 - math.comb(n - n_right, self.k) / math.comb(n, self.k)


class AverageAtK(OverRepeats):
    """The mean score of the first k repeats."""

    def __init__(self, context: Context, *, of: Metric, k: int, name: str) -> None:
        super().__init__(context, of=of, k=k, name=name)
        self.signature = f"avg@{k}|of:{of.signature}"

    def combine(self, scores: Sequence[float], stats: Sequence[tuple[float, ...]]) -> float | None:
        """Their mean."""
        return None if len(scores) < self.k else sum(scores[: self.k]) / self.k


class MajorityAtK(OverRepeats):
    """The score of the most frequent answer among the first k repeats."""

    def __init__(self, context: Context, *, of: Metric, k: int, name: str) -> None:
        super().__init__(context, of=of, k=k, name=name)
        self.signature = f"maj@{k}|of:{of.signature}"

    def stats(self, case: Case) -> tuple[float, ...]:
        """(a number that stands for the answer's normal form, or -1 without an answer)."""
        if case.chosen is not None:
            return (float(case.chosen),)
        if case.answer is None:
            return (_NO_ANSWER,)
        number = parse_number(case.answer)
        key = str(number.normalize()) if number is not None else normalize_answer(case.answer, self.lang)
        digest = hashlib.sha256(key.encode()).digest()
        return (float(int.from_bytes(digest[:8], "big") >> (64 - _KEY_BITS)),)

    def combine(self, scores: Sequence[float], stats: Sequence[tuple[float, ...]]) -> float | None:
        """The score of the first repeat that gave the most frequent answer; 0 when none gave an answer."""
        if len(scores) < self.k:
            return None
        votes = [row[0] for row in stats[: self.k] if row]
        if len(votes) < self.k:
            raise MetricError(
                f"metric {self.name!r} needs what `stats` says of each repeat, and it was not kept"
            )
        counted = Counter(vote for vote in votes if vote != _NO_ANSWER)
        if not counted:
            return self.bounds[0] if self.bounds else 0.0
        # Counter keeps the order of first votes, and most_common keeps it among equals.
        return scores[votes.index(counted.most_common(1)[0][0])]
