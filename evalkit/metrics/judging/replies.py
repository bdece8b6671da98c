"""From a judge's reply to its verdict. What is not clearly one verdict is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

from evalkit.metrics.extractors.excerpt import Excerpt
from evalkit.metrics.extractors.json_path import JsonPath
from evalkit.metrics.extractors.reasoning import strip_reasoning
from evalkit.metrics.judging.scales import Scale

_BRACKETS = re.compile(r"\[\[\s*([^\[\]]{1,100}?)\s*\]\]")
_VERDICT = JsonPath("verdict")
_BARE = re.compile(
    r"[\s*_#>]*(?P<named>(?:(?:final|my|the)\s+)?(?:verdict|score|rating|grade|答案|结论|评分|得分|分数|判定)[*_]*"
    r"\s*(?:[:：=]|\bis\b|是|为)[\s*_]*)?(?P<verdict>[^\n]{1,60})\s*",
    re.IGNORECASE,
)
"""A verdict without JSON: alone, or named."""


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
    """The verdict of a reply; None when there is none, or when it is unclear.

    Reasoning that the judge marks (<think>...</think>) is not read. `output` json: the last object with
    the key `verdict`, read as the extractor `json` reads, else a verdict that is the whole reply or that the
    last line names. `output` brackets: what stands between double brackets, [[8]], as in the prompts of
    MT-Bench; two that differ are no verdict.
    """
    found = strip_reasoning(Excerpt(text))
    if found is None:
        return None
    if output == "brackets":
        return _in_brackets(found.excerpt.text, scale)
    located = _VERDICT.locate(found.excerpt)
    if located is None:
        return _bare(found.excerpt.text, scale)
    read = scale.read(located.value)
    why = located.document.value.get("reasoning")
    return ReadVerdict(*read, str(why) if isinstance(why, str) and why else None) if read else None


def _in_brackets(text: str, scale: Scale) -> ReadVerdict | None:
    verdicts = {scale.read(written) for written in _BRACKETS.findall(text)}
    only = verdicts.pop() if len(verdicts) == 1 else None
    return ReadVerdict(*only, _BRACKETS.sub("", text).strip() or None) if only else None


def _bare(text: str, scale: Scale) -> ReadVerdict | None:
    """The verdict of a reply without JSON."""
    before, _, last = text.strip().rpartition("\n")
    bare = _BARE.fullmatch(last)
    if bare is None or (before and not bare["named"]):
        return None
    read = scale.read(bare["verdict"])
    return ReadVerdict(*read, before.strip() or None) if read else None
