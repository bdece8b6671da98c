"""From battles to ratings: Bradley-Terry strengths with intervals and places, and win rates of each pair.

A win rate is the mean outcome, and its standard error s / sqrt(n), as AlpacaEval's leaderboard gives them.
Where a prompt was decided several times (votes, turns), the prompts are the units of all intervals.
Length control adds tanh of the standardised difference in length to the model of an outcome, as AlpacaEval
2 does (Dubois et al. 2024, arXiv:2404.04475): a rating beside which length explains nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from evalkit.comparing.arena.battles import Battle, models_of
from evalkit.core.errors import DataError, StatsError
from evalkit.stats import bradley_terry
from evalkit.stats.means import mean_interval

ELO = 400.0 / math.log(10.0)
"""Rating points of one log-odds; 400 points are odds of ten to one."""
CENTRE = 1000.0
"""The mean rating of models that can be compared."""


@dataclass(frozen=True, slots=True)
class Rated:
    """One model's standing."""

    model: str
    rating: float | None
    """On Elo's scale, mean 1000; None where its wins and losses do not connect it with another model."""
    interval: tuple[float, float] | None
    """95 %, clustered by prompt; None when undefined."""
    rank: tuple[int, int] | None
    """(best, worst) place it may hold, all models at once at 95 %; None without a rating."""
    group: int
    """Ratings compare within a group only: models that beat each other in some circle."""
    length_controlled: float | None
    """The rating with the effect of length taken out; None where lengths are unknown."""
    win_rate: float | None
    """Per cent of battles won, ties half; None where no battle has an outcome."""
    n: int
    """Battles with an outcome."""
    wins: int
    ties: int
    losses: int


@dataclass(frozen=True, slots=True)
class PairRate:
    """How one model fared against another."""

    model: str
    against: str
    win_rate: float
    """Per cent, ties half."""
    stderr: float | None
    """Of the win rate, points; None for fewer than two battles."""
    interval: tuple[float, float] | None
    """95 % (Gaffke's bound), points, prompts as units; None when undefined."""
    n: int
    wins: int
    ties: int
    losses: int
    inconsistent: int
    """Of the ties, those whose winner changed with the order of the answers."""
    mean_length: float | None
    """Mean characters of the model's answers; None when unknown."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """All that the battles tell."""

    models: tuple[Rated, ...]
    """Best first within its group."""
    pairs: tuple[PairRate, ...]
    """Both ways round."""
    judges: tuple[str, ...]
    n_battles: int
    n_prompts: int
    n_open: int
    """Battles without a verdict: left out, never a loss."""
    length_effect: float | None
    """Log-odds that the longer answer gains per tanh unit of length; None where lengths are unknown."""
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The ratings as JSON values."""
        return {"schema": 1, "kind": "arena", **asdict(self)}

    def pair(self, model: str, against: str) -> PairRate | None:
        """How one model fared against another; None when they never met."""
        return next((p for p in self.pairs if (p.model, p.against) == (model, against)), None)


def rate(battles: Sequence[Battle]) -> Ratings:
    """The ratings of all models in these battles. Raises DataError when none has an outcome."""
    decided = [battle for battle in battles if battle.outcome is not None]
    if not decided:
        reasons = sorted({battle.why for battle in battles if battle.why})
        raise DataError(
            f"none of {len(battles)} battles has a verdict: {', '.join(reasons) or 'no reason given'}"
        )
    models = models_of(battles)
    place = {model: number for number, model in enumerate(models)}
    a = np.array([place[battle.a] for battle in decided])
    b = np.array([place[battle.b] for battle in decided])
    y = np.array([battle.outcome for battle in decided], dtype=np.float64)
    prompts = [battle.prompt for battle in decided]
    arena = bradley_terry(a, b, y, len(models), prompts)
    lengths = _length_differences(decided)
    controlled = None
    if lengths is not None:
        controlled = bradley_terry(a, b, y, len(models), prompts, covariates=lengths[:, None])
    rated = []
    for model, number in place.items():
        own = np.concatenate([y[a == number], 1.0 - y[b == number]])
        strength, low, high = (float(x[number]) for x in (arena.strengths, arena.lo, arena.hi))
        known = not math.isnan(strength)
        rated.append(
            Rated(
                model=model,
                rating=_elo(strength) if known else None,
                interval=None if math.isnan(low) else (_elo(low), _elo(high)),
                rank=arena.ranks[number] if known else None,
                group=int(arena.components[number]),
                length_controlled=_elo(float(controlled.strengths[number])) if known and controlled else None,
                win_rate=100.0 * float(own.mean()) if len(own) else None,
                n=len(own),
                wins=int((own > 0.5).sum()),
                ties=int((own == 0.5).sum()),
                losses=int((own < 0.5).sum()),
            )
        )
    pairs = [
        found
        for model in models
        for other in models
        if model != other and (found := _pair(model, other, decided)) is not None
    ]
    rated = _in_order(rated)
    return Ratings(
        models=tuple(rated),
        pairs=tuple(pairs),
        judges=tuple(dict.fromkeys(battle.judge for battle in battles if battle.judge)),
        n_battles=len(battles),
        n_prompts=len(set(prompts)),
        n_open=len(battles) - len(decided),
        length_effect=None if controlled is None else float(controlled.effects[0]),
        notes=_notes(battles, decided, rated),
    )


