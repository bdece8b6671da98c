"""Perplexity and its kin: how well a model predicts a text, over the whole corpus.

With L the sum of loglikelihoods (nats) of all texts: perplexity exp(-L / tokens) = 2^cross-entropy, by the
model's own tokens; word_perplexity and byte_perplexity divide by words and UTF-8 bytes; bits_per_byte and
bits_per_char are -L / (bytes or characters) / ln 2. They equal word_perplexity, byte_perplexity and
bits_per_byte of lm-evaluation-harness (lm_eval/tasks/wikitext/preprocess_wikitext.py counts words as pieces
between white space, bytes as UTF-8). Token perplexities of models with different tokenizers do not compare;
those by bytes or characters do. A document's own score is the same formula on it alone.
"""

from __future__ import annotations

import math
import re
from typing import ClassVar

from evalkit.core.errors import MetricError
from evalkit.core.language import clean_text, spaced_language
from evalkit.core.records import Scale
from evalkit.metrics.base import Array, Case, Context, Metric, sign


class Perplexity(Metric):
    """exp(-sum of loglikelihoods / sum of tokens), at least 1; lower is better."""

    kinds: ClassVar[frozenset[str]] = frozenset({"perplexity"})
    unit: ClassVar[str] = "tokens"
    bits: ClassVar[bool] = False
    higher_is_better = False
    scale: Scale = "unbounded"
    aggregation = "corpus"
    bounds = None

    def __init__(self, context: Context, *, name: str) -> None:
        self.name = name
        self.log_scale = not self.bits
        self.signature = sign("bits" if self.bits else "perplexity", per=self.unit, v=1)

    def count(self, case: Case) -> int | None:
        """By how many units the loglikelihood is divided; None when nobody counted."""
        return case.response.loglikelihoods[0].n_tokens

    def stats(self, case: Case) -> tuple[float, ...]:
        """(loglikelihood in nats, number of units); () when the model gave no loglikelihood or no count."""
        if len(case.response.loglikelihoods) != 1:
            return ()
        n = self.count(case)
        return () if n is None else (case.response.loglikelihoods[0].logprob, float(n))

    def score(self, case: Case) -> float | None:
        """The value of this document alone; None when it has no units."""
        stats = self.stats(case)
        if not stats or not stats[1]:
            return None
        rate = -stats[0] / stats[1]
        if self.bits:
            return rate / math.log(2)
        return math.exp(rate) if rate < 700 else math.inf

    def aggregate(self, sums: Array) -> Array:
        """The value for sums of (loglikelihood, units)."""
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            rate: Array = -sums[..., 0] / sums[..., 1]
            return rate / math.log(2) if self.bits else np.exp(rate)


def _text(metric: str, case: Case) -> str:
    if case.text is None:
        raise MetricError(f"metric {metric!r} needs the sample's `text`; it belongs to `kind: perplexity`")
    return clean_text(case.text)


class TokenPerplexity(Perplexity):
    """Perplexity per token of the model."""

    def __init__(self, context: Context, *, name: str = "perplexity") -> None:
        super().__init__(context, name=name)


class WordPerplexity(Perplexity):
    """Perplexity per word; only for languages that write spaces between words."""

    unit = "words"

    def __init__(self, context: Context, *, name: str = "word_perplexity") -> None:
        if not spaced_language(context.language):
            raise MetricError(
                f"metric {name!r} counts words by spaces, and the language {context.language!r} writes none; "
                "use bits_per_byte, bits_per_char or byte_perplexity"
            )
        super().__init__(context, name=name)

    def count(self, case: Case) -> int:
        """Pieces between runs of white space, empty ones at the ends included, as lm-eval counts them."""
        return len(re.split(r"\s+", _text(self.name, case)))


class BytePerplexity(Perplexity):
    """Perplexity per UTF-8 byte."""

    unit = "bytes"

    def __init__(self, context: Context, *, name: str = "byte_perplexity") -> None:
        super().__init__(context, name=name)

    def count(self, case: Case) -> int:
        """UTF-8 bytes of the text."""
        return len(_text(self.name, case).encode())


class BitsPerByte(BytePerplexity):
    """log2 of the perplexity per UTF-8 byte."""

    bits = True

    def __init__(self, context: Context, *, name: str = "bits_per_byte") -> None:
        super().__init__(context, name=name)


class BitsPerChar(Perplexity):
    """log2 of the perplexity per character (Unicode code point)."""

    unit = "characters"
    bits = True

    def __init__(self, context: Context, *, name: str = "bits_per_char") -> None:
        super().__init__(context, name=name)

    def count(self, case: Case) -> int:
        """Code points of the text."""
        return len(_text(self.name, case))
