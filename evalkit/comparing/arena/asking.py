"""A judge decides between the answers that models gave in runs: each pair in both orders."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from evalkit.comparing.arena.battles import Battle
from evalkit.core.errors import UsageError
from evalkit.core.records import Request, Response, Sample, SampleResult
from evalkit.models.protocol import Model
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.tokens import rough_count
from evalkit.running.executors.budget import Budget
from evalkit.running.executors.lanes import judge_lane, judge_price
from evalkit.running.executors.local import Ask, Lane, LocalExecutor, Solve, Work, describe
from evalkit.store.cache import Cache
from evalkit.store.folders import StoredRun
from evalkit.tasks.solvers.judge import Judge

_METRIC = "arena"


@dataclass(frozen=True, slots=True)
class Side:
    """One model's answer to a sample."""

    model: str
    answer: str | None
    """None when the model replied and there is no answer, which loses."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two answers to one sample, before anybody decided."""

    prompt: str
    """Names the sample among all tasks."""
    question: str
    target: str
    a: Side
    b: Side

    @property
    def settled(self) -> float | None:
        """The outcome where none needs to be asked: no answer loses; None where a judge must decide."""
        if self.a.answer is not None and self.b.answer is not None:
            return 0.5 if self.a.answer == self.b.answer else None
        return 0.5 if self.a.answer == self.b.answer else float(self.b.answer is None)


@dataclass(frozen=True, slots=True)
class Asking:
    """How the judge is asked."""

    judge: Judge
    resolved: Resolved
    model: Model
    cache: Cache | None
    max_cost: float | None
    reference: bool = False
    """Whether the judge sees the target."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What the judging took."""

    calls: int
    cached: int
    cost_usd: float | None
    """Paid now; None when a price is unknown."""
    stopped: str | None
    """Why it ended before all was asked; None when it did not."""


def pair_runs(
    runs: Sequence[StoredRun], *, baseline: str | None = None, limit: int | None = None
) -> list[Pairing]:
    """All pairs of models on the samples that they share, in the order of the data.

    Models of several runs or prompts are told apart by those. With `baseline` only pairs with that model;
    `limit` is the number of samples of a task. Raises UsageError when there is nothing to pair.
    """
    tasks: dict[tuple[str, str], dict[str, dict[str, SampleResult]]] = {}
    for stored in runs:
        for cell in stored.run.cells:
            if cell.mode == "generate" and not cell.model.startswith("baseline/oracle"):
                place = tasks.setdefault((cell.task, cell.data_digest), {})
                label = _label(cell.model, cell.variant, stored.run.id, place)
                place[label] = {r.sample_id: r for r in stored.samples(cell.slug) if r.repeat == 0}
    models = list(dict.fromkeys(label for place in tasks.values() for label in place))
    if baseline is not None and baseline not in models:
        raise UsageError(f"no answers of {baseline!r} in these runs; there are: {', '.join(models)}")
    pairings = []
    for (task, _), place in tasks.items():
        pairs = [pair for pair in itertools.combinations(place, 2) if baseline is None or baseline in pair]
        samples = list(dict.fromkeys(id for results in place.values() for id in results))
        for sample_id in samples[:limit]:
            for one, two in pairs:
                left, right = place[one].get(sample_id), place[two].get(sample_id)
                if left is None or right is None:
                    continue
                if "error" in (left.response.status, right.response.status):
                    continue  # a failed call is no answer that could lose
                pairings.append(
                    Pairing(
                        prompt=f"{task}/{sample_id}",
                        question=left.messages[-1].text if left.messages else "",
                        target="\n".join(left.target),
                        a=Side(one, left.answer),
                        b=Side(two, right.answer),
                    )
                )
    if not pairings:
        raise UsageError(
            f"no two models answered the same samples of a `generate` task in these runs; they hold "
            f"answers of {', '.join(models) or 'none'}"
        )
    return pairings


def _label(model: str, variant: str, run: str, taken: Mapping[str, object]) -> str:
    """The model's name, with its prompt or run where the name alone stands already."""
    names = (model, f"{model} · {variant}", f"{model} · {variant} · {run}")
    return next((name for name in names if name not in taken), names[-1])


def requests_of(pairing: Pairing, asking: Asking) -> list[Request]:
    """The two requests of a pairing, one for each order."""
    sample = Sample(pairing.prompt, {})
    texts = {"input": pairing.question, "target": pairing.target if asking.reference else ""}
    answers = (pairing.a.answer or "", pairing.b.answer or "")
    return [
        asking.judge.request({**texts, "answer_a": one, "answer_b": two}, sample.fields, sample.id)
        for one, two in (answers, answers[::-1])
    ]


