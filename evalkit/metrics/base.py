"""What a metric sees of one sample, and what a metric is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from evalkit.core.errors import MetricError
from evalkit.core.records import Response, Scale

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

    Array = NDArray[float64]
    Positions = NDArray[int64]
else:  # importing metrics must not load numpy; the functions that count with it do
    Array = Positions = Any

Aggregation = Literal["mean", "corpus"]
NOTED = "code: "
"""How the notes begin by which a metric says how a score came about."""
RANGES: dict[str, tuple[float, float] | None] = {
    "fraction": (0.0, 1.0),
    "percent": (0.0, 100.0),
    "unbounded": None,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One result as a metric sees it: what was answered, and what would have been right."""

    answer: str | None
    """The extracted answer; None when the model gave none, which is wrong and never skipped."""
    response: Response
    """What came back; its status is ok, refused or truncated: failed calls never reach a metric."""
    target: tuple[str, ...] = ()
    """The right answers or reference texts."""
    choices: tuple[str, ...] = ()
    """The options of a choice sample; empty for other kinds."""
    gold: tuple[int, ...] = ()
    """Positions of the right options; empty for other kinds."""
    chosen: int | None = None
    """Position of the option that was chosen; None when none was, and for other kinds."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The columns of the sample's data, for metrics that need more than the target."""
    text: str | None = None
    """The text whose likelihood was asked in a `perplexity` task; None for other kinds."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the task says to its metrics."""

    language: str = "en"
    """Decides tokenizers and normal forms."""
    labels: tuple[str, ...] = ()
    """The class names of a classification task, in order; empty for others."""
    kind: str = "generate"
    """generate, choice or perplexity."""
    trust: bool = False
    """Whether the user allows metrics to run code that a model wrote (in a sandbox)."""
    folder: Path | None = None
    """The task's folder, where a judge's prompt file is looked for; None for the current one."""
    judge: str | None = None
    """The judge that the user asks for in place of a task's own; None leaves the task's."""


