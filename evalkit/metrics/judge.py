"""A model that judges answers, as a metric: it reads what the judge said, and asks nothing itself.

The judge is asked while the run goes on (evalkit.tasks.solvers.judge); its judgements come with the response.
L. Zheng et al. 2023, "Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena", arXiv:2306.05685.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.core.records import Scale
from evalkit.metrics.base import Case, Context, Metric, check_choice, sign
from evalkit.metrics.judging import Points, make_rubric


class Judge(Metric):
    """What the judge's verdict is worth, from 0 to 1; with `report: points` the points themselves."""

    kinds: ClassVar[frozenset[str]] = frozenset({"generate"})
    reads_target = False
    by_judge = True

    def __init__(
        self,
        context: Context,
        *,
        name: str = "judge",
        model: str | None = None,
        rubric: str | None = None,
        prompt: str | None = None,
        scale: Sequence[float] | None = None,
        labels: Sequence[Any] | Mapping[str, Any] | None = None,
        reference: bool | None = None,
        context_column: str | None = None,
        prompt_language: str | None = None,
        output: str = "json",
        report: str = "fraction",
        max_tokens: int = 1024,
        structured: bool | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.model = context.judge or model
        self.rubric = make_rubric(
            name,
            language=context.language,
            folder=context.folder,
            rubric=rubric,
            prompt=prompt,
            scale=scale,
            labels=labels,
            reference=reference,
            context=context_column,
            prompt_language=prompt_language,
            output=output,
            max_tokens=max_tokens,
            structured=structured,
            params=params,
        )
        self.low, self.high = 0.0, 1.0
        report = check_choice(name, "report", report, ("fraction", "points"))
        if report == "points" and isinstance(self.rubric.scale, Points):
            self.low, self.high = self.rubric.scale.low, self.rubric.scale.high
            self.scale: Scale = "unbounded"
            self.bounds = (self.low, self.high)
        self._report = report if self.scale == "unbounded" else None
        self.signature = self._sign(self.model or "?")

    def known_as(self, model: str) -> Judge:
        """The same metric, its signature with the judge's name as results know it; this one is unchanged."""
        found = copy.copy(self)
        found.signature = found._sign(model)
        return found

    def _sign(self, model: str) -> str:
        return sign(
            "judge",
            model=model,
            prompt=f"{self.rubric.name}-{self.rubric.digest[:12]}",
            lang=self.rubric.language,
            scale=self.rubric.scale.sign(),
            report=self._report,
            v=2,
        )

    def score(self, case: Case) -> float | None:
        """What the verdict is worth; the lowest without an answer, None where the judge gave no verdict."""
        if case.answer is None:
            return self.low
        judgement = case.response.judgements.get(self.name)
        if judgement is None or judgement.worth is None:
            return None
        return self.low + judgement.worth * (self.high - self.low)
