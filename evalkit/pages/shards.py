"""Shards: the samples of one task and variant with all models' answers, compressed for the page.

A shard is JSON, deflated, in base64. The page decodes it with the browser's DecompressionStream when it is
opened, so that a page with many samples opens as fast as one with none.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import orjson

from evalkit.messages import Step
from evalkit.pages.formats import dump
from evalkit.records import ImagePart, Judgement, Message, MetricValue, Response, SampleResult, Usage

MAX_RESULTS = 5_000
"""Results of a cell that a page carries; the run folder has them all, and the page says so."""
MAX_TEXT = 20_000
"""Characters of one text that a page carries; what is cut is said."""
MAX_STEP = 4_000
"""Characters of one step of a sample that took several calls."""

Verdict = Literal["correct", "partial", "wrong", "no_answer", "refused", "error", "unscored", "scored"]


@dataclass(frozen=True)
class Shard:
    """The compressed samples of one task and variant."""

    id: str
    """`task/variant`, as permalinks name it."""
    task: str
    variant: str
    models: tuple[str, ...]
    n_samples: int
    """Samples in the shard."""
    n_left_out: int
    """Results that the run has beyond what the shard carries."""
    content: str
    """Base64 of the deflated JSON."""


@dataclass(frozen=True)
class ShardCell:
    """One model's part of a shard."""

    model: str
    headline: str
    metrics: Mapping[str, MetricValue]
    """The metrics of the cell."""
    results: Iterable[SampleResult]
    n_results: int
    """How many results the cell has."""


def verdict(result: SampleResult, headline: str, metric: MetricValue | None) -> Verdict:
    """What became of a sample, in one word, judged by the headline metric."""
    if result.response.status == "error":
        return "error"
    if result.unscored_reason is not None:
        return "unscored"
    if result.answer is None and result.response.text is not None:
        return "refused" if result.response.status == "refused" else "no_answer"
    value = result.scores.get(headline)
    judgement = result.response.judgements.get(headline)
    if value is None and judgement is not None and judgement.unscored_reason is not None:
        return "unscored"
    if value is None or metric is None or metric.scale == "unbounded" or not metric.higher_is_better:
        return "scored"
    best = 1.0 if metric.scale == "fraction" else 100.0
    if value >= best - 1e-9:
        return "correct"
    return "wrong" if value <= 1e-9 else "partial"


def build_shard(id: str, task: str, variant: str, cells: Sequence[ShardCell]) -> Shard:
    """The cells' samples side by side, in the order of the data."""
    prompts: dict[str, int] = {}
    samples: dict[str, dict[str, Any]] = {}
    for index, cell in enumerate(cells):
        for result in islice(cell.results, MAX_RESULTS):
            sample = samples.get(result.sample_id)
            if sample is None:
                sample = samples[result.sample_id] = _sample(result)
            answer = _answer(result, cell, index)
            if result.messages:
                encoded = dump([_message(message) for message in result.messages]).decode()
                answer["p"] = prompts.setdefault(encoded, len(prompts))
            sample["answers"].append(answer)
    scales = {name: value.scale for cell in cells for name, value in cell.metrics.items()}
    content = {
        "task": task,
        "variant": variant,
        "models": [cell.model for cell in cells],
        "scales": scales,
        "prompts": [orjson.loads(prompt) for prompt in prompts],
        "samples": list(samples.values()),
    }
    return Shard(
        id=id,
        task=task,
        variant=variant,
        models=tuple(cell.model for cell in cells),
        n_samples=len(samples),
        n_left_out=sum(max(0, cell.n_results - MAX_RESULTS) for cell in cells),
        content=pack(dump(content)),
    )


