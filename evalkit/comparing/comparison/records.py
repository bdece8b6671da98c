"""What a comparison says: differences between pairs of cells, and pairs that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.core.records import Scale
from evalkit.core.registry import Drawn

By = Literal["prompt", "model", "run"]


@dataclass(frozen=True, slots=True)
class CellName:
    """Which cell of which run."""

    run: str
    """The run's id."""
    model: str
    task: str
    variant: str


@dataclass(frozen=True, slots=True)
class Change:
    """One sample on which two cells differ."""

    sample_id: str
    base: float
    """Score in the base, repeats combined."""
    other: float
    """Score in the other cell."""
    target: tuple[str, ...]
    """The right answers, shortened."""
    base_answer: str | None
    """What the base answered, shortened; None when nothing could be extracted."""
    other_answer: str | None
    """What the other answered."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The difference on the samples with one value of a metadata column; exploratory."""

    column: str
    value: str
    n: int
    """Samples of the slice that are paired and scored on both sides."""
    difference: float | None
    """As in `Difference`."""
    interval: tuple[float, float] | None
    """95 %, without correction for the number of slices."""
    p: float | None
    """Two-sided, uncorrected."""
    p_adjusted: float | None
    """Corrected for the slices of the same pair by Benjamini and Hochberg's method."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two cells on the samples that they share."""

    base: CellName
    other: CellName
    metric: str
    signature: str
    higher_is_better: bool
    scale: Scale
    base_value: float | None
    """The base's value on the shared samples that both have scored; None when there are none."""
    other_value: float | None
    """The other's value on the same samples."""
    difference: float | None
    """Positive is better: on the metric's scale, or of logarithms where `is_ratio`."""
    interval: tuple[float, float] | None
    """95 % interval of the difference with missing scores taken adversely; None below two units."""
    is_ratio: bool
    """Whether difference, interval and mde are of logarithms: 0.01 is one per cent better."""
    p: float | None
    """Two-sided p-value of "no difference"; None when nothing can be said."""
    p_adjusted: float | None
    """Corrected by Holm's method for all differences of the comparison, in both directions."""
    sides: tuple[float, float] | None
    """The one-sided p-values of "worse" and "better", each with missing scores against it; None without p."""
    method: str
    """How, a key of `evalkit.stats.verdicts.METHODS`; empty where nothing can be said."""
    reach: float | None
    """For an approximation: it holds while no sample moves the difference by more than this."""
    why: str | None
    """Why nothing can be said; None where something can."""
    n: int
    """Pairs of samples."""
    n_units: int
    """Independent units: samples, or clusters of samples."""
    n_missing: int
    """Pairs in which a score is missing."""
    n_base_only: int
    """Samples that only the base has; left out."""
    n_other_only: int
    """Samples that only the other has; left out."""
    wins: int
    """Samples on which the other is better; wins, ties and losses are 0 where samples have no own score."""
    ties: int
    losses: int
    mde: float | None
    """The true difference that would be found with power 0.8 at this size; None below two units, and
    where no sample differs: the spread is then not 0 but unknown."""
    n_for_3_points: int | None
    """Samples that would show a difference of 3 points with power 0.8; None where points mean nothing."""
    newly_failed: tuple[Change, ...]
    """The samples that got worse, most first; for graded scores the largest drops."""
    newly_fixed: tuple[Change, ...]
    """The samples that got better, most first."""
    slices: tuple[Slice, ...] = ()

    @property
    def better(self) -> bool | None:
        """Whether the other is proven better (True) or worse (False); None when it is neither."""
        if self.p_adjusted is None or self.sides is None or self.p_adjusted > 0.05:
            return None
        return self.sides[1] < self.sides[0]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Two cells that were not compared."""

    base: CellName
    other: CellName
    metric: str | None
    """The metric; None when the cells as a whole cannot be compared."""
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison(Drawn):
    """Runs side by side, paired by sample."""

    by: By
    runs: tuple[str, ...]
    """Ids of the runs, in the order given."""
    differences: tuple[Difference, ...]
    refusals: tuple[Refusal, ...]
    notes: tuple[str, ...] = ()
