"""A metric of the corpus made of two functions: the statistics of a sample, and the value of their sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evalkit.core.errors import MetricError
from evalkit.core.records import Scale
from evalkit.metrics.base import RANGES, Array, Case, Metric, sign

Statistics = Callable[[Case], Sequence[float] | None]
Value = Callable[..., float]


class SummedMetric(Metric):
    """value(sum of the first statistic, of the second, ...), such as a task.py provides.

    The interval and the verdicts come of the statistics, by leaving samples out and adding rows again. With
    `possible`, the statistics of the most extreme samples that there can be, they hold at any number of
    samples, to first order; without they are approximate.
    """

    aggregation = "corpus"

    def __init__(
        self,
        name: str,
        function: Statistics,
        value: Value,
        *,
        higher_is_better: bool = True,
        scale: Scale = "fraction",
        bounds: tuple[float, float] | None = None,
        possible: Sequence[Sequence[float]] | None = None,
        version: str = "1",
    ) -> None:
        self.name, self.function, self.value = name, function, value
        self.higher_is_better, self.scale = higher_is_better, scale
        self.bounds = RANGES[scale] if bounds is None else bounds
        self.extremes = None if possible is None else [self._row(row, "possible") for row in possible]
        self.signature = sign(f"custom:{name}", over="sums", version=version)
        self._width = None if not self.extremes else len(self.extremes[0])
        if self.extremes is not None and (len({len(row) for row in self.extremes}) != 1):
            raise MetricError(f"metric {name!r}: possible: statistics of samples, all of one length")

    def _row(self, found: object, what: str) -> tuple[float, ...]:
        """The statistics as numbers; raises MetricError where they are none."""
        row = tuple(found) if isinstance(found, Sequence) and not isinstance(found, str) else None
        if not row or not all(isinstance(n, bool | int | float) and math.isfinite(n) for n in row):
            raise MetricError(
                f"metric {self.name!r}: {what} gave {found!r:.60}; statistics are a tuple of finite numbers, "
                "or None for unscored"
            )
        return tuple(map(float, row))

    def stats(self, case: Case) -> tuple[float, ...]:
        """What the function says of the sample; () where it is unscored."""
        found = self.function(case)
        if found is None:
            return ()
        row = self._row(found, "its function")
        self._width = self._width or len(row)
        if len(row) != self._width:
            raise MetricError(
                f"metric {self.name!r} gave {len(row)} statistics for a sample and {self._width} for another"
            )
        return row

    def score(self, case: Case) -> float | None:
        """The value of this sample alone; None where it has none, or is unscored."""
        row = self.stats(case)
        found = self._of(row) if row else math.nan
        if math.isnan(found):
            return None
        if self.bounds and not self.bounds[0] - 1e-9 <= found <= self.bounds[1] + 1e-9:
            raise MetricError(
                f"metric {self.name!r}: value gave {found} for a sample, outside {self.bounds[0]:g}.."
                f"{self.bounds[1]:g}; declare its true `bounds`, or scale: unbounded"
            )
        return found

    def aggregate(self, sums: Array) -> Array:
        """The value of each sum of statistics; NaN where it is not defined."""
        import numpy as np

        table = np.asarray(sums, dtype=np.float64)
        flat = table.reshape(-1, table.shape[-1])
        return np.array([self._of(row) for row in flat.tolist()]).reshape(table.shape[:-1])

    def _of(self, sums: Sequence[float]) -> float:
        try:
            found = self.value(*sums)
        except (ZeroDivisionError, OverflowError):
            return math.nan
        except TypeError as error:
            raise MetricError(
                f"metric {self.name!r}: value takes the sums of its {len(sums)} statistics, one argument "
                f"each: {error}"
            ) from error
        except ValueError:  # the logarithm of 0 and the like
            return math.nan
        if isinstance(found, bool | int | float):
            return float(found)
        raise MetricError(f"metric {self.name!r}: value gave {type(found).__name__}, not a number")

    def possible(self, rows: Array) -> Array | None:
        """The extreme samples, where they were declared."""
        import numpy as np

        return None if self.extremes is None else np.array([self.extremes])
