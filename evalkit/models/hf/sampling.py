"""How the next token is chosen: parameters of a request, and draws that do not depend on the batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from evalkit.core.errors import CallError

__all__ = ["Draw", "Sampling", "choose", "parse_params"]

DEFAULT_MAX_TOKENS = 256
"""Tokens of an answer where neither task nor user says (as lm_eval's max_gen_toks)."""

_KNOWN = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
)
_LEAST = 512
"""So many of the likeliest tokens are looked at before the whole vocabulary is sorted."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen for one request."""

    temperature: float = 0.0
    """0: always the likeliest token."""
    top_p: float = 1.0
    """The smallest set of tokens with this probability is drawn from."""
    top_k: int = 0
    """Only so many of the likeliest tokens are drawn from; 0: all."""
    min_p: float = 0.0
    """Only tokens with at least this share of the likeliest token's probability are drawn from."""
    repetition_penalty: float = 1.0
    """Divides the logits (multiplies negative ones) of all tokens that have occurred, prompt included."""
    presence_penalty: float = 0.0
    """Taken off the logits of tokens that the answer holds already."""
    frequency_penalty: float = 0.0
    """Taken off the logits of a token once for each time that the answer holds it."""
    num_beams: int = 1
    """Beams of a beam search; 1: none."""

    @property
    def penalises(self) -> bool:
        """Whether what has been written changes the logits."""
        return (self.repetition_penalty, self.presence_penalty, self.frequency_penalty) != (1.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Draw:
    """One row for which a token is to be chosen."""

    sampling: Sampling
    chance: float
    """A random number from 0 to 1; used where a token is drawn."""
    prompt: Sequence[int]
    written: Sequence[int]
    """The answer's tokens so far."""


def parse_params(
    params: Mapping[str, Any], own: Mapping[str, Any], name: str
) -> tuple[Sampling, int, tuple[str, ...], tuple[str, ...]]:
    """(how to sample, most tokens, stop strings, notes) of a request's parameters.

    `own` holds what the model's generation_config.json sets and a request may override. What is not known is
    not used, and a note says so. Raises CallError for a value that is no number.
    """
    wanted = {key: value for key, value in params.items() if value is not None}
    wanted.pop("seed", None)
    notes = []
    if wanted.pop("n", 1) not in (1, "1"):
        notes.append("n was not used: several answers to one prompt are asked for with --repeats")
    limit = DEFAULT_MAX_TOKENS
    for key in ("max_completion_tokens", "max_tokens", "max_new_tokens", "max_gen_toks"):
        if key in wanted:
            limit = int(_number(wanted.pop(key), key, name, 0))
    raw = wanted.pop("stop", ())
    stops = tuple(map(str, (raw,) if isinstance(raw, str) else raw))
    if wanted.pop("do_sample", None) is False:
        wanted.pop("temperature", None)
    values: dict[str, Any] = {
        key: _number(wanted.pop(key, own.get(key)), key, name)
        for key in _KNOWN
        if key in wanted or key in own
    }
    if "top_k" in values:
        values["top_k"] = max(0, int(values["top_k"]))
    values["num_beams"] = int(_number(wanted.pop("num_beams", own.get("num_beams", 1)), "num_beams", name, 1))
    if values.get("temperature", 0.0) > 0:
        values["num_beams"] = 1
    notes += [f"{key} was not used: models in this process do not know it" for key in sorted(wanted)]
    return Sampling(**values), limit, tuple(stop for stop in stops if stop), tuple(notes)


def _number(value: Any, key: str, name: str, least: float | None = None) -> float:
    """The value as a number, not below `least`. Raises CallError."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < float("inf") or isinstance(value, bool):
        raise CallError(
            f"{name}: {key} must be a number, not {value!r}", kind="bad_request", action="stop_model"
        )
    if least is not None and number < least:
        raise CallError(f"{name}: {key} must be at least {least:g}", kind="bad_request", action="stop_model")
    return number


@torch.inference_mode()
def choose(logits: Any, rows: Sequence[Draw]) -> list[int]:
    """The next token of each row of `logits` (rows x vocabulary, float32; may be changed)."""
    for number, row in enumerate(rows):
        if row.sampling.penalises:
            _penalise(logits[number], row)
    tokens: list[int] = logits.argmax(-1).tolist()
    groups: dict[Sampling, list[int]] = {}
    for number, row in enumerate(rows):
        if row.sampling.temperature > 0:
            groups.setdefault(row.sampling, []).append(number)
    for sampling, numbers in groups.items():
        drawn = _draw(logits[numbers], sampling, [rows[number].chance for number in numbers])
        for number, token in zip(numbers, drawn, strict=True):
            tokens[number] = token
    return tokens


def _penalise(logits: Any, row: Draw) -> None:
    """Nothing; changes the logits of tokens that have occurred (Keskar et al. 2019; OpenAI's two)."""
    sampling = row.sampling
    if sampling.repetition_penalty != 1.0:
        seen = torch.tensor(sorted({*row.prompt, *row.written}), device=logits.device)
        values = logits[seen]
        penalty = sampling.repetition_penalty
        logits[seen] = torch.where(values < 0, values * penalty, values / penalty)
    if row.written and (sampling.presence_penalty or sampling.frequency_penalty):
        written = torch.tensor(list(row.written), device=logits.device)
        tokens, counts = torch.unique(written, return_counts=True)
        logits[tokens] -= sampling.presence_penalty + sampling.frequency_penalty * counts


def _draw(logits: Any, sampling: Sampling, chances: Sequence[float]) -> list[int]:
    """A token of each row by its chance: the first at which the sum of the probabilities passes it."""
    probabilities = torch.softmax(logits.double() / sampling.temperature, -1)
    size = probabilities.shape[-1]
    most = min(sampling.top_k or size, size)
    order = None
    if most < size or sampling.top_p < 1:
        values, order = probabilities.topk(min(most, _LEAST, size))
        if most > values.shape[-1] and not bool((values.sum(-1) >= sampling.top_p).all()):
            values, order = probabilities.topk(most)
        whole = values.sum(-1, keepdim=True) if most < size else 1.0
        before = values.cumsum(-1) - values
        kept = torch.where(before < sampling.top_p * whole, values, 0.0)
    else:
        kept = probabilities
    if sampling.min_p > 0:
        kept = torch.where(kept >= sampling.min_p * kept.amax(-1, keepdim=True), kept, 0.0)
    sums = kept.cumsum(-1)
    aims = torch.tensor(chances, dtype=sums.dtype, device=sums.device)[:, None] * sums[:, -1:]
    places = torch.searchsorted(sums, aims, right=True)
    # Rounding must not lead past the last token that can be drawn.
    last = size - 1 - (kept > 0).flip(-1).int().argmax(-1, keepdim=True) - (size - kept.shape[-1])
    places = torch.minimum(places, last)
    tokens = places if order is None else order.gather(-1, places)
    return [int(token) for token in tokens[:, 0].tolist()]
