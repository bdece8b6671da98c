"""The columns that a task's metrics read beside its target, checked before anything is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from evalkit.metrics.contrast import read_wrong
from evalkit.metrics.referring import read_references
from evalkit.metrics.weighting import read_weight

_READERS: Mapping[str, Callable[[Mapping[str, Any], Any], object]] = {
    "weight": read_weight,
    "against": read_wrong,
    "references": read_references,
}
"""Key of a metric in task.yaml that names columns -> what reads that."""


def check_columns(metrics: Sequence[Any], fields: Mapping[str, Any]) -> None:
    """Nothing where a sample has what its metrics, as task.yaml asks for them, read. Raises MetricError."""
    for spec in metrics:
        if isinstance(spec, Mapping):
            for key, read in _READERS.items():
                if isinstance(column := spec.get(key), str | list):
                    read(fields, column)
