"""A program: reads [question, target, answer] a line, and answers true or false, by math-verify and sympy.

It is run by equality.py in a process of its own, and imports nothing of evalkit.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from math import isclose
from typing import Any


def verified(target: str, answer: str) -> bool:
    """Whether math-verify calls them equal."""
    from math_verify import parse, verify

    def expression(text: str) -> Any:
        return parse(text if "$" in text or "boxed" in text else f"${text}$", parsing_timeout=None)

    return bool(
        verify(expression(target), expression(answer), timeout_seconds=None, allow_set_relation_comp=True)
    )


def symbolic(target: str, answer: str) -> bool:
    """Whether sympy finds the two LaTeX expressions equal, or their values within a ten-thousandth."""
    from latex2sympy2_extended import latex2sympy
    from sympy import N, simplify

    right, left = latex2sympy(target), latex2sympy(answer)
    tests = (
        lambda: str(left) == str(right) or left == right,
        lambda: left.equals(right) or simplify(left - right) == 0,
        lambda: abs(left.lhs - left.rhs).equals(abs(right.lhs - right.rhs)),
        lambda: isclose(float(N(right)), float(N(left)), rel_tol=1e-4),
    )
    return any(map(_holds, tests))


def _holds(test: Any) -> bool:
    try:
        return bool(test())
    except Exception:
        return False


def main() -> None:
    """Answer until the questions end."""
    questions = {"verified": verified, "symbolic": symbolic}
    for line in sys.stdin:
        question, target, answer = json.loads(line)
        equal = _holds(partial(questions[question], target, answer))
        sys.stdout.write(f"{json.dumps(equal)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
