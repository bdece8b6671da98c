"""What a gate demands: tolerances and floors, as users write them, for the metrics of each task."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from evalkit.comparing.findings.decisions import Margin
from evalkit.core.errors import UsageError, did_you_mean
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
        """Raises UsageError where a value is out of its range, or a demand contradicts another."""
        _check_number(
            "--alpha, the probability of a wrong verdict,", self.alpha, "between 0 and 0.5", 0.0, 0.5
        )
        for name, number in (("", self.tolerance), *_named(self.tolerances, "tolerances")):
            what = f"a tolerance{name}"
            hint = "a share from 0 to below 1: 0.02 allows two points of 100, or two per cent of a perplexity"
            _check_number(what, number, hint, -math.ulp(0.0), 1.0)
        for name, number in _named(self.floors, "floors"):
            _check_number(f"a floor{name}", number, "a finite number", -math.inf, math.inf)
        for name, share, most in (
            ("--max-error-rate", self.max_error_rate, 1.0),
            ("--max-cost-increase", self.max_cost_increase, math.inf),
            ("--max-latency-increase", self.max_latency_increase, math.inf),
        ):
            if share is not None:
                hint = "a share from 0 to 1" if most == 1.0 else "a share, 0.1 for a tenth more, at least 0"
                _check_number(name, share, hint, -math.ulp(0.0), math.nextafter(most, math.inf))
        for name, word, words in (
            ("--target", self.target, get_args(Target)),
            ("--early-stop", self.early_stop, get_args(Stop)),
            *(("--allow", kind, KINDS) for kind in sorted(self.allow)),
        ):
            if word not in words:
                near = did_you_mean(str(word), words)
                raise UsageError(f"{name} {word!r}: there are {', '.join(words)}.{near}")
        if self.macro and self.early_stop != "off":
            raise UsageError("--macro needs all samples of all tasks: it cannot go with --early-stop")
        if self.relative and not self.tolerance and not any(self.tolerances.values()):
            raise UsageError(
                "--relative says how a tolerance is meant, and there is none: add --tolerance 0.02"
            )

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
    general = {_number(text, "--tolerance") for text in texts if "=" not in text}
    if len(general) > 1:
        raise UsageError(
            f"--tolerance is given as {' and as '.join(f'{number:g}' for number in sorted(general))}; "
            "one counts for all, others are of a task or a metric: task:metric=0.02"
        )
    single = _parse_limits((text for text in texts if "=" in text), "--tolerance")
    return next(iter(general), 0.0), single


def parse_floors(texts: Sequence[str]) -> dict[tuple[str, str], float]:
    """(task, metric) -> floor, from `task:metric=0.8`."""
    return _parse_limits(texts, "--floor")


def limit_key(limits: Limits, task: str, metric: str) -> tuple[str, str] | None:
    """The limit that counts for a metric of a task, the most particular one; None when none does."""
    keys = ((task, metric), (task, "*"), ("*", metric), ("*", "*"))
    return next((key for key in keys if key in limits), None)


def _limit(limits: Limits, task: str, metric: str) -> float | None:
    key = limit_key(limits, task, metric)
    return None if key is None else limits[key]


def _named(limits: Limits, name: str) -> list[tuple[str, Any]]:
    """Each limit with its name in words. Raises UsageError where they are no limits."""
    if not isinstance(limits, Mapping) or not all(
        isinstance(key, tuple) and len(key) == 2 and all(isinstance(part, str) for part in key)
        for key in limits
    ):
        raise UsageError(f'{name} map pairs to numbers, such as {{("task", "metric"): 0.02}}, not {limits!r}')
    return [(f" ({task}:{metric})", number) for (task, metric), number in limits.items()]


def _check_number(name: str, number: Any, hint: str, above: float, below: float) -> None:
    real = isinstance(number, numbers.Real) and not isinstance(number, bool)
    if not real or not math.isfinite(number) or not above < number < below:
        raise UsageError(f"{name} must be {hint}, not {number!r}")


def _parse_limits(texts: Iterable[str], option: str) -> dict[tuple[str, str], float]:
    """The limits by what they are of. Raises UsageError where one is given twice, differently."""
    found: dict[tuple[str, str], float] = {}
    for text in texts:
        key, value = _parse_limit(text, option)
        if found.setdefault(key, value) != value:
            raise UsageError(f"{option} {':'.join(key)} is given twice: {found[key]:g} and {value:g}")
    return found


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
