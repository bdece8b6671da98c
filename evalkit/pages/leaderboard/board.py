"""What a board is. Plain records; build.py makes them, render.py and exports.py show them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.comparing.findings import Field as Weighed
from evalkit.comparing.findings import Overall
from evalkit.comparing.findings.family import ALPHA
from evalkit.core.records import (
    CellResult,
    Counts,
    MetricValue,
    ModelFacts,
    ModelInfo,
    Run,
    Scale,
    TaskGroup,
    TaskInfo,
)
from evalkit.pages.leaderboard.arena import Arena
from evalkit.stats.ranks import RankSets
from evalkit.store.folders import StoredRun
from evalkit.tasks.choices import chance_in

DEFAULT_VIEW = ""
"""The view in which every task stands with its default variant."""
ALL = "all"
"""The facet of all tasks."""

Key = tuple[str, str, str]
"""(model, column id, variant)"""


@dataclass(frozen=True, slots=True)
class Column:
    """A task as it was measured: cells of one column have seen the same samples in the same mode."""

    id: str
    """The task's name, with what sets this column apart when the task has several."""
    task: str
    info: TaskInfo
    mode: str
    """How the models were asked (see CellResult.mode)."""
    data_digest: str
    headline: str
    """The metric that stands for the task."""
    scale: Scale
    higher_is_better: bool
    n: int | None
    """Samples that were planned; None where no file says it."""
    variants: tuple[str, ...]
    """The variants that any model was asked with, the task's default first."""
    primary: bool
    """Whether the column stands for its task in averages: one column of a task does."""

    @property
    def averaged(self) -> bool:
        """Whether scores may enter the overall score: bounded, higher is better, the primary column."""
        return self.primary and self.higher_is_better and self.scale in ("fraction", "percent")

    @property
    def best_possible(self) -> float:
        """The highest score of a bounded metric."""
        return 100.0 if self.scale == "percent" else 1.0

    @property
    def chance(self) -> float | None:
        """What guessing scores in the column's mode; None where nobody says it."""
        return chance_in(self.mode, self.info.chance, self.best_possible)

    @property
    def floor(self) -> float:
        """The score that counts as nothing: chance; 0 where that is unknown, which the page then says."""
        return 0.0 if self.chance is None else self.chance

    @property
    def floor_assumed(self) -> bool:
        """Whether the floor is an assumption, since nobody says what guessing would score."""
        return self.info.chance is None

    def normalise(self, value: float) -> float:
        """The score with its floor at 0 and the best possible at 1; below 0 for less than chance."""
        return (value - self.floor) / (self.best_possible - self.floor)


@dataclass(frozen=True, slots=True)
class Entry:
    """One cell on the board: a model's result in a column with a variant."""

    cell: CellResult
    source: StoredRun
    """The run it comes from, the newest complete one that has it."""
    metric: MetricValue | None
    """The headline metric; None when it was not measured."""
    comparable: bool
    """False when prompt, few-shot count or signature differ from the other cells of the variant."""
    rank: tuple[int, int] | None
    """The places the model may hold in this column at 95 %; None when it is not ranked."""

    @property
    def value(self) -> float | None:
        """The headline score; None when nothing was scored."""
        return None if self.metric is None else self.metric.value


@dataclass(frozen=True, slots=True)
class Facet:
    """A choice of tasks: all, those of a language, or those with a tag."""

    kind: str
    """all, language or tag."""
    name: str
    columns: tuple[str, ...]
    """The ids of its columns."""

    @property
    def id(self) -> str:
        """The facet's name in links."""
        return ALL if self.kind == ALL else f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class Standing:
    """A model over the columns of a facet, in a view."""

    model: str
    overall: float | None
    """Mean of the normalised scores over the averaged columns that the model has; None when it has none."""
    interval: tuple[float, float] | None
    n_covered: int
    n_columns: int
    """Columns that enter the overall score, and how many of them the model has."""
    rank: tuple[int, int] | None
    """The places the model may hold at 95 %; None for reference rows and incomplete coverage."""
    counts: Counts
    """Summed over all columns of the facet."""
    cost_usd: float | None
    """What the facet's cells cost when their answers were bought; None when a price is unknown."""
    latency_s: float | None
    """Mean seconds per call that was timed."""
    latency_p95_s: float | None
    """Seconds within which 95 in 100 calls of a task ended, averaged over the tasks by their samples."""
    output_tokens: float | None
    """Mean output tokens per sample."""

    @property
    def complete(self) -> bool:
        """Whether the overall score rests on all columns."""
        return 0 < self.n_columns == self.n_covered

    @property
    def unhealthy(self) -> bool:
        """Whether more than one in a hundred samples has no score."""
        return self.counts.unscored * 100 > self.counts.samples


