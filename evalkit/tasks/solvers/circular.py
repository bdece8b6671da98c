"""Circular evaluation: a choice asked once for every rotation of its options.

Y. Liu et al. 2023, "MMBench: Is Your Multi-modal Model an All-around Player?", arXiv:2307.06281, section 4.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from evalkit.core.records import Request, Response
from evalkit.tasks.solvers.merging import merge_responses

Ask = Callable[[Request], Awaitable[Response]]


async def rotate(ask: Ask, requests: Sequence[Request]) -> Response:
    """The first response with those to all rotations as its parts, and the tokens and costs of all.

    A failed call makes the whole sample fail: fewer rotations would be an easier test.
    """
    responses = await asyncio.gather(*(ask(request) for request in requests))
    failed = next((response for response in responses if response.status == "error"), None)
    return replace(merge_responses(failed or responses[0], responses), loglikelihoods=())
