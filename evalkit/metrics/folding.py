"""Traditional and simplified Chinese made one, on request, before any metric compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache

from evalkit.errors import MetricError
from evalkit.metrics.base import Array, Case, Metric, check_choice

SCRIPTS = ("t2s", "s2t")


@cache
def converter(script: str) -> tuple[Callable[[str], str], str]:
    """The function that folds a text (t2s: to simplified, s2t: to traditional), and the library that does it.

    Raises MetricError where no library for it is installed.
    """
    import importlib.util

    if importlib.util.find_spec("opencc"):
        import opencc

        return opencc.OpenCC(script).convert, "opencc"
    if importlib.util.find_spec("zhconv"):
        import zhconv

        target = "zh-hans" if script == "t2s" else "zh-hant"
        return lambda text: str(zhconv.convert(text, target)), "zhconv"
    raise MetricError(
        f"`script: {script}` needs a converter between traditional and simplified Chinese; install one: "
        "pip install opencc-python-reimplemented (or zhconv)"
    )


class Folded(Metric):
    """Another metric, on answers and targets in one script."""

    def __init__(self, metric: Metric, script: str) -> None:
        script = check_choice(metric.name, "script", script, SCRIPTS)
        self.metric = metric
        self.convert, library = converter(script)
        self.name = metric.name
        self.suffix = f"|script:{script}-{library}"
        self.signature = metric.signature + self.suffix
        self.higher_is_better, self.scale, self.bounds = metric.higher_is_better, metric.scale, metric.bounds
        self.aggregation, self.log_scale = metric.aggregation, metric.log_scale
        self.kinds = metric.kinds  # type: ignore[misc]
        self.guarded, self.runs_code = metric.guarded, metric.runs_code
        self.slow = metric.slow

    def fold(self, case: Case) -> Case:
        """The case with answer and targets in one script."""
        answer = None if case.answer is None else self.convert(case.answer)
        return dataclasses.replace(case, answer=answer, target=tuple(map(self.convert, case.target)))

    def score(self, case: Case) -> float | None:
        """The score of the folded case."""
        return self.metric.score(self.fold(case))

    def rate(self, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """The same with its notes."""
        return self.metric.rate(self.fold(case))

    def stats(self, case: Case) -> tuple[float, ...]:
        """The statistics of the folded case."""
        return self.metric.stats(self.fold(case))

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
