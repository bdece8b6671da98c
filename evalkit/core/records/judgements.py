"""What judges said of answers, and the tokens of calls: records that others are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or many calls. None means that nobody counted, never zero."""

    input: int | None = None
    """Prompt tokens."""
    output: int | None = None
    """Completion tokens, reasoning included."""
    reasoning: int | None = None
    """Tokens spent on reasoning, part of `output`."""
    cached: int | None = None
    """Prompt tokens that the provider served from its own prompt cache, part of `input`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge, which is a model of its own, said of one answer."""

    judge: str
    """The judge's name."""
    verdict: str | None
    """The label or number that it gave; None when it gave none that could be read."""
    worth: float | None
    """What the verdict is worth, from 0 to 1; None when there is none, or the judge abstained."""
    reasoning: str | None = None
    """Why, in the judge's words; None when it does not say."""
    texts: tuple[str, ...] = ()
    """The judge's replies as they came, one for each call that was answered."""
    request_digests: tuple[str, ...] = ()
    """The requests that the judge was asked."""
    usage: Usage = Usage()
    """Tokens of the judge's calls, apart from those of the model."""
    cost_usd: float | None = None
    """US dollars paid for the judge's calls now, or once where all came from the cache; None when unknown."""
    latency_s: float | None = None
    """Seconds of the longest call; None when none was timed."""
    from_cache: bool = False
    """Whether all of the judge's replies came from evalkit's cache."""
    unscored_reason: str | None = None
    """unreadable, abstained, refused, or the kind of the call's error; None when there is a verdict."""
    message: str | None = None
    """What the provider said of a failed call; None otherwise."""
    notes: tuple[str, ...] = ()
    """What was done to the judge's calls on the way, such as a dropped parameter."""


@dataclass(frozen=True, slots=True)
class JudgeUse:
    """What the judging of one metric of a cell took."""

    model: str
    """The judge's name."""
    judged: int = 0
    """Answers that were given to the judge; what had no answer is wrong without being judged."""
    calls: int = 0
    """Calls that were answered; a pairwise judge is asked twice, an unreadable reply once more."""
    cached: int = 0
    """Judgements that came from the cache."""
    failed: int = 0
    """Judgements whose call failed: unscored, and asked again by the same command."""
    unreadable: int = 0
    """Judgements without a verdict that could be read: unscored."""
    abstained: int = 0
    """Judgements in which the judge chose a label that is worth nothing known: unscored."""
    inconsistent: int = 0
    """Pairwise judgements whose winner changed with the order of the answers: ties."""
    usage: Usage = Usage()
    """Tokens of all calls, cached ones included; None where one did not say."""
    cost_usd: float | None = None
    """Paid in this run, US dollars; None when a price is unknown. Not part of the model's own cost."""
    cost_cached_usd: float | None = None
    """What the cached judgements had cost."""
