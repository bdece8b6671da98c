"""Encoders with a classification head: the probabilities of its labels as loglikelihoods."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Scores, TextItem
from evalkit.models.hf.labels import head_labels, label_key
from evalkit.models.hf.loading import Loaded
from evalkit.models.protocol import unsupported

__all__ = ["ClassifierEngine"]

_CUT_NOTE = "the text was longer than the model can take: its end was left out"


@dataclass(frozen=True, slots=True)
class _Input:
    """A text, or a pair of texts, in tokens."""

    number: int
    tokens: tuple[int, ...]
    types: tuple[int, ...]
    """Which of a pair's texts each token belongs to."""
    cut: bool


class ClassifierEngine:
    """The engine of models with a classification head."""

    def __init__(self, loaded: Loaded, size: BatchSize) -> None:
        self._loaded = loaded
        self._size = size
        config = loaded.config
        self._labels = head_labels({"id2label": config.id2label}, loaded.options, loaded.name)
        self._several = getattr(config, "problem_type", None) == "multi_label_classification"
        if config.num_labels < 2 and not self._several:
            raise CallError(
                f"{loaded.name}: its head gives one number, not the probabilities of labels",
                kind="unsupported",
                action="stop_model",
            )

    def loglikelihood(self, items: Sequence[ChoiceItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """The log-probabilities of the labels that each item asks for."""
        inputs = sorted(
            (self._encode(number, item) for number, item in enumerate(items)),
            key=lambda one: (-len(one.tokens), one.tokens, one.number),
        )
        for batch, logprobs in self._size.compute(inputs, lambda one: len(one.tokens), self._classify):
            for one, row in zip(batch, logprobs, strict=True):
                yield one.number, self._scores(one, items[one.number].continuations, row)

    def rolling(self, items: Sequence[TextItem]) -> Iterator[tuple[int, Scores | CallError]]:
        """Nothing but errors: a head gives no likelihood of a text."""
        for number in range(len(items)):
            yield number, unsupported(self._loaded.name, "rolling", "it has a classification head")

    def generate(self, items: Sequence[GenerationItem]) -> Iterator[tuple[int, Generated | CallError]]:
        """Nothing but errors: a head writes no text."""
        for number in range(len(items)):
            yield number, unsupported(self._loaded.name, "generate", "it has a classification head")

    def _encode(self, number: int, item: ChoiceItem) -> _Input:
        texts = [item.prompt.text] if item.prompt.pair is None else [item.prompt.text, item.prompt.pair]
        tokenizer, most = self._loaded.tokenizer, self._loaded.max_length
        whole = tokenizer(*texts, return_token_type_ids=True, verbose=False)
        cut = len(whole["input_ids"]) > most
        if cut:
            whole = tokenizer(*texts, return_token_type_ids=True, truncation="longest_first", max_length=most)
        return _Input(number, tuple(whole["input_ids"]), tuple(whole["token_type_ids"]), cut)

    def _scores(self, one: _Input, wanted: Sequence[str], logprobs: torch.Tensor) -> Scores | CallError:
        likeliest = int(logprobs.argmax())
        found = []
        for label in wanted:
            outputs = self._labels.get(label_key(label))
            if outputs is None:
                return CallError(
                    f"{self._loaded.name}: its head has no label {label.strip()!r}; its labels are "
                    f"{', '.join(self._labels)}. The option `labels` in evalkit.yaml maps them",
                    kind="no_label",
                    action="fail_sample",
                )
            logprob = float(torch.logsumexp(logprobs[outputs], 0))
            found.append(Loglikelihood(min(0.0, logprob), None, likeliest in outputs))
        return Scores(tuple(found), len(one.tokens), (_CUT_NOTE,) if one.cut else ())

    @torch.inference_mode()
    def _classify(self, inputs: Sequence[_Input]) -> torch.Tensor:
        """The log-probabilities of the head's outputs for each input, in float64 on the CPU."""
        loaded = self._loaded
        longest = max(len(one.tokens) for one in inputs)
        pad = loaded.tokenizer.pad_token_id or 0
        tokens = torch.full((len(inputs), longest), pad, dtype=torch.long)
        mask, types = torch.zeros_like(tokens), torch.zeros_like(tokens)
        for row, one in enumerate(inputs):
            tokens[row, : len(one.tokens)] = torch.tensor(one.tokens)
            types[row, : len(one.tokens)] = torch.tensor(one.types)
            mask[row, : len(one.tokens)] = 1
        extra = {}
        if getattr(loaded.config, "type_vocab_size", 0) > 1:
            extra["token_type_ids"] = types.to(loaded.device)
        logits = loaded.model(
            input_ids=tokens.to(loaded.device), attention_mask=mask.to(loaded.device), **extra
        ).logits.double()
        scored = torch.nn.functional.logsigmoid(logits) if self._several else torch.log_softmax(logits, -1)
        return scored.cpu()