def estimate_cost(pairings: Sequence[Pairing], asking: Asking) -> tuple[int, float, float | None]:
    """(calls, prompt tokens, most US dollars) of the pairs that a judge must decide; None without a price."""
    open_pairs = [pairing for pairing in pairings if pairing.settled is None]
    shown = open_pairs[:100]
    tokens = [
        sum(rough_count(message.text) for message in request.messages)
        for pairing in shown
        for request in requests_of(pairing, asking)
    ]
    calls = 2 * len(open_pairs)
    total = calls * sum(tokens) / len(tokens) if tokens else 0.0
    price = judge_price(asking.resolved)
    cost = None
    if price is not None:
        cost = total * 1.25 * price.input + calls * asking.judge.rubric.max_tokens * price.output
    return calls, total, 0.0 if asking.resolved.provider in BUILT_IN else cost


def ask_battles(pairings: Sequence[Pairing], asking: Asking) -> tuple[list[Battle], Bill]:
    """The battles in the order of the pairings, and what they took.

    Equal answers are a tie and a missing one loses, without a call. Battles whose calls failed have no
    outcome; the same call asks for them alone, the rest is in the cache.
    """
    found: dict[int, Battle] = {
        number: _battle(pairing, pairing.settled, asking, why=None)
        for number, pairing in enumerate(pairings)
        if pairing.settled is not None
    }
    calls = cached = 0
    costs: list[float | None] = []

    def deliver(work: Work, response: Response) -> None:
        nonlocal calls, cached
        said = response.judgements[_METRIC]
        calls += len(said.texts)
        cached += said.from_cache
        if not said.from_cache and said.texts:
            costs.append(said.cost_usd)
        found[work.position] = replace(
            _battle(pairings[work.position], said.worth, asking, why=said.unscored_reason),
            verdict=said.verdict,
            reasoning=said.reasoning,
        )

    lane = judge_lane(asking.resolved, asking.model, _work(pairings, asking))
    executor = LocalExecutor(cache=asking.cache, budget=Budget(asking.max_cost))
    asyncio.run(_run(executor, lane, deliver, asking.model))
    for number, pairing in enumerate(pairings):
        found.setdefault(number, _battle(pairing, None, asking, why="not asked"))
    cost = None if None in costs else sum(cost for cost in costs if cost is not None)
    stopped = lane.stopped
    if stopped is None and executor.stopping:
        stopped = f"the cost limit of {asking.max_cost} US dollars is reached"
    if cost is None and asking.resolved.provider in BUILT_IN:
        cost = 0.0
    return [found[number] for number in range(len(pairings))], Bill(calls, cached, cost, stopped)


async def _run(executor: LocalExecutor, lane: Lane, deliver: object, model: Model) -> None:
    try:
        await executor.run([lane], deliver)  # type: ignore[arg-type]
    except BaseExceptionGroup as group:
        raise describe(group) from None
    finally:
        await model.aclose()


def _work(pairings: Sequence[Pairing], asking: Asking) -> Iterator[Work]:
    for number, pairing in enumerate(pairings):
        if pairing.settled is None:
            first = requests_of(pairing, asking)[0]
            sample = Sample(pairing.prompt, {})
            yield Work(0, number, sample, first, asking.model, _solve(pairing, asking))


def _solve(pairing: Pairing, asking: Asking) -> Solve:
    async def solve(ask: Ask) -> Response:
        async def consult(name: str, request: Request) -> Response:
            return await ask(request)

        said = await asking.judge.compare(
            consult,
            Sample(pairing.prompt, {}),
            pairing.question,
            pairing.a.answer or "",
            pairing.b.answer or "",
            pairing.target if asking.reference else "",
        )
        return Response(text="", from_cache=said.from_cache, judgements={_METRIC: said})

    return solve


def _battle(pairing: Pairing, outcome: float | None, asking: Asking, why: str | None) -> Battle:
    return Battle(
        prompt=pairing.prompt,
        a=pairing.a.model,
        b=pairing.b.model,
        outcome=outcome,
        judge=asking.resolved.name,
        length_a=len(pairing.a.answer or ""),
        length_b=len(pairing.b.answer or ""),
        why=why,
    )


__all__ = ["Asking", "Bill", "Pairing", "ask_battles", "estimate_cost", "pair_runs"]
