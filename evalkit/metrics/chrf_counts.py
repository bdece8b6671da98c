"""The counts of n-grams from which chrF is computed, as sacrebleu 2.4 to 2.6 counts them.

sacrebleu gives scores of chrF and no counts, and intervals need the counts of each segment. M. Popović,
"chrF: character n-gram F-score for automatic MT evaluation", WMT 2015; "chrF++: words helping character
n-grams", WMT 2017.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ChrfCounts"]

_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_EPS = 1e-16
"""sacrebleu's precision and recall of an order that a text is too short for."""


@dataclass(frozen=True, slots=True)
class ChrfCounts:
    """The settings of chrF, which decide what is counted."""

    char_order: int
    word_order: int
    beta: int
    lowercase: bool
    whitespace: bool
    eps_smoothing: bool

    def count(self, answer: str, targets: Sequence[str]) -> tuple[int, ...]:
        """(in the answer, in the target, in both) for each order, with the target of the best F-score."""
        written = self._ngrams(answer)
        if len(targets) == 1:
            return _match(written, self._ngrams(targets[0]))
        best: tuple[int, ...] = ()
        highest = -1.0
        for target in targets:
            counts = _match(written, self._ngrams(target))
            value = self._f_score(counts)
            if value > highest:
                best, highest = counts, value
        return best

    def _ngrams(self, text: str) -> list[Counter[str]]:
        """The n-grams of characters, order by order, then those of words."""
        if self.lowercase:
            text = text.lower()
        line = text if self.whitespace else "".join(text.split())
        found = [
            Counter([line[at : at + n] for at in range(len(line) - n + 1)])
            for n in range(1, self.char_order + 1)
        ]
        if self.word_order:
            words = _words(text)
            found += [
                Counter([" ".join(words[at : at + n]) for at in range(len(words) - n + 1)])
                for n in range(1, self.word_order + 1)
            ]
        return found

    def _f_score(self, counts: Sequence[int]) -> float:
        """The F-score of one target in sacrebleu's own steps, so that the same target wins a near tie."""
        factor = self.beta**2
        smoothed = precision = recall = 0.0
        defined = 0
        for at in range(0, len(counts), 3):
            in_answer, in_target, in_both = counts[at : at + 3]
            p = in_both / in_answer if in_answer else _EPS
            r = in_both / in_target if in_target else _EPS
            below = factor * p + r
            smoothed += (1 + factor) * p * r / below if below > 0 else _EPS
            if in_answer and in_target:
                precision, recall, defined = precision + p, recall + r, defined + 1
        if self.eps_smoothing:
            return 100 * smoothed / (len(counts) // 3)
        if not precision + recall:
            return 0.0
        precision, recall = precision / defined, recall / defined
        return 100 * ((1 + factor) * precision * recall / (factor * precision + recall))


def _match(written: Sequence[Counter[str]], wanted: Sequence[Counter[str]]) -> tuple[int, ...]:
    found: list[int] = []
    for ours, theirs in zip(written, wanted, strict=True):
        both = 0
        for ngram in ours.keys() & theirs.keys():
            one, other = ours[ngram], theirs[ngram]
            both += one if one < other else other
        found += (sum(ours.values()) if theirs else 0, sum(theirs.values()), both)
    return tuple(found)


def _words(text: str) -> list[str]:
    """The words, each with its last mark of punctuation apart, or else its first."""
    found = []
    for word in text.split():
        if len(word) == 1:
            found.append(word)
        elif word[-1] in _PUNCTUATION:
            found += [word[:-1], word[-1]]
        elif word[0] in _PUNCTUATION:
            found += [word[0], word[1:]]
        else:
            found.append(word)
    return found
