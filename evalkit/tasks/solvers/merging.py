"""Several responses to one sample made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalkit.core.records import Response, Usage


def merge_responses(chosen: Response, responses: Sequence[Response], notes: Sequence[str] = ()) -> Response:
    """The chosen response with the tokens, retries and likelihoods of all, and what was paid for them now
    (what they once cost, when all came from the cache); unknown stays unknown.

    Latency is the longest of the calls, which ran side by side. Several responses are kept as its parts, each
    with its own cost and whether it came from the cache.
    """
    latencies = [response.latency_s for response in responses if response.latency_s is not None]
    # Where some answers came from the cache, only the others were paid for now.
    paid = [response for response in responses if not response.from_cache] or responses
    costs = [response.cost_usd for response in paid]
    return replace(
        chosen,
        loglikelihoods=tuple(value for response in responses for value in response.loglikelihoods),
        usage=add_usage([response.usage for response in responses]),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        latency_s=max(latencies, default=None),
        retries=sum(response.retries for response in responses),
        from_cache=all(response.from_cache for response in responses),
        parts=tuple(responses) if len(responses) > 1 else (),
        notes=(*chosen.notes, *notes),
    )


def add_usage(usages: Sequence[Usage]) -> Usage:
    """The tokens of all calls; None where one call did not say."""

    def total(name: str) -> int | None:
        values = [getattr(usage, name) for usage in usages]
        return None if None in values else sum(values)

    return Usage(total("input"), total("output"), total("reasoning"), total("cached"))
