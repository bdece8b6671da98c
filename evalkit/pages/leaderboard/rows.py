"""The parts of a row as the template and the script show them: short keys, since there are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from evalkit.core.records import Counts
from evalkit.pages.formats import UNKNOWN, dollars, interval, score, seconds, share, tokens
from evalkit.pages.leaderboard.board import Board, Column, Entry, Standing

HEALTH = ("errors", "refused", "truncated", "no_answer", "unscored", "cached")
COSTS = ("cost", "latency", "latency_p95", "output_tokens")
HEAT_STEPS = 8


class Part(TypedDict):
    """A value in a table."""

    v: str
    """What is shown."""
    s: float | str
    """What it sorts by; empty for unknown, which stands last in either direction."""
    k: str
    """Classes, each after a space."""
    i: NotRequired[str]
    """The interval."""
    band: NotRequired[dict[str, float | None] | None]
    """Where the interval and its point lie on an axis from 0 to 100."""


@dataclass(frozen=True)
class StandingParts:
    """A model's standing in a view and facet."""

    rank: Part
    overall: Part
    coverage: Part
    answered: Part
    """The share of the samples that came to an answer with a score."""
    health: list[Part]
    costs: list[Part]
    complete: bool
    unsure: bool
    """Whether so many samples have no score that the rank is in doubt."""


def standing_parts(standing: Standing, place: int) -> StandingParts:
    """A standing as it is shown; `place` is its position in the order of the standings."""
    complete = standing.complete
    overall: Part = {
        "v": score(standing.overall, "fraction"),
        "s": _key(standing.overall if complete else None),
        "k": "",
        "i": "" if standing.interval is None else interval(standing.interval, "fraction"),
        "band": band(standing.overall, standing.interval, 1.0),
    }
    covered = f"{standing.n_covered}/{standing.n_columns}"
    per_1000 = None
    if standing.cost_usd is not None and standing.counts.samples:
        per_1000 = standing.cost_usd / standing.counts.samples * 1000
    return StandingParts(
        rank=_rank(standing.rank, place),
        overall=overall,
        coverage={"v": "" if complete else covered, "s": standing.n_covered, "k": ""},
        answered=_answered(standing.counts),
        health=_health(standing.counts),
        costs=[
            _number(per_1000, dollars(per_1000)),
            _number(standing.latency_s, seconds(standing.latency_s)),
            _number(standing.latency_p95_s, seconds(standing.latency_p95_s)),
            _number(
                standing.output_tokens,
                tokens(None if standing.output_tokens is None else round(standing.output_tokens)),
            ),
        ],
        complete=complete,
        unsure=standing.unhealthy,
    )


@dataclass(frozen=True)
class Surroundings:
    """What a cell is looked at against: the column and variant it stands in."""

    column: Column
    low: float
    high: float
    """The ends of the colour scale, the worse end first."""
    contested: bool
    """Whether there is more than one ranked model, so that being best means something."""

    @classmethod
    def of(cls, board: Board, column: Column, variant: str) -> Surroundings:
        """The surroundings of the cells of a column and variant."""
        entries = [
            entry
            for model in board.models
            if (entry := board.entries.get((model, column.id, variant))) is not None
        ]
        contested = sum(entry.rank is not None for entry in entries) > 1
        if column.scale in ("fraction", "percent") and column.higher_is_better:
            return cls(column, column.floor, column.best_possible, contested)
        values = [entry.value for entry in entries if entry.value is not None] or [0.0]
        ends = (min(values), max(values))
        return cls(column, *(ends if column.higher_is_better else ends[::-1]), contested)

    def heat(self, value: float) -> int:
        """The step of the colour scale."""
        if self.high == self.low:
            return HEAT_STEPS // 2
        position = (value - self.low) / (self.high - self.low)
        return round(max(0.0, min(1.0, position)) * HEAT_STEPS)


def cell_parts(entry: Entry, around: Surroundings, link: str | None) -> dict[str, Any]:
    """A cell as it is shown."""
    value, metric, column = entry.value, entry.metric, around.column
    classes = ""
    if entry.rank is not None and entry.rank[0] == 1 and around.contested:
        classes += " best"
    if value is not None:
        classes += f" h{around.heat(value)}"
    if not entry.comparable:
        classes += " apart"
    if entry.cell.counts.unscored * 100 > entry.cell.counts.samples:
        classes += " warn"
    return {
        "v": score(value, column.scale),
        "i": "" if metric is None or metric.interval is None else interval(metric.interval, metric.scale),
        "k": classes,
        "l": link,
    }


def band(
    value: float | None, bounds: tuple[float, float] | None, best: float
) -> dict[str, float | None] | None:
    """Where a value and its interval lie on an axis from 0 to 100, in hundredths."""
    if value is None:
        return None

    def place(x: float) -> float:
        return round(100 * max(0.0, min(1.0, x / best)), 2)

    if bounds is None:
        return {"at": place(value), "low": None, "width": None}
    return {
        "at": round(min(98.4, max(0.0, place(value) - 0.8)), 2),
        "low": place(bounds[0]),
        "width": round(place(bounds[1]) - place(bounds[0]), 2),
    }


def rank_text(rank: tuple[int, int]) -> str:
    """A rank set: 2, or 1–3."""
    return str(rank[0]) if rank[0] == rank[1] else f"{rank[0]}–{rank[1]}"


def _rank(rank: tuple[int, int] | None, place: int) -> Part:
    if rank is None:
        return {"v": UNKNOWN, "s": "", "k": ""}
    return {"v": rank_text(rank), "s": place, "k": ""}


def _answered(counts: Counts) -> Part:
    n = counts.scored - counts.no_answer
    missing = counts.samples - n
    kind = " zero" if missing == 0 else " bad" if counts.unscored * 100 > counts.samples else ""
    return {
        "v": share(n, counts.samples),
        "s": _key(n / counts.samples if counts.samples else None),
        "k": kind,
    }


def _health(counts: Counts) -> list[Part]:
    parts: list[Part] = []
    for name in HEALTH:
        n: int = getattr(counts, name)
        kind = " zero" if n == 0 else " bad" if name in ("errors", "unscored") else ""
        parts.append(
            {
                "v": share(n, counts.samples),
                "s": _key(n / counts.samples if counts.samples else None),
                "k": kind,
            }
        )
    return parts


def _number(value: float | None, text: str) -> Part:
    return {"v": text, "s": _key(value), "k": " none" if value is None else ""}


def _key(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)


def parameters(billions: float) -> str:
    """A number of parameters: 7B, 1.5B, 350M."""
    return f"{billions * 1000:g}M" if billions < 1 else f"{billions:g}B"
