"""Metrics by edit distance: edit distance and similarity, word and character error rate.

V. Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966: the fewest
insertions, deletions and substitutions that turn the answer into the target; distances by rapidfuzz. Error
rates are edits over the length of the targets, summed over the corpus (NIST's sclite; the values of jiwer for
spaced languages), so they may exceed 1. Of several targets the one with the lowest rate counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.core.language import base_language, clean_text, spaced_language, tokenize, unit_language
from evalkit.core.records import Scale
from evalkit.metrics.base import Array, Case, Context, Metric, check_choice, check_target, sign


def distance(left: Sequence[str], right: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that turn one side into the other."""
    from rapidfuzz.distance import Levenshtein

    return int(Levenshtein.distance(left, right))


class EditDistance(Metric):
    """The edit distance of the stripped texts in characters, to the nearest target; lower is better."""

    higher_is_better = False
    scale: Scale = "unbounded"
    bounds: tuple[float, float] | None = None

    def __init__(self, context: Context, *, name: str = "edit_distance") -> None:
        self.name = name
        self.signature = sign("edit_distance", unit="characters", v=1)

    def score(self, case: Case) -> float:
        """The distance; no answer is an empty text."""
        answer = _stripped(case.answer)
        return float(min(distance(answer, _stripped(t)) for t in check_target(self.name, case)))


class EditSimilarity(Metric):
    """1 - distance / length of the longer text, with the most similar target; 0 to 1."""

    def __init__(self, context: Context, *, name: str = "edit_similarity") -> None:
        self.name = name
        self.signature = sign("edit_similarity", unit="characters", v=1)

    def score(self, case: Case) -> float:
        """The similarity; 0 without an answer."""
        targets = check_target(self.name, case)
        if case.answer is None:
            return 0.0
        answer = _stripped(case.answer)
        pairs = [(distance(answer, t), max(len(answer), len(t))) for t in map(_stripped, targets)]
        return max(1.0 - edits / length if length else 1.0 for edits, length in pairs)


def _stripped(text: str | None) -> str:
    return "" if text is None else clean_text(text).strip()


class ErrorRate(Metric):
    """Edits over the length of the targets, summed over the corpus; lower is better."""

    higher_is_better = False
    scale: Scale = "unbounded"
    aggregation = "corpus"
    bounds: tuple[float, float] | None = (0.0, math.inf)
    unit: ClassVar[str] = ""

    def __init__(self, context: Context, *, name: str, normalize: str) -> None:
        self.name = name
        self.lang = base_language(context.language)
        normalize = check_choice(name, "normalize", normalize, ("auto", "none", "full"))
        # Without spaces there is no convention about them, width or punctuation to keep to.
        full = normalize == "full" or (normalize == "auto" and not spaced_language(self.lang))
        self.normal = full
        self.signature = sign(self.unit, norm=f"full-{self.lang}" if full else "none", refs="best", v=1)

    def split(self, text: str) -> Sequence[str]:
        """The text in the units that are counted."""
        raise NotImplementedError

    def stats(self, case: Case) -> tuple[float, ...]:
        """(edits, length of the target in units) for the target with the lowest rate."""
        answer = self.split(clean_text(case.answer or ""))
        targets = [self.split(clean_text(t)) for t in check_target(self.name, case)]
        pairs = [(float(distance(answer, target)), float(len(target))) for target in targets]
        return min(pairs, key=lambda pair: pair[0] / max(pair[1], 1.0))

    def score(self, case: Case) -> float | None:
        """The rate of this sample; None when its target is empty."""
        edits, length = self.stats(case)
        return edits / length if length else None

    def aggregate(self, sums: Array) -> Array:
        """The rate for each sum of (edits, length)."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):
            rate: Array = sums[..., 0] / sums[..., 1]
        return rate


class WordErrorRate(ErrorRate):
    """WER: edits in words. `normalize: full` drops case and punctuation; the default compares as written."""

    unit = "wer"

    def __init__(self, context: Context, *, name: str = "wer", normalize: str = "auto") -> None:
        if not spaced_language(context.language):
            raise MetricError(
                f"metric {name!r} counts words by spaces, and the language {context.language!r} writes none; "
                "use cer"
            )
        super().__init__(context, name=name, normalize=normalize)
        self.guarded = True

    def split(self, text: str) -> Sequence[str]:
        """Words."""
        return _words(text) if self.normal else text.split()


class CharErrorRate(ErrorRate):
    """CER: edits in characters. Spaced languages are compared as written, runs of white space as one space;
    unspaced ones by NFKC, without case, punctuation and spaces, which `normalize: none` prevents."""

    unit = "cer"

    def __init__(self, context: Context, *, name: str = "cer", normalize: str = "auto") -> None:
        super().__init__(context, name=name, normalize=normalize)

    def split(self, text: str) -> Sequence[str]:
        """Characters."""
        if not self.normal:
            return " ".join(text.split()) if spaced_language(self.lang) else "".join(text.split())
        return ("" if unit_language(self.lang) else " ").join(tokenize(text, self.lang))


def _words(text: str) -> list[str]:
    # Words by spaces in every language; Korean's units of overlap are syllables, its words are not.
    return tokenize(text, "en")
