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
from typing import Any, ClassVar

from evalkit.core.errors import MetricError
from evalkit.metrics.base import NOTED, Case, Context, Metric, check_choice, sign
from evalkit.metrics.programs import Tested, read_program

_MAIN = 'import solution\n__import__("os").write(1, {mark!r})\n'
JUDGES = ("outside", "inside")
INSIDE = f"{NOTED}judged in the program's own interpreter, where a pass can be forged"
"""How the note begins of a program whose tests cannot run apart from it."""
_OWN_JUDGE = f"{NOTED}passes only where the program itself can judge: counted as "
TAMPERED = f"{_OWN_JUDGE}failed; the benchmark's own harness counts it as passed"
"""The note of a program that tampers with its judgement, or seems to."""
COUNTED = f"{_OWN_JUDGE}passed, as the benchmark's own harness counts it; apart from its tests it fails"
"""The same, where the harness's number is asked for."""
_TAMPERS = re.compile(
    r"__(?:eq|ne|lt|le|gt|ge|hash|class|subclasses|del|bool|len|contains|instancecheck|builtins|import)__"
    r"|_getframe|\bf_(?:back|locals|globals|code)\b|\bco_|\bgc\b|settrace|setprofile|monitoring|linecache"
    r"|\binspect\b|\btraceback\b|_exit\b|\bexit\b|\bquit\b|SystemExit|atexit|builtins|sys\.modules|importlib"
    r"|ctypes|excepthook|\bsignal\b|\bthreading\b|globals\(|\bvars\(|\bexec\(|\beval\(|\bopen\(|\bos\.|metaclass"
    r"|AssertionError|setattr"
)
"""What a program that reaches for its tests has in its text; honest ones have it too."""


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
        judged: str = "outside",
        repair: str = "none",
        timeout_s: float = 10.0,
        memory_mb: int = 512,
    ) -> None:
        self.name = name
        self.trust = trust is True
        self.judged = check_choice(name, "judged", judged, JUDGES)
        self.repair = check_choice(name, "repair", repair, ("none", "indentation"))
        self.timeout_s, self.memory_mb = timeout_s, memory_mb
        self.signature = sign(
            "code_passes",
            judged=judged,
            repair=None if repair == "none" else repair,
            timeout_s=f"{timeout_s:g}",
            memory_mb=memory_mb,
            v=2,
        )
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
        return self.rate(case)[0]

    def rate(self, case: Case) -> tuple[float, tuple[str, ...]]:
        """The score; and whether it was judged where it can be forged, or seems to be."""
        self.require_trust()
        tested = read_program(case.answer or "", case.fields, indent=self.repair == "indentation")
        if case.answer is None:
            return 0.0, ()
        if self.judged == "inside":
            passes = self._passes_inside(tested)
            return float(passes), (COUNTED,) if passes and self._is_forged(case, tested) else ()
        tests = tested.apart()
        if isinstance(tests, str):
            return float(self._passes_inside(tested)), (f"{INSIDE} ({tests})",)
        result = self._run(tested.program, tests=tests)
        told = dict(result.said)
        if "inside" in told:
            return float(self._passes_inside(tested)), (f"{INSIDE} ({told['inside']})",)
        if result.status == "ok" and "passed" in told:
            return 1.0, ()
        suspect = "suspect" in told or _TAMPERS.search(case.answer) is not None
        if suspect and result.status != "timeout" and self._passes_inside(tested):
            return 0.0, (TAMPERED,)
        return 0.0, ()

    def _is_forged(self, case: Case, tested: Tested) -> bool:
        """Whether what passed beside its tests, and has what forging needs, fails apart from them."""
        tests = tested.apart()
        if isinstance(tests, str) or _TAMPERS.search(case.answer or "") is None:
            return False
        told = dict(self._run(tested.program, tests=tests).said)
        return "passed" not in told and "inside" not in told

    def _passes_inside(self, tested: Tested) -> bool:
        """Whether the program passes with its tests in one interpreter, which it can rule."""
        # A program that exits early ends with code 0 too; the mark is written after the last test alone.
        mark = f"\n{secrets.token_hex(16)}".encode()
        result = self._run(_MAIN.format(mark=mark), files={"solution.py": tested.together()})
        return result.status == "ok" and mark.decode() in result.stdout

    def _run(self, code: str, **more: Any) -> Any:
        from evalkit.sandbox import run_python

        return run_python(code, timeout_s=self.timeout_s, memory_mb=self.memory_mb, **more)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of k programs, drawn from n of which c pass, passes.

    The unbiased estimate 1 - C(n-c, k) / C(n, k) of Chen et al. 2021, equation 1, exact in integers. Raises
    MetricError unless 0 <= c <= n and 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise MetricError(f"pass@k needs 0 <= c <= n and 1 <= k <= n, not n={n}, c={c}, k={k}")
    total = math.comb(n, k)
    return (total - math.comb(n - c, k)) / total