def _in_order(rated: Sequence[Rated]) -> list[Rated]:
    """The models best first, group by group, the group that wins most first; last what nobody decided on."""
    members: dict[int, list[Rated]] = {}
    for row in rated:
        members.setdefault(row.group, []).append(row)

    def won(row: Rated) -> float:
        return -1.0 if row.win_rate is None else row.win_rate

    groups = sorted(members.values(), key=lambda rows: -sum(map(won, rows)) / len(rows))
    return [
        replace(row, group=number)
        for number, rows in enumerate(groups)
        for row in sorted(rows, key=lambda r: (r.rating is None, -(r.rating or 0.0), -won(r), r.model))
    ]


def _elo(strength: float) -> float:
    return CENTRE + ELO * strength


def _pair(model: str, other: str, battles: Sequence[Battle]) -> PairRate | None:
    outcomes, prompts, lengths, inconsistent = [], [], [], 0
    for battle in battles:
        if battle.outcome is None or {battle.a, battle.b} != {model, other}:
            continue
        first = battle.a == model
        outcomes.append(battle.outcome if first else 1.0 - battle.outcome)
        prompts.append(battle.prompt)
        lengths.append(battle.length_a if first else battle.length_b)
        inconsistent += battle.verdict == "inconsistent"
    if not outcomes:
        return None
    y = np.array(outcomes)
    n = len(y)
    interval = None
    stderr = None
    if n > 1:
        repeated = len(set(prompts)) < n
        try:
            found = mean_interval(y, 0.95, prompts if repeated else None)
        except StatsError:
            found = None
        if found is not None and found.lo is not None and found.hi is not None:
            interval = (100.0 * found.lo, 100.0 * found.hi)
        if repeated:
            stderr = None if found is None or found.stderr is None else 100.0 * found.stderr
        else:
            stderr = 100.0 * float(y.std(ddof=1)) / math.sqrt(n)
    known = [length for length in lengths if length is not None]
    return PairRate(
        model=model,
        against=other,
        win_rate=100.0 * float(y.mean()),
        stderr=stderr,
        interval=interval,
        n=n,
        wins=int((y > 0.5).sum()),
        ties=int((y == 0.5).sum()),
        losses=int((y < 0.5).sum()),
        inconsistent=inconsistent,
        mean_length=sum(known) / n if len(known) == n else None,
    )


def _length_differences(battles: Sequence[Battle]) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """tanh of the standardised difference in length; None where a length is unknown or all are alike."""
    lengths = [(battle.length_a, battle.length_b) for battle in battles]
    known = [a - b for a, b in lengths if a is not None and b is not None]
    if len(known) < len(lengths):
        return None
    gaps = np.array(known, dtype=np.float64)
    spread = float(gaps.std())
    return None if spread == 0.0 else np.tanh(gaps / spread)


def _notes(battles: Sequence[Battle], decided: Sequence[Battle], rated: Sequence[Rated]) -> tuple[str, ...]:
    notes = []
    if len(decided) < len(battles):
        reasons: dict[str, int] = {}
        for battle in battles:
            if battle.outcome is None:
                reasons[battle.why or "no verdict"] = reasons.get(battle.why or "no verdict", 0) + 1
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        notes.append(f"without a verdict and left out: {listed}")
    inconsistent = sum(battle.verdict == "inconsistent" for battle in decided)
    if inconsistent:
        notes.append(
            f"{inconsistent} of {len(decided)} verdicts changed with the order of the answers; they are ties"
        )
    if len({r.group for r in rated}) > 1:
        notes.append(
            "wins and losses do not connect all models: ratings compare within a group only; win rates stand"
        )
    return tuple(notes)
