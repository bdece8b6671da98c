"""The numbers behind the drawings of a report: bars, histograms, matrices and curves, on axes of 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.core.records import CellResult, Run, Scale, TaskInfo
from evalkit.pages.formats import UNKNOWN, count, dollars, score, seconds, share, tokens
from evalkit.pages.report.observed import MAX_OBSERVED, NO_LABEL, Observed

OUTCOMES = ("correct", "partial", "wrong", "no_answer", "refused", "error", "unscored", "scored")
"""Verdicts in the order in which a bar shows them."""
N_BINS = 20
"""Bars of a histogram."""
CALIBRATION_BINS = 15
"""Bins of confidence, as in the metric `ece`."""


@dataclass(frozen=True)
class Part:
    """One part of a bar of outcomes."""

    name: str
    n: int
    share: str
    at: float
    width: float


@dataclass(frozen=True)
class Histogram:
    """How the scores of a cell are spread."""

    heights: tuple[float, ...]
    """Of each bar, 0 to 100; the highest of the task is 100."""
    counts: tuple[int, ...]
    ends: tuple[str, str]
    """What the axis begins and ends with."""
    median: str
    median_at: float


@dataclass(frozen=True)
class Matrix:
    """Right labels by answered ones."""

    labels: tuple[str, ...]
    rows: tuple[tuple[tuple[int, int], ...], ...]
    """For each right label: (results, step of the colour scale 0 to 8) by answered label, then for none."""
    others: bool
    """Whether some answers are none of the labels."""


@dataclass(frozen=True)
class Dot:
    """One bin of a calibration curve."""

    x: float
    y: float
    radius: float
    n: int


@dataclass(frozen=True)
class Calibration:
    """How often a model was right, by how sure it was."""

    dots: tuple[Dot, ...]
    line: str
    """The dots as the points of a line."""
    error: str
    """Expected calibration error, in per cent."""
    confidence: str
    """Mean probability of the likeliest option, in per cent."""
    accuracy: str
    n: int


@dataclass(frozen=True)
class Drawn:
    """One cell, drawn."""

    model: str
    n: int
    outcomes: tuple[Part, ...]
    histogram: Histogram | None
    matrix: Matrix | None
    calibration: Calibration | None


@dataclass(frozen=True)
class Drawing:
    """A variant of a task, its cells drawn."""

    variant: str
    cells: tuple[Drawn, ...]


@dataclass(frozen=True)
class Charts:
    """What is drawn of a task."""

    variants: tuple[Drawing, ...]
    graded: bool
    """Whether there are histograms."""
    confused: bool
    """Whether there are matrices."""
    calibrated: bool
    is_part: bool
    """Whether a cell has more results than were looked at."""
    outcomes: tuple[str, ...]
    """The verdicts that occur."""


@dataclass(frozen=True)
class Pace:
    """What a model took: time, tokens, money."""

    model: str
    n: int
    timed: int
    """Calls that were timed."""
    p50: str
    p95: str
    longest: str
    strip: tuple[float, float, float, float, float] | None
    """Where 5, 25, 50, 75 and 95 in 100 calls had ended, on a logarithmic axis; None without times."""
    input: str
    output: str
    reasoning: str
    cached: str
    cost: str
    per_thousand: str
    """US dollars for 1,000 results, cached ones at what they had cost."""


def draw_task(info: TaskInfo, order: Sequence[str], cells: Sequence[Observed]) -> Charts:
    """What is drawn of a task; `order` is that of its variants."""
    scale = _scale(info, cells)
    edges = _edges(scale, cells)
    variants = []
    for variant in order:
        here = [observed for observed in cells if observed.cell.variant == variant and observed.n]
        most = max((max(_bin(o.scores, edges), default=0) for o in here), default=0) if edges else 0
        drawn = tuple(_draw(observed, scale, edges, most) for observed in here)
        if drawn:
            variants.append(Drawing(variant, drawn))
    every = [drawn for drawing in variants for drawn in drawing.cells]
    names = {part.name for drawn in every for part in drawn.outcomes}
    return Charts(
        tuple(variants),
        graded=any(drawn.histogram for drawn in every),
        confused=any(drawn.matrix for drawn in every),
        calibrated=any(drawn.calibration for drawn in every),
        is_part=any(observed.cell.counts.samples > MAX_OBSERVED for observed in cells),
        outcomes=tuple(name for name in OUTCOMES if name in names),
    )


def pace(run: Run, observed: Mapping[str, Observed]) -> tuple[list[Pace], tuple[str, str]]:
    """What each model took, and the ends of the axis of time."""
    times = {
        model: sorted(
            time
            for cell in run.cells
            if cell.model == model and cell.slug in observed
            for time in observed[cell.slug].latencies
        )
        for model in dict.fromkeys(cell.model for cell in run.cells)
    }
    ends = [(_quantile(t, 0.05), _quantile(t, 0.95)) for t in times.values() if t]
    low = max(1e-4, min((end[0] for end in ends), default=0.1) / 1.2)
    high = max(low * 2, max((end[1] for end in ends), default=1.0) * 1.2)
    rows = [
        _pace(model, [cell for cell in run.cells if cell.model == model], found, low, high)
        for model, found in times.items()
    ]
    return rows, (seconds(low), seconds(high))


def _pace(model: str, cells: Sequence[CellResult], times: Sequence[float], low: float, high: float) -> Pace:
    def place(value: float) -> float:
        return round(100 * min(1.0, max(0.0, math.log(max(value, low) / low) / math.log(high / low))), 2)

    n = sum(cell.counts.samples for cell in cells)
    cached = sum(cell.counts.cached for cell in cells)
    paid = _whole(cell.cost_usd for cell in cells if cell.counts.samples > cell.counts.cached)
    kept = _whole(cell.cost_cached_usd for cell in cells if cell.counts.cached)
    whole = None if paid is None or kept is None or n == 0 else 1000 * (paid + kept) / n
    strip = None
    if times:
        a, b, c, d, e = (place(_quantile(times, q)) for q in (0.05, 0.25, 0.5, 0.75, 0.95))
        strip = (a, b, c, d, e)
    return Pace(
        model=model,
        n=n,
        timed=len(times),
        p50=seconds(_quantile(times, 0.5)) if times else UNKNOWN,
        p95=seconds(_quantile(times, 0.95)) if times else UNKNOWN,
        longest=seconds(times[-1]) if times else UNKNOWN,
        strip=strip,
        input=_tokens(cell.usage.input for cell in cells),
        output=_tokens(cell.usage.output for cell in cells),
        reasoning=_tokens(cell.usage.reasoning for cell in cells),
        cached=share(cached, n),
        cost=dollars(_whole(cell.cost_usd for cell in cells)),
        per_thousand=dollars(whole),
    )


def _whole(values: Iterable[float | None]) -> float | None:
    """The sum; None where a part is unknown."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def _tokens(values: Iterable[int | None]) -> str:
    total = _whole(values)
    return UNKNOWN if total is None else tokens(round(total))


