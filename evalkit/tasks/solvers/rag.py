"""Retrieval-augmented prompts: passages of the task's documents stand in the prompt.

P. Lewis et al. 2020, "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", arXiv:2005.11401.
The prompt is made with its passages, so that records, cache, preview and estimate show what is sent; here
the response is told which documents they were. Where embeddings find them, the prompt is made when they have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.records import Message, Request, Response, ResponseError, Step
from evalkit.tasks.solvers.prompting import PassageAid

Ask = Callable[[Request], Awaitable[Response]]
Consult = Callable[[str, Request], Awaitable[Response]]


@dataclass(frozen=True)
class Finder:
    """The embedding model of a prompt."""

    name: str
    """Its name in the run, under which it is consulted."""
    route: str


async def ask_with_passages(ask: Ask, request: Request, found: Step) -> Response:
    """The response with the search that preceded it as its first step."""
    response = await ask(request)
    return replace(response, steps=(found,))


def embedding_request(finder: Finder, text: str) -> Request:
    """What the embedding model is asked for a text."""
    return Request("generate", finder.route, (Message("user", text),))


async def find_by_embeddings(
    consult: Consult, finder: Finder, aid: PassageAid, samples: Sequence[Mapping[str, Any]]
) -> tuple[PassageAid, tuple[Response, ...], Response | None]:
    """(the aid with the passages of these samples' columns, the calls that it took, the failure if any)."""

    async def embed(text: str) -> Response:
        return await consult(finder.name, embedding_request(finder, text))

    vectors, found = aid.vectors, dict(aid.found)
    calls: list[Response] = []
    for fields in samples:
        query = aid.text(fields)
        if query in found or vectors is None:
            continue
        hits = await vectors.search(embed, query, aid.top_k)
        calls += hits.calls
        if hits.failed is not None:
            error = hits.failed.error or ResponseError("error", "no reason was given")
            said = ResponseError(error.kind, f"the embedding model {finder.name} failed: {error.message}")
            return aid, tuple(calls), replace(hits.failed, error=said)
        found[query] = hits.passages
    return replace(aid, found=found), tuple(calls), None


def add_costs(
    response: Response, calls: Sequence[Response], finder: Finder, *, free: bool = False
) -> Response:
    """The response with what the embeddings cost that were asked for it; its tokens stay the model's own.

    `free`: the model itself costs nothing, though it does not say so.
    """
    if not calls:
        return response
    if free and response.cost_usd is None:
        response = replace(response, cost_usd=0.0)
    # Where some answers came from the cache, only the others were paid for now.
    every = [response, *(call for call in calls if call.status != "error")]
    paid = [each for each in every if not each.from_cache] or every
    costs = [each.cost_usd for each in paid if each.status != "error"]
    return replace(
        response,
        cost_usd=None if None in costs or not costs else sum(cost for cost in costs if cost is not None),
        from_cache=all(each.from_cache for each in every),
        notes=(
            *response.notes,
            f"rag: passages by embeddings of {finder.name}, whose cost is part of the cost",
        ),
    )
