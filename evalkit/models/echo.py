"""Loglikelihoods from a server that echoes the prompt with the logprobs of its tokens.

The texts of the tokens, joined, must be the prompt: that proves that the server echoed, and where each token
stands. Servers that ignore `echo` (llama.cpp) would otherwise give chance scores in silence.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood

__all__ = ["Echo", "continuation_likelihood", "read_echo", "text_likelihood", "token_likelihood"]


@dataclass(frozen=True, slots=True)
class Echo:
    """A prompt as the server's tokenizer saw it."""

    offsets: tuple[int, ...] | None
    """Where each token begins in the prompt, in characters; None when the tokens' texts are not the prompt's
    (bytes of a character split over tokens)."""
    lengths: tuple[int, ...]
    """The length of each token's text, in characters."""
    logprobs: tuple[float | None, ...]
    """Of each token, natural log; None for the first, which nothing precedes."""
    best: tuple[Any, ...]
    """For each token a mapping of the most probable tokens to their logprobs; None when unknown."""


def read_echo(block: Any, prompt: str, name: str, n_generated: int) -> Echo:
    """The echo of `prompt` in a choice's `logprobs` block, without the tokens generated after it.

    Raises CallError (unsupported, stop_model) when the server did not echo or gave no logprobs.
    """
    tokens: list[str] = list(_field(block, "tokens") or ())
    logprobs: list[float | None] = list(_field(block, "token_logprobs") or ())
    top: list[Any] = list(_field(block, "top_logprobs") or ())
    if not logprobs or len(tokens) != len(logprobs):
        raise _no_echo(name, "it returns no logprobs for the prompt")
    sound = all(isinstance(token, str) for token in tokens) and all(
        value is None or (type(value) in (int, float) and value == value) for value in logprobs
    )
    if not sound:
        raise CallError(
            f"{name}: the logprobs in the reply are no numbers", kind="invalid_response", action="retry"
        )
    start, lengths = _line_up(tokens, prompt, logprobs[0] is None)
    exact = lengths is not None
    if lengths is None:
        lengths = [len(token) for token in tokens[: len(tokens) - n_generated]]
        if len(lengths) < max(1, len(prompt) // 40):  # no tokenizer makes tokens of 40 characters on average
            raise _no_echo(name, f"{len(tokens)} tokens came back for a prompt of {len(prompt)} characters")
    end = start + len(lengths)
    kept = logprobs[start:end]
    if len(kept) > 1 and all(value is None for value in kept):
        raise _no_echo(name, "it returns no logprobs for the prompt")
    offsets = [0, *itertools.accumulate(lengths)][:-1]
    best = (*top[start:end], *[None] * (len(kept) - len(top[start:end])))
    return Echo(tuple(offsets) if exact else None, tuple(lengths), tuple(kept), best)


def continuation_likelihood(echo: Echo, boundary: int) -> Loglikelihood:
    """The loglikelihood of what follows the first `boundary` characters; `echo.offsets` must be known.

    A token that spans the boundary counts: its white space, or letters, belong to the continuation's token
    (lm-evaluation-harness moves the context's trailing spaces into the continuation to the same effect).
    """
    if echo.offsets is None:
        raise ValueError("the tokens do not line up with the text")
    # a token ends where the next one begins: the first that ends after the boundary
    first = max(bisect.bisect_right(echo.offsets, boundary, lo=min(1, len(echo.offsets))) - 1, 0)
    if first < len(echo.lengths) and echo.offsets[first] + echo.lengths[first] <= boundary:
        first += 1
    return token_likelihood(echo, first)


def token_likelihood(echo: Echo, first: int) -> Loglikelihood:
    """The loglikelihood of the tokens from position `first`; what has no logprob is not counted."""
    scored = [i for i in range(first, len(echo.logprobs)) if echo.logprobs[i] is not None]
    flags = [_is_greedy(echo.logprobs[i], echo.best[i]) for i in scored]
    total = math.fsum(min(0.0, echo.logprobs[i] or 0.0) for i in scored)
    greedy = None if not flags or any(flag is None for flag in flags) else all(flags)
    return Loglikelihood(total, len(scored), greedy)


def text_likelihood(echo: Echo) -> Loglikelihood:
    """The loglikelihood of the whole text; its first token counts only where the server scores it."""
    return token_likelihood(echo, 0)


def _line_up(tokens: Sequence[str], prompt: str, first_is_free: bool) -> tuple[int, list[int] | None]:
    """(first, lengths) of the tokens whose texts, joined, are the prompt; lengths is None when none are.

    A first token without logprob may stand before the text (the beginning of a sequence), and the first
    token of the text may begin with a space that the text does not have (SentencePiece).
    """
    if prompt and "".join(tokens).startswith(prompt):  # what nearly all servers send
        lengths = list(map(len, tokens))
        ends = list(itertools.accumulate(lengths))
        last = bisect.bisect_left(ends, len(prompt))
        if ends[last] == len(prompt):
            return 0, lengths[: last + 1]
    for start in (0, 1) if first_is_free else (0,):
        at, lengths = 0, []
        for token in tokens[start:]:
            if at == len(prompt):
                break
            piece = token
            if at == 0 and token[:1] == " " and not prompt.startswith(token):
                piece = token[1:]
            if not prompt.startswith(piece, at):
                break
            lengths.append(len(piece))
            at += len(piece)
        if at == len(prompt):
            return start, lengths
    return 0, None


def _is_greedy(logprob: float | None, best: Any) -> bool | None:
    """Whether no other token was more probable; None when the server does not say."""
    if logprob is None or not isinstance(best, dict) or not best:
        return None
    others = [value for value in best.values() if type(value) in (int, float)]
    return bool(logprob >= max(others)) if others else None


def _field(block: Any, name: str) -> Any:
    """A field of a mapping or of an object."""
    return block.get(name) if isinstance(block, dict) else getattr(block, name, None)


def _no_echo(name: str, why: str) -> CallError:
    """The error of a server that gives no logprobs of the prompt."""
    return CallError(
        f"{name}: the server does not score given text: {why}. vLLM and SGLang do (hosted_vllm/...); "
        "llama.cpp, LM Studio and Ollama do not. Use a task that is answered by generating",
        kind="unsupported",
        action="stop_model",
    )
