"""The run's cells as the page shows them: a block for each task, in it a group for each variant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.comparing.findings import Contender, contend, find, make_field
from evalkit.comparing.findings.cells import read_cell
from evalkit.core.records import CellResult, Counts, MetricValue, Run, Scale, TaskInfo
from evalkit.pages.formats import UNKNOWN, dollars, interval, score, seconds, share, tokens
from evalkit.pages.tasks import permalink
from evalkit.store.folders import StoredRun
from evalkit.tasks.choices import chance_in

HEALTH = ("errors", "refused", "truncated", "no_answer", "unscored", "cached")


@dataclass(frozen=True)
class Band:
    """Where a point and its interval lie on an axis from 0 to 100."""

    at: float
    low: float | None
    width: float | None


@dataclass(frozen=True)
class MetricRow:
    """One metric of a cell."""

    name: str
    value: str
    interval: str
    method: str
    n: int | None
    """None where another tool's file does not say."""
    signature: str
    higher: bool


@dataclass(frozen=True)
class Health:
    """How many results of a cell came to one kind of trouble."""

    name: str
    n: int
    share: str
    bad: bool


@dataclass(frozen=True)
class Row:
    """One cell."""

    cell: CellResult
    value: str
    interval: str
    sort: float | None
    band: Band | None
    best: bool
    """Whether no other model with this prompt is proven better."""
    heat: int | None
    """The step of the colour scale; None without a value."""
    reference: bool
    health: tuple[Health, ...]
    metrics: tuple[MetricRow, ...]
    link: str | None
    """Where its samples are; None when the page has none."""
    cost: str
    latency: str
    latency_p95: str
    input_tokens: str
    output_tokens: str


@dataclass(frozen=True)
class Group:
    """A variant of a task with its rows, best first."""

    variant: str
    default: bool
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Block:
    """A task with its variants, the default first."""

    info: TaskInfo
    headline: str
    scale: Scale
    higher: bool
    guess: float | None
    """What guessing scores as the cells were asked; None where unknown, or where they were asked unlike."""
    chance: float | None
    """Where that lies on the axis; None when unknown or off it."""
    axis: tuple[str, str]
    """What the axis begins and ends with."""
    groups: tuple[Group, ...]
    several_modes: bool

    def cell(self, model: str, variant: str) -> Row | None:
        """The row of a model and variant; None where there is none."""
        rows = (row for group in self.groups if group.variant == variant for row in group.rows)
        return next((row for row in rows if row.cell.model == model), None)


def blocks(stored: StoredRun, with_samples: bool) -> list[Block]:
    """A block for each task that has cells, in the order of the run."""
    run = stored.run
    found = []
    best = best_slugs(stored)
    for name, info in run.tasks.items():
        cells = [cell for cell in run.cells if cell.task == name]
        if cells:
            found.append(_block(stored, info, cells, best, with_samples))
    return found


MAX_READ = 50_000
"""Results of a run that are read to tell its best cells; larger runs are told by their standard errors."""


def best_slugs(stored: StoredRun) -> set[str]:
    """The slugs of all cells that no other model with the same prompt is proven better than.

    All pairs of the run are corrected together, as `evalkit compare --by model` does.
    """
    run = stored.run
    few = sum(cell.counts.samples for cell in run.cells) <= MAX_READ
    return {cell.slug for cell in _best(run, stored if few else None)}


def best_by_errors(run: Run) -> set[tuple[str, str, str]]:
    """(task, variant, model) of the same cells, told by standard errors alone."""
    return {(cell.task, cell.variant, cell.model) for cell in _best(run, None)}


def _best(run: Run, stored: StoredRun | None) -> list[CellResult]:
    groups = [rivals for cells in _by_prompt(run) if (rivals := _rivals(run, cells))]
    held = frozenset() if stored is None else stored.slugs()
    weighed = {
        number: make_field([_contend(run, cell, stored if cell.slug in held else None) for cell in rivals])
        for number, rivals in enumerate(groups)
    }
    places = find(weighed).places
    return [
        cell
        for number, rivals in enumerate(groups)
        for cell, rank in zip(rivals, places[number], strict=True)
        if rank[0] == 1
    ]


