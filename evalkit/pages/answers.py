"""What a page carries of one answer: JSON without what is unknown, long texts cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.core.records import ImagePart, Judgement, Message, Response, SampleResult, Step, Usage

MAX_TEXT = 20_000
"""Characters of one text that a page carries; what is cut is said."""
MAX_STEP = 4_000
"""Characters of one step of a sample that took several calls."""


def clip(text: str, most: int = MAX_TEXT) -> str:
    """The text, cut where it is longer than `most` characters; then it says how much is missing."""
    return text if len(text) <= most else f"{text[:most]} … [+{len(text) - most:,}]"


def encode_sample(result: SampleResult) -> dict[str, Any]:
    """What a sample has, whoever answers it; what it lacks has no key."""
    sample: dict[str, Any] = {}
    if result.target:
        sample["target"] = [clip(target) for target in result.target]
    if result.choices:
        sample["choices"] = [clip(choice) for choice in result.choices]
    if result.metadata:
        sample["metadata"] = dict(result.metadata)
    if result.cluster is not None:
        sample["cluster"] = result.cluster
    return sample


def encode_answer(result: SampleResult) -> dict[str, Any]:
    """One model's answer; what is unknown has no key."""
    response = result.response
    answer: dict[str, Any] = {
        "k": result.repeat or None,
        "text": None if response.text is None else clip(response.text),
        "reasoning": None if response.reasoning is None else clip(response.reasoning),
        "answer": None if result.answer is None else clip(result.answer),
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
        "error": None if response.error is None else [response.error.kind, clip(response.error.message)],
        "notes": list(response.notes) or None,
        "judged": [_judgement(name, said) for name, said in response.judgements.items()] or None,
        "parts": [_part(part) for part in response.parts] or None,
        "done": [_done(step) for step in response.steps] or None,
        "logprobs": [[_rounded(ll.logprob), ll.n_tokens] for ll in response.loglikelihoods] or None,
    }
    return _known(answer)


def encode_prompt(messages: tuple[Message, ...]) -> list[list[str]]:
    """The messages as [role, text]."""
    return [_message(message) for message in messages]


def _part(part: Response) -> dict[str, Any]:
    """One call of a sample that took several; what is unknown has no key."""
    return _known(
        {
            "text": None if part.text is None else clip(part.text, MAX_STEP),
            "reasoning": None if part.reasoning is None else clip(part.reasoning, MAX_STEP),
            "usage": _usage(part.usage),
            "cost": part.cost_usd,
            "latency": _rounded(part.latency_s),
            "cached": part.from_cache or None,
            "finish": part.finish_reason,
            "error": None if part.error is None else [part.error.kind, clip(part.error.message, MAX_STEP)],
        }
    )


def _done(step: Step) -> dict[str, Any]:
    """A search, a program or a tool that was used between the calls; what is empty has no key."""
    return _known(
        {
            "action": step.action,
            "input": clip(step.input, MAX_STEP),
            "output": clip(step.output, MAX_STEP) or None,
            "status": None if step.status == "ok" else step.status,
            "detail": clip(step.detail, MAX_STEP) or None,
            "after": step.after,
        }
    )


def _judgement(metric: str, said: Judgement) -> dict[str, Any]:
    """What a judge said; what is unknown has no key."""
    return _known(
        {
            "metric": metric,
            "judge": said.judge,
            "verdict": said.verdict,
            "why": said.unscored_reason,
            "reasoning": None if said.reasoning is None else clip(said.reasoning),
            # Where the verdict could not be read, the reply itself shows why.
            "text": None if said.verdict is not None else clip("\n\n".join(said.texts)) or said.message,
            "usage": _usage(said.usage),
            "cost": said.cost_usd,
            "cached": said.from_cache or None,
        }
    )


def _known(found: dict[str, Any]) -> dict[str, Any]:
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
        return [message.role, clip(message.content)]
    parts = [_image(part.url) if isinstance(part, ImagePart) else part.text for part in message.content]
    return [message.role, clip("\n".join(parts))]


def _image(url: str) -> str:
    """What stands for an image: its address, or kind and size where the message holds it whole."""
    if not url.startswith("data:"):
        return f"[image {url}]"
    return f"[image {url[5:].partition(',')[0].partition(';')[0]}, {len(url) * 3 // 4:,} bytes]"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
