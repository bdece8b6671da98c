"""What an architecture implements: lists of items in, results as they come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood

__all__ = [
    "ChoiceItem",
    "Engine",
    "Generated",
    "GenerationItem",
    "Prompt",
    "Scores",
    "TextItem",
]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as text."""

    text: str
    templated: bool = False
    """Whether a chat template wrote it: special tokens stand in it and none are added."""
    notes: tuple[str, ...] = ()
    """What was done to the messages on the way."""
    pair: str | None = None
    """A second text, for classification heads that read two; None for all others."""


@dataclass(frozen=True, slots=True)
class ChoiceItem:
    """One loglikelihood request."""

    prompt: Prompt
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextItem:
    """One rolling request."""

    text: str


@dataclass(frozen=True, slots=True)
class GenerationItem:
    """One generate request."""

    prompt: Prompt
    params: Mapping[str, Any]
    """max_tokens, stop (a text or a list), temperature, top_p, top_k, ...; as the request holds them."""
    seed: str
    """Decides a sampled text: the run's seed, the sample and the repeat, joined by colons."""


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to a ChoiceItem (one likelihood for each continuation) or a TextItem (exactly one)."""

    loglikelihoods: tuple[Loglikelihood, ...]
    n_input: int
    """Tokens of the prompt (of the text, for a TextItem)."""
    notes: tuple[str, ...] = ()
    """What was done: a truncated context, ..."""


@dataclass(frozen=True, slots=True)
class Generated:
    """The answer to a GenerationItem."""

    text: str
    finish_reason: str
    """stop, or length when max_tokens cut it."""
    n_input: int
    n_output: int
    notes: tuple[str, ...] = ()


class Engine(Protocol):
    """One architecture at work. Called by one thread; yields (position of the item, its result) in any order,
    each as soon as it is known. A CallError in place of a result fails that item only."""

    def loglikelihood(self, items: Sequence[ChoiceItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The likelihoods of the continuations of each item."""

    def rolling(self, items: Sequence[TextItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The likelihood of each text."""

    def generate(self, items: Sequence[GenerationItem]) -> Iterator[tuple[int, Generated | CallError]]:
        """The text that follows each prompt."""
