"""From a response to a scored sample, and from scored samples to the numbers of a cell."""

from __future__ import annotations

import statistics
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evalkit.core.records import (
    Counts,
    JudgeUse,
    Latency,
    MetricValue,
    Request,
    Response,
    Sample,
    SampleResult,
    Usage,
)
from evalkit.metrics import NOTED, Case, Metric, language_warning, summarise
from evalkit.metrics.extractors import Extractor
from evalkit.metrics.judging import JudgeTally
from evalkit.running.columns import Columns
from evalkit.tasks.reading import UNSUPPORTED as UNSUPPORTED
from evalkit.tasks.reading import Reading, read_response

_GUARDED_SAMPLES = 200
"""So many samples tell which script a task is written in."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What a response is worth by each metric."""

    reading: Reading
    """The answer, where it was found, and why there is none to score."""
    scores: dict[str, float | None]
    """Metric -> the sample's score."""
    stats: dict[str, tuple[float, ...]]
    """Metric -> the sample's statistics."""


@dataclass
class CellScorer:
    """Scores the responses of one cell and keeps what its numbers need."""

    mode: str
    extractor: Extractor
    metrics: Sequence[Metric]
    _latencies: array[float] = field(default_factory=lambda: array("d"))
    _tally: dict[str, int] = field(default_factory=dict)
    _usage: dict[str, int | None] = field(default_factory=dict)
    _cost: float | None = 0.0
    _cost_cached: float | None = 0.0
    _notes: dict[str, int] = field(default_factory=dict)
    _texts: list[str] = field(default_factory=list)
    """Answers and targets of the first samples, to see whether the metrics fit their script."""
    _judges: dict[str, JudgeTally] = field(default_factory=dict)
    rate_slow: Callable[[Metric, Case], tuple[float | None, tuple[str, ...]]] | None = None
    """Rates by slow metrics elsewhere; None where they are computed here."""

    def __post_init__(self) -> None:
        """Make room for the samples."""
        self._columns = Columns(len(self.metrics))

    @property
    def slow(self) -> bool:
        """Whether a sample takes so long to rate that it is done in a thread, while calls go on."""
        return any(metric.slow for metric in self.metrics)

    def rate(self, sample: Sample, request: Request, response: Response) -> Rated:
        """What the response is worth; nothing is counted, so that threads may do it."""
        reading = read_response(self.mode, self.extractor, sample, request, response)
        scores: dict[str, float | None] = {}
        stats: dict[str, tuple[float, ...]] = {}
        notes: dict[str, None] = {}
        if reading.reason is None:
            case = Case(
                answer=reading.answer,
                response=reading.response,
                target=sample.target,
                choices=sample.choices,
                gold=sample.gold,
                chosen=reading.chosen,
                fields=sample.fields,
                text=sample.text,
            )
            for metric in self.metrics:
                elsewhere = self.rate_slow if metric.slow else None
                score, said = elsewhere(metric, case) if elsewhere else metric.rate(case)
                scores[metric.name] = score
                notes.update(dict.fromkeys(said))
                row = metric.stats_of(case, score)
                if row:
                    stats[metric.name] = row
        return Rated(_noted(reading, notes, self.slow), scores, stats)

    def score(self, position: int, sample: Sample, request: Request, response: Response) -> SampleResult:
        """The scored result of a sample; `position` is its place in the order of the data."""
        return self.take(position, sample, request, self.rate(sample, request, response))

    def take(self, position: int, sample: Sample, request: Request, rated: Rated) -> SampleResult:
        """The result of a sample that `rate` has seen; it is counted here."""
        response, extraction = rated.reading.response, rated.reading.extraction
        answer, reason = rated.reading.answer, rated.reading.reason
        scores, stats = rated.scores, rated.stats
        self._count(position, sample, response, answer, reason, scores, stats)
        if position < _GUARDED_SAMPLES and any(metric.guarded for metric in self.metrics):
            self._texts += [answer or "", *sample.target[:1]]
        return SampleResult(
            sample_id=sample.id,
            repeat=request.repeat,
            request_digest=request.digest,
            messages=request.messages,
            target=sample.target,
            choices=sample.choices,
            response=response,
            answer=answer,
            rule=extraction.rule if extraction else None,
            span=(extraction.start, extraction.end) if extraction else None,
            scores=scores,
            stats=stats,
            unscored_reason=reason,
            cluster=sample.cluster,
            metadata=sample.metadata,
        )

    def _count(
        self,
        position: int,
        sample: Sample,
        response: Response,
        answer: str | None,
        reason: str | None,
        scores: Mapping[str, float | None],
        stats: Mapping[str, tuple[float, ...]],
    ) -> None:
        tally = self._tally
        for name, holds in (
            ("scored", reason is None),
            ("unscored", reason is not None),
            ("no_answer", reason is None and answer is None and self.mode != "rolling"),
            ("refused", response.status == "refused"),
            ("truncated", response.status == "truncated"),
            ("errors", response.status == "error" and reason != UNSUPPORTED),
            ("cached", response.from_cache),
        ):
            if holds:
                tally[name] = tally.get(name, 0) + 1
        if reason is not None:
            tally[f"unscored:{reason}"] = tally.get(f"unscored:{reason}", 0) + 1
        for note in response.notes:
            self._notes[note] = self._notes.get(note, 0) + 1
        for name, judgement in response.judgements.items():
            self._judges.setdefault(name, JudgeTally(judgement.judge)).add(judgement)
        if response.status != "error":
            self._add_up(response)
        self._columns.append(
            position,
            sample.id,
            sample.cluster,
            [scores.get(metric.name) for metric in self.metrics],
            [stats.get(metric.name, ()) for metric in self.metrics],
        )

    def _add_up(self, response: Response) -> None:
        for name in ("input", "output", "reasoning", "cached"):
            value = getattr(response.usage, name)
            if name not in self._usage:
                self._usage[name] = value
            else:
                total = self._usage[name]
                self._usage[name] = None if total is None or value is None else total + value
        if response.from_cache:
            self._cost_cached = _sum(self._cost_cached, response.cost_usd)
        else:
            self._cost = _sum(self._cost, response.cost_usd)
            for part in response.parts:
                if part.from_cache:
                    self._cost_cached = _sum(self._cost_cached, part.cost_usd)
            if response.latency_s is not None:
                self._latencies.append(response.latency_s)

    @property
    def n_results(self) -> int:
        """Results so far."""
        return len(self._columns)

    def counts(self, planned: int) -> Counts:
        """The counts of the cell; what was planned and never came is unscored."""
        tally = self._tally
        missing = max(planned - self.n_results, 0)
        return Counts(
            samples=max(planned, self.n_results),
            scored=tally.get("scored", 0),
            unscored=tally.get("unscored", 0) + missing,
            no_answer=tally.get("no_answer", 0),
            refused=tally.get("refused", 0),
            truncated=tally.get("truncated", 0),
            errors=tally.get("errors", 0),
            cached=tally.get("cached", 0),
        )

    def metric_values(self) -> dict[str, MetricValue]:
        """The numbers of the cell, each with n, interval and signature, whatever the order of arrival."""
        columns = self._columns
        order = columns.order()
        identities, clusters = columns.ids(order), columns.clusters(order)
        return {
            metric.name: summarise(
                metric,
                columns.scores(column, order),
                columns.stats(column, order),
                sample_ids=identities,
                clusters=clusters,
            )
            for column, metric in enumerate(self.metrics)
        }

    def usage(self) -> Usage:
        """Tokens of the cell, cached answers included; None where one call did not say."""
        return Usage(**self._usage)

    def costs(self) -> tuple[float | None, float | None]:
        """US dollars paid now, and once paid for the answers from the cache; None when a price is unknown."""
        return self._cost, self._cost_cached

    def judges(self) -> dict[str, JudgeUse]:
        """What the judging of each metric took; empty where no model judges."""
        return {name: tally.use() for name, tally in sorted(self._judges.items())}

    def latency(self) -> Latency:
        """Seconds per call of this run."""
        values = sorted(self._latencies)
        if not values:
            return Latency()
        last = len(values) - 1
        return Latency(
            mean=statistics.fmean(values), p50=values[round(last * 0.5)], p95=values[round(last * 0.95)]
        )

    def notes(self) -> tuple[str, ...]:
        """What was done to calls and answers on the way, each with how often."""
        reasons = [
            f"{name.removeprefix('unscored:')}: {count} unscored"
            for name, count in sorted(self._tally.items())
            if name.startswith("unscored:")
        ]
        return (
            *reasons,
            *self._notes_of_metrics(),
            *(note for name, tally in sorted(self._judges.items()) for note in tally.notes(name)),
            *(f"{note} ({count}x)" for note, count in sorted(self._notes.items())),
        )

    def _notes_of_metrics(self) -> list[str]:
        """What a reader must know of the numbers: short references, a metric that does not fit the script."""
        import numpy as np

        notes = []
        for column, metric in enumerate(self.metrics):
            warning = language_warning(metric, sorted(self._texts))
            if warning is not None:
                notes.append(warning)
            rows = [row for row in self._columns.stats(column, range(len(self._columns))) if row]
            if rows:
                notes += metric.notes(np.array(rows, dtype=np.float64))
        return notes


def _noted(reading: Reading, notes: Iterable[str], slow: bool) -> Reading:
    """The reading whose response says how it was rated, in place of what an earlier rating had said."""
    response = reading.response
    kept = [note for note in response.notes if not note.startswith(NOTED)] if slow else response.notes
    if tuple(said := (*kept, *notes)) == response.notes:
        return reading
    return replace(reading, response=replace(response, notes=said))


def _sum(total: float | None, cost: float | None) -> float | None:
    return None if total is None or cost is None else total + cost