def pack(content: bytes) -> str:
    """The content deflated, in base64, as the page's script unpacks it."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _sample(result: SampleResult) -> dict[str, Any]:
    sample: dict[str, Any] = {"id": result.sample_id, "answers": []}
    if result.target:
        sample["target"] = [_clip(target) for target in result.target]
    if result.choices:
        sample["choices"] = [_clip(choice) for choice in result.choices]
    if result.metadata:
        sample["metadata"] = dict(result.metadata)
    if result.cluster is not None:
        sample["cluster"] = result.cluster
    return sample


def _answer(result: SampleResult, cell: ShardCell, index: int) -> dict[str, Any]:
    """One model's answer; what is unknown has no key."""
    response = result.response
    answer: dict[str, Any] = {
        "m": index,
        "k": result.repeat or None,
        "v": verdict(result, cell.headline, cell.metrics.get(cell.headline)),
        "status": None if response.status == "ok" else response.status,
        "text": None if response.text is None else _clip(response.text),
        "reasoning": None if response.reasoning is None else _clip(response.reasoning),
        "answer": None if result.answer is None else _clip(result.answer),
        "rule": result.rule,
        "span": _span(response.text, result.span),
        "scores": {name: _rounded(value) for name, value in result.scores.items()} or None,
        "why": result.unscored_reason,
        "usage": _usage(response.usage),
        "cost": response.cost_usd,
        "latency": _rounded(response.latency_s),
        "retries": response.retries or None,
        "cached": response.from_cache or None,
        "finish": response.finish_reason,
        "reported": response.model_reported,
        "error": None if response.error is None else [response.error.kind, _clip(response.error.message)],
        "notes": list(response.notes) or None,
        "judged": [_judgement(name, said) for name, said in response.judgements.items()] or None,
        "parts": [_part(part) for part in response.parts] or None,
        "done": [_done(step) for step in response.steps] or None,
        "logprobs": [[_rounded(ll.logprob), ll.n_tokens] for ll in response.loglikelihoods] or None,
    }
    return {key: value for key, value in answer.items() if value is not None}


def _part(part: Response) -> dict[str, Any]:
    """One call of a sample that took several; what is unknown has no key."""
    found: dict[str, Any] = {
        "text": None if part.text is None else _clip(part.text, MAX_STEP),
        "reasoning": None if part.reasoning is None else _clip(part.reasoning, MAX_STEP),
        "usage": _usage(part.usage),
        "cost": part.cost_usd,
        "latency": _rounded(part.latency_s),
        "cached": part.from_cache or None,
        "finish": part.finish_reason,
        "error": None if part.error is None else [part.error.kind, _clip(part.error.message, MAX_STEP)],
    }
    return {key: value for key, value in found.items() if value is not None}


def _done(step: Step) -> dict[str, Any]:
    """A search, a program or a tool that was used between the calls; what is empty has no key."""
    found: dict[str, Any] = {
        "action": step.action,
        "input": _clip(step.input, MAX_STEP),
        "output": _clip(step.output, MAX_STEP) or None,
        "status": None if step.status == "ok" else step.status,
        "detail": _clip(step.detail, MAX_STEP) or None,
        "after": step.after,
    }
    return {key: value for key, value in found.items() if value is not None}


def _judgement(metric: str, said: Judgement) -> dict[str, Any]:
    """What a judge said; what is unknown has no key."""
    found: dict[str, Any] = {
        "metric": metric,
        "judge": said.judge,
        "verdict": said.verdict,
        "why": said.unscored_reason,
        "reasoning": None if said.reasoning is None else _clip(said.reasoning),
        # Where the verdict could not be read, the reply itself shows why.
        "text": None if said.verdict is not None else _clip("\n\n".join(said.texts)) or said.message,
        "usage": _usage(said.usage),
        "cost": said.cost_usd,
        "cached": said.from_cache or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _usage(usage: Usage) -> Mapping[str, int] | None:
    counted = {
        "input": usage.input,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "cached": usage.cached,
    }
    return {name: n for name, n in counted.items() if n is not None} or None


def _span(text: str | None, span: tuple[int, int] | None) -> list[int] | None:
    """The span in UTF-16 units, as the browser counts; None when it is not in the part that is carried."""
    if text is None or span is None or not 0 <= span[0] < span[1] <= min(len(text), MAX_TEXT):
        return None
    start = len(text[: span[0]].encode("utf-16-le", "surrogatepass")) // 2
    return [start, start + len(text[span[0] : span[1]].encode("utf-16-le", "surrogatepass")) // 2]


def _message(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.role, _clip(message.content)]
    parts = [_image(part.url) if isinstance(part, ImagePart) else part.text for part in message.content]
    return [message.role, _clip("\n".join(parts))]


def _image(url: str) -> str:
    """What stands for an image: its address, or kind and size where the message holds it whole."""
    if not url.startswith("data:"):
        return f"[image {url}]"
    return f"[image {url[5:].partition(',')[0].partition(';')[0]}, {len(url) * 3 // 4:,} bytes]"


def _clip(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else f"{text[:most]} … [+{len(text) - most:,}]"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
