"""Equality of mathematical answers, as math-verify (https://github.com/huggingface/Math-Verify) decides it.

Fractions, surds, intervals, sets, equations and matrices compare by value. math-verify also takes 50% for 0.5
and for 50, 10 cm for 10 m, and 1,2 for (1,2); an interval is not its mirror, a column no row. It runs in
a process of its own that is killed when it takes too long: an answer such as 9^{9^9} has no end.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from typing import ClassVar

from evalkit.errors import MetricError
from evalkit.metrics.base import Case, Context, Metric, check_target, sign

MAX_LENGTH = 4096
"""Characters of an answer that are compared; a longer one is no answer to a problem (so does inspect_ai)."""

_WORKER = """
import json, sys
from math_verify import parse, verify
def expression(text):
    return parse(text if "$" in text or "boxed" in text else f"${text}$", parsing_timeout=None)
for line in sys.stdin:
    gold, answer = json.loads(line)
    try:
        sides = expression(gold), expression(answer)
        equal = bool(verify(*sides, timeout_seconds=None, allow_set_relation_comp=True))
    except Exception:
        equal = False
    print(json.dumps(equal), flush=True)
"""


class MathEqual(Metric):
    """1 when the answer equals one of the targets as mathematics, else 0; one that takes too long is 0."""

    kinds: ClassVar[frozenset[str]] = frozenset({"generate"})
    slow = True
    _worker: subprocess.Popen[str] | None = None

    def __init__(self, context: Context, *, name: str = "math_equal", timeout_s: float = 5.0) -> None:
        if importlib.util.find_spec("math_verify") is None:
            raise MetricError(f"metric {name!r} needs math-verify; install it: pip install math-verify")
        self.name = name
        self.timeout_s = timeout_s
        self.signature = sign(
            "math_equal", reference=f"math-verify-{version('math-verify')}", timeout_s=f"{timeout_s:g}", v=1
        )
        self._lock = threading.Lock()
        self._started = False

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        targets = check_target(self.name, case)
        if case.answer is None or len(case.answer) > MAX_LENGTH:
            return 0.0
        answer = case.answer.strip()
        if answer in (target.strip() for target in targets):
            return 1.0
        return float(any(self._equal(target, answer) for target in targets))

    def _equal(self, target: str, answer: str) -> bool:
        with self._lock:
            worker = self._running()
            # The first question waits for the import of sympy.
            seconds = self.timeout_s if self._started else self.timeout_s + 60.0
            answered: Future[bool] | None = None
            pool = ThreadPoolExecutor(1, "evalkit-math")
            try:
                answered = pool.submit(_ask, worker, target, answer)
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
                [sys.executable, "-c", _WORKER],
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


def _ask(worker: subprocess.Popen[str], target: str, answer: str) -> bool:
    """Whether the worker finds them equal. Raises OSError or ValueError when it has ended."""
    if worker.stdin is None or worker.stdout is None:
        raise ValueError("no pipes")
    worker.stdin.write(json.dumps([target, answer]) + "\n")
    worker.stdin.flush()
    return bool(json.loads(worker.stdout.readline()))
