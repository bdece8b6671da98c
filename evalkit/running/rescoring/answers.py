"""Stored responses put together again as a task does it now: votes counted, rotations read, judges heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evalkit.core.errors import TaskError
from evalkit.core.records import Judgement, Message, Request, Response, ResponseError, SampleResult
from evalkit.running.cells import PlannedCell
from evalkit.running.executors.work import Asker, Work
from evalkit.tasks.choices import as_listed, base_mode
from evalkit.tasks.solvers.prompting import PassageAid

_TECHNIQUES = ("self-consistency: ", "circular: ", "pal: ", "react: ")
"""How notes begin that a technique makes anew."""


def as_recorded(work: Work, messages: tuple[Message, ...], cell: PlannedCell) -> Work:
    """The work with the request that was asked, where embeddings found its passages; else as it is."""
    aid = cell.variant.aid
    if not isinstance(aid, PassageAid) or aid.embedding is None:
        return work
    return replace(work, request=replace(work.request, messages=messages), solve=None, complete=None)


async def answer_again(work: Work, old: SampleResult, cell: PlannedCell) -> Response:
    """The stored response, put together as the task does it now. Nothing is asked."""
    stored = _as_given(old.response, work, cell)
    response = stored
    if work.solve is not None and stored.status != "error":
        remaining = iter(stored.parts or (stored,))

        async def give(request: Request) -> Response:
            part = next(remaining, None)
            if part is None:
                raise TaskError(
                    f"sample {work.sample.id!r}: the run kept fewer answers than the task's prompt asks for; "
                    "it was made before all answers of a sample were kept, or the number of votes was edited"
                )
            return part

        response = await work.solve(Asker(give, _consult(stored.judgements)))
        response = replace(response, usage=stored.usage, cost_usd=stored.cost_usd, retries=stored.retries)
    if work.assess is not None and response.status != "error":
        assessed = await work.assess(replace(response, judgements={}), _consult(stored.judgements))
        response = replace(
            response,
            judgements={
                name: _with_costs(said, stored.judgements.get(name))
                for name, said in assessed.judgements.items()
            },
        )
    return response


def _as_given(response: Response, work: Work, cell: PlannedCell) -> Response:
    """The response as the model gave it: marked as paid before, its likelihoods in the order of asking."""
    likelihoods: Sequence[Any] = response.loglikelihoods
    mode = base_mode(cell.mode)
    if mode == "letter_generate":
        likelihoods = ()  # they were made of the tokens
    elif work.request.order and len(likelihoods) == len(work.request.order):
        likelihoods = as_listed(likelihoods, work.request.order)
    parts = []
    for number, part in enumerate(response.parts):
        values: Sequence[Any] = part.loglikelihoods
        if cell.mode.endswith("_circular") and mode == "letter_logprobs":
            n = len(response.parts)
            values = as_listed(values, tuple((number + place) % n for place in range(n)))
        parts.append(replace(part, from_cache=True, loglikelihoods=tuple(values)))
    notes = response.notes
    if work.solve is not None and not cell.task.task.own_rules:
        notes = tuple(note for note in notes if not note.startswith(_TECHNIQUES))
    return replace(
        response, from_cache=True, loglikelihoods=tuple(likelihoods), parts=tuple(parts), notes=notes
    )


def _consult(judgements: Mapping[str, Judgement]) -> Callable[[str, Request], Awaitable[Response]]:
    """Answers for a judge from what it said before; what it was not asked is a failed call."""
    said = {
        digest: text
        for judgement in judgements.values()
        for digest, text in zip(judgement.request_digests, judgement.texts, strict=False)
    }

    async def consult(name: str, request: Request) -> Response:
        if request.digest in said:
            return Response(text=said[request.digest], from_cache=True)
        why = f"{name} was not asked this: rescoring makes no call"
        return Response("error", error=ResponseError("not_judged", why))

    return consult


def _with_costs(judgement: Judgement, before: Judgement | None) -> Judgement:
    if before is None:
        return judgement
    return replace(judgement, usage=before.usage, cost_usd=before.cost_usd, from_cache=True)
