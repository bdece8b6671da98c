"""What a gate demands: tolerances and floors, as users write them, for the metrics of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evalkit.errors import UsageError
from evalkit.findings.decisions import Margin
from evalkit.gate.records import KINDS
from evalkit.metrics import Metric
from evalkit.stats.sequential import Stop
from evalkit.stats.verdicts import Target

Limits = Mapping[tuple[str, str], float]
"""(task, metric) -> number; either may be `*`."""

MAX_MISSING = 0.05
"""The share of samples without a score from which nothing is judged. Adverse imputation keeps the error rate
at any share; beyond this no verdict but "inconclusive" is likely, and the cause is worth a look."""
MIN_OVERLAP = 0.9


@dataclass(frozen=True)
class Rules:
    """Everything that a user may demand of a gate."""

    tolerance: float = 0.0
    """Allowed drop where no other is named: a share of the scale (0.02: two points of 100), or of the
    baseline where relative and for metrics such as perplexity."""
    tolerances: Limits = field(default_factory=dict)
    floors: Limits = field(default_factory=dict)
    """The least value, on the scale of results: 0.8 for 80 %, 30 for a BLEU of 30."""
    metrics: tuple[str, ...] = ()
    """Further metrics to judge, `all` for every one; each task's headline always is."""
    alpha: float = 0.05
    target: Target = "population"
    early_stop: Stop = "off"
    relative: bool = False
    max_error_rate: float = MAX_MISSING
    max_cost_increase: float | None = None
    max_latency_increase: float | None = None
    allow: frozenset[str] = frozenset()
    macro: bool = False
    """Whether the mean over tasks is judged too, for each model and variant."""

    def __post_init__(self) -> None:
        """Raises UsageError where a number is out of its range."""
        if not 0.0 < self.alpha < 0.5:
            raise UsageError(
                f"--alpha is the probability of a wrong verdict, between 0 and 0.5: {self.alpha}"
            )
        numbers = [self.tolerance, *self.tolerances.values()]
        if any(not 0.0 <= number < 1.0 for number in numbers):
            raise UsageError(
                "a tolerance is a share between 0 and 1: 0.02 allows two points of 100, or two per cent of a "
                "perplexity"
            )
        if self.macro and self.early_stop != "off":
            raise UsageError("--macro needs all samples of all tasks: it cannot go with --early-stop")
        for kind in self.allow:
            if kind not in KINDS:
                raise UsageError(f"--allow {kind!r}: there are {', '.join(KINDS)}")

    def metrics_of(self, task: str, headline: str, known: Sequence[str]) -> list[str]:
        """The metrics of a task that have a tolerance: its headline and those that are named."""
        if "all" in self.metrics:
            return list(known)
        named = {metric for (name, metric) in self.tolerances if name in (task, "*")} - {"*"}
        return [name for name in known if name == headline or name in named or name in self.metrics]

    def margin(self, task: str, metric: Metric) -> Margin:
        """The allowed drop on the metric's own scale."""
        share = _limit(self.tolerances, task, metric.name)
        size = self.tolerance if share is None else share
        if self.relative or metric.log_scale:
            return Margin(size, relative=True)
        return Margin(size * (100.0 if metric.scale == "percent" else 1.0))

    def floor(self, task: str, metric: str) -> float | None:
        """The least value of a metric; None when there is none."""
        return _limit(self.floors, task, metric)


def describe_margin(margin: Margin, metric: Metric) -> str:
    """The allowed drop in words."""
    if margin.relative:
        return f"{100 * margin.size:.3g} % of the baseline"
    if metric.scale == "unbounded":
        return f"{margin.size:.3g}"
    points = margin.size * (100.0 if metric.scale == "fraction" else 1.0)
    return f"{points:.3g} points"


def parse_tolerances(texts: Sequence[str]) -> tuple[float, dict[tuple[str, str], float]]:
    """The general tolerance, and those of single metrics, from `0.02` and `task:metric=0.02`."""
    general = 0.0
    single: dict[tuple[str, str], float] = {}
    for text in texts:
        if "=" in text:
            key, value = _parse_limit(text, "--tolerance")
            single[key] = value
        else:
            general = _number(text, "--tolerance")
    return general, single


def parse_floors(texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """(task, metric) -> floor, from `task:metric=0.8`."""
    return dict(_parse_limit(text, "--floor") for text in texts)


def _limit(limits: Limits, task: str, metric: str) -> float | None:
    for key in ((task, metric), (task, "*"), ("*", metric), ("*", "*")):
        if key in limits:
            return limits[key]
    return None


def _parse_limit(text: str, option: str) -> tuple[tuple[str, str], float]:
    name, sign, number = text.rpartition("=")
    task, colon, metric = name.rpartition(":")
    if not sign or not name.strip():
        raise UsageError(f"{option} {text!r}: write task:metric=0.02")
    if not colon:
        task, metric = name, "*"
    return (task.strip() or "*", metric.strip() or "*"), _number(number, option)


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is not a number") from error
