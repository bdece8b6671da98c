"""The numbers of a cell by the rules of lm-evaluation-harness, under its names `metric,filter`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.records import MetricValue, Request, Response, Sample, SampleResult, Scale
from evalkit.interop.lm_eval.requests import DocRequests
from evalkit.interop.lm_eval.task import LmEvalTask
from evalkit.running.scoring import UNSUPPORTED, CellScorer
from evalkit.stats import mean_interval

_VERSION = "0.4.13"
"""The version whose behaviour is reproduced."""
_PERCENT = ("bleu", "chrf", "ter")
_LOWER = ("perplexity", "bits_per_byte", "ter", "brier_score")


@dataclass(frozen=True)
class Asked:
    """What was asked for one document and what came back, kept until it is scored."""

    doc: DocRequests
    responses: Sequence[Any]
    """For each item a text, a Loglikelihood or a number; a list of such with repeats."""


@dataclass
class LmEvalScorer(CellScorer):
    """Scores one cell of a task of lm-evaluation-harness."""

    cell: int = field(kw_only=True)
    lm: LmEvalTask = field(kw_only=True)
    asked: dict[tuple[int, int], Asked] = field(kw_only=True)
    """(cell, position) -> what awaits scoring."""
    version: str = field(kw_only=True)
    """That of the task."""
    _values: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def score(self, position: int, sample: Sample, request: Request, response: Response) -> SampleResult:
        """The scored result of a document."""
        asked = self.asked.pop((self.cell, position), None)
        reason = None
        scores: dict[str, float | None] = {}
        if response.status == "error" or asked is None:
            reason = response.error.kind if response.error else UNSUPPORTED
        else:
            values = self.lm.score(asked.doc, asked.responses)
            self._values[position] = values
            scores = {name: _number(value) for name, value in values.items()}
        answer = self._answer(sample, response) if reason is None else None
        self._count(position, sample, response, answer, reason, scores, {})
        return SampleResult(
            sample_id=sample.id,
            repeat=0,
            request_digest=request.digest,
            messages=request.messages,
            target=sample.target,
            choices=sample.choices,
            response=response,
            answer=answer,
            rule=None,
            span=None,
            scores=scores,
            stats={},
            unscored_reason=reason,
        )

    def _answer(self, sample: Sample, response: Response) -> str | None:
        """What a reader takes for the answer: the likeliest choice, or the text."""
        likelihoods = [item.logprob for item in response.loglikelihoods]
        if sample.choices and len(likelihoods) >= len(sample.choices):
            first = likelihoods[: len(sample.choices)]
            return sample.choices[first.index(max(first))]
        return response.text or None

    def metric_values(self) -> dict[str, MetricValue]:
        """The field's own values and standard errors, with an interval for means of bounded scores."""
        if not self._values:
            return {}
        rows = [self._values[position] for position in sorted(self._values)]
        found = self.lm.aggregate(rows, bootstrap=1000)
        return {name: self._value(name, value, stderr, rows) for name, (value, stderr) in found.items()}

    def _value(
        self, name: str, value: Any, stderr: float | None, rows: Sequence[Mapping[str, Any]]
    ) -> MetricValue:
        number = _number(value)
        metric = name.rpartition(",")[0]
        scale: Scale = "unbounded"
        interval = method = None
        scores = [score for row in rows if (score := _number(row.get(name))) is not None]
        if scores and number is not None and all(0 <= score <= 1 for score in scores):
            scale = "fraction" if 0 <= number <= 1 else "unbounded"
            if len(scores) > 1 and abs(sum(scores) / len(scores) - number) < 1e-9:
                ends = mean_interval(scores)
                if ends.lo is not None and ends.hi is not None:
                    interval, method = (ends.lo, ends.hi), "gaffke"
        elif metric in _PERCENT:
            scale = "percent"
        better = self.lm.higher_is_better(name)
        return MetricValue(
            value=number,
            stderr=_number(stderr),
            interval=interval,
            interval_method=method,
            n=len(rows),
            signature=f"lm_eval:{name}|task_version:{self.version}|compatible:{_VERSION}",
            higher_is_better=not any(part in metric for part in _LOWER) if better is None else better,
            scale=scale,
        )


def _number(value: Any) -> float | None:
    """The value as a number; None for pairs, texts and what else the field hands to its aggregations."""
    if isinstance(value, bool | int | float):
        return float(value)
    item = getattr(value, "item", None)  # numpy's scalars
    if callable(item) and getattr(value, "size", 1) == 1:
        return _number(item())
    return None
