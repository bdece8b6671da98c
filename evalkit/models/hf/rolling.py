"""The likelihood of whole texts, longer than the model's context too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.errors import CallError
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.encoding import encode_texts
from evalkit.models.hf.engine import Scores, TextItem
from evalkit.models.hf.likelihood import score_alone
from evalkit.models.hf.loading import Loaded
from evalkit.records import Loglikelihood

__all__ = ["score_texts"]


def score_texts(
    loaded: Loaded, size: BatchSize, items: Sequence[TextItem]
) -> Iterator[tuple[int, Scores | CallError]]:
    """(position, likelihood of the text) of each item."""
    for number, tokens in enumerate(encode_texts(loaded, [item.text for item in items], special=False)):
        total = 0.0
        for start in range(0, len(tokens), loaded.max_length):
            window = tokens[start : start + loaded.max_length]
            before = tokens[start - 1] if start else loaded.prefix_token
            total += score_alone(loaded, [before or 0], window).logprob
        yield number, Scores((Loglikelihood(total, len(tokens), None),), n_input=len(tokens))
