"""Metrics of what an answer took: seconds, tokens and US dollars per call; lower is better."""

from __future__ import annotations

from typing import ClassVar

from evalkit.core.records import Scale
from evalkit.metrics.base import Case, Context, Metric, sign


class Consumption(Metric):
    """The mean over calls; what nobody measured or counted is unscored, never 0."""

    kinds: ClassVar[frozenset[str]] = frozenset({"generate", "choice", "perplexity"})
    higher_is_better = False
    scale: Scale = "unbounded"
    bounds: tuple[float, float] | None = None
    reads_target = False

    def __init__(self, context: Context, *, name: str) -> None:
        self.name = name
        self.signature = sign(name, v=1)


class Latency(Consumption):
    """Seconds from sending a request to its last byte; answers from evalkit's cache are left out."""

    def __init__(self, context: Context, *, name: str = "latency") -> None:
        super().__init__(context, name=name)
        self.signature = sign("latency", unit="s", v=1)

    def score(self, case: Case) -> float | None:
        """Seconds of this call."""
        return None if case.response.from_cache else case.response.latency_s


class InputTokens(Consumption):
    """Prompt tokens, as the provider counts them."""

    def __init__(self, context: Context, *, name: str = "input_tokens") -> None:
        super().__init__(context, name=name)
        self.signature = sign("input_tokens", v=1)

    def score(self, case: Case) -> float | None:
        """Prompt tokens of this call."""
        count = case.response.usage.input
        return None if count is None else float(count)


class OutputTokens(Consumption):
    """Completion tokens, reasoning included, as the provider counts them."""

    def __init__(self, context: Context, *, name: str = "output_tokens") -> None:
        super().__init__(context, name=name)
        self.signature = sign("output_tokens", v=1)

    def score(self, case: Case) -> float | None:
        """Completion tokens of this call."""
        count = case.response.usage.output
        return None if count is None else float(count)


class Cost(Consumption):
    """US dollars at list price; for an answer from the cache, what it once cost."""

    def __init__(self, context: Context, *, name: str = "cost") -> None:
        super().__init__(context, name=name)
        self.signature = sign("cost", unit="usd", v=1)

    def score(self, case: Case) -> float | None:
        """Dollars of this call."""
        return case.response.cost_usd
