"""One answer from several: self-consistency."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

__all__ = ["majority_vote"]


def majority_vote(answers: Iterable[str | None]) -> str | None:
    """The most frequent answer; of equally frequent ones, the one seen first. None when there is no answer.

    Repeats without an answer do not vote (Wang et al. 2022, "Self-Consistency Improves Chain of Thought
    Reasoning in Language Models", section 3.1: a majority over the parsed answers).
    """
    counts = Counter(answer for answer in answers if answer is not None)
    return counts.most_common(1)[0][0] if counts else None
