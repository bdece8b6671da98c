"""The records that the rooms hand to each other: frozen dataclasses, no behaviour beyond identity.

A sentence under every field gives its unit, its range, and what None means.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import orjson

from evalkit.judgements import Judgement as Judgement
from evalkit.judgements import JudgeUse as JudgeUse
from evalkit.judgements import Usage as Usage
from evalkit.messages import ImagePart as ImagePart
from evalkit.messages import Message as Message
from evalkit.messages import Step, ToolCall
from evalkit.messages import TextPart as TextPart
from evalkit.messages import encode_message as encode_message
from evalkit.messages import flatten as flatten

SCHEMA_VERSION = 1
"""Version of the run folder's format; a reader refuses a newer one."""

RequestKind = Literal["generate", "loglikelihood", "rolling"]
ResponseStatus = Literal["ok", "refused", "truncated", "error"]
RunStatus = Literal["running", "complete", "incomplete", "interrupted"]
Scale = Literal["fraction", "percent", "unbounded"]


def digest(content: Any) -> str:
    """The SHA-256 of `content` as canonical JSON (sorted keys, no spaces, UTF-8), in hexadecimal; values that
    JSON has no form for (a date, a decimal) count as their text."""
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        text = orjson.dumps(content, default=str, option=options)
    except TypeError:  # integers beyond 64 bits and lone surrogates, which orjson refuses
        text = json.dumps(content, default=str, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(text).hexdigest()


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a task."""

    id: str
    """Stable under reordering: the data's own id, else a digest of the content."""
    fields: Mapping[str, Any]
    """The columns of the data, as prompts see them."""
    target: tuple[str, ...] = ()
    """The right answers or reference texts, best first; empty for `perplexity` tasks."""
    choices: tuple[str, ...] = ()
    """The options of a `choice` sample, in the data's order; empty for other kinds."""
    gold: tuple[int, ...] = ()
    """Positions of the right options in `choices`; empty for other kinds."""
    text: str | None = None
    """The text whose likelihood is asked in a `perplexity` task; None for other kinds."""
    cluster: str | None = None
    """Names the group of dependent samples (same passage, same conversation); None when independent."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Whatever else the data says of the sample; shown, and used for slices, never prompted."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """What a built-in model may know of a task when it is bound to it."""

    name: str
    language: str
    kind: str
    """generate, choice or perplexity."""
    labels: tuple[str, ...]
    """The class names of a classification task, in order; empty for others."""
    samples: Mapping[str, Sample]
    """The samples that will be asked, by id."""
    train: tuple[Sample, ...]
    """The few-shot or train split; empty when the task has none."""
    train_texts: tuple[str, ...]
    """The same as whole texts: a rendered prompt with its right answer, or the text of a perplexity task."""
    limited: bool = False
    """Whether the data hold more samples than are asked."""


@dataclass(frozen=True)
class Request:
    """One call to a model, fully specified. Equal content has an equal digest, wherever it stands."""

    kind: RequestKind
    """generate: continue the messages; loglikelihood: score continuations of them; rolling: score `text`."""
    model: str
    """The model's full name, `provider/name`."""
    messages: tuple[Message, ...] = ()
    """The prompt; empty for rolling requests."""
    continuations: tuple[str, ...] = ()
    """The texts whose loglikelihood after the messages is asked; empty for other kinds."""
    text: str = ""
    """The text whose rolling loglikelihood is asked; empty for other kinds."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Generation parameters under LiteLLM's names (temperature, max_tokens, stop, seed, top_p, ...)."""
    repeat: int = 0
    """Which of the repeats this is, from 0."""
    sample_id: str = ""
    """The sample that asks; a label for built-in models and messages, not part of the content."""
    order: tuple[int, ...] = ()
    """For each option as listed its place in `Sample.choices`; empty in the data's order. A label as well."""

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that can change the answer."""
        return digest(
            {
                "kind": self.kind,
                "model": self.model,
                "messages": [encode_message(m) for m in self.messages],
                "continuations": list(self.continuations),
                "text": self.text,
                "params": dict(self.params),
                "repeat": self.repeat,
            }
        )


IMPOSSIBLE = -1e30
"""The logprob, in nats, of what a model holds for impossible: minus infinity has no form in JSON."""


@dataclass(frozen=True, slots=True)
class Loglikelihood:
    """The log-probability of one continuation, or of one whole text."""

    logprob: float
    """Sum over its tokens, natural log (nats), at most 0 and finite; see `IMPOSSIBLE`."""
    n_tokens: int | None = None
    """Tokens of the model's own tokenizer that were scored; None when the server does not say."""
    is_greedy: bool | None = None
    """Whether each token was the most probable one; None when unknown."""


@dataclass(frozen=True, slots=True)
class ResponseError:
    """Why a call gave no answer."""

    kind: str
    """The cause in one word: rate_limit, timeout, connection, server, bad_request, ... (see `CallError`)."""
    message: str
    """What the provider said, keys redacted."""


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token and what the model might have said in its place."""

    text: str
    """The token as text, with the white space before it."""
    top: Mapping[str, float]
    """The likeliest tokens in its place -> their logprobs in nats, at most 0."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for a request."""

    status: ResponseStatus = "ok"
    """ok; refused and truncated are the model's doing and are scored; error is a failed call, unscored."""
    text: str | None = None
    """The generated text; None for likelihood requests and errors."""
    reasoning: str | None = None
    """The provider's separate reasoning text; None when it gave none."""
    loglikelihoods: tuple[Loglikelihood, ...] = ()
    """One per continuation, in order; one for a rolling request; of a letter one per option, of `tokens`."""
    tokens: tuple[Token, ...] = ()
    """The generated tokens with their alternatives; empty where they were not asked for or not given."""
    parts: tuple[Response, ...] = ()
    """The responses to the calls of a sample that took several, as they were asked; empty for one call."""
    finish_reason: str | None = None
    """The provider's own word for why it stopped (stop, length, content_filter, ...)."""
    usage: Usage = field(default_factory=Usage)
    """Tokens of this call."""
    cost_usd: float | None = None
    """US dollars paid for this call at list price; None when the price is unknown."""
    latency_s: float | None = None
    """Seconds from sending the successful attempt to its last byte; None for built-in models."""
    retries: int = 0
    """Failed attempts before this one."""
    model_reported: str | None = None
    """The model's name as the server gave it; None when it gave none."""
    from_cache: bool = False
    """Whether the response came from evalkit's own cache: nothing was paid for it in this run."""
    error: ResponseError | None = None
    """The cause when the status is error; None otherwise."""
    notes: tuple[str, ...] = ()
    """What was done to the call or its answer on the way: a dropped parameter, a client-side stop, ..."""
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    """What judges said of the answer, by metric; added once it is there, and never cached with it."""
    tool_calls: tuple[ToolCall, ...] = ()
    """The tools that the model asks to be used in place of an answer; empty for most."""
    steps: tuple[Step, ...] = ()
    """What was done for the sample beside its calls (searches, programs, tools), in order; never cached."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer that was found in a response, with where and by which rule."""

    answer: str
    """The answer in the form in which it is compared."""
    rule: str
    """The name of the rule that matched, such as `number:last`."""
    start: int
    """Where the answer begins in the response's text, in characters."""
    end: int
    """Where it ends, exclusive."""


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What became of one sample in one cell, once per repeat: a line of samples/<cell>.jsonl."""

    sample_id: str
    repeat: int
    request_digest: str
    messages: tuple[Message, ...]
    """The rendered prompt, exactly as sent; empty for rolling requests."""
    target: tuple[str, ...]
    choices: tuple[str, ...]
    response: Response
    answer: str | None
    """The extracted answer; None when nothing could be extracted or the call failed."""
    rule: str | None
    """The extraction rule that matched; None without an answer."""
    span: tuple[int, int] | None
    """Where the answer stands in the response's text; None when it is not a part of it."""
    scores: Mapping[str, float | None]
    """Metric name -> score of this sample; None when the metric is not defined per sample or unscored."""
    stats: Mapping[str, tuple[float, ...]]
    """Metric name -> additive statistics of this sample, for metrics of the corpus; empty when unscored."""
    unscored_reason: str | None = None
    """Why there is no score (the call's error kind, `no_logprobs`, ...); None when scored."""
    cluster: str | None = None
    """The sample's cluster; None when it stands alone."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


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
    """gaffke, jackknife-t, jackknife-t-log or t; None without an interval."""
    n: int
    """Samples behind the value, repeats averaged; 0 beside a value where another tool does not say."""
    signature: str
    """Metric, settings and library version: two values compare only when it is equal."""
    higher_is_better: bool
    scale: Scale
    """fraction: 0..1; percent: 0..100; unbounded: anything (perplexity)."""


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
    schema: int = SCHEMA_VERSION
