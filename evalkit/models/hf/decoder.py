"""Decoder-only models: likelihoods, long texts, generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.core.errors import CallError
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Scores, TextItem
from evalkit.models.hf.likelihood import score_choices
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.rolling import score_texts
from evalkit.models.hf.scoring import Scorer

__all__ = ["DecoderEngine"]


class DecoderEngine:
    """The engine of GPT-2, Llama, Qwen and their kin."""

    def __init__(self, loaded: Loaded, size: BatchSize) -> None:
        self._loaded = loaded
        self._size = size
        self._scorer = Scorer(loaded, size)

    @property
    def notes(self) -> tuple[str, ...]:
        """That nothing is shared, where the model's attention does not allow it."""
        if self._scorer.shares:
            return ()
        return ("each sequence was computed alone: this model's attention cannot follow a tree of prompts",)

    def loglikelihood(self, items: Sequence[ChoiceItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The likelihoods of the continuations of each item."""
        return score_choices(self._loaded, self._scorer, items)

    def rolling(self, items: Sequence[TextItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The likelihood of each text."""
        return score_texts(self._loaded, self._scorer, items)

    def generate(self, items: Sequence[GenerationItem]) -> Iterator[tuple[int, Generated | CallError]]:
        """The text that follows each prompt."""
        from evalkit.models.hf.generation import generate

        return generate(self._loaded, self._size, items)
