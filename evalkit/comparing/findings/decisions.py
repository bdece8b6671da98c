"""Pairs of samples -> the decision that the statistics reach on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.comparing.findings.pairing import Array, Pairs, aggregate_of
from evalkit.core.errors import StatsError
from evalkit.metrics import Metric
from evalkit.stats import (
    Corpus,
    CorpusEvidence,
    Decision,
    evidence_decision,
    gate_decision,
    paired_evidence,
)
from evalkit.stats.verdicts import Target


@dataclass(frozen=True)
class Margin:
    """How much worse than the base is allowed."""

    size: float = 0.0
    """On the metric's own scale; a share of the base where relative, 0.02 for two per cent."""
    relative: bool = False
    """Whether `size` is a share of the base; always so for metrics compared on the logarithm."""


def is_bounded(metric: Metric) -> bool:
    """Whether the metric is a mean of bounded scores, for which the exact test holds at any n."""
    return metric.aggregation != "corpus" and metric.bounds is not None


def is_logarithmic(metric: Metric, margin: Margin) -> bool:
    """Whether the difference is a ratio: for perplexities, and for relative margins of other metrics."""
    return not is_bounded(metric) and (metric.log_scale or margin.relative)


def decide_pairs(pairs: Pairs, margin: Margin, alpha: float, target: Target = "population") -> Decision:
    """The decision on the pairs. difference, lo, hi: positive is better; logarithms where `is_logarithmic`.

    Missing scores are taken adversely: for bounded means as the ends of the range, for metrics of the corpus
    as the sample that would help or hurt them most. Raises StatsError where nothing can be said.
    """
    metric = pairs.metric
    if pairs.base_rows is None or pairs.other_rows is None:
        lo, hi = metric.bounds or (0.0, 1.0)
        return gate_decision(
            pairs.base,
            pairs.other,
            margin.size,
            alpha,
            pairs.clusters,
            target,
            margin.relative,
            metric.higher_is_better,
            lo,
            hi,
        )
    return _decide_rows(pairs, margin, alpha, target)


def log_margin(metric: Metric, share: float) -> float:
    """The margin on the logarithm that allows this share of the base."""
    if not metric.higher_is_better:
        return float(np.log1p(share))
    if share >= 1.0:
        raise StatsError(f"a relative tolerance is a share of the baseline below 1, not {share}")
    return float(-np.log1p(-share))


def _decide_rows(pairs: Pairs, margin: Margin, alpha: float, target: Target) -> Decision:
    metric = pairs.metric
    log = is_logarithmic(metric, margin)
    size = log_margin(metric, margin.size) if log else margin.size
    return evidence_decision(pair_evidence(pairs, log), size, alpha, target)


def pair_evidence(pairs: Pairs, log_scale: bool) -> CorpusEvidence:
    """What pairs of rows say of the difference, positive is better. Raises StatsError where nothing can."""
    metric = pairs.metric
    base, other = np.asarray(pairs.base_rows), np.asarray(pairs.other_rows)
    unknown = _unknown(pairs, base, other)
    if unknown is not None:
        raise StatsError(f"cannot tell: {unknown}")
    ends = (None, None) if pairs.possible is None else pairs.possible
    return paired_evidence(
        Corpus(base, ends[0]),
        Corpus(other, ends[1]),
        lambda sums: aggregate_of(metric, sums),
        pairs.clusters,
        log_scale,
        metric.higher_is_better,
    )


def _unknown(pairs: Pairs, base: Array, other: Array) -> str | None:
    """Why the metric of either side says nothing beyond these samples."""
    if pairs.metric.aggregation != "corpus":
        return None
    whole = ~(np.isnan(base).any(1) | np.isnan(other).any(1))
    reasons = [pairs.metric.unknown(rows[whole].sum(axis=0)) for rows in (base, other)]
    return next((reason for reason in reasons if reason is not None), None)