@dataclass(frozen=True, slots=True)
class Pair:
    """One estimate against another."""

    difference: float
    """The first less the second; positive where the first is better."""
    interval: tuple[float, float] | None
    """95 %, of this pair alone; None where samples are not known, or for want of room."""
    p: float | None
    """Two-sided, corrected by Holm's method for all pairs that are shown together; None where untested."""

    @property
    def better(self) -> bool | None:
        """Whether the first is proven better (True) or worse (False); None when it is neither."""
        if self.p is None or self.p > ALPHA or self.difference == 0:
            return None
        return self.difference > 0


@dataclass(frozen=True, slots=True)
class Field:
    """The ranked models that have a score in a column and variant."""

    found: Weighed
    """Every pair of them."""
    ranks: RankSets
    """The places that each may hold."""
    adjusted: npt.NDArray[np.float64]
    """[j, k]: p of "equal", corrected for all pairs of the board's fields; NaN where untested."""
    pairs: Mapping[tuple[int, int], tuple[float, float]]
    """(j, k), j before k -> the 95 % interval of j less k; of as many pairs as a board has room for."""
    wins: npt.NDArray[np.int64] | None
    """On how many shared samples each model scores higher than each other; None where none are shared."""

    @property
    def models(self) -> list[str]:
        """Their names."""
        return self.found.models


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks that are averaged together: a column of its own, beside those of its tasks."""

    name: str
    columns: tuple[str, ...]
    """The ids of its tasks' columns."""
    weighting: str
    """size or equal."""
    metric: str
    scale: Scale
    higher_is_better: bool
    values: Mapping[tuple[str, str], MetricValue]
    """(model, variant) -> the mean."""
    tree: TaskGroup
    """Its levels."""


@dataclass(frozen=True, slots=True)
class Past:
    """A result of an earlier run that compares with the one on the board."""

    run: str
    metric: MetricValue


@dataclass(frozen=True, slots=True)
class Slice:
    """The samples of a column that have a value in their metadata."""

    column: str
    key: str
    value: str
    n: int
    """Samples with this value."""
    scores: Mapping[str, MetricValue]
    """Model -> mean score on these samples."""


@dataclass(frozen=True, slots=True)
class Board:
    """Everything a leaderboard shows."""

    models: tuple[str, ...]
    """Row order: ranked models, best first, then incomplete ones, then reference rows."""
    infos: Mapping[str, ModelInfo]
    columns: tuple[Column, ...]
    views: tuple[str, ...]
    """The default view, then one for each variant that is nobody's only variant."""
    facets: tuple[Facet, ...]
    entries: Mapping[Key, Entry]
    """(model, column id, variant) -> entry."""
    standings: Mapping[tuple[str, str], tuple[Standing, ...]]
    """(view, facet id) -> one standing for each model, best first."""
    common: Mapping[tuple[str, str], tuple[str, ...]]
    """(view, facet id) -> the ids of the columns that the overall score is the mean of."""
    deltas: Mapping[Key, Pair]
    """Each entry of another variant against the default variant, of the same model and column."""
    pairs: Mapping[tuple[str, str], Pair]
    """(model, model) -> the difference of their overall scores; only ranked models."""
    runs: tuple[Run, ...]
    """The runs behind it, oldest first."""
    reference: frozenset[str]
    """Models that are shown for orientation and not ranked: the built-in baselines."""
    facts: Mapping[str, ModelFacts]
    """What is known of each model beyond its results."""
    fields: Mapping[tuple[str, str], Field]
    """(column id, variant) -> the ranked models there."""
    groups: tuple[Group, ...]
    history: Mapping[Key, tuple[Past, ...]]
    """Results of several runs, oldest first, the board's own among them; only where there are several."""
    slices: tuple[Slice, ...]
    overalls: Mapping[str, Overall] = dataclasses.field(default_factory=dict)
    """View -> every pair of the ranked models over all tasks."""
    binary: frozenset[Key] = frozenset()
    """The cells whose scores are all 0 or 1 and whose samples stand alone."""
    arena: Arena | None = None
    """Ratings from battles that have models of the board; None when there are none."""

    def variant(self, column: Column, view: str) -> str | None:
        """The variant that a column shows in a view; None when it has none of that name."""
        if view == DEFAULT_VIEW:
            return column.variants[0]
        return view if view in column.variants else None

    def entry(self, model: str, column: Column, view: str = DEFAULT_VIEW) -> Entry | None:
        """The entry of a model in a column, in a view; None when there is none."""
        variant = self.variant(column, view)
        return None if variant is None else self.entries.get((model, column.id, variant))

    def scope(self, view: str, facet: Facet) -> tuple[Column, ...]:
        """The columns that a view shows of a facet."""
        wanted = set(facet.columns)
        return tuple(c for c in self.columns if c.id in wanted and self.variant(c, view) is not None)
