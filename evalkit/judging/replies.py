"""From a judge's reply to its verdict. What is not clearly one verdict is none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from evalkit.judging.scales import Scale

_BRACKETS = re.compile(r"\[\[\s*([^\[\]]{1,100}?)\s*\]\]")
_DECODER = json.JSONDecoder()
_MOST_STARTS = 200
"""Opening braces that are tried; a reply with more is no reply to our question."""


@dataclass(frozen=True, slots=True)
class ReadVerdict:
    """What a reply says."""

    verdict: str
    """The label, or the number as text."""
    worth: float | None
    """From 0 to 1; None where the judge abstains."""
    reasoning: str | None
    """Why, in the judge's words; None when it does not say."""


def read_verdict(text: str, scale: Scale, output: str = "json") -> ReadVerdict | None:
    """The verdict of a reply; None when there is none, or when there are several that differ.

    `output` json: an object with the keys `reasoning` and `verdict`, alone or inside other text.
    `output` brackets: the verdict between double brackets, [[8]], as in the prompts of MT-Bench.
    """
    if output == "brackets":
        found = [(match, None) for match in _BRACKETS.findall(text)]
        reasoning: str | None = _BRACKETS.sub("", text).strip() or None
    else:
        objects = _objects(text)
        found = [(item["verdict"], item.get("reasoning")) for item in objects]
        reasoning = None
    read = [(scale.read(value), why) for value, why in found]
    verdicts = {None if item is None else item[0] for item, _ in read}
    if len(verdicts) != 1 or None in verdicts:
        return None
    first, why = read[0]
    if first is None:
        return None
    return ReadVerdict(first[0], first[1], why if isinstance(why, str) and why else reasoning)


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects in the text that have a key `verdict`, outermost ones only."""
    found: list[dict[str, Any]] = []
    at = tries = 0
    while tries < _MOST_STARTS and (at := text.find("{", at)) >= 0:
        tries += 1
        try:
            value, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        at = end
        if isinstance(value, dict) and "verdict" in value:
            found.append(value)
    return found