class Metric:
    """How one answer is judged, and how judgements become one number.

    A mean metric returns each sample's own score. A corpus metric returns the sample's statistics, a vector
    of fixed length; `rows` turns a table of them into rows that can be added, and `aggregate` turns sums of
    rows into the value. So an interval re-adds rows and never reads the texts again.
    """

    name: str = ""
    """The name under which scores are stored; unique within a task."""
    signature: str = ""
    """Name, settings and library version: two values compare only when theirs are equal."""
    higher_is_better: bool = True
    scale: Scale = "fraction"
    """fraction: 0..1; percent: 0..100; unbounded: anything."""
    aggregation: Aggregation = "mean"
    log_scale: bool = False
    """Whether the interval is made on the logarithm (perplexities)."""
    bounds: tuple[float, float] | None = (0.0, 1.0)
    """The range that scores (mean) or values (corpus) cannot leave; None when there is none."""
    kinds: ClassVar[frozenset[str]] = frozenset({"generate", "choice"})
    """The kinds of task on which the metric is defined."""
    guarded: bool = False
    """Whether its rules are for languages that write spaces between words; see `language_warning`."""
    reads_target: bool = True
    """Whether it compares with the target; a metric that does not has no oracle."""
    runs_code: bool = False
    """Whether it executes code from outside evalkit, which needs the task to be trusted."""
    slow: bool = False
    """Whether a score takes so long that it is made in a thread, while calls go on."""
    by_judge: bool = False
    """Whether a model judges: scores come from the response's judgements, and nothing is scored without."""

    def score(self, case: Case) -> float | None:
        """The sample's own score; None when the metric is not defined on a single sample."""
        raise NotImplementedError

    def rate(self, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """The sample's own score, and what a reader must know of how it came about: notes that begin with
        `NOTED`. Most scores need none."""
        return self.score(case), ()

    def stats(self, case: Case) -> tuple[float, ...]:
        """The sample's statistics for a corpus metric; () for a mean metric, and when unscored."""
        return ()

    def stats_of(self, case: Case, score: float | None) -> tuple[float, ...]:
        """The statistics where the sample's score is known already, so that it is not made twice."""
        return self.stats(case)

    def rows(self, stats: Array) -> Array:
        """Statistics of samples, shape (n, k), as rows whose sums `aggregate` takes."""
        return stats

    def aggregate(self, sums: Array) -> Array:
        """The value for each sum of rows: shape (..., k) to shape (...)."""
        raise NotImplementedError

    def possible(self, rows: Array) -> Array | None:
        """Rows of the most extreme samples of a corpus metric, seen or not: shape (samples, answers, k).

        By what may be asked and what may be answered; `rows` are those that were seen, where only they tell
        how long samples are. None where no sample is the most extreme (a rate without a limit): verdicts are
        then approximate.
        """
        return None

    def unknown(self, sums: Array) -> str | None:
        """Why nothing can be said of the value beyond these samples, for the sum of their rows; else None."""
        return None

    def combine(self, scores: Sequence[float], stats: Sequence[tuple[float, ...]]) -> float | None:
        """A mean metric's value of one sample, made of its scored repeats in their order: their mean.

        None leaves the sample unscored. Metrics such as pass@k combine repeats in another way.
        """
        return sum(scores) / len(scores)

    def describe(self, stats: Array) -> str:
        """The signature, completed by what only the data tells, such as the number of references."""
        return self.signature

    def notes(self, stats: Array) -> tuple[str, ...]:
        """What a reader must know of the value; empty when there is nothing."""
        return ()


class FunctionMetric(Metric):
    """A mean metric made of a plain function of a `Case`, such as a task.py provides."""

    def __init__(
        self,
        name: str,
        function: Callable[[Case], float | bool | None],
        *,
        higher_is_better: bool = True,
        scale: Scale = "fraction",
        bounds: tuple[float, float] | None = None,
        version: str = "1",
    ) -> None:
        self.name = name
        self.function = function
        self.higher_is_better = higher_is_better
        self.scale = scale
        self.bounds = RANGES[scale] if bounds is None else bounds
        self.signature = sign(f"custom:{name}", version=version)

    def score(self, case: Case) -> float | None:
        """What the function returns; raises MetricError when that is not a number within the bounds."""
        value = self.function(case)
        if value is None:
            return None
        if not isinstance(value, bool | int | float):
            raise MetricError(
                f"metric {self.name!r} returned {type(value).__name__}; return a number, or None for unscored"
            )
        number = float(value)
        if self.bounds and not self.bounds[0] <= number <= self.bounds[1]:
            raise MetricError(
                f"metric {self.name!r} returned {number}, outside {self.bounds[0]:g}..{self.bounds[1]:g}; "
                "declare its true `bounds`, or scale: unbounded"
            )
        return number


def sign(name: str, **settings: object) -> str:
    """The signature: `name|setting:value|...`; settings that are None are left out."""
    parts = [f"{key}:{_plain(value)}" for key, value in settings.items() if value is not None]
    return "|".join([name, *parts])


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "a text"),
    "bool": ((bool,), "true or false"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "Sequence[str]": ((list, tuple), "a list of texts"),
}


def check_type(owner: str, argument: str, value: object, annotation: str) -> None:
    """Nothing; raises MetricError when the value is not of the annotated type.

    `owner` says whose argument it is, such as "metric 'bleu'". The annotation is a union of the types above;
    any other annotation is not checked.
    """
    parts = [part.strip() for part in annotation.split("|")]
    if value is None and "None" in parts:
        return
    known = [_TYPES[part] for part in parts if part in _TYPES]
    if len(known) < len(parts) - parts.count("None"):
        return
    if not any(_fits(value, types) for types, _ in known):
        words = " or ".join(word for _, word in known)
        raise MetricError(f"{owner}: {argument!r} must be {words}, not {value!r}")


def _fits(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, list | tuple):
        return list in types and bool(value) and all(isinstance(item, str) for item in value)
    return isinstance(value, types) and (bool in types or not isinstance(value, bool))


def check_choice(metric: str, argument: str, value: object, allowed: tuple[str, ...]) -> str:
    """The value as a text; raises MetricError when it is none of those allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise MetricError(f"metric {metric!r}: {argument} must be one of {', '.join(allowed)}, not {value!r}")
    return value


def check_target(metric: str, case: Case) -> tuple[str, ...]:
    """The targets of the case; raises MetricError when there are none."""
    if not case.target:
        raise MetricError(
            f"metric {metric!r} compares with a target, and the sample has none; check the task's `target`"
        )
    return case.target
