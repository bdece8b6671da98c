"""The verdicts that a judge may give, and what each of them is worth between 0 and 1."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.metrics.extractors.excerpt import fold

_POINTS = re.compile(
    r"[\s*_\"']*(?P<points>[+-]?[0-9]{1,9}(?:\.[0-9]{1,9})?)\s{0,3}"
    r"(?:(?:/|out of)\s{0,3}(?P<most>[0-9]{1,9}(?:\.[0-9]{1,9})?)|points?|stars?|分)?[\s*_.。!\"']*",
    re.IGNORECASE,
)
"""8, 8/10, 8 out of 10, 8分."""
_AROUND = " \t\r\n*_`.。!！,，;；:：\"'“”‘’「」()（）[]【】"
"""What may stand around a label."""


@dataclass(frozen=True, slots=True)
class Points:
    """A number from `low` to `high`; whole numbers where both ends are."""

    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether the judge is asked for whole numbers."""
        return self.low == int(self.low) and self.high == int(self.high)

    def read(self, value: object) -> tuple[str, float] | None:
        """(the verdict as written, its worth from 0 to 1); None when it is not on the scale."""
        if isinstance(value, str):
            points = _POINTS.fullmatch(fold(value))
            if points is None or float(points["most"] or self.high) != self.high:
                return None
            value = float(points["points"])
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        if not self.low <= value <= self.high:
            return None
        return f"{value:g}", (value - self.low) / (self.high - self.low)

    def schema(self) -> dict[str, Any]:
        """The JSON schema of a verdict. Ranges are left to the words: not every provider takes them."""
        if self.whole and self.high - self.low <= 100:
            return {"type": "integer", "enum": list(range(int(self.low), int(self.high) + 1))}
        return {"type": "number"}

    def words(self, chinese: bool) -> str:
        """What the judge is told of the scale."""
        low, high = f"{self.low:g}", f"{self.high:g}"
        if chinese:
            return f"从 {low}（最差）到 {high}（最好）的{'整数' if self.whole else '数'}"
        return f"a {'whole ' if self.whole else ''}number from {low} (worst) to {high} (best)"

    def sign(self) -> str:
        """The scale as the signature names it."""
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True, slots=True)
class Labels:
    """One of a few words."""

    values: Mapping[str, float | None]
    """Label -> its worth from 0 to 1; None for a label with which the judge abstains."""

    def read(self, value: object) -> tuple[str, float | None] | None:
        """(the label, its worth); None when it is no label."""
        if isinstance(value, bool):
            wanted = {"true", "yes"} if value else {"false", "no"}
        elif isinstance(value, str):
            wanted = {value.strip().casefold(), value.strip(_AROUND).casefold()}
        else:
            return None
        found = [label for label in self.values if label.casefold() in wanted]
        return (found[0], self.values[found[0]]) if len(found) == 1 else None

    def schema(self) -> dict[str, Any]:
        """The JSON schema of a verdict."""
        return {"type": "string", "enum": list(self.values)}

    def words(self, chinese: bool) -> str:
        """What the judge is told of the labels."""
        names = ("、" if chinese else ", ").join(f'"{label}"' for label in self.values)
        return f"以下之一：{names}" if chinese else f"one of {names}"

    def sign(self) -> str:
        """The labels as the signature names them, with their worth."""
        return ",".join(
            f"{label}={'none' if worth is None else format(worth, 'g')}"
            for label, worth in self.values.items()
        )


Scale = Points | Labels


def make_scale(metric: str, scale: object, labels: object) -> Scale | None:
    """The scale that a metric's parameters name; None when they name none. Raises MetricError."""
    if scale is not None and labels is not None:
        raise MetricError(f"metric {metric!r}: give `scale` (numbers) or `labels` (words), not both")
    if scale is not None:
        return _points(metric, scale)
    return None if labels is None else _labels(metric, labels)


def _points(metric: str, scale: object) -> Points:
    ends = scale if isinstance(scale, list | tuple) else ()
    numbers = [x for x in ends if isinstance(x, int | float) and not isinstance(x, bool)]
    if len(numbers) != 2 or len(ends) != 2 or not numbers[0] < numbers[1]:
        raise MetricError(
            f"metric {metric!r}: scale is the worst and the best number, such as [1, 10], not {scale!r}"
        )
    return Points(float(numbers[0]), float(numbers[1]))


def _labels(metric: str, labels: object) -> Labels:
    if any(
        isinstance(label, bool) for label in (labels if isinstance(labels, list | tuple | Mapping) else ())
    ):
        raise MetricError(
            f"metric {metric!r}: YAML reads yes, no, on, off, true and false as truth values, not words: put "
            'such labels in quotes, as in labels: ["yes", "no"]'
        )
    if isinstance(labels, list | tuple):
        names = [str(label) for label in labels]
        steps = max(len(names) - 1, 1)
        values: dict[str, float | None] = {name: 1.0 - i / steps for i, name in enumerate(names)}
    elif isinstance(labels, Mapping):
        names, values = [str(label) for label in labels], {}
        for label, worth in labels.items():
            number = isinstance(worth, int | float) and not isinstance(worth, bool)
            if worth is not None and not (number and 0.0 <= worth <= 1.0):
                raise MetricError(
                    f"metric {metric!r}: label {label!r} is worth a number from 0 to 1, or null where the "
                    f"judge abstains, not {worth!r}"
                )
            values[str(label)] = None if worth is None else float(worth)
    else:
        raise MetricError(
            f"metric {metric!r}: labels are a list from best to worst, such as [correct, incorrect], or a "
            f"mapping of labels to their worth, not {labels!r}"
        )
    known = {worth for worth in values.values() if worth is not None}
    if len({name.strip().casefold() for name in names}) < len(names) or len(known) < 2:
        raise MetricError(f"metric {metric!r}: labels need at least two different words of different worth")
    return Labels(values)
