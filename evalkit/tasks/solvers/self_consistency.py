"""Self-consistency: the same question several times, and the most frequent answer.

Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv:2203.11171.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from evalkit.core.records import Request, Response
from evalkit.metrics.extractors import Extractor, majority_vote
from evalkit.tasks.solvers.merging import merge_responses

Ask = Callable[[Request], Awaitable[Response]]


async def vote(ask: Ask, request: Request, extractor: Extractor, n: int) -> Response:
    """The first response whose answer won the vote of `n`, with the tokens and costs of all of them.

    A failed call makes the whole sample fail: a vote of fewer would be another method.
    """
    requests = [replace(request, repeat=request.repeat * n + number) for number in range(n)]
    responses = await asyncio.gather(*(ask(each) for each in requests))
    failed = next((response for response in responses if response.status == "error"), None)
    found = [extractor.extract(response.text) if response.text else None for response in responses]
    answers = [None if extraction is None else extraction.answer for extraction in found]
    winner = majority_vote(answers)
    chosen = failed or responses[0 if winner is None else answers.index(winner)]
    n_for = sum(answer is not None and answer == winner for answer in answers)
    return merge_responses(chosen, responses, [f"self-consistency: {n_for} of {n} votes"])
