"""The mean of a metric weighted by a column of the data, such as the points that a question is worth.

sum(weight * score) / sum(weight): a ratio of two sums over the same samples. Its standard error and interval
are those of a ratio, by how far each sample moves it (evalkit.stats.influence), since another draw of samples
has another sum of weights; with equal weights they are those of the plain mean. Where it cannot be told from
data how much an unseen sample would weigh, the heaviest that was seen stands in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Array, Case, Metric

MARK = "|weight:"
"""What precedes the column in the signature."""
_LARGE = 0.2
"""The share of all weight from which on one sample is told of."""


def read_weight(fields: Mapping[str, Any], column: str) -> float:
    """The weight of a sample: a number above 0, also as a text. Raises MetricError that says what is."""
    if column not in fields:
        raise MetricError(f"weight: there is no column {column!r}; there are {', '.join(map(str, fields))}")
    value = fields[column]
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
    if not (math.isfinite(number) and number > 0.0):
        raise MetricError(
            f"weight: {column} is {value!r:.60}; a weight is a number above 0 (leave out with `where` what "
            "does not count)"
        )
    return number


class WeightedRows(Metric):
    """Rows (weight times score, weight) of statistics (score, weight), and the ratio of their sums."""

    aggregation = "corpus"

    def rows(self, stats: Array) -> Array:
        """(weight * score, weight) of each result."""
        import numpy as np

        return np.stack([stats[:, 0] * stats[:, 1], stats[:, 1]], axis=1)

    def aggregate(self, sums: Array) -> Array:
        """sum(weight * score) / sum(weight)."""
        ratio: Array = sums[..., 0] / sums[..., 1]
        return ratio

    def possible(self, rows: Array) -> Array | None:
        """A sample of the largest weight that was seen with the least score and with the most."""
        import numpy as np

        if self.bounds is None:
            return None
        heaviest = float(rows[:, 1].max())
        return np.array([[[heaviest * end, heaviest] for end in self.bounds]])


class Weighted(WeightedRows):
    """Another metric, its mean weighted by a column."""

    def __init__(self, metric: Metric, column: object) -> None:
        if not isinstance(column, str) or not column:
            raise MetricError(f"metric {metric.name!r}: weight is the name of a column, not {column!r}")
        if metric.aggregation != "mean" or type(metric).combine is not Metric.combine or metric.by_judge:
            raise MetricError(
                f"metric {metric.name!r} has no score of a single answer that could be weighted; `weight` is "
                "for means, such as of exact_match"
            )
        self.metric, self.column = metric, column
        self.name, self.signature = metric.name, f"{metric.signature}{MARK}{column}"
        self.higher_is_better, self.scale, self.bounds = metric.higher_is_better, metric.scale, metric.bounds
        self.kinds = metric.kinds  # type: ignore[misc]
        self.guarded, self.runs_code, self.slow = metric.guarded, metric.runs_code, metric.slow
        self.reads_target = metric.reads_target

    def score(self, case: Case) -> float | None:
        """The sample's own score, without its weight."""
        return self.metric.score(case)

    def rate(self, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """The same with its notes."""
        return self.metric.rate(case)

    def stats(self, case: Case) -> tuple[float, ...]:
        """(score, weight); () where the sample is unscored."""
        return self.stats_of(case, self.metric.score(case))

    def stats_of(self, case: Case, score: float | None) -> tuple[float, ...]:
        """The same where the score is known already."""
        return () if score is None else (score, read_weight(case.fields, self.column))

    def notes(self, stats: Array) -> tuple[str, ...]:
        """Says where one sample carries much of the mean."""
        share = float(stats[:, 1].max() / stats[:, 1].sum())
        if len(stats) < 2 or share <= _LARGE:
            return ()
        return (f"{self.name}: one sample carries {100 * share:.0f} % of the weight ({self.column})",)


class StoredWeighted(WeightedRows):
    """A weighted mean read back from a run, whose statistics tell scores and weights."""

    def __init__(
        self, name: str, signature: str, higher_is_better: bool, bounds: tuple[float, float] | None
    ) -> None:
        self.name, self.signature = name, signature
        self.higher_is_better, self.bounds = higher_is_better, bounds
