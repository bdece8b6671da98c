"""Retrieval-augmented prompts: passages of the task's documents stand in the prompt.

P. Lewis et al. 2020, "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", arXiv:2005.11401.
The prompt is made with its passages, so that records, cache, preview and estimate show what is sent; here
the response is told which documents they were.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from evalkit.messages import Step
from evalkit.records import Request, Response

Ask = Callable[[Request], Awaitable[Response]]


async def ask_with_passages(ask: Ask, request: Request, found: Step) -> Response:
    """The response with the search that preceded it as its first step."""
    response = await ask(request)
    return replace(response, steps=(found,))
