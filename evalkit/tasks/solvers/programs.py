"""Programs that a model wrote: found in its reply, run in the sandbox, their end said as what it was."""

from __future__ import annotations

import ast
import re
from typing import Any

from evalkit.core.errors import UsageError
from evalkit.core.records import Step
from evalkit.metrics.extractors import build_extractor

TIMEOUT_S, MEMORY_MB = 10.0, 512
_LONGEST_OUTPUT = 20_000
"""Characters of what a program printed that are kept."""


def require_trust(trust: bool, what: str) -> None:
    """Nothing where the user allows it; else UsageError."""
    if not trust:
        raise UsageError(
            f"{what} runs programs that a model wrote (in a sandbox, without network, with limits); allow it "
            "for this run with --trust"
        )


def find_program(text: str | None) -> str | None:
    """The last Python block of the reply, or the reply itself where it is a program; None without one."""
    if not text:
        return None
    blocks = build_extractor(
        ["strip_reasoning", {"code_block": {"language": "python", "which": "last"}}], language="en"
    )
    found = blocks.extract(text)
    if found is not None:
        return found.answer
    bare = build_extractor(["strip_reasoning"], language="en").extract(text)
    if bare is None or "print" not in bare.answer or "```" in bare.answer:
        return None
    try:
        ast.parse(bare.answer)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return bare.answer


async def run_program(program: str, timeout_s: float, memory_mb: int, after: int) -> Step:
    """What became of the program, as a step whose status says how it ended. Raises UsageError without a
    sandbox."""
    from evalkit.sandbox import run_python_async

    result = await run_python_async(program, timeout_s=timeout_s, memory_mb=memory_mb)
    status = name_outcome(result)
    detail = result.detail
    if status == "ok" and not result.stdout.strip():
        status, detail = "no output", "the program printed nothing"
    output = result.stdout if len(result.stdout) <= _LONGEST_OUTPUT else result.stdout[:_LONGEST_OUTPUT] + "…"
    return Step("python", program, output=output, status=status, detail=detail, after=after)


_SYNTAX = ("SyntaxError", "IndentationError", "TabError")
_DENIED = (
    (r"the network|Network is (unreachable|down)|socket\b", "network denied"),
    (r"writing |changing |Read-only file system", "write denied"),
    (r"reading ", "read denied"),
    (r"starting processes|no more processes", "process denied"),
    (r"signals to others", "signal denied"),
    (r"foreign code", "native code denied"),
)
"""What the sandbox says of a refusal -> its name."""


def name_outcome(result: Any) -> str:
    """How a program of the sandbox ended: ok, timeout, memory, killed, output limit, syntax error, error, or
    what it was denied (write, read, network, process, signal, native code, access)."""
    status, detail = result.status, result.detail
    if status == "forbidden":
        return next((name for pattern, name in _DENIED if re.search(pattern, detail)), "access denied")
    if status == "error":
        if detail.startswith(_SYNTAX):
            return "syntax error"
        return "killed" if detail.startswith("ended by signal") else "error"
    return str(status).replace("_", " ")
