"""Best of n: the same question several times, and the answer that a judge, or a check, prefers.

The judge rates each answer by itself and never sees the target: what it picks is what a user would have got.
R. Nakano et al. 2021, "WebGPT", arXiv:2112.09332, section 3.2; K. Cobbe et al. 2021, arXiv:2110.14168.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from evalkit.core.records import Judgement, Request, Response, Sample
from evalkit.metrics import Case, Metric
from evalkit.metrics.extractors import Extractor
from evalkit.tasks.solvers.judge import Consult, Judge
from evalkit.tasks.solvers.merging import add_usage, merge_responses

Ask = Callable[[Request], Awaitable[Response]]
PICKER = "best_of_n"
"""The name under which the judge's choice stands among a response's judgements."""


async def pick_by_judge(
    ask: Ask,
    consult: Consult,
    request: Request,
    n: int,
    judge: Judge,
    sample: Sample,
    question: str,
    extractor: Extractor,
) -> Response:
    """Of `n` responses the one that the judge rates highest, the first of equals; all are its parts.

    A failed call makes the whole sample fail. Where the judge gives no answer a rating, the first one stands,
    and the note says so.
    """
    responses, answers = await _ask_all(ask, request, n, extractor)
    failed = _failed(responses)
    if failed is not None:
        return merge_responses(failed, responses)
    blind = replace(sample, target=())  # whoever picks must not know what is right
    said = await asyncio.gather(
        *(judge.judge(consult, blind, question, answer) for answer in answers if answer is not None)
    )
    given = iter(said)
    rated = [None if answer is None else next(given) for answer in answers]
    worths = [None if judgement is None else judgement.worth for judgement in rated]
    chosen, note = _best(worths)
    merged = merge_responses(responses[chosen], responses, [note])
    if not said:
        return merged
    return replace(merged, judgements={PICKER: _together(rated, chosen)})


async def pick_by_metric(
    ask: Ask, request: Request, n: int, metric: Metric, sample: Sample, extractor: Extractor
) -> Response:
    """Of `n` responses the one that scores highest on a metric that reads no target, the first of equals."""
    responses, answers = await _ask_all(ask, request, n, extractor)
    failed = _failed(responses)
    if failed is not None:
        return merge_responses(failed, responses)
    sign = 1.0 if metric.higher_is_better else -1.0
    worths: list[float | None] = []
    for response, answer in zip(responses, answers, strict=True):
        score = metric.score(Case(answer, response, fields=sample.fields)) if answer is not None else None
        worths.append(None if score is None else sign * score)
    chosen, note = _best(worths)
    return merge_responses(responses[chosen], responses, [f"{note} by {metric.name}"])


async def _ask_all(
    ask: Ask, request: Request, n: int, extractor: Extractor
) -> tuple[list[Response], list[str | None]]:
    requests = [replace(request, repeat=request.repeat * n + number) for number in range(n)]
    responses = list(await asyncio.gather(*(ask(each) for each in requests)))
    found = [extractor.extract(response.text) if response.text else None for response in responses]
    return responses, [None if extraction is None else extraction.answer for extraction in found]


def _failed(responses: Sequence[Response]) -> Response | None:
    return next((response for response in responses if response.status == "error"), None)


def _best(worths: Sequence[float | None]) -> tuple[int, str]:
    """(the place of the highest, a note)."""
    known = [(-worth, place) for place, worth in enumerate(worths) if worth is not None]
    if not known:
        return 0, f"best of {len(worths)}: none could be rated, the first stands"
    return min(known)[1], f"best of {len(worths)}"


def _together(rated: Sequence[Judgement | None], chosen: int) -> Judgement:
    """The ratings of all answers as one judgement, whose verdict is that of the chosen one."""
    said = [judgement for judgement in rated if judgement is not None]
    winner = rated[chosen] or said[0]
    paid = [judgement for judgement in said if not judgement.from_cache] or said
    costs = [judgement.cost_usd for judgement in paid]
    lines = [
        f"[{number}] {judgement.verdict or judgement.unscored_reason}: {judgement.reasoning or ''}".rstrip(
            ": "
        )
        for number, judgement in enumerate(rated, start=1)
        if judgement is not None
    ]
    latencies = [judgement.latency_s for judgement in said if judgement.latency_s is not None]
    return replace(
        winner,
        reasoning="\n".join(lines),
        texts=tuple(text for judgement in said for text in judgement.texts),
        request_digests=tuple(digest for judgement in said for digest in judgement.request_digests),
        usage=add_usage([judgement.usage for judgement in said]),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        latency_s=max(latencies, default=None),
        from_cache=all(judgement.from_cache for judgement in said),
    )
