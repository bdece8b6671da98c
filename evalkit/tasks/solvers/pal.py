"""Program-aided answers: the model writes a Python program, and what it prints is the answer.

L. Gao et al. 2022, "PAL: Program-aided Language Models", arXiv:2211.10435; W. Chen et al. 2022, "Program of
Thoughts Prompting", arXiv:2211.12588.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from evalkit.core.records import Request, Response
from evalkit.tasks.solvers.merging import merge_responses
from evalkit.tasks.solvers.programs import MEMORY_MB, TIMEOUT_S, find_program, require_trust, run_program

Ask = Callable[[Request], Awaitable[Response]]


async def compute(ask: Ask, request: Request, settings: Mapping[str, Any], trust: bool) -> Response:
    """The response whose text is what the model's program printed; its reply and the program are kept.

    A program that does not end well has no output that counts: the sample has no answer, and a note says how
    the program ended. Raises UsageError without the user's trust.
    """
    said = await ask(request)
    if said.status in ("error", "refused"):
        return said
    require_trust(trust, "the prompt pal")
    program = find_program(said.text)
    if program is None:
        merged = merge_responses(said, [said], ["pal: the reply holds no program"])
        return replace(merged, text="", parts=(said,))
    step = await run_program(
        program, settings.get("timeout_s", TIMEOUT_S), settings.get("memory_mb", MEMORY_MB), after=1
    )
    notes = [] if step.status == "ok" else [f"pal: the program ended with: {step.status}"]
    merged = merge_responses(said, [said], notes)
    return replace(
        merged, text=step.output.strip() if step.status == "ok" else "", parts=(said,), steps=(step,)
    )
