"""Equality of mathematical answers, by a reference that is named: published figures hang on which.

`math-verify` (https://github.com/huggingface/Math-Verify) compares by value: fractions, surds, intervals,
sets, equations, matrices. It also takes 50% for 0.5 and for 50, 10 cm for 10 m, and 1,2 for (1,2); `strict`
does not. `is_equiv` is that of MATH, `minerva` that of Minerva's normal form, `qwen` that of Qwen2.5-Math.
What needs algebra runs in a process of its own that is killed when it takes too long: an answer such as
9^{9^9} has no end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Case, Context, Metric, check_choice, check_target, sign
from evalkit.metrics.mathematics import hendrycks, minerva, qwen

MAX_LENGTH = 4096
"""Characters of an answer that are compared; a longer one is no answer to a problem (as inspect_ai)."""
WORKER = Path(__file__).with_name("worker.py")
Ask = Callable[[str, str, str], bool]
"""The process's answer to (question, target, answer)."""

REFERENCES: dict[str, Callable[[str, str, Ask], bool]] = {
    "math-verify": lambda target, answer, ask: ask("verified", target, answer),
    "is_equiv": lambda target, answer, ask: hendrycks.is_equiv(target, answer),
    "minerva": lambda target, answer, ask: minerva.is_equiv(target, answer),
    "qwen": lambda target, answer, ask: qwen.is_equiv(
        target, answer, lambda right, left: ask("symbolic", right, left)
    ),
}
"""A reference's name -> whether it calls (target, answer) equal."""
_OF_TEXT = ("is_equiv", "minerva")
"""References that compare texts alone, and need nothing installed."""

_PERCENT = re.compile(r"\s*\\?%\s*")
_UNIT = re.compile(
    r"(?<=[\d})])\s*\\(?:text|mathrm|textrm|mbox)\{\s*([^{}]*[A-Za-z][^{}]*?)\.?\s*\}(\^\{?\d\}?)?\s*$"
)


class MathEqual(Metric):
    """1 when the answer equals one of the targets as mathematics, else 0; one that takes too long is 0."""

    kinds: ClassVar[frozenset[str]] = frozenset({"generate"})
    slow = True
    _worker: subprocess.Popen[str] | None = None

    def __init__(
        self,
        context: Context,
        *,
        name: str = "math_equal",
        reference: str = "math-verify",
        strict: bool = False,
        timeout_s: float = 5.0,
    ) -> None:
        self.reference = check_choice(name, "reference", reference, tuple(REFERENCES))
        text = reference in _OF_TEXT
        if not text and importlib.util.find_spec("math_verify") is None:
            raise MetricError(f"metric {name!r} needs math-verify; install it: pip install math-verify")
        if strict and reference != "math-verify":
            raise MetricError(f"metric {name!r}: `strict` goes with `reference: math-verify` alone")
        self.name, self.strict, self.timeout_s = name, strict, timeout_s
        said = reference if reference != "math-verify" else f"math-verify-{version('math-verify')}"
        self.signature = sign(
            "math_equal",
            reference=said,
            algebra=f"latex2sympy2_extended-{version('latex2sympy2_extended')}"
            if reference == "qwen"
            else None,
            strict=strict or None,
            timeout_s=None if text else f"{timeout_s:g}",
            v=1,
        )
        self._lock = threading.Lock()
        self._started = False

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        targets = check_target(self.name, case)
        if case.answer is None or len(case.answer) > MAX_LENGTH:
            return 0.0
        answer = case.answer.strip()
        return float(any(self._equal(target.strip(), answer) for target in targets))

    def _equal(self, target: str, answer: str) -> bool:
        if target == answer:
            return True
        if self.strict:
            if _unit(target) and _unit(answer) and _unit(target) != _unit(answer):
                return False
            target, answer = _by_hundred(target, answer), _by_hundred(answer, target)
        return REFERENCES[self.reference](target, answer, self._ask)

    def _ask(self, question: str, target: str, answer: str) -> bool:
        with self._lock:
            worker = self._running()
            # The first question waits for the import of sympy.
            seconds = self.timeout_s if self._started else self.timeout_s + 60.0
            answered: Future[bool] | None = None
            pool = ThreadPoolExecutor(1, "evalkit-math")
            try:
                answered = pool.submit(_ask, worker, question, target, answer)
                equal = answered.result(seconds)
                self._started = True
                return equal
            except (TimeoutError, OSError, ValueError):
                self._stop()
                return False
            finally:
                pool.shutdown(wait=False)

    def _running(self) -> subprocess.Popen[str]:
        if self._worker is None or self._worker.poll() is not None:
            self._started = False
            self._worker = subprocess.Popen(
                [sys.executable, "-P", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
            )
        return self._worker

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            worker.wait()
            for stream in (worker.stdin, worker.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()

    def __del__(self) -> None:
        self._stop()


def _ask(worker: subprocess.Popen[str], question: str, target: str, answer: str) -> bool:
    """The worker's answer. Raises OSError or ValueError when it has ended."""
    if worker.stdin is None or worker.stdout is None:
        raise ValueError("no pipes")
    worker.stdin.write(json.dumps([question, target, answer]) + "\n")
    worker.stdin.flush()
    return bool(json.loads(worker.stdout.readline()))


def _unit(text: str) -> str:
    """The unit that stands in letters after a value, in one spelling; empty without one."""
    found = _UNIT.search(text.strip().strip("$"))
    if not found:
        return ""
    power = re.sub(r"\D", "", found[2] or "")
    return re.sub(r"s$|\s", "", found[1].lower()) + power


def _by_hundred(text: str, other: str) -> str:
    """The text, as a fraction of a hundred where it alone of the two is a percentage."""
    if not _PERCENT.search(text) or _PERCENT.search(other):
        return text
    return rf"\frac{{{_PERCENT.sub('', text).strip().strip('$')}}}{{100}}"
