"""Likelihoods of continuations by a decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.errors import CallError
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.encoding import encode_pairs
from evalkit.models.hf.engine import ChoiceItem, Scores
from evalkit.models.hf.loading import Loaded
from evalkit.records import Loglikelihood

__all__ = ["score_choices"]


def score_choices(
    loaded: Loaded, size: BatchSize, items: Sequence[ChoiceItem]
) -> Iterator[tuple[int, Scores | CallError]]:
    """(position, likelihoods of the continuations) of each item."""
    for number, item in enumerate(items):
        pairs = encode_pairs(loaded, item.prompt, item.continuations)
        found = [score_alone(loaded, context, continuation) for context, continuation in pairs]
        yield number, Scores(tuple(found), n_input=len(pairs[0][0]))


def score_alone(loaded: Loaded, context: Sequence[int], continuation: Sequence[int]) -> Loglikelihood:
    """The likelihood of one continuation, computed alone: the measure of every faster form."""
    import torch

    tokens = [*context, *continuation][-(loaded.max_length + 1) :]
    with torch.inference_mode():
        logits = (
            loaded.model(torch.tensor([tokens[:-1]], device=loaded.device))
            .logits[0, -len(continuation) :]
            .float()
        )
        targets = torch.tensor(list(continuation), device=logits.device)
        logprobs = torch.log_softmax(logits, -1).gather(1, targets[:, None])[:, 0]
        greedy = bool((logits.argmax(-1) == targets).all())
    return Loglikelihood(min(0.0, float(logprobs.double().sum())), len(continuation), greedy)