def _scale(info: TaskInfo, cells: Sequence[Observed]) -> Scale:
    found = (o.cell.metrics[info.headline].scale for o in cells if info.headline in o.cell.metrics)
    return next(found, "unbounded")


def _edges(scale: Scale, cells: Sequence[Observed]) -> tuple[float, float] | None:
    """Where histograms begin and end; None where scores are only right or wrong."""
    every = {score for observed in cells for score in observed.scores if math.isfinite(score)}
    if scale == "unbounded":
        return (min(every), max(every)) if len(every) > 2 else None
    top = 1.0 if scale == "fraction" else 100.0
    return (0.0, top) if any(1e-9 < value < top - 1e-9 for value in every) else None


def _bin(values: Sequence[float], edges: tuple[float, float]) -> list[int]:
    low, high = edges
    counts = [0] * N_BINS
    for value in values:
        if math.isfinite(value):
            place = 0.0 if high <= low else (value - low) / (high - low)
            counts[min(N_BINS - 1, max(0, int(place * N_BINS)))] += 1
    return counts


def _draw(observed: Observed, scale: Scale, edges: tuple[float, float] | None, most: int) -> Drawn:
    at = 0.0
    parts = []
    for name in OUTCOMES:
        n = observed.outcomes.get(name, 0)
        if n:
            width = 100 * n / observed.n
            parts.append(Part(name, n, share(n, observed.n), round(at, 2), round(width, 2)))
            at += width
    histogram = None
    if edges is not None and observed.scores and most:
        counts = _bin(observed.scores, edges)
        median = _quantile(sorted(observed.scores), 0.5)
        span = edges[1] - edges[0]
        histogram = Histogram(
            tuple(round(100 * n / most, 2) for n in counts),
            tuple(counts),
            (score(edges[0], scale).removesuffix(".0"), score(edges[1], scale).removesuffix(".0")),
            score(median, scale),
            round(100 * (median - edges[0]) / span, 2) if span > 0 else 50.0,
        )
    return Drawn(
        observed.cell.model, observed.n, tuple(parts), histogram, _matrix(observed), _calibration(observed)
    )


def _matrix(observed: Observed) -> Matrix | None:
    labels = observed.labels
    if not labels:
        return None
    others = any(chosen == NO_LABEL for _, chosen in observed.pairs)
    rows = []
    for gold in range(len(labels)):
        total = sum(n for (right, _), n in observed.pairs.items() if right == gold)
        columns = [*range(len(labels)), *([NO_LABEL] if others else [])]
        row = [observed.pairs.get((gold, chosen), 0) for chosen in columns]
        rows.append(tuple((n, round(8 * n / total) if total else 0) for n in row))
    return Matrix(labels, tuple(rows), others)


def _calibration(observed: Observed) -> Calibration | None:
    found = observed.confidence
    if len(found) < 2:
        return None
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(CALIBRATION_BINS)]
    for confidence, right in found:
        bins[min(CALIBRATION_BINS - 1, max(0, math.ceil(confidence * CALIBRATION_BINS) - 1))].append(
            (confidence, right)
        )
    dots = []
    gap = 0.0
    most = max(len(some) for some in bins)
    for some in bins:
        if some:
            sure = sum(confidence for confidence, _ in some) / len(some)
            true = sum(right for _, right in some) / len(some)
            gap += abs(sure - true) * len(some) / len(found)
            radius = round(1.6 + 3.4 * math.sqrt(len(some) / most), 2)
            dots.append(Dot(round(100 * sure, 2), round(100 - 100 * true, 2), radius, len(some)))
    return Calibration(
        tuple(dots),
        " ".join(f"{dot.x},{dot.y}" for dot in dots),
        f"{100 * gap:.1f}",
        f"{100 * sum(sure for sure, _ in found) / len(found):.1f}",
        f"{100 * sum(right for _, right in found) / len(found):.1f}",
        len(found),
    )


def _quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile of sorted values, interpolated between neighbours."""
    place = q * (len(values) - 1)
    low = math.floor(place)
    rest = values[min(low + 1, len(values) - 1)] - values[low]
    return values[low] + (place - low) * rest


def label_names(matrix: Matrix, redacted: bool) -> tuple[str, ...]:
    """The heads of a matrix; numbers where texts are to be left out."""
    if redacted and any(len(label) > 1 for label in matrix.labels):
        return tuple(count(i + 1) for i in range(len(matrix.labels)))
    return matrix.labels
