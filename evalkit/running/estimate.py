"""What a plan will cost, before the first call: some prompts are counted, and looked up in the cache.

Tokens are those of the model's own tokenizer where that is at hand without LiteLLM being imported (OpenAI's
models); elsewhere they are a cheap count, which is called approximate. Nothing is asked and nothing written.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from evalkit.core.records import Request, Response, ResponseError
from evalkit.models import catalog
from evalkit.models.parameters import DEFAULT_MAX_TOKENS, output_limit
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.settings import Price
from evalkit.models.tokens import Count, tokenizer
from evalkit.models.tokens import rough_count as count_tokens
from evalkit.running.executors.work import Asker, Work
from evalkit.running.planning import Plan, PlannedCell
from evalkit.store.cache import cache_key
from evalkit.tasks.solvers.prompting import TOP_K, PassageAid, ToolAid
from evalkit.tasks.solvers.rag import Finder, embedding_request
from evalkit.tasks.solvers.react import MAX_STEPS
from evalkit.tasks.solvers.toolbox import LONGEST_RESULT

_SAMPLES = 100
"""Prompts of a cell that are counted; the rest are taken to be like them."""
_LOOKED_UP = 2000
"""Samples of a plan that are looked up in the cache, spread over its cells and evenly over their data."""
_NOT_ASKED = Response("error", error=ResponseError("not_asked", "this is an estimate"))
_FEWEST = 10
"""Samples of a cell that are looked at, however many cells there are."""
_JUDGED_SAMPLES = 20
"""Prompts of a judge that are counted; they are the longer ones."""
_SPREAD = 1.25
"""Tokenizers differ by about a quarter from the cheap count, either way."""
_SHORTEST_ANSWER = 8
_NUMBER_TOKENS = 20
"""A calculator's result."""


Known = Callable[[Sequence[str]], "set[str] | None"]
"""The keys among these whose answers the cache holds; None where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls to served models, and what those that the cache does not answer take."""

    n_requests: int
    """Calls, those that the cache answers included; a sample of several calls counts each."""
    input_tokens: float
    """Of the calls that the cache does not answer."""
    output_tokens: float
    """Of the same, at most: every answer as long as its max_tokens allows."""
    cost_usd: tuple[float, float]
    """(least, most) US dollars of the same, for models whose price is known."""
    unpriced: tuple[str, ...]
    """Models of unknown price, which the cost leaves out."""
    n_judged: int = 0
    """Of the calls, those to judges."""
    n_cached: int | None = None
    """Calls that the cache answers, as far as was looked up; None where nothing was looked up. Calls to
    judges cannot be: what they will be asked is not known yet."""
    n_possible: int = 0
    """Calls that may come on top: samples that use tools ask again, up to their max_steps."""
    possible_tokens: float = 0.0
    """Tokens that these would read, at most; what they would write is part of `output_tokens`."""
    n_looked_up: int = 0
    """Calls that were looked up; `n_cached` is exact where it is all of them, else their share of all."""
    exact_tokens: bool = False
    """Whether all prompts that count were counted by the models' own tokenizers."""

    def __str__(self) -> str:
        """One line for the terminal."""
        judged = f" ({self.n_judged:,} to judges)" if self.n_judged else ""
        text = f"{self.n_requests:,} request{'' if self.n_requests == 1 else 's'}{judged}"
        more = f", up to {self.n_possible:,} more where tools are used" if self.n_possible else ""
        whole = self.n_looked_up >= self.n_requests - self.n_judged
        if self.n_cached:
            share = "" if whole else f", by {self.n_looked_up:,} that were looked up"
            text += f", {'' if whole else 'about '}{self.n_cached:,} of them in the cache{share}"
        if self.n_requests == self.n_cached and whole:
            return f"{text}: nothing to pay"
        rough = "" if self.exact_tokens else " (approximate count)"
        most = self.input_tokens + self.possible_tokens
        up_to = f", up to {_short(most)}" if self.n_possible else ""
        text += (
            f"{more}; about {_short(self.input_tokens)} tokens in{up_to}{rough}, "
            f"at most {_short(self.output_tokens)} out"
        )
        low, high = self.cost_usd
        if high > 0:
            text += f"; ${low:.2g} to ${high:.2g} at list price"
        if self.unpriced:
            text += f"; price unknown: {', '.join(self.unpriced)}"
        return text


