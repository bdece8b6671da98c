"""Traditional and simplified Chinese made one, on request, before any metric compares."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Case, Metric, check_choice
from evalkit.metrics.changed import Changed

SCRIPTS = ("t2s", "s2t")


@cache
def converter(script: str) -> tuple[Callable[[str], str], str]:
    """The function that folds a text (t2s: to simplified, s2t: to traditional), and the library that does it.

    Raises MetricError where no library for it is installed.
    """
    import importlib.util

    if importlib.util.find_spec("opencc"):
        import opencc

        return opencc.OpenCC(script).convert, "opencc"
    if importlib.util.find_spec("zhconv"):
        import zhconv

        target = "zh-hans" if script == "t2s" else "zh-hant"
        return lambda text: str(zhconv.convert(text, target)), "zhconv"
    raise MetricError(
        f"`script: {script}` needs a converter between traditional and simplified Chinese; install one: "
        "pip install opencc-python-reimplemented (or zhconv)"
    )


class Folded(Changed):
    """Another metric, on answers and targets in one script."""

    def __init__(self, metric: Metric, script: str) -> None:
        script = check_choice(metric.name, "script", script, SCRIPTS)
        self.convert, library = converter(script)
        super().__init__(metric, f"|script:{script}-{library}")

    def change(self, case: Case) -> Case:
        """The case with answer and targets in one script."""
        answer = None if case.answer is None else self.convert(case.answer)
        return dataclasses.replace(case, answer=answer, target=tuple(map(self.convert, case.target)))
