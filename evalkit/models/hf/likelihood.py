"""Likelihoods of continuations by a decoder: all requests that wait are one tree of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood
from evalkit.models.hf.encoding import encode_choices
from evalkit.models.hf.engine import ChoiceItem, Scores
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.scoring import Asked, Scorer

__all__ = ["score_choices"]


def score_choices(
    loaded: Loaded, scorer: Scorer, items: Sequence[ChoiceItem]
) -> Iterator[tuple[int, Scores | CallError]]:
    """(position, likelihoods of the continuations) of each item, as they come.

    Where context and continuation do not fit, the context loses its first tokens: the input is the last
    max_length tokens before the last of the continuation, as in lm_eval 0.4.13.
    """
    longest = loaded.max_length
    asked: list[Asked] = []
    owners: list[tuple[int, int]] = []
    likelihoods: list[list[Loglikelihood | None]] = []
    n_input: list[int] = []
    notes: list[dict[str, None]] = []
    left: list[int] = []
    for number, pairs in enumerate(encode_choices(loaded, items)):
        likelihoods.append([None] * len(pairs))
        notes.append({})
        n_input.append(max((len(pair.context) for pair in pairs), default=0))
        failed = next((pair for pair in pairs if len(pair.continuation) > longest), None)
        left.append(len(pairs))
        if failed is not None:
            left[number] = -1
            yield (
                number,
                CallError(
                    f"a continuation of {len(failed.continuation)} tokens is longer than the {longest} that "
                    f"{loaded.name} takes",
                    kind="context_length",
                    action="fail_sample",
                ),
            )
            continue
        for position, pair in enumerate(pairs):
            if pair.note:
                notes[number][pair.note] = None
            if not pair.continuation:  # nothing is certain
                likelihoods[number][position] = Loglikelihood(0.0, 0, True)
                left[number] -= 1
                continue
            dropped = max(0, len(pair.context) + len(pair.continuation) - 1 - longest)
            if dropped:
                notes[number][f"the context lost its first {dropped} of {len(pair.context)} tokens"] = None
            context = pair.context[dropped:] if dropped else pair.context
            tokens = [*context, *pair.continuation[:-1]]
            asked.append(Asked(tokens, len(context) - 1, pair.continuation))
            owners.append((number, position))
        if not left[number]:
            yield number, _scores(likelihoods[number], n_input[number], notes[number])
    for which, found in scorer.score(asked):
        number, position = owners[which]
        n_tokens = len(asked[which].targets)
        likelihoods[number][position] = Loglikelihood(min(0.0, found.logprob), n_tokens, found.greedy)
        left[number] -= 1
        if not left[number]:
            yield number, _scores(likelihoods[number], n_input[number], notes[number])


def _scores(found: Sequence[Loglikelihood | None], n_input: int, notes: dict[str, None]) -> Scores:
    return Scores(tuple(entry for entry in found if entry is not None), n_input, tuple(notes))
