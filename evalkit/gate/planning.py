"""How many samples a gate needs, and what it can see with those it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evalkit.comparing.findings.cells import StoredCell, read_cells
from evalkit.comparing.findings.decisions import is_bounded
from evalkit.comparing.findings.definitions import find_metric
from evalkit.core.errors import MetricError, StatsError
from evalkit.core.records import Scale
from evalkit.gate.demands import bounds_of, check_demands
from evalkit.gate.rules import Rules
from evalkit.metrics import Metric
from evalkit.stats import mde, plan, repeat_variance, sd_of_discordance
from evalkit.store.folders import StoredRun
from evalkit.tasks.task import Task

DISCORDANCE = 0.10
"""The share of samples on which two runs of one model differ, where no repeats say it."""
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Need:
    """What a gate on one metric can see, and what it needs."""

    model: str
    task: str
    variant: str
    metric: str
    scale: Scale
    margin: float
    """The allowed drop on the metric's scale."""
    n: int
    """Samples of the baseline."""
    sd: float
    """Standard deviation of the paired differences of an unchanged model."""
    sd_source: str
    """From the baseline's own repeats, or assumed."""
    mde: float
    """The true drop that fails with power 0.8 at n."""
    n_pass: int | None
    """Samples with which an unchanged model passes with power 0.8; None without a tolerance."""
    n_fail: int | None
    """Samples with which a drop of twice the tolerance fails with power 0.8; None without a tolerance."""
    best_repeats: int | None
    """Repeats after which more of them stop paying; None where no repeats tell."""


def plan_gate(baseline: StoredRun, rules: Rules, tasks: Sequence[Task] = ()) -> tuple[list[Need], list[str]]:
    """What each metric of a gate needs, and notes on those that cannot be planned. Raises StoreError, and
    UsageError for rules that decide nothing."""
    needs: list[Need] = []
    notes: list[str] = []
    cells = read_cells(baseline)
    known = [cell.cell for cell in cells]
    check_demands(rules, known, baseline.run.tasks, bounds_of(cells, rules, tasks))
    for cell in cells:
        for name in rules.metrics_of(cell.cell.task, cell.info.headline, list(cell.cell.metrics)):
            try:
                metric = find_metric(cell, name, tasks)
            except MetricError as error:
                notes.append(str(error))
                continue
            if is_bounded(metric):
                needs.append(_need(cell, metric, rules))
            else:
                notes.append(
                    f"{cell.name}: {name} is no mean of bounded scores; it needs 50 samples for any verdict"
                )
    return needs, notes


def _need(cell: StoredCell, metric: Metric, rules: Rules) -> Need:
    lo, hi = metric.bounds or (0.0, 1.0)
    reach = hi - lo
    margin = rules.margin(cell.cell.task, metric)
    value = cell.cell.metrics[metric.name].value or 0.0
    size = margin.size * value if margin.relative else margin.size
    sd, source, best = _spread(cell, metric, reach)
    n = max(len({fact.cluster or name for name, fact in cell.facts.items()}), 1)
    found = plan(sd, size, None, rules.alpha, POWER, reach)
    return Need(
        cell.cell.model,
        cell.cell.task,
        cell.cell.variant,
        metric.name,
        metric.scale,
        size,
        n,
        sd,
        source,
        mde(sd, n, size, rules.alpha, POWER, reach),
        found.n_pass,
        found.n_fail,
        best,
    )


def _spread(cell: StoredCell, metric: Metric, reach: float) -> tuple[float, str, int | None]:
    """The sd of an unchanged model against its baseline, and where it is from."""
    table: dict[str, list[float]] = {}
    for sample_id, score in zip(cell.ids, cell.scores[metric.name], strict=True):
        table.setdefault(sample_id, []).append(np.nan if score is None else score)
    width = max(map(len, table.values()), default=0)
    rows = [row + [np.nan] * (width - len(row)) for row in table.values() if not np.isnan(row).all()]
    try:
        parts = repeat_variance(rows, rows)
    except StatsError:
        assumed = (
            f"assumed: {100 * DISCORDANCE:.0f} % of the samples differ (run the baseline with --repeats)"
        )
        return sd_of_discordance(DISCORDANCE) * reach, assumed, None
    # Baseline and candidate are each the mean of the same number of repeats of one and the same model.
    sd = float(np.sqrt(2.0 * parts.within / cell.cell.repeats))
    return sd, f"from the baseline's {cell.cell.repeats} repeats", parts.best_repeats()
