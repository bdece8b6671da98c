"""Cells that compete on the same samples, and every pair of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.decisions import Margin, is_bounded, is_logarithmic, pair_evidence
from evalkit.comparing.findings.definitions import PlainMean, find_metric
from evalkit.comparing.findings.pairing import aggregate_of, make_pairs, overlap, whole_values
from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import MetricValue
from evalkit.metrics import Metric, sample_values
from evalkit.stats import Corpus, Evidence, better_p, corpus_evidence
from evalkit.stats.ranks import covariance_p
from evalkit.tasks.task import Task

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MAX_PAIRED = 200
"""Models of a field beyond which there is no matrix of pairs: places alone are counted, in blocks."""


@dataclass(frozen=True)
class Contender:
    """A cell in a field."""

    name: str
    value: MetricValue
    stored: StoredCell | None
    """Its samples; None where only the number is known."""
    metric: Metric | None
    """The metric that made the number; None where it is not at hand, so that only the number is known."""


@dataclass(frozen=True)
class Table:
    """The scores of all models on all samples of a field, as shares of the range that is good."""

    values: Floats
    """Models by samples, in [0, 1]; NaN where missing."""
    absent: Bools
    """Which samples a model was never asked."""
    labels: list[str] | None
    """The cluster of each sample; None where all stand alone."""

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1 and every sample stands alone."""
        return self.labels is None and bool(np.isin(self.values[~np.isnan(self.values)], (0.0, 1.0)).all())


@dataclass(frozen=True)
class Errors:
    """How well each model's number is known."""

    variances: Floats
    """Squared standard errors, with what one more sample at the far end would bring; inf where unknown."""
    n: Floats
    """Samples behind each."""

    @classmethod
    def of(cls, contenders: Sequence[Contender]) -> Errors:
        """The errors of the contenders' numbers, on the metric's scale."""
        errors = np.array([np.inf if c.value.stderr is None else c.value.stderr for c in contenders])
        sizes = np.array([float(c.value.n) for c in contenders])
        top = {"fraction": 1.0, "percent": 100.0, "unbounded": 0.0}[contenders[0].value.scale]
        variances = errors**2 + (top / (sizes + 1.0)) ** 2 / 2.0
        return cls(np.where(variances > 0, variances, np.inf), sizes)


@dataclass(frozen=True)
class Field:
    """Models that compete, with every pair of them; higher is better throughout."""

    models: list[str]
    difference: Floats
    """[j, k]: j's value less k's on the samples that both have scored, positive where j is better."""
    p: Floats
    """[j, k]: one-sided p of "j is better than k", missing scores against j; NaN where nothing is known."""
    method: str
    """How, a key of `METHODS`."""
    table: Table | None = None
    """The samples, for means of bounded scores; None for other metrics and where samples are not known."""
    values: Floats | None = None
    """Each model's number, turned so that higher is better; for fields without a matrix."""
    span: float = 1.0
    """The range of the metric; differences are on its scale, the table is not."""
    evidence: Mapping[tuple[int, int], Evidence] = dataclasses.field(default_factory=dict)
    """(j, k), j before k -> the evidence on j less k; for metrics that have no table and no logarithm."""
    errors: Errors | None = None
    """Of each model's number, for means over tasks whose samples are not known."""

    @property
    def is_large(self) -> bool:
        """Whether there are so many models that no matrix of pairs is held."""
        return len(self.p) < len(self.models)

    def of(self, models: Sequence[str]) -> list[int]:
        """The positions of some models."""
        at = {model: place for place, model in enumerate(self.models)}
        return [at[model] for model in models]


METHODS = {
    "gaffke": "Gaffke's bound on paired samples, guarded mid-p",
    "influence": "influence + unseen sample, first order",
    "approximate": "approximate: nothing is known of rarer samples than were seen",
    "formula": "Gaffke's bound on paired samples, by a formula for very many pairs",
    "errors": "approximate: from standard errors alone, unpaired",
}
"""The methods of fields, in words."""


def contend(
    name: str, value: MetricValue, stored: StoredCell | None, headline: str, tasks: Sequence[Task] = ()
) -> Contender:
    """The cell as it competes by its headline."""
    if stored is None or value.value is None:
        return Contender(name, value, None, None)
    # Most headlines are means of stored scores, which need no definition. Where samples have statistics, only
    # the definition tells whether the number is a mean of scores: macro-F1 of all right is one by chance.
    known = [score for score in stored.scores[headline] if score is not None]
    plain: Metric = PlainMean(headline, value, known)
    means = list(sample_values(plain, stored.scores[headline], stored.stats[headline], stored.ids).values())
    if (
        means
        and not any(stored.stats[headline])
        and abs(float(np.mean(means)) - value.value) <= 1e-9 * max(1.0, abs(value.value))
    ):
        return Contender(name, value, stored, plain)
    try:
        return Contender(name, value, stored, find_metric(stored, headline, tasks))
    except MetricError:
        return Contender(name, value, None, None)


