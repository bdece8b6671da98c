"""What a model answers, and what was read from it and scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.core.records.judgements import Judgement, Usage
from evalkit.core.records.messages import Message, Step, ToolCall

ResponseStatus = Literal["ok", "refused", "truncated", "error"]

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
