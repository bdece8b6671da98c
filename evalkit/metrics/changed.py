"""Another metric on cases that were changed first: other texts are compared, and the signature says which."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.metrics.base import Array, Case, Metric


class Changed(Metric):
    """A metric that sees changed cases; all else is its own."""

    def __init__(self, metric: Metric, suffix: str) -> None:
        self.metric, self.suffix = metric, suffix
        self.name = metric.name
        self.signature = metric.signature + suffix
        self.higher_is_better, self.scale, self.bounds = metric.higher_is_better, metric.scale, metric.bounds
        self.aggregation, self.log_scale = metric.aggregation, metric.log_scale
        self.kinds = metric.kinds  # type: ignore[misc]
        self.guarded, self.runs_code = metric.guarded, metric.runs_code
        self.slow = metric.slow
        self._last: tuple[Case, Case] | None = None

    def change(self, case: Case) -> Case:
        """The case as the metric is to see it."""
        raise NotImplementedError

    def changed(self, case: Case) -> Case:
        """The same, made once for score and statistics."""
        last = self._last
        if last is None or last[0] is not case:
            last = self._last = (case, self.change(case))
        return last[1]

    def score(self, case: Case) -> float | None:
        """The score of the changed case."""
        return self.metric.score(self.changed(case))

    def rate(self, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """The same with its notes."""
        return self.metric.rate(self.changed(case))

    def stats(self, case: Case) -> tuple[float, ...]:
        """The statistics of the changed case."""
        return self.metric.stats(self.changed(case))

    def stats_of(self, case: Case, score: float | None) -> tuple[float, ...]:
        """The same where the score is known already."""
        return self.metric.stats_of(self.changed(case), score)

    def rows(self, stats: Array) -> Array:
        """The metric's own rows."""
        return self.metric.rows(stats)

    def aggregate(self, sums: Array) -> Array:
        """The metric's own value."""
        return self.metric.aggregate(sums)

    def possible(self, rows: Array) -> Array | None:
        """The metric's own extreme samples."""
        return self.metric.possible(rows)

    def unknown(self, sums: Array) -> str | None:
        """The metric's own reason."""
        return self.metric.unknown(sums)

    def combine(self, scores: Sequence[float], stats: Sequence[tuple[float, ...]]) -> float | None:
        """The metric's own way with repeats."""
        return self.metric.combine(scores, stats)

    def describe(self, stats: Array) -> str:
        """The metric's own description, and the folding."""
        return self.metric.describe(stats) + self.suffix

    def notes(self, stats: Array) -> tuple[str, ...]:
        """The metric's own notes."""
        return self.metric.notes(stats)
