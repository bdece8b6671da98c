"""What a run is and came to: its cells and their numbers, its tasks and models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.core.records.judgements import JudgeUse, Usage

STOPPED_EARLY = "stopped early"
"""How the note of a cell begins whose run ended as soon as its verdict was certain."""

SCHEMA_VERSION = 1
"""Version of the run folder's format; a reader refuses a newer one."""

RunStatus = Literal["running", "complete", "incomplete", "interrupted"]

Scale = Literal["fraction", "percent", "unbounded"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many results of a cell came to what; `samples` counts sample x repeat."""

    samples: int = 0
    scored: int = 0
    unscored: int = 0
    no_answer: int = 0
    refused: int = 0
    truncated: int = 0
    errors: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One number of a cell, with everything needed to judge it."""

    value: float | None
    """In the metric's own scale; None when nothing could be scored."""
    stderr: float | None
    """Standard error; None when undefined (fewer than two independent units)."""
    interval: tuple[float, float] | None
    """95 % confidence interval; None when undefined."""
    interval_method: str | None
    """gaffke, influence; approximate: gaffke-moments, jackknife-t, jackknife-t-log, t. None without one."""
    n: int
    """Samples behind the value, repeats averaged; 0 beside a value where another tool does not say."""
    signature: str
    """Metric, settings and library version: two values compare only when it is equal."""
    higher_is_better: bool
    scale: Scale
    """fraction: 0..1; percent: 0..100; unbounded: anything (perplexity)."""


def known_n(value: MetricValue) -> int | None:
    """Samples behind the value; None where another tool gave a value without saying."""
    return None if value.value is not None and value.n == 0 else value.n


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds per call of a cell, cached calls left out; None when no call was timed."""

    mean: float | None = None
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True, slots=True)
class CellResult:
    """The results of one cell: model x task x variant."""

    model: str
    task: str
    variant: str
    slug: str
    """The cell's file name below samples/, without suffix."""
    mode: str
    """How the model was asked: generate, loglikelihood, letter_logprobs, letter_generate or rolling; those of
    letters end in _seeded or _circular where the options are not listed in the data's order alone."""
    num_fewshot: int | None
    """None where another tool's file does not say."""
    repeats: int
    params: Mapping[str, Any]
    """The generation parameters in effect."""
    prompt_digest: str
    """Digest of the variant: templates, roles, few-shot rule, parameters, extractor."""
    data_digest: str
    """Digest over the ids and contents of the samples that were planned."""
    counts: Counts
    metrics: Mapping[str, MetricValue]
    """In the task's order: the first is its headline."""
    usage: Usage
    cost_usd: float | None
    """Paid in this run, US dollars; None when a price is unknown."""
    cost_cached_usd: float | None
    """What the cached responses had cost when they were paid for; None when unknown."""
    latency: Latency
    notes: tuple[str, ...] = ()
    """What a reader must know: dropped parameters, truncated contexts, a stopped model, a warning on text."""
    asked_digest: str = ""
    """Digest of the variant without its extractor: what decides the requests; empty in older runs."""
    judges: Mapping[str, JudgeUse] = field(default_factory=dict)
    """Metric -> what its judge took; empty where no model judges."""


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """Tasks and groups of tasks that are averaged together: what a group.yaml or a matrix says."""

    name: str
    members: tuple[str | TaskGroup, ...]
    """Its tasks by name, and the groups inside it, each of which counts as one member."""
    weighting: Literal["size", "equal"] = "size"
    """size: every sample counts alike; equal: every member does."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks at any depth."""
        own = ((member,) if isinstance(member, str) else member.tasks for member in self.members)
        return tuple(task for tasks in own for task in tasks)

    @property
    def is_nested(self) -> bool:
        """Whether there are groups inside it."""
        return any(isinstance(member, TaskGroup) for member in self.members)

    def shares(self, sizes: Mapping[str, float]) -> dict[str, float]:
        """What each task weighs in the mean: the product of the shares on the way down to it; sum 1.

        sizes: the samples of each task, of which at least one has any where they are weights.
        """
        parts = [{m: 1.0} if isinstance(m, str) else m.shares(sizes) for m in self.members]
        if self.weighting == "size":
            weights = [float(sum(sizes[task] for task in part)) for part in parts]
        else:
            weights = [1.0] * len(parts)
        whole = sum(weights)
        return {
            task: share * weight / whole
            for part, weight in zip(parts, weights, strict=True)
            for task, share in part.items()
        }

    def levels(self) -> str:
        """How it is averaged: `equal`, and with groups inside `equal(21,equal(3),size(3))`, tasks counted."""
        return self._levels() if self.is_nested else self.weighting

    def _levels(self) -> str:
        groups = sorted(member._levels() for member in self.members if isinstance(member, TaskGroup))
        n = len(self.members) - len(groups)
        return f"{self.weighting}({','.join([*([str(n)] if n else []), *groups])})"

    def shape(self) -> tuple[str, frozenset[Any]]:
        """What decides the mean: weightings and members, in any order; not the names of groups."""
        return self.weighting, frozenset(m if isinstance(m, str) else m.shape() for m in self.members)

    def outline(self) -> str:
        """Its members in words, those of groups inside it in brackets."""
        return ", ".join(m if isinstance(m, str) else f"{m.name} ({m.outline()})" for m in self.members)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The mean over all tasks of a group, for one model and variant."""

    group: str
    model: str
    variant: str
    tasks: tuple[str, ...]
    """All tasks of the group, in the order of the run; each has a cell of this model, variant and mode."""
    weighting: Literal["size", "equal"]
    """size: every sample counts alike; equal: every task does."""
    metric: str
    """The headline that the tasks share."""
    mode: str
    """How the model was asked in all of them."""
    value: MetricValue
    """The mean; its interval takes the tasks as strata and is None where a task's error is unknown."""
    members: tuple[str | TaskGroup, ...] = ()
    """The tasks, and the groups inside it; empty where there are none: its members are its tasks."""

    @property
    def tree(self) -> TaskGroup:
        """The group with its levels."""
        return TaskGroup(self.group, self.members or self.tasks, self.weighting)


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What a reader of a run must know of a task, so that pages need no task folder."""

    name: str
    description: str
    language: str
    """Empty where another tool's file neither says it nor holds a text."""
    kind: str
    tags: tuple[str, ...]
    version: str
    license: str
    source: str
    digest: str
    """Digest of the whole definition: prompts, extractors, metrics, data reference, task.py."""
    data_revision: str
    """Hub revision, or the digest of the local data files."""
    n_samples: int | None
    """Samples planned in this run (after --limit); None where another tool's file does not say."""
    n_total: int | None
    """Samples in the data; None when it was not counted."""
    chance: float | None
    """The headline metric's value for guessing; None when there is none."""
    headline: str
    """The metric that stands for the task."""
    labels: tuple[str, ...]
    prompts: Mapping[str, str]
    """Variant -> its templates as text."""
    gold: str | None = None
    """How the targets of a choice name the right option: letter, index (from 0), index1 (from 1) or text, as
    the task says or its rows alone allow; None without options, and in runs of before it was recorded."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What its owner says of a model in evalkit.yaml; pages sort and filter by it. None is unknown."""

    organisation: str | None = None
    """Who made it."""
    weights: Literal["open", "proprietary"] | None = None
    """Whether its weights can be had."""
    license: str | None = None
    """The licence of the weights."""
    size: float | None = None
    """Parameters, in billions; all of them in a mixture of experts."""
    released: str | None = None
    """ISO date of its release: 2024, 2024-04 or 2024-04-18."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a reader of a run must know of a model."""

    name: str
    """As results name it: an alias of evalkit.yaml, else `provider/name`."""
    asked: str
    """As the user wrote it."""
    route: str
    """`provider/name`, as LiteLLM takes it."""
    provider: str
    capabilities: tuple[str, ...]
    """Of generate, loglikelihood, rolling, chat, top_logprobs."""
    api_base: str | None = None
    """The server's address without credentials; None for the provider's own or in-process."""
    price: Mapping[str, Any] | None = None
    """input and output US dollars per token and the map's date; None when unknown."""
    revision: str | None = None
    notes: tuple[str, ...] = ()
    facts: ModelFacts = ModelFacts()


@dataclass(frozen=True, slots=True)
class Run:
    """One execution: the content of run.json."""

    id: str
    name: str
    created: str
    """ISO 8601, UTC."""
    version: str
    """evalkit's version."""
    git: Mapping[str, Any] | None
    """commit and dirty flag of the user's repository; None outside of one."""
    command: str
    status: RunStatus
    seed: int | None
    """None where another tool made the results and does not tell its seed."""
    limit: int | None
    duration_s: float | None
    """Wall-clock seconds of the execution; None while running."""
    tasks: Mapping[str, TaskInfo]
    models: Mapping[str, ModelInfo]
    cells: tuple[CellResult, ...]
    errors: Mapping[str, str] = field(default_factory=dict)
    """Model -> why it was stopped; empty when all went on to the end."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Library -> version, of those that decide a number."""
    groups: tuple[GroupResult, ...] = ()
    """Means over the groups of which all tasks are in the run; empty in runs of before there were any."""
    judges: Mapping[str, ModelInfo] = field(default_factory=dict)
    """The models that judged answers, by name; empty where none did."""
    rescored: Mapping[str, Any] | None = None
    """Of a run made of another's answers: that run's id, time and version, and what was allowed to differ."""
    request: Mapping[str, Any] | None = None
    """What was asked beyond the defaults; None where another tool asked, and in older runs."""
    schema: int = SCHEMA_VERSION
