"""What a gate says: a verdict, the checks it rests on, and what keeps two runs from being compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from evalkit.comparing.comparison.records import CellName, Change
from evalkit.core.records import Scale
from evalkit.core.registry import Drawn

Rule = Literal["tolerance", "floor", "cost", "latency", "macro"]
Word = Literal["pass", "fail", "inconclusive", "not comparable"]

KINDS = ("data", "prompt", "metric", "mode", "cells", "overlap", "missing", "early-stopped")
"""What may differ between two runs, as --allow names it."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One respect in which candidate and baseline do not measure the same."""

    kind: str
    """One of `KINDS`."""
    cell: str
    """The task and variant, or the run."""
    text: str
    """What differs, with both values."""
    allowed: bool
    """Whether --allow named its kind."""


@dataclass(frozen=True, slots=True)
class Repeats:
    """How the variance of a change splits into the choice of samples and the model's own dice."""

    n: int
    """Repeats of each sample, in the candidate."""
    share: float
    """The share of the variance, 0..1, that is the dice's: what further repeats could take off."""
    enough: int
    """Repeats with which it would be a tenth."""


@dataclass(frozen=True, slots=True)
class Check:
    """One metric of one cell under one rule."""

    baseline: CellName
    candidate: CellName
    metric: str
    rule: Rule
    """tolerance: not worse than the baseline by more than the margin; floor: not below a number; cost and
    latency: not dearer or slower by more than a share; macro: the mean over tasks is not worse."""
    verdict: Literal["pass", "fail", "inconclusive"]
    """fail after Holm's correction over all checks; pass without one, since all must pass."""
    reason: str | None
    """Why there is no test; None when there is one."""
    baseline_value: float | None
    """On the samples that both have scored; None for floors and where nothing is known."""
    candidate_value: float | None
    """On the same samples."""
    change: float | None
    """Positive is better: on the metric's scale, or of logarithms where `is_ratio`."""
    interval: tuple[float, float] | None
    """The 1 - 2 alpha interval of the change, missing scores adverse."""
    is_ratio: bool
    """Whether change, interval and mde are of logarithms."""
    margin: str
    """What is allowed, in words: "2.0 points", "5 %", "at least 80.0"."""
    p_fail: float
    """p-value of "worse than allowed"."""
    p_fail_adjusted: float
    """The same after Holm's correction over all checks; what decides."""
    p_pass: float
    """p-value of "not worse than allowed"."""
    higher_is_better: bool
    scale: Scale
    n: int
    """Pairs of samples."""
    n_units: int
    """Independent units: samples, or clusters of samples."""
    n_missing: int
    """Pairs with a missing score."""
    mde: float | None
    """The true drop that would fail with power 0.8; None when unknown."""
    n_needed: int | None
    """Samples with which an unchanged candidate passes with power 0.8; None when no number would do, or when
    the metric has no such formula."""
    n_newly_failed: int
    """Samples that got worse."""
    n_newly_fixed: int
    """Samples that got better."""
    newly_failed: tuple[Change, ...]
    """The samples that got worse, most first."""
    newly_fixed: tuple[Change, ...]
    method: str = ""
    """How the verdict was reached, a key of `evalkit.stats.verdicts.METHODS`; empty where there is none."""
    reach: float | None = None
    """For an approximate verdict: it holds while no sample moves the change by more than this."""
    repeats: Repeats | None = None
    """What the model's own dice do to the interval; None without repeats, or where no mean is judged."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What a gate that asked for itself has spent and saved."""

    planned: int
    """Requests of the whole plan."""
    asked: int
    """Requests that were answered or failed, those from the cache included."""
    saved: int
    """Requests that were never sent because the verdict was certain."""
    cached: int
    """Of those asked, how many came from the cache."""
    order_seed: str
    """From what the order of the samples was drawn: known before the first call, and not chosen by anyone."""


@dataclass(frozen=True, slots=True)
class Gate(Drawn):
    """The verdict on a candidate against a baseline."""

    verdict: Word
    baseline: str
    """The baseline's run id."""
    candidate: str
    """The candidate's run id; empty when nothing was run."""
    alpha: float
    """The probability of each wrong verdict, at most."""
    target: str
    """population: the samples stand for more like them. dataset: these samples are what is asked for."""
    early_stop: str
    """off, fail or both."""
    stopped_early: bool
    """Whether the candidate's run ended before all samples were asked."""
    checks: tuple[Check, ...]
    obstacles: tuple[Obstacle, ...]
    notes: tuple[str, ...] = ()
    calls: Calls | None = None
    """What was asked and saved; None without early stopping."""
    folder: str | None = None
    """The candidate's run folder; None when nothing was run."""

    @property
    def exit_code(self) -> int:
        """0 pass or inconclusive, 1 fail, 4 not comparable."""
        return {"pass": 0, "inconclusive": 0, "fail": 1, "not comparable": 4}[self.verdict]