def make_field(contenders: Sequence[Contender]) -> Field:
    """Every pair of the contenders: by their samples where all have them, else by their errors."""
    metrics = [each.metric for each in contenders]
    cells = [each.stored for each in contenders if each.stored is not None]
    alike = len({(m.aggregation, m.bounds, m.log_scale) for m in metrics if m is not None}) == 1
    if len(cells) == len(contenders) and alike and all(metric is not None for metric in metrics):
        if all(metric is not None and is_bounded(metric) for metric in metrics):
            table = make_table(contenders)
            if len(contenders) <= MAX_PAIRED:
                return _by_table(contenders, table)
            if table.binary:
                return replace(_large(contenders), table=table, method="gaffke")
        elif len(contenders) <= MAX_PAIRED:
            return _by_pairs(contenders)
    return _by_errors(contenders) if len(contenders) <= MAX_PAIRED else _large(contenders)


def _large(contenders: Sequence[Contender]) -> Field:
    """Very many models, by their errors, without a matrix."""
    sign = 1.0 if contenders[0].value.higher_is_better else -1.0
    values = np.array([np.nan if c.value.value is None else sign * c.value.value for c in contenders])
    nothing = np.zeros((0, 0))
    names = [each.name for each in contenders]
    return Field(names, nothing, nothing, "errors", values=values, errors=Errors.of(contenders))


def make_table(contenders: Sequence[Contender]) -> Table:
    """The scores of contenders whose metric is a mean of bounded scores."""
    columns = []
    ids: dict[str, None] = {}
    clusters: dict[str, str] = {}
    for each in contenders:
        cell, metric = each.stored, each.metric
        if cell is None or metric is None:
            raise StatsError(f"{each.name} has no samples")
        lo, hi = metric.bounds or (0.0, 1.0)
        values = sample_values(metric, cell.scores[metric.name], cell.stats[metric.name], cell.ids)
        column = {}
        for sample_id, fact in cell.facts.items():
            value = values.get(sample_id)
            share = np.nan if value is None or fact.missing else (value - lo) / (hi - lo)
            column[sample_id] = share if metric.higher_is_better else 1.0 - share
            if fact.cluster is not None:
                clusters[sample_id] = fact.cluster
        columns.append(column)
        ids.update(dict.fromkeys(column))
    table = np.array([[column.get(i, np.nan) for i in ids] for column in columns]).reshape(
        len(columns), len(ids)
    )
    absent = np.array([[i not in column for i in ids] for column in columns]).reshape(table.shape)
    labels = [f"c{clusters[i]}" if i in clusters else f"s{i}" for i in ids] if clusters else None
    return Table(np.clip(table, 0.0, 1.0), absent, labels)


def _by_table(contenders: Sequence[Contender], table: Table) -> Field:
    n = len(contenders)
    metric = contenders[0].metric
    lo, hi = (metric.bounds if metric is not None else None) or (0.0, 1.0)
    known = ~np.isnan(table.values)
    filled = np.where(known, table.values, 0.0)
    both = known.astype(np.float64) @ known.T.astype(np.float64)
    sums = filled @ known.T.astype(np.float64)
    with np.errstate(invalid="ignore"):
        difference = np.where(both > 0, (sums - sums.T) / both, np.nan)
    units = table.values.shape[1] if table.labels is None else len(set(table.labels))
    p = np.full((n, n), np.nan)
    if units >= 2:
        p = better_p(table.values, table.labels, 0.0, 1.0, table.absent)
        p[both == 0] = np.nan
    np.fill_diagonal(p, np.nan)
    return Field(
        [each.name for each in contenders],
        difference * (hi - lo),
        p,
        "gaffke",
        table,
        span=float(hi - lo),
        errors=Errors.of(contenders),
    )