def _contend(run: Run, cell: CellResult, stored: StoredRun | None) -> Contender:
    headline = run.tasks[cell.task].headline
    read = None
    if stored is not None and cell.counts.samples:
        read = read_cell(stored, cell, (headline,), texts=False)
    return contend(cell.model, cell.metrics[headline], read, headline)


def _by_prompt(run: Run) -> list[list[CellResult]]:
    cells: dict[tuple[str, str], list[CellResult]] = {}
    for cell in run.cells:
        cells.setdefault((cell.task, cell.variant), []).append(cell)
    return list(cells.values())


def is_reference(run: Run, model: str) -> bool:
    """Whether a model is shown for orientation: a built-in baseline."""
    info = run.models.get(model)
    return model.startswith("baseline/") or (info is not None and info.route.startswith("baseline/"))


def _block(
    stored: StoredRun, info: TaskInfo, cells: Sequence[CellResult], best: set[str], with_samples: bool
) -> Block:
    metrics = [metric for cell in cells if (metric := cell.metrics.get(info.headline)) is not None]
    scale: Scale = metrics[0].scale if metrics else "unbounded"
    higher = metrics[0].higher_is_better if metrics else True
    axis = _Axis.of(metrics, scale)
    variants = {cell.variant for cell in cells}
    order = [variant for variant in info.prompts if variant in variants]
    groups = []
    for variant in [*order, *sorted(variants.difference(order))]:
        some = [cell for cell in cells if cell.variant == variant]
        rows = [_row(stored.run, info, cell, axis, cell.slug in best, with_samples) for cell in some]
        rows.sort(key=lambda row: _place(row, higher))
        groups.append(Group(variant, variant == next(iter(info.prompts), None), tuple(rows)))
    guesses = {_guess(info, cell, scale) for cell in cells}
    guess = guesses.pop() if len(guesses) == 1 else None
    return Block(
        info=info,
        headline=info.headline,
        scale=scale,
        higher=higher,
        guess=guess,
        chance=None if guess is None or scale == "unbounded" else axis.place(guess),
        axis=axis.ends(),
        groups=tuple(groups),
        several_modes=len({cell.mode for cell in cells}) > 1,
    )


def _place(row: Row, higher: bool) -> tuple[bool, bool, float, str]:
    value = 0.0 if row.sort is None else row.sort if higher else -row.sort
    return row.reference, row.sort is None, -value, row.cell.model


def _rivals(run: Run, cells: Sequence[CellResult]) -> list[CellResult]:
    """The cells that compete: of several models, of one mode, one prompt, one signature; else none.

    Baselines take part only among themselves, the oracle never.
    """
    headline = run.tasks[cells[0].task].headline
    contenders = {cell.model for cell in run.cells if not is_reference(run, cell.model)}
    contenders = contenders or {cell.model for cell in run.cells if cell.model != "baseline/oracle"}
    rivals = [
        cell
        for cell in cells
        if cell.model in contenders
        and (metric := cell.metrics.get(headline)) is not None
        and metric.value is not None
    ]
    kinds = {(cell.mode, cell.prompt_digest, cell.data_digest) for cell in cells}
    signatures = {cell.metrics[headline].signature for cell in rivals}
    return rivals if len(rivals) > 1 and len(kinds) == len(signatures) == 1 else []


