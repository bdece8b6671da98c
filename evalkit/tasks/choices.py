"""The options of a choice under letters: in which order they are listed, and how likely each letter was.

data       as the data list them
seeded     in an order drawn from seed and sample, so that no letter is right more often than another
circular   every rotation is asked; right is what is right in all of them (CircularEval of MMBench, Y. Liu et
           al. 2023, arXiv:2307.06281, section 4.2)
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from evalkit.core.records import IMPOSSIBLE, Loglikelihood, Token
from evalkit.tasks.prompts import letter

Order = Literal["data", "seeded", "circular"]
ORDERS: tuple[Order, ...] = ("data", "seeded", "circular")
TOP_LOGPROBS = 20
"""Alternatives of a token that are asked for: the most that OpenAI and vLLM give."""


def base_mode(mode: str) -> str:
    """The mode without the order of the options: letter_generate_seeded -> letter_generate."""
    return mode.removesuffix("_seeded").removesuffix("_circular")


def chance_in(mode: str, chance: float | None, best: float = 1.0) -> float | None:
    """What guessing scores in a mode, from what it scores on one asking; None where that is unknown.

    With every rotation of k options asked, a guesser must be right k times in a row: k ** -k of the best.
    """
    if chance is None or not is_circular(mode) or not 0.0 < chance < best:
        return chance
    share = chance / best
    return float(best * share ** round(1.0 / share))


def is_circular(mode: str) -> bool:
    """Whether every rotation of the options is asked."""
    return mode.endswith("_circular")


def with_order(mode: str, order: str) -> str:
    """The mode with the order of the options, where letters are asked for and the order is not the data's."""
    return f"{mode}_{order}" if mode.startswith("letter_") and order != "data" else mode


def seeded_order(n: int, seed: int, sample_id: str) -> tuple[int, ...]:
    """The positions 0 to n - 1 in an order that hangs on seed and sample alone."""
    order = list(range(n))
    random.Random(f"{seed}:{sample_id}:choices").shuffle(order)
    return tuple(order)


def rotation(n: int, number: int) -> tuple[int, ...]:
    """The positions 0 to n - 1, the one of this number first."""
    return tuple((number + place) % n for place in range(n))


def reorder_fields(
    fields: Mapping[str, Any], rule: str | Sequence[str], choices: Sequence[str], order: Sequence[int]
) -> dict[str, Any]:
    """The columns of a sample with the options in another order, in the columns that `rule` takes them from.

    Lists of the options, alone or inside a mapping, and columns of one option each are rewritten.
    """
    named = set(re.findall(r"[^\W\d]\w*", rule if isinstance(rule, str) else " ".join(rule)))
    texts = list(choices)

    def moved(value: Any) -> Any:
        if isinstance(value, list | tuple) and [str(item) for item in value] == texts:
            return [value[place] for place in order]
        if isinstance(value, Mapping):
            return {key: moved(item) for key, item in value.items()}
        if isinstance(value, str) and value in texts:
            return texts[order[texts.index(value)]]
        return value

    return {name: moved(value) if name in named else value for name, value in fields.items()}


def in_data_order(values: Sequence[Any], order: Sequence[int]) -> tuple[Any, ...]:
    """What was found for the options as they are listed, in the order of the data."""
    if not order:
        return tuple(values)
    return tuple(values[order.index(position)] for position in range(len(order)))


def as_listed(values: Sequence[Any], order: Sequence[int]) -> tuple[Any, ...]:
    """The inverse of `in_data_order`."""
    return tuple(values[position] for position in order) if order else tuple(values)


def letter_likelihoods(
    tokens: Sequence[Token], at: int, n: int, order: Sequence[int]
) -> tuple[tuple[Loglikelihood, ...], int] | None:
    """(the loglikelihood of each option in the order of the data, how many letters were not among the
    likeliest tokens); None where the letter is no token of its own.

    `at` is where the letter stands in the text that the tokens make. Probabilities are those of the letter's
    token, renormalised over the letters; a letter that the model does not list counts as impossible.
    """
    place = 0
    for token in tokens:
        place += len(token.text)
        if place > at:
            break
    else:
        return None
    letters = [letter(position) for position in range(n)]
    mass = dict.fromkeys(letters, 0.0)
    for text, logprob in token.top.items():
        name = text.strip().strip("()*.:").upper()
        if name in mass:
            mass[name] += math.exp(logprob)
    total = sum(mass.values())
    if not total:
        return None
    found = [
        Loglikelihood(math.log(share / total) if share else IMPOSSIBLE, 1, share == max(mass.values()))
        for share in mass.values()
    ]
    return in_data_order(found, order), sum(not share for share in mass.values())
