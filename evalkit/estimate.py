"""What a plan will cost, before the first call: tokens by a cheap count of some prompts, at list price."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.models import catalog
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.settings import Price
from evalkit.planning import Plan, PlannedCell
from evalkit.records import Request

_SAMPLES = 100
"""Prompts of a cell that are counted; the rest are taken to be like them."""
_JUDGED_SAMPLES = 20
"""Prompts of a judge that are counted; they are the longer ones."""
_SPREAD = 1.25
"""Tokenizers differ by about a quarter from the cheap count, either way."""
_SHORTEST_ANSWER = 8
_DEFAULT_MAX_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls to served models, and what they take. What the cache knows already is not taken off."""

    n_requests: int
    input_tokens: float
    output_tokens: float
    """At most: every answer as long as its max_tokens allows."""
    cost_usd: tuple[float, float]
    """(least, most) US dollars of the models whose price is known."""
    unpriced: tuple[str, ...]
    """Models of unknown price, which the cost leaves out."""
    n_judged: int = 0
    """Of the calls, those to judges."""

    def __str__(self) -> str:
        """One line for the terminal."""
        judged = f" ({self.n_judged:,} to judges)" if self.n_judged else ""
        text = f"{self.n_requests:,} requests{judged}, about {_short(self.input_tokens)} tokens in, "
        text += f"at most {_short(self.output_tokens)} out"
        low, high = self.cost_usd
        if high > 0:
            text += f"; ${low:.2g} to ${high:.2g} at list price, less what the cache knows"
        if self.unpriced:
            text += f"; price unknown: {', '.join(self.unpriced)}"
        return text


def estimate(plan: Plan) -> Estimate | None:
    """The estimate of a plan; None when it asks no served model."""
    n = n_judged = 0
    n_input = n_output = low = high = 0.0
    unpriced: dict[str, None] = {}
    for model, prompt, answer, calls, judges in _parts(plan):
        n += calls
        n_judged += calls if judges else 0
        n_input += calls * prompt
        n_output += calls * answer
        price: Price | None = model.settings.price or catalog.price(model.route)
        if price is None:
            unpriced[model.name] = None
            continue
        least = prompt / _SPREAD * price.input + min(answer, _SHORTEST_ANSWER) * price.output
        most = prompt * _SPREAD * price.input + answer * price.output
        low += calls * least
        high += calls * most
    return Estimate(n, n_input, n_output, (low, high), tuple(unpriced), n_judged) if n else None


def _parts(plan: Plan) -> Iterator[tuple[Resolved, float, float, int, bool]]:
    """(model, prompt tokens, most answer tokens, calls, whether it judges) of what servers are asked."""
    for cell in plan.cells:
        if not cell.n_requests:
            continue
        served = cell.model.provider not in BUILT_IN
        judges = [judge for judge in cell.judges if plan.judges[judge.name][0].provider not in BUILT_IN]
        if not served and not judges:
            continue
        prompt, answer = _mean_tokens(cell)
        if served:
            yield cell.model, prompt, answer, cell.n_requests, False
        for judge in judges:
            asked = [judge.trial(sample) for sample in cell.task.task.samples(_JUDGED_SAMPLES)]
            frame = sum(_prompt_tokens(request) for request in asked) / max(len(asked), 1)
            calls = cell.n_requests * (2 if judge.rubric.pairwise else 1)
            # The judge reads the question and the answer, which is at most as long as it may be.
            read = frame + prompt + answer
            yield plan.judges[judge.name][0], read, float(judge.rubric.max_tokens), calls, True


def _mean_tokens(cell: PlannedCell) -> tuple[float, float]:
    """(prompt tokens, most answer tokens) of a request of the cell, on average over its first samples."""
    requests = [work.request for work in itertools.islice(cell.work(), _SAMPLES)]
    if not requests:
        return 0.0, 0.0
    return (
        sum(_prompt_tokens(request) for request in requests) / len(requests),
        sum(_answer_tokens(request) for request in requests) / len(requests),
    )


def _prompt_tokens(request: Request) -> float:
    prompt = sum(count_tokens(message.text) for message in request.messages)
    # Served models are sent the prompt once for each continuation.
    tokens = prompt * max(len(request.continuations), 1)
    return tokens + count_tokens(request.text) + sum(count_tokens(text) for text in request.continuations)


def _answer_tokens(request: Request) -> float:
    if request.kind != "generate":
        return 1.0 * max(len(request.continuations), 1)
    return float(request.params.get("max_tokens") or _DEFAULT_MAX_TOKENS)


def count_tokens(text: str) -> float:
    """About how many tokens a text is: four ASCII characters each, other scripts one and a third a token."""
    n_ascii = len(text.encode("ascii", "ignore"))
    return n_ascii / 4 + (len(text) - n_ascii) * 0.75


def _short(number: float) -> str:
    """The number with three digits and its unit."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