def _row(run: Run, info: TaskInfo, cell: CellResult, axis: _Axis, best: bool, with_samples: bool) -> Row:
    metric = cell.metrics.get(info.headline)
    value = None if metric is None else metric.value
    bounds = None if metric is None else metric.interval
    counts = cell.counts
    samples = max(1, counts.samples)
    return Row(
        cell=cell,
        value=UNKNOWN if metric is None else score(value, metric.scale),
        interval=interval(bounds, axis.scale) if bounds else "",
        sort=value,
        band=axis.band(value, bounds),
        best=best,
        heat=axis.heat(value, _guess(info, cell, axis.scale) or 0.0),
        reference=is_reference(run, cell.model),
        health=tuple(
            Health(name, n, share(n, counts.samples), name in ("errors", "unscored"))
            for name in HEALTH
            if (n := _trouble(counts, name))
        ),
        metrics=tuple(
            MetricRow(
                name=name,
                value=score(other.value, other.scale),
                interval=interval(other.interval, other.scale) if other.interval else "",
                method=other.interval_method or "",
                n=other.n if other.n or other.value is None else None,
                signature=other.signature,
                higher=other.higher_is_better,
            )
            for name, other in cell.metrics.items()
        ),
        link=f"#s={permalink(cell.task, cell.variant)}" if with_samples and counts.samples else None,
        cost=dollars(cell.cost_usd),
        latency=seconds(cell.latency.p50),
        latency_p95=seconds(cell.latency.p95),
        input_tokens=tokens(None if cell.usage.input is None else round(cell.usage.input / samples)),
        output_tokens=tokens(None if cell.usage.output is None else round(cell.usage.output / samples)),
    )


def _guess(info: TaskInfo, cell: CellResult, scale: Scale) -> float | None:
    """What guessing scores as this cell was asked."""
    return chance_in(cell.mode, info.chance, 100.0 if scale == "percent" else 1.0)


def _trouble(counts: Counts, name: str) -> int:
    """How many results came to this kind of trouble; failed calls are not told again as unscored."""
    n: int = getattr(counts, name)
    return n - counts.errors if name == "unscored" else n


@dataclass(frozen=True)
class _Axis:
    """The common axis of a task: its whole range, or that of the values where it is unbounded."""

    low: float
    high: float
    scale: Scale
    higher: bool

    @classmethod
    def of(cls, metrics: Sequence[MetricValue], scale: Scale) -> _Axis:
        values = [metric.value for metric in metrics if metric.value is not None]
        higher = metrics[0].higher_is_better if metrics else True
        if scale != "unbounded":
            return cls(0.0, 1.0 if scale == "fraction" else 100.0, scale, higher)
        ends = [end for metric in metrics for end in (metric.interval or ()) if math.isfinite(end)]
        reach = [value for value in values if math.isfinite(value)] + ends
        if not reach:
            return cls(0.0, 1.0, scale, higher)
        low, high = min(0.0, min(reach)), max(reach)
        return cls(low, high if high > low else low + 1.0, scale, higher)

    def place(self, value: float) -> float:
        """The place of a value, from 0 to 100."""
        return round(100 * max(0.0, min(1.0, (value - self.low) / (self.high - self.low))), 2)

    def band(self, value: float | None, bounds: tuple[float, float] | None) -> Band | None:
        """Where a value and its interval lie; None without a value."""
        if value is None or math.isnan(value):
            return None
        at = round(min(98.4, max(0.0, self.place(value) - 0.8)), 2)
        if bounds is None:
            return Band(at, None, None)
        low = self.place(bounds[0])
        return Band(at, low, round(self.place(bounds[1]) - low, 2))

    def heat(self, value: float | None, chance: float) -> int | None:
        """The step of the colour scale, 0 to 8: from chance to the best possible, or over the axis."""
        if value is None or math.isnan(value):
            return None
        low = chance if self.scale != "unbounded" else self.low
        position = (value - low) / (self.high - low)
        position = position if self.higher else 1.0 - position
        return round(8 * max(0.0, min(1.0, position)))

    def ends(self) -> tuple[str, str]:
        """What the axis begins and ends with."""
        return score(self.low, self.scale).removesuffix(".0"), score(self.high, self.scale).removesuffix(".0")
