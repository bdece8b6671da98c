"""What the samples of a cell show beyond its means: outcomes, scores, labels, confidence, time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evalkit.core.language import base_language, normalize_answer
from evalkit.core.records import CellResult, SampleResult, TaskInfo
from evalkit.metrics.confidence import option_probabilities
from evalkit.pages.shards import verdict

MAX_OBSERVED = 20_000
"""Results of a cell that charts are drawn from; larger cells are drawn from their first ones, and say so."""
MAX_LABELS = 26
"""Labels up to which a confusion matrix can be read."""
NO_LABEL = -1
"""The place of an answer that is none of the labels, or of none at all."""


@dataclass
class Observed:
    """What was seen of the results of one cell, one after the other."""

    info: TaskInfo
    cell: CellResult
    n: int = 0
    """Results seen."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Verdict -> results."""
    scores: list[float] = field(default_factory=list)
    """The headline score of each scored result."""
    options: set[tuple[str, ...]] = field(default_factory=set)
    """The lists of options that were given, two at most: whether they are the same for all samples."""
    most_options: int = 0
    """The length of the longest list."""
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(place of the right label, place of the answered one) -> results."""
    confidence: list[tuple[float, bool]] = field(default_factory=list)
    """(probability of the likeliest option, whether it was right)."""
    latencies: list[float] = field(default_factory=list)
    """Seconds of each call that was made now."""

    def __post_init__(self) -> None:
        self._language = base_language(self.info.language)
        self._labels = {
            normalize_answer(label, self._language): i for i, label in enumerate(self.info.labels)
        }

    def watch(self, results: Iterable[SampleResult]) -> Iterator[SampleResult]:
        """The results, each one looked at as it passes."""
        for result in results:
            if self.n < MAX_OBSERVED:
                self.add(result)
            yield result

    def add(self, result: SampleResult) -> None:
        """Nothing; takes a result in."""
        self.n += 1
        headline = self.info.headline
        self.outcomes[verdict(result, headline, self.cell.metrics.get(headline))] += 1
        response = result.response
        if response.latency_s is not None and not response.from_cache:
            self.latencies.append(response.latency_s)
        score = result.scores.get(headline)
        if score is not None and result.unscored_reason is None:
            self.scores.append(score)
        if response.status == "error" or result.unscored_reason is not None:
            return
        if result.choices:
            self._add_choice(result)
        elif self._labels and result.target:
            gold = self._label(result.target[0])
            if gold != NO_LABEL:
                self.pairs[gold, self._label(result.answer)] += 1

    def _add_choice(self, result: SampleResult) -> None:
        if len(self.options) < 2:
            self.options.add(result.choices)
        self.most_options = max(self.most_options, len(result.choices))
        right = {i for i, choice in enumerate(result.choices) if choice in result.target}
        if not right:
            return
        chosen = result.choices.index(result.answer) if result.answer in result.choices else NO_LABEL
        self.pairs[chosen if chosen in right else min(right), chosen] += 1
        found = option_probabilities(result.response.loglikelihoods, result.choices)
        if found is not None:
            best = max(range(len(found)), key=found.__getitem__)
            self.confidence.append((found[best], best in right))

    def _label(self, text: str | None) -> int:
        if text is None:
            return NO_LABEL
        return self._labels.get(normalize_answer(text, self._language), NO_LABEL)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the places of `pairs` stand for: labels, options that all samples share, or letters; empty
        where there is nothing to tabulate."""
        if not self.pairs:
            return ()
        if not self.most_options:
            names = self.info.labels
        elif len(self.options) == 1:
            names = next(iter(self.options))
        else:
            names = tuple(chr(ord("A") + i) for i in range(min(self.most_options, MAX_LABELS + 1)))
        return names if 1 < len(names) <= MAX_LABELS else ()
