"""The cost limit of a run: it counts what is paid and what is in flight."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.core.records import Request, Response
from evalkit.models.parameters import DEFAULT_MAX_TOKENS, output_limit
from evalkit.models.settings import Price

# Characters per token, low on purpose: a reservation errs on the dear side. English has about 4, Chinese 1-2.
_CHARACTERS_PER_TOKEN = 1.5


def dearest(request: Request, price: Price | None) -> float | None:
    """US dollars that a request costs at most, by its length and its max_tokens; None without a price."""
    if price is None:
        return None
    prompt = sum(len(message.text) for message in request.messages)
    # Served models are sent the prompt once for each continuation.
    length = prompt * max(len(request.continuations), 1) + len(request.text)
    length += sum(len(text) for text in request.continuations)
    output = 0
    if request.kind == "generate":
        output = output_limit(request.params) or DEFAULT_MAX_TOKENS
    return length / _CHARACTERS_PER_TOKEN * price.input + output * price.output


def likely_tokens(request: Request) -> float:
    """About how many tokens a request takes, prompt and answer: what a limit of tokens a minute counts."""
    length = sum(len(message.text) for message in request.messages) * max(len(request.continuations), 1)
    length += len(request.text) + sum(len(text) for text in request.continuations)
    answer = float(output_limit(request.params) or 0) if request.kind == "generate" else 0.0
    return length / 4 + min(answer, 256.0) + 1


@dataclass
class Budget:
    """Dollars spent and reserved, with an optional hard cap."""

    limit: float | None = None
    spent: float = 0.0
    reserved: float = 0.0
    pending: int = 0
    """Reservations that are not settled yet."""

    def reserve(self, amount: float | None) -> bool:
        """Whether the amount still fits beside what is spent and in flight; if so it is set aside."""
        if self.limit is None:
            return True
        amount = amount or 0.0
        if self.spent + self.reserved + amount > self.limit:
            return False
        self.reserved += amount
        self.pending += 1
        return True

    def settle(self, amount: float | None, response: Response) -> None:
        """Replace a reservation by what the call cost; an unknown cost counts as what was set aside."""
        if self.limit is not None:
            self.pending -= 1
            self.reserved = self.reserved - (amount or 0.0) if self.pending else 0.0
        if response.from_cache or response.status == "error":
            return
        paid = response.cost_usd if response.cost_usd is not None else (amount or 0.0)
        self.spent += paid
