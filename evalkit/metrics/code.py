"""Functional correctness: does a program that the model wrote pass its task's tests?

Definition and pass@k: M. Chen et al., "Evaluating Large Language Models Trained on Code", arXiv:2107.03374,
section 2.1. Samples have the columns of HumanEval (prompt, test, entry_point) or of MBPP (test_list,
test_setup_code; J. Austin et al., arXiv:2108.07732). The answer is the code alone: extract it first.

The program runs in `evalkit.sandbox`, and only where the user has said that it may.
"""

from __future__ import annotations

import math
import re
import secrets
import textwrap
from collections.abc import Mapping
from typing import Any, ClassVar

from evalkit.errors import MetricError, list_names
from evalkit.metrics.base import Case, Context, Metric, sign

_MAIN = 'import solution\n__import__("os").write(1, {mark!r})\n'


class CodePasses(Metric):
    """1 when the program passes all tests of its task within its time and memory, else 0."""

    kinds: ClassVar[frozenset[str]] = frozenset({"generate"})
    slow = True

    def __init__(
        self,
        context: Context,
        *,
        name: str = "code_passes",
        trust: bool = False,
        timeout_s: float = 10.0,
        memory_mb: int = 512,
    ) -> None:
        self.name = name
        self.trust = trust is True
        self.timeout_s, self.memory_mb = timeout_s, memory_mb
        self.signature = sign("code_passes", timeout_s=f"{timeout_s:g}", memory_mb=memory_mb, v=1)
        self.require_trust()

    def require_trust(self) -> None:
        """Raises MetricError unless the user has allowed that model-written programs run here."""
        if not self.trust:
            raise MetricError(
                f"metric {self.name!r} runs programs that a model wrote (in a sandbox, without network, with "
                "limits); allow it for this run with --trust"
            )

    def score(self, case: Case) -> float:
        """1.0 or 0.0; an answer without code fails, as does a program that ends before its last test."""
        from evalkit.sandbox import run_python

        self.require_trust()
        program = build_program(case.answer or "", case.fields)
        if case.answer is None:
            return 0.0
        # A program that exits early ends with code 0 too; the mark is written after the last test alone.
        mark = f"\n{secrets.token_hex(16)}".encode()
        result = run_python(
            _MAIN.format(mark=mark),
            files={"solution.py": program},
            timeout_s=self.timeout_s,
            memory_mb=self.memory_mb,
        )
        return float(result.status == "ok" and mark.decode() in result.stdout)


def build_program(answer: str, fields: Mapping[str, Any]) -> str:
    """The answer followed by the tests of its task, as one program.

    HumanEval: an answer that defines the function replaces its stub and keeps the imports and helpers above
    it; any other goes on where the prompt ends. Raises MetricError when columns are missing.
    """
    if isinstance(fields.get("entry_point"), str):
        entry, prompt, test = (_text(fields, key) for key in ("entry_point", "prompt", "test"))
        definition = re.compile(rf"^(?:async\s+)?def\s+{re.escape(entry)}\b", re.MULTILINE)
        if definition.search(answer):
            stubs = list(definition.finditer(prompt))
            head = prompt[: stubs[-1].start()] if stubs else prompt
            solution = _hoist(head, answer)
        else:
            solution = f"{prompt}{_indent(answer)}"
        return f"{solution}\n\n{test}\n\ncheck({entry})\n"
    tests = fields.get("test_list")
    if tests is None or isinstance(tests, str) or not all(isinstance(test, str) for test in tests):
        raise MetricError(
            "code_passes needs the columns of HumanEval (prompt, test, entry_point) or of MBPP (test_list, a "
            f"list); the sample has {list_names(fields) or 'no columns'}"
        )
    parts = [fields.get("test_setup_code") or "", answer, *tests]
    return _hoist("", "\n\n".join(part for part in parts if part)) + "\n"


def _hoist(head: str, answer: str) -> str:
    """Head and answer, the answer's `from __future__` lines first, where alone they may stand."""
    future = re.compile(r"^from __future__ import .*\n?", re.MULTILINE)
    lines = "".join(
        line if line.endswith("\n") else f"{line}\n" for line in future.findall(f"{head}\n{answer}")
    )
    return f"{lines}{future.sub('', head)}{future.sub('', answer)}"


def _indent(body: str) -> str:
    """The body of a function with the indentation that an extractor took from its first line, or from all."""
    if not body.strip() or body.lstrip("\n")[0].isspace():
        return body
    first, *others = body.splitlines()
    if any(line and not line[0].isspace() for line in others):
        return textwrap.indent(body, "    ")
    return "\n".join([f"    {first}", *others])


def _text(fields: Mapping[str, Any], column: str) -> str:
    value = fields.get(column)
    if not isinstance(value, str):
        raise MetricError(f"code_passes needs the column {column!r}, a text, not {type(value).__name__}")
    return value


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of k programs, drawn from n of which c pass, passes.

    The unbiased estimate 1 - C(n-c, k) / C(n, k) of Chen et al. 2021, equation 1, exact in integers. Raises
    MetricError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise MetricError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, not n={n}, c={c}, k={k}")
    total = math.comb(n, k)
    return (total - math.comb(n - c, k)) / total
