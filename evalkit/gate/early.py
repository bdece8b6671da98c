"""A gate that watches the answers arrive, in an order drawn before the first call, and ends the run early."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from evalkit.comparing.findings.cells import StoredCell
from evalkit.comparing.findings.decisions import Margin, is_bounded
from evalkit.core.records import SampleResult, digest
from evalkit.gate.checks import Watched
from evalkit.gate.judge import count_checks
from evalkit.gate.rules import Rules
from evalkit.metrics import Metric, sample_values
from evalkit.running.executors.local import Work
from evalkit.running.planning import Plan, PlannedCell
from evalkit.stats import Sequential, confidence_sequence, contributions, holm
from evalkit.store.folders import write_private

ORDER_FILE = "order.json"
"""In the run folder: the registered order's seed, written before the first call."""


@dataclass
class _Test:
    """A metric of a cell under watch."""

    metric: Metric
    margin: Margin
    baseline: Mapping[str, float]
    """Sample id -> the baseline's value; what is missing there is missing here."""
    rule: Sequential
    differences: dict[int, float] = field(default_factory=dict)
    """Position -> difference of the unit, positive is better; NaN where missing."""


@dataclass
class _Cell:
    """A planned cell in its registered order."""

    planned: PlannedCell
    works: list[Work]
    """All work of the cell in the registered order."""
    unit_of: dict[str, int]
    """Sample id -> position of its unit in the order."""
    members: list[list[str]]
    """Unit -> its samples."""
    largest: int
    tests: list[_Test]
    results: dict[str, list[SampleResult]] = field(default_factory=dict)
    """Samples whose unit is not complete yet -> their results so far."""
    n_open: dict[int, int] = field(default_factory=dict)
    """Unit -> results still to come."""


