"""The scores of a cell, sample by sample, as tests between models need them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from evalkit.records import MetricValue, SampleResult

MAX_PAIRED = 20_000
"""Results of a cell that are read to compare models sample by sample; larger cells are compared by stderr."""

MAX_TEXT = 60
"""Characters of a metadata value that can name a slice."""


_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scores:
    """A model's estimate, higher is better, and its scores by sample where it has them."""

    value: float
    stderr: float | None
    n: int
    samples: Mapping[str, float]
    """Sample id -> score, repeats averaged; empty for metrics of the corpus and for very large cells."""
    clusters: Mapping[str, str]
    """Sample id -> cluster, for samples that have one."""
    is_mean: bool
    """Whether the value is the mean of the scores by sample, and not a metric of the corpus."""
    missing: frozenset[str] = frozenset()
    """Samples that were asked and have a repeat without a score: their calls failed. They are in no mean."""
    metadata: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Sample id -> the columns of its metadata whose values are texts, truth values or whole numbers."""


def read_scores(
    results: Iterable[SampleResult], n_results: int, headline: str, metric: MetricValue
) -> Scores | None:
    """The scores of a cell, turned round where lower is better; None when nothing was scored."""
    if metric.value is None:
        return None
    sign = 1.0 if metric.higher_is_better else -1.0
    value = sign * metric.value
    if results == () or n_results > MAX_PAIRED:
        return Scores(value, metric.stderr, metric.n, _NONE, _NONE, False)
    sums: dict[str, list[float]] = {}
    clusters: dict[str, str] = {}
    metadata: dict[str, tuple[tuple[str, str], ...]] = {}
    missing: set[str] = set()
    for result in results:
        score = result.scores.get(headline)
        if result.cluster is not None:
            clusters[result.sample_id] = result.cluster
        if score is None or result.unscored_reason is not None:
            missing.add(result.sample_id)
        else:
            sums.setdefault(result.sample_id, []).append(sign * score)
            if result.metadata:
                metadata[result.sample_id] = tuple(
                    (str(name), str(item))
                    for name, item in result.metadata.items()
                    if isinstance(item, str | int) and len(str(item)) <= MAX_TEXT
                )
    means = {id: sum(values) / len(values) for id, values in sums.items()}
    mean = sum(means.values()) / len(means) if means else 0.0
    is_mean = bool(means) and abs(mean - value) <= 1e-6 * max(1.0, abs(value))
    return Scores(value, metric.stderr, metric.n, means, clusters, is_mean, frozenset(missing), metadata)