def estimate(plan: Plan, known: Known | None = None) -> Estimate | None:
    """The estimate of a plan; None when it asks no served model. `known` looks up what the cache answers."""
    n = n_judged = n_looked_up = 0
    n_cached = n_possible = possible_tokens = 0.0
    n_input = n_output = low = high = 0.0
    exact = True
    unpriced: dict[str, None] = {}
    for part in _parts(plan, known):
        if part.optional:
            n_possible += part.calls
            possible_tokens += part.calls * part.prompt
        n += 0 if part.optional else part.calls
        n_judged += part.calls if part.judges else 0
        n_looked_up += part.n_looked_up
        n_cached += part.cached
        left = part.calls - part.cached
        if left <= 0:
            continue
        exact = exact and part.exact
        n_input += 0 if part.optional else left * part.prompt
        n_output += left * part.answer
        price: Price | None = part.model.settings.price or catalog.price(part.model.route)
        if price is None:
            unpriced[part.model.name] = None
            continue
        spread = 1.0 if part.exact else _SPREAD
        least = part.prompt / spread * price.input + min(part.answer, _SHORTEST_ANSWER) * price.output
        low += 0 if part.optional else left * least
        high += left * (part.prompt * spread * price.input + part.answer * price.output)
    if not n:
        return None
    return Estimate(
        n,
        n_input,
        n_output,
        (low, high),
        tuple(unpriced),
        n_judged,
        round(n_cached) if n_looked_up else None,
        round(n_possible),
        possible_tokens,
        n_looked_up,
        exact,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What a server is asked in one cell, or by its judge."""

    model: Resolved
    prompt: float
    """Mean tokens of a prompt."""
    answer: float
    """Mean tokens of an answer, at most."""
    calls: int
    judges: bool = False
    cached: float = 0.0
    """Calls that the cache answers."""
    n_looked_up: int = 0
    exact: bool = False
    """Whether the model's own tokenizer counted."""
    optional: bool = False
    """Whether the calls need not come."""


def _parts(plan: Plan, known: Known | None) -> Iterator[_Part]:
    cells = [cell for cell in plan.cells if cell.n_requests]
    yield from _embeddings(plan, cells, known)
    room = max(_FEWEST, _LOOKED_UP // max(len(cells), 1))
    for cell in cells:
        served = cell.model.provider not in BUILT_IN
        judges = [judge for judge in cell.judges if plan.judges[judge.name][0].provider not in BUILT_IN]
        if not served and not judges:
            continue
        aid = cell.variant.aid
        passages = _passage_tokens(aid) if cell.finder is not None else 0.0
        asked = _requests(cell, room if known is not None and cell.bound.cacheable else min(room, _SAMPLES))
        whole = cell.finder is None  # else what is asked is not known before embeddings have found it
        found = _look_up(cell, asked, known) if served and known is not None and whole else None
        left = asked if found is None else [request for request, there in found if not there]
        some = [request for each in left for request in each][:_SAMPLES]
        cached = 0.0 if found is None else 1.0 - len(left) / max(len(asked), 1)
        calls = sum(map(len, asked)) / max(len(asked), 1) * cell.n_requests if asked else 0.0
        count, exact = tokenizer(cell.model.route) if some and served else (count_tokens, False)
        prompt, answer = _mean(some, count)
        prompt += passages
        if served and isinstance(aid, ToolAid) and cell.mode == "generate":
            steps = cell.variant.solver.get("max_steps", MAX_STEPS)
            left_samples = round(cell.n_requests * (1.0 - cached))
            # Each call reads what was said before: so many answers and results on average.
            read = prompt + steps / 2 * (answer + _result_tokens(aid, cell.variant.solver))
            yield _Part(cell.model, read, answer, (steps - 1) * left_samples, exact=exact, optional=True)
        if served:
            looked_up = sum(len(each) for each in asked) if found is not None else 0
            yield _Part(
                cell.model, prompt, answer, round(calls), False, cached * round(calls), looked_up, exact
            )
        if judges and not some:
            prompt, answer = _mean([request for each in asked for request in each][:_SAMPLES], count_tokens)
        for judge in judges:
            trials = [judge.trial(sample) for sample in cell.task.task.samples(_JUDGED_SAMPLES)]
            frame = sum(_prompt_tokens(request, count_tokens) for request in trials) / max(len(trials), 1)
            n = cell.n_requests * (2 if judge.rubric.pairwise else 1)
            # The judge reads the question and the answer, which is at most as long as it may be.
            read = frame + prompt + answer
            yield _Part(plan.judges[judge.name][0], read, float(judge.rubric.max_tokens), n, True)


def _embeddings(plan: Plan, cells: Sequence[PlannedCell], known: Known | None) -> Iterator[_Part]:
    """What embedding models are asked: each document and each query of a task once, whoever asks."""
    texts: dict[str, dict[str, None]] = {}
    finders: dict[str, Finder] = {}
    for cell in cells:
        aid = cell.variant.aid
        if cell.finder is None or not isinstance(aid, PassageAid):
            continue
        finders[cell.finder.name] = cell.finder
        asked = texts.setdefault(cell.finder.name, {})
        asked.update(dict.fromkeys(document.shown for document in aid.index.documents))
        asked.update(dict.fromkeys(aid.text(sample.fields) for sample in cell.task.task.samples(cell.limit)))
    for name, finder in finders.items():
        resolved, model = plan.finders[name]
        some = list(texts[name])[:: max(1, -(-len(texts[name]) // _LOOKED_UP))]
        keys = [cache_key(embedding_request(finder, text), model.identity) for text in some]
        there = known(keys) if known is not None else None
        left = [text for text, key in zip(some, keys, strict=True) if there is None or key not in there]
        share = 1.0 - len(left) / max(len(some), 1)
        mean = sum(map(count_tokens, left)) / max(len(left), 1)
        n = len(texts[name])
        yield _Part(resolved, mean, 0.0, n, False, share * n, 0 if there is None else len(some))


def _passage_tokens(aid: object) -> float:
    """Tokens of the passages that a search gives, on average."""
    if not isinstance(aid, PassageAid):
        return 0.0
    documents = aid.index.documents
    return (
        aid.top_k
        * sum(count_tokens(document.shown) for document in documents[:_SAMPLES])
        / min(len(documents), _SAMPLES)
    )


def _result_tokens(aid: ToolAid, solver: Mapping[str, Any]) -> float:
    """Tokens of a tool's result, at most: passages by their length, a number, or all that is told."""
    sizes: list[float] = []
    for name, tool in aid.toolbox.tools.items():
        if name == "calculator" and tool.function is None:
            sizes.append(_NUMBER_TOKENS)
        elif name == "search" and tool.function is None and aid.documents:
            longest = max(count_tokens(document.shown) for document in aid.documents)
            sizes.append(min(LONGEST_RESULT / 4, longest * solver.get("top_k", TOP_K)))
        else:
            sizes.append(LONGEST_RESULT / 4)
    return max(sizes)


def _requests(cell: PlannedCell, n: int) -> list[list[Request]]:
    """The calls of so many of the cell's samples and repeats, evenly spread over its data."""
    every = max(1, -(-cell.n_requests // max(n, 1)))
    works = list(itertools.islice(cell.work(every), max(n, cell.repeats)))
    if all(work.solve is None for work in works):
        return [[work.request] for work in works]
    with ThreadPoolExecutor(1) as thread:  # in a notebook a loop runs already, but not in this thread
        return thread.submit(asyncio.run, _calls(works)).result()


async def _calls(works: Sequence[Work]) -> list[list[Request]]:
    """The requests that each sample asks; of one that asks on, those that it begins with."""
    noted: list[list[Request]] = []

    async def note(request: Request) -> Response:
        noted[-1].append(request)
        return _NOT_ASKED

    async def consult(name: str, request: Request) -> Response:
        return _NOT_ASKED

    for work in works:
        noted.append([])
        if work.solve is None:
            noted[-1].append(work.request)
        else:
            await work.solve(Asker(note, consult))
    return noted


def _look_up(
    cell: PlannedCell, asked: Sequence[Sequence[Request]], known: Known
) -> list[tuple[Sequence[Request], bool]] | None:
    """The calls of each sample with whether the cache answers all of them; None where it cannot tell."""
    if not cell.bound.cacheable:
        return None
    identity = cell.bound.identity
    keys = [[cache_key(request, identity) for request in each] for each in asked]
    there = known([key for each in keys for key in each])
    if there is None:
        return None
    return [(each, set(own) <= there) for each, own in zip(asked, keys, strict=True)]


def _mean(requests: Sequence[Request], count: Count) -> tuple[float, float]:
    """(prompt tokens, most answer tokens) of a request, on average."""
    if not requests:
        return 0.0, 0.0
    return (
        sum(_prompt_tokens(request, count) for request in requests) / len(requests),
        sum(_answer_tokens(request) for request in requests) / len(requests),
    )


def _prompt_tokens(request: Request, count: Count) -> float:
    prompt = sum(count(message.text) for message in request.messages)
    # Served models are sent the prompt once for each continuation.
    tokens = prompt * max(len(request.continuations), 1)
    return tokens + count(request.text) + sum(count(text) for text in request.continuations)


def _answer_tokens(request: Request) -> float:
    if request.kind != "generate":
        return 1.0 * max(len(request.continuations), 1)
    return float(output_limit(request.params) or DEFAULT_MAX_TOKENS)


def _short(number: float) -> str:
    """The number with three digits and its unit."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