class Referee:
    """Decides the order of a run's work, and ends it as soon as the verdict is certain.

    The order is a permutation of whole clusters, tasks interleaved, from a seed that nobody chooses. Results
    are fed to the tests as a prefix of that order, whatever the order in which they arrive.
    """

    def __init__(
        self,
        rules: Rules,
        baseline: str,
        matched: Mapping[int, tuple[StoredCell, Sequence[Metric]]],
    ) -> None:
        """`matched` maps the index of a planned cell to the baseline's cell and the metrics to judge."""
        self.rules = rules
        self.baseline = baseline
        self.matched = matched
        self.seed = ""
        self.n_planned = 0
        self.n_received = 0
        self.n_cached = 0
        self.stopped = False
        self._cells: dict[int, _Cell] = {}
        self._n_checks = 0

    def begin(self, plan: Plan, folder: Path) -> None:
        """Draw the order of every cell and write down what it was drawn from."""
        self.seed = digest(
            {
                "data": [cell.task.data_digest for cell in plan.cells],
                "baseline": self.baseline,
                "candidate": [
                    [cell.model.route, cell.variant.digest(), dict(cell.params), cell.mode, cell.repeats]
                    for cell in plan.cells
                ],
            }
        )
        for cell in plan.cells:
            self.n_planned += cell.n_requests
            self._cells[cell.index] = self._prepare(cell)
            stored = self.matched.get(cell.index)
            if stored is not None:
                base = stored[0]
                self._n_checks += count_checks(
                    base.cell.task, base.info.headline, list(base.cell.metrics), self.rules
                )
        content = {"seed": self.seed, "baseline": self.baseline, "requests": self.n_planned}
        write_private(folder / ORDER_FILE, orjson.dumps(content, option=orjson.OPT_INDENT_2))

    def order(self, cells: Sequence[PlannedCell]) -> Iterator[Work]:
        """The work of these cells, each in its registered order, the cells advancing side by side."""
        positions = [
            ((number + 1) / len(entry.works), index, work)
            for index, entry in ((cell.index, self._cells[cell.index]) for cell in cells)
            for number, work in enumerate(entry.works)
        ]
        positions.sort(key=lambda item: (item[0], item[1]))
        return (work for _, _, work in positions)

    def receive(self, work: Work, result: SampleResult) -> bool:
        """Whether the verdict is certain, now that this result is there."""
        self.n_received += 1
        self.n_cached += result.response.from_cache
        cell = self._cells[work.cell]
        cell.results.setdefault(result.sample_id, []).append(result)
        unit = cell.unit_of[result.sample_id]
        cell.n_open[unit] -= 1
        if cell.n_open[unit] or not cell.tests:
            return self.stopped
        results = {name: cell.results.pop(name) for name in cell.members[unit]}
        for test in cell.tests:
            self._feed(cell, test, unit, results)
        if self.rules.early_stop != "off" and not self.stopped and self.n_received < self.n_planned:
            self.stopped = self._certain()
        return self.stopped

    def watched(self) -> dict[tuple[str, str], Watched]:
        """What is known of each watched metric, by cell slug and metric."""
        found: dict[tuple[str, str], Watched] = {}
        for cell in self._cells.values():
            for test in cell.tests:
                found[cell.planned.slug, test.metric.name] = Watched(
                    test.rule.p_fail,
                    test.rule.p_pass,
                    self._interval(cell, test),
                    test.rule.n_seen,
                )
        return found

    def _prepare(self, planned: PlannedCell) -> _Cell:
        works = list(planned.work())
        units: dict[str, list[str]] = {}
        for work in works:
            sample = work.sample
            key = f"sample:{sample.id}" if sample.cluster is None else f"cluster:{sample.cluster}"
            units.setdefault(key, []).append(sample.id)
        names = sorted(units)
        random.Random(f"{self.seed}:{planned.slug}").shuffle(names)
        members = [list(dict.fromkeys(units[name])) for name in names]
        unit_of = {sample_id: unit for unit, group in enumerate(members) for sample_id in group}
        works.sort(key=lambda work: (unit_of[work.sample.id], work.position))
        counts: dict[int, int] = {}
        for work in works:
            unit = unit_of[work.sample.id]
            counts[unit] = counts.get(unit, 0) + 1
        entry = _Cell(planned, works, unit_of, members, max(map(len, members), default=1), [], {}, counts)
        stored = self.matched.get(planned.index)
        if stored is not None and members:
            base, metrics = stored
            entry.tests = [self._test(base, metric, len(members)) for metric in metrics if is_bounded(metric)]
        return entry

    def _test(self, base: StoredCell, metric: Metric, n_units: int) -> _Test:
        lo, hi = metric.bounds or (0.0, 1.0)
        margin = self.rules.margin(base.cell.task, metric)
        values = sample_values(metric, base.scores[metric.name], base.stats[metric.name], base.ids)
        values = {name: value for name, value in values.items() if not base.facts[name].missing}
        shape = contributions([lo], [lo], margin.size, margin.relative, metric.higher_is_better, lo, hi)
        rule = Sequential(
            n_units, shape.lo, shape.hi, self.rules.alpha, self.rules.target, self.rules.early_stop
        )
        return _Test(metric, margin, values, rule)

    def _feed(self, cell: _Cell, test: _Test, unit: int, results: Mapping[str, list[SampleResult]]) -> None:
        """Give a complete unit to a test: its mean contribution, weighted by its size."""
        lo, hi = test.metric.bounds or (0.0, 1.0)
        before = np.array([test.baseline.get(name, np.nan) for name in results])
        after = np.array([self._value(test.metric, group, cell) for group in results.values()])
        up = test.metric.higher_is_better
        e = contributions(before, after, test.margin.size, test.margin.relative, up, lo, hi)
        weight = len(results) / cell.largest
        test.rule.add(unit, weight * float(e.for_fail.mean()), weight * float(e.for_pass.mean()))
        test.differences[unit] = float((after - before).mean()) * (1.0 if up else -1.0)

    def _value(self, metric: Metric, group: Sequence[SampleResult], cell: _Cell) -> float:
        """The sample's value; NaN when a repeat has no score."""
        if any(result.unscored_reason is not None for result in group):
            return float("nan")
        ordered = sorted(group, key=lambda result: result.repeat)
        values = sample_values(
            metric,
            [result.scores.get(metric.name) for result in ordered],
            [tuple(result.stats.get(metric.name, ())) for result in ordered],
            [result.sample_id for result in ordered],
        )
        return next(iter(values.values()), float("nan"))

    def _certain(self) -> bool:
        """Whether FAIL is proven for some check, or PASS for all of them."""
        tests = [test for cell in self._cells.values() for test in cell.tests]
        rest = self._n_checks - len(tests)
        p_fail = holm([*(test.rule.p_fail for test in tests), *[1.0] * rest])
        if float(p_fail.min()) <= self.rules.alpha:
            return True
        if self.rules.early_stop != "both" or rest:
            return False
        return all(test.rule.p_pass <= self.rules.alpha for test in tests)

    def _interval(self, cell: _Cell, test: _Test) -> tuple[float, float] | None:
        """The interval of the change that holds at every time; None where it is not defined."""
        prefix = [test.differences[unit] for unit in range(test.rule.n_seen)]
        if cell.largest > 1 or test.margin.relative or not prefix or np.isnan(prefix).any():
            return None
        lo, hi = test.metric.bounds or (0.0, 1.0)
        return confidence_sequence(
            prefix, len(cell.members), 1.0 - 2.0 * self.rules.alpha, self.rules.target, lo - hi, hi - lo
        )
