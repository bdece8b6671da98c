"""Metrics: how an answer is judged, and how judgements become one number."""

from __future__ import annotations

from evalkit.metrics.aggregation import sample_values, summarise
from evalkit.metrics.base import NOTED, Case, Context, FunctionMetric, Metric
from evalkit.metrics.building import build_metrics
from evalkit.metrics.guard import language_warning
from evalkit.metrics.registry import METRICS

__all__ = [
    "METRICS",
    "NOTED",
    "Case",
    "Context",
    "FunctionMetric",
    "Metric",
    "build_metrics",
    "language_warning",
    "metric_names",
    "sample_values",
    "summarise",
]


def metric_names() -> tuple[str, ...]:
    """The names of all metrics that evalkit brings, sorted."""
    return tuple(sorted(METRICS))
