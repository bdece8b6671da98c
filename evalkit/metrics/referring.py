"""A metric against chosen columns of references, in a chosen order, in place of the task's target.

The order is of consequence where a metric takes the nearest reference and two are equally near: sacrebleu's
chrF then counts the first of them in the corpus, which moves the fourth digit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Case, Context, Metric
from evalkit.metrics.changed import Changed

MARK = "|refs:"
"""What precedes the columns in the signature."""


def read_references(fields: Mapping[str, Any], columns: object) -> tuple[str, ...]:
    """The texts of the columns in this order. Raises MetricError where one is missing or holds no text."""
    found: list[str] = []
    for column in _names(columns):
        if column not in fields:
            there = ", ".join(map(str, fields))
            raise MetricError(f"references: there is no column {column!r}; there are {there}")
        value = fields[column]
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, Sequence) else []
        if not texts or not all(isinstance(text, str) for text in texts):
            raise MetricError(f"references: {column} is {value!r:.60}, not a text or a list of texts")
        found += texts
    return tuple(found)


def _names(columns: object) -> list[str]:
    names = (
        [columns] if isinstance(columns, str) else list(columns) if isinstance(columns, list | tuple) else []
    )
    if not names or not all(isinstance(name, str) and name for name in names):
        raise MetricError(f"references: a column or a list of columns, not {columns!r:.60}")
    if len(set(names)) < len(names):
        raise MetricError(f"references: a column stands twice in {', '.join(names)}")
    return names


class Referring(Changed):
    """Another metric against these references."""

    def __init__(self, metric: Metric, columns: object, context: Context) -> None:
        self.columns = _names(columns)
        if context.kind != "generate" or metric.by_judge or not metric.reads_target:
            raise MetricError(
                f"metric {metric.name!r}: `references` is for metrics that compare a text with references"
            )
        super().__init__(metric, f"{MARK}{','.join(self.columns)}")

    def change(self, case: Case) -> Case:
        """The case with these texts as its target."""
        return dataclasses.replace(case, target=read_references(case.fields, self.columns))
