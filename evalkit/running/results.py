"""From a planned cell to what scores it, and to its record."""

from __future__ import annotations

from dataclasses import replace

from evalkit.core.records import CellResult
from evalkit.metrics import build_metrics
from evalkit.metrics.judge import Judge as JudgeMetric
from evalkit.models.protocol import ModelBase
from evalkit.models.resolution import BUILT_IN
from evalkit.running.cells import PlannedCell
from evalkit.running.scoring import UNSUPPORTED, CellScorer
from evalkit.tasks.choices import base_mode

_NEED_LIKELIHOODS = ("accuracy_norm", "accuracy_bytes")
"""Metrics of choice tasks that are not defined when the model is asked for a letter."""


def make_scorer(cell: PlannedCell, trust: bool = False, judge: str | None = None) -> CellScorer:
    """What scores the responses of a cell; `trust` lets metrics run code. Raises MetricError."""
    if cell.task.task.own_rules:
        own: CellScorer = cell.task.task.scorer(cell)
        return own
    spec = cell.task.task.spec
    hooks = cell.task.task.hooks
    metrics = build_metrics(
        spec.metrics,
        language=spec.language,
        labels=tuple(spec.labels),
        kind=spec.kind,
        extra=hooks.metrics,
        trust=trust,
        folder=cell.task.task.folder,
        judge=judge,
    )
    names = {judge.metric: judge.name for judge in cell.judges}
    metrics = tuple(
        metric.known_as(names[metric.name])
        if isinstance(metric, JudgeMetric) and metric.name in names
        else metric
        for metric in metrics
    )
    if cell.mode.startswith("letter"):
        metrics = tuple(metric for metric in metrics if metric.name not in _NEED_LIKELIHOODS)
    return CellScorer(
        mode=cell.mode,
        extractor=cell.extractor,
        metrics=metrics,
    )


def cell_result(cell: PlannedCell, scorer: CellScorer, *, so_far: bool = False) -> CellResult:
    """The record of a cell whose responses are scored; `so_far` leaves out what may still come."""
    planned = 0 if so_far else cell.task.n_samples * cell.repeats
    paid, saved = scorer.costs()
    usage = scorer.usage()
    built_in = cell.model.provider in BUILT_IN
    free = {judge.metric for judge in cell.judges if judge.route.partition("/")[0] in BUILT_IN}
    judges = {
        name: replace(use, cost_usd=0.0) if name in free and use.cost_usd is None else use
        for name, use in scorer.judges().items()
    }
    notes = list(scorer.notes()) + list(cell.bound.notes)
    if not cell.supported:
        notes.append(_why_unasked(cell))
    return CellResult(
        model=cell.model.name,
        task=cell.task.task.name,
        variant=cell.variant.name,
        slug=cell.slug,
        mode=cell.mode,
        num_fewshot=cell.variant.num_fewshot,
        repeats=cell.repeats,
        params=dict(cell.params) if base_mode(cell.mode) in ("generate", "letter_generate") else {},
        prompt_digest=cell.variant.digest(),
        asked_digest=cell.variant.asked_digest(),
        data_digest=cell.task.data_digest,
        counts=scorer.counts(planned),
        metrics={
            name: replace(value, signature=_with_mode(value.signature, cell))
            for name, value in scorer.metric_values().items()
        },
        usage=usage,
        cost_usd=0.0 if built_in and paid is None and cell.finder is None else paid,
        cost_cached_usd=saved,
        latency=scorer.latency(),
        notes=tuple(dict.fromkeys(notes)),
        judges=judges,
    )


def _why_unasked(cell: PlannedCell) -> str:
    """Why the model was not asked what the cell needs."""
    if isinstance(cell.bound, ModelBase) and cell.bound.obstacle:
        return f"not asked: {cell.bound.obstacle}"
    if base_mode(cell.mode) in ("generate", "letter_generate"):
        return f"not asked: {cell.model.name} writes no text"
    if cell.mode == "rolling" and "loglikelihood" in cell.bound.capabilities:
        return f"not asked: {cell.model.name} gives likelihoods of answers only, not of whole texts"
    return f"{UNSUPPORTED}: {cell.model.name} gives no likelihoods; it was not asked"


def _with_mode(signature: str, cell: PlannedCell) -> str:
    """The signature with how the model was asked, where a task can be asked in several ways, and with how its
    likelihoods come about where they are no ordinary ones."""
    kind = {"rolling": "rolling", "generate": "", "letter_generate": ""}.get(
        base_mode(cell.mode), "loglikelihood"
    )
    manner = cell.bound.manner(kind) if kind and isinstance(cell.bound, ModelBase) else ""
    signature = f"{signature}|likelihoods:{manner}" if manner else signature
    return f"{signature}|mode:{cell.mode}" if cell.task.task.spec.kind == "choice" else signature