def _by_pairs(contenders: Sequence[Contender]) -> Field:
    """Metrics of the corpus and unbounded means, pair by pair as `compare` has them."""
    n = len(contenders)
    difference, p = np.full((n, n), np.nan), np.full((n, n), np.nan)
    methods = {"influence"}
    evidence: dict[tuple[int, int], Evidence] = {}
    for j in range(n):
        for k in range(j + 1, n):
            base, other, metric = contenders[k].stored, contenders[j].stored, contenders[k].metric
            if base is None or other is None or metric is None:
                continue
            pairs = make_pairs(base, other, metric, overlap(base, other).shared)
            sign = 1.0 if metric.higher_is_better else -1.0
            values = whole_values(pairs)
            if values[0] is not None and values[1] is not None:
                difference[j, k] = sign * (values[1] - values[0])
                difference[k, j] = -difference[j, k]
            try:
                found = pair_evidence(pairs, is_logarithmic(metric, Margin()))
            except StatsError:
                continue
            if found.evidence is not None and found.n_units >= 2:
                p[j, k], p[k, j] = found.evidence.p_above(0.0), found.evidence.p_below(0.0)
                if not is_logarithmic(metric, Margin()):
                    evidence[j, k] = found.evidence
                if found.reach is not None:
                    methods.add("approximate")
    method = "approximate" if len(methods) > 1 else "influence"
    names = [each.name for each in contenders]
    first = contenders[0].metric
    lo, hi = (first.bounds if first is not None else None) or (0.0, 1.0)
    span = hi - lo if np.isfinite([lo, hi]).all() else 1.0
    return Field(names, difference, p, method, evidence=evidence, span=span, errors=Errors.of(contenders))


def _by_errors(contenders: Sequence[Contender]) -> Field:
    """Numbers without samples: Student's t on their standard errors; nothing where one is unknown."""
    n = len(contenders)
    sign = 1.0 if contenders[0].value.higher_is_better else -1.0
    values = np.array([np.nan if c.value.value is None else sign * c.value.value for c in contenders])
    errors = Errors.of(contenders)
    usable = np.isfinite(errors.variances) & (errors.n >= 2) & ~np.isnan(values)
    p = np.full((n, n), np.nan)
    if usable.any():
        filled = np.where(usable, errors.variances, 1.0)
        p = covariance_p(np.where(usable, values, 0.0), np.diag(filled), float(errors.n[usable].min()) - 1.0)
        p[~usable] = np.nan
        p[:, ~usable] = np.nan
    np.fill_diagonal(p, np.nan)
    names = [each.name for each in contenders]
    return Field(names, values[:, None] - values[None, :], p, "errors", errors=errors)


@dataclass(frozen=True)
class Shares:
    """The scores of one cell as shares of the range that is good, for a mean over tasks."""

    values: Floats
    """In [0, 1] for means of bounded scores; value plus influence for metrics of the corpus."""
    labels: list[str] | None
    """Clusters; None where all samples stand alone."""
    lo: float
    hi: float
    """The ends that a sample cannot leave."""
    span: float
    """The range of the metric."""

    @property
    def n_units(self) -> int:
        """The number of independent units."""
        return len(self.values) if self.labels is None else len(set(self.labels))

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1 and every sample stands alone."""
        return (
            self.labels is None
            and (self.lo, self.hi) == (0.0, 1.0)
            and bool(np.isin(self.values, (0.0, 1.0)).all())
        )


def shares_of(contender: Contender) -> Shares | None:
    """The scores that a contender has, missing ones left out; None where its samples are not known."""
    cell, metric = contender.stored, contender.metric
    if cell is None or metric is None or metric.bounds is None:
        return None
    lo, hi = metric.bounds
    if not np.isfinite([lo, hi]).all():
        return None
    if metric.aggregation == "corpus":
        return _corpus_shares(cell, metric, lo, hi)
    found = sample_values(metric, cell.scores[metric.name], cell.stats[metric.name], cell.ids)
    values = (np.array(list(found.values()), dtype=np.float64) - lo) / (hi - lo)
    names = [cell.facts[sample_id].cluster for sample_id in found]
    labels = None
    if any(name is not None for name in names):
        labels = [f"s{i}" if name is None else f"c{name}" for i, name in enumerate(names)]
    return Shares(values if metric.higher_is_better else 1.0 - values, labels, 0.0, 1.0, hi - lo)


def _corpus_shares(cell: StoredCell, metric: Metric, lo: float, hi: float) -> Shares | None:
    pairs = make_pairs(cell, cell, metric, tuple(i for i, fact in cell.facts.items() if not fact.missing))
    if pairs.base_rows is None or pairs.possible is None or pairs.clusters is not None or not len(pairs.ids):
        return None
    if not metric.higher_is_better or metric.unknown(pairs.base_rows.sum(axis=0)) is not None:
        return None
    try:
        found = corpus_evidence(
            Corpus(pairs.base_rows, pairs.possible[0]), lambda sums: aggregate_of(metric, sums)
        ).evidence
    except StatsError:
        return None
    if found is None:
        return None
    values = np.repeat(found.worst.means, found.worst.counts.astype(int))
    span = hi - lo
    return Shares((values - lo) / span, None, (found.lo - lo) / span, (found.hi - lo) / span, span)
