"""Scores and statistics of samples made into one number with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import MetricValue
from evalkit.metrics.base import Array, Metric, Positions


def summarise(
    metric: Metric,
    scores: Sequence[float | None],
    stats: Sequence[Sequence[float]],
    *,
    sample_ids: Sequence[str],
    clusters: Sequence[str | None] | None = None,
    confidence: float = 0.95,
) -> MetricValue:
    """The metric's value over all results, its standard error and its confidence interval.

    Everything is per result (sample x repeat): `scores` None and `stats` empty where unscored. Repeats of a
    sample are averaged (mean metrics) or added (corpus metrics) first, so that they never pass for samples.
    Intervals: Gaffke for bounded means; for corpus metrics the influence of each sample with one more at the
    worst that is possible. Approximate, for want of a limit: Student for unbounded means, jackknife-t for
    corpus metrics whose samples have none. Clusters are units where given. No value when nothing was scored,
    no interval from fewer than two units, nor of a metric of classes one of which no sample has.
    """
    lengths = {len(scores), len(stats), len(sample_ids), len(sample_ids if clusters is None else clusters)}
    if len(lengths) > 1:
        raise MetricError(
            f"scores, stats, sample_ids and clusters of {metric.name!r} differ in length: {sorted(lengths)}"
        )
    if metric.aggregation == "corpus":
        return _corpus(metric, stats, sample_ids, clusters, confidence)
    return _mean(metric, scores, stats, sample_ids, clusters, confidence)


def sample_values(
    metric: Metric,
    scores: Sequence[float | None],
    stats: Sequence[Sequence[float]],
    sample_ids: Sequence[str],
) -> dict[str, float]:
    """Each scored sample's own value of a mean metric, its repeats combined; samples in order of appearance.

    The one place where repeats become one value: a comparison or a gate that pairs samples starts here.
    """
    if type(metric).combine is Metric.combine:
        return _means(scores, sample_ids)
    repeats: dict[str, list[int]] = {}
    for i, score in enumerate(scores):
        if score is not None:
            repeats.setdefault(sample_ids[i], []).append(i)
    values: dict[str, float] = {}
    for sample_id, indices in repeats.items():
        scored = [score for i in indices if (score := scores[i]) is not None]
        value = metric.combine(scored, [tuple(stats[i]) for i in indices])
        if value is not None:
            values[sample_id] = value
    return values


def _means(scores: Sequence[float | None], sample_ids: Sequence[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    counts: dict[str, int] = {}
    for sample_id, score in zip(sample_ids, scores, strict=True):
        if score is None:
            continue
        if sample_id in values:
            counts[sample_id] = counts.get(sample_id, 1) + 1
            values[sample_id] += score
        else:
            values[sample_id] = float(score)
    for sample_id, count in counts.items():
        values[sample_id] /= count
    return values


def _mean(
    metric: Metric,
    scores: Sequence[float | None],
    stats: Sequence[Sequence[float]],
    sample_ids: Sequence[str],
    clusters: Sequence[str | None] | None,
    confidence: float,
) -> MetricValue:
    import numpy as np

    from evalkit.stats.means import mean_interval, t_interval

    values = sample_values(metric, scores, stats, sample_ids)
    if not values:
        return _nothing(metric, metric.signature)
    means = np.array(list(values.values()), dtype=np.float64)
    labels: list[str | None] | None = None
    if clusters is not None and any(cluster is not None for cluster in clusters):
        of = dict(zip(reversed(sample_ids), reversed(clusters), strict=True))
        labels = [of[sample_id] for sample_id in values]
    if not np.isfinite(means).all():
        return _value(metric, metric.signature, len(means), float(means.mean()))
    if metric.bounds is None:
        interval, method = t_interval(means, confidence, labels), "t"
    else:
        interval, method = mean_interval(means, confidence, labels, *metric.bounds), "gaffke"
    ends = None if interval.lo is None or interval.hi is None else (interval.lo, interval.hi)
    return _value(metric, metric.signature, len(means), interval.value, interval.stderr, ends, method)


def _corpus(
    metric: Metric,
    stats: Sequence[Sequence[float]],
    sample_ids: Sequence[str],
    clusters: Sequence[str | None] | None,
    confidence: float,
) -> MetricValue:
    import numpy as np

    from evalkit.stats.jackknife import corpus_interval

    kept = [i for i, row in enumerate(stats) if len(row)]
    if not kept:
        return _nothing(metric, metric.signature)
    table = np.array([stats[i] for i in kept], dtype=np.float64)
    units, labels = _units(kept, sample_ids, clusters)
    rows = metric.rows(table)
    n = int(units.max()) + 1
    if n < len(rows):
        added = np.zeros((n, rows.shape[1]))
        np.add.at(added, units, rows)
        rows = added
    signature = metric.describe(table)
    sums = rows.sum(axis=0)
    try:
        interval = corpus_interval(rows, metric.aggregate, confidence, labels, metric.log_scale)
    except StatsError:
        # Not finite on the corpus, or without one of its units: the value stands alone.
        value = float(np.asarray(metric.aggregate(sums)))
        return _value(metric, signature, n, None if np.isnan(value) else value)
    possible = metric.possible(rows * (n / len(kept)))
    if possible is None:
        method = "jackknife-t-log" if metric.log_scale else "jackknife-t"
        ends = None if interval.lo is None or interval.hi is None else (interval.lo, interval.hi)
    elif interval.n_units < 2 or metric.unknown(sums) is not None:
        method, ends = "influence", None
    else:
        method = "influence"
        ends = _by_influence(metric, rows, possible * (len(kept) / n), labels, confidence)
    if ends and metric.bounds:
        ends = (max(ends[0], metric.bounds[0]), min(ends[1], metric.bounds[1]))
    return _value(metric, signature, n, interval.value, interval.stderr, ends, method)


def _by_influence(
    metric: Metric, rows: Array, possible: Array, labels: list[str | None] | None, confidence: float
) -> tuple[float, float] | None:
    """The interval by the influences of the samples and one that was not seen; None where there is none."""
    from evalkit.stats.influence import Corpus, corpus_evidence

    try:
        found = corpus_evidence(Corpus(rows, possible), metric.aggregate, labels, metric.log_scale)
    except StatsError:
        return None
    return None if found.evidence is None else found.evidence.interval((1.0 - confidence) / 2.0)


def _units(
    kept: Sequence[int], sample_ids: Sequence[str], clusters: Sequence[str | None] | None
) -> tuple[Positions, list[str | None] | None]:
    """The unit's number of each kept result, by sample, and the cluster of each unit."""
    import numpy as np

    numbers: dict[str, int] = {}
    labels: list[str | None] = []
    units = []
    for i in kept:
        number = numbers.setdefault(sample_ids[i], len(numbers))
        if number == len(labels):
            labels.append(None if clusters is None else clusters[i])
        units.append(number)
    clustered = any(label is not None for label in labels)
    return np.array(units, dtype=np.int64), labels if clustered else None


def _nothing(metric: Metric, signature: str) -> MetricValue:
    return _value(metric, signature, 0, None)


def _value(
    metric: Metric,
    signature: str,
    n: int,
    value: float | None,
    stderr: float | None = None,
    interval: tuple[float, float] | None = None,
    method: str | None = None,
) -> MetricValue:
    return MetricValue(
        value=value,
        stderr=stderr,
        interval=interval,
        interval_method=method if interval else None,
        n=n,
        signature=signature,
        higher_is_better=metric.higher_is_better,
        scale=metric.scale,
    )
