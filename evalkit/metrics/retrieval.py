"""Did a search find what it should? recall@k, precision@k, hit@k, mrr@k and ndcg@k of what was found.

A sample names its relevant documents in a column (`relevant`), and what was found is kept with the response
by prompts that search (rag, react). Several searches of one sample count as one list, each document where it
was found first. Gains are binary, and ndcg@k is DCG with the discount 1 / log2(rank + 1) over that of the
best order (K. Järvelin and J. Kekäläinen 2002, doi:10.1145/582415.582418), as scikit-learn has it.
A sample that names no relevant document, or whose prompt made no search, is unscored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from evalkit.core.errors import MetricError
from evalkit.metrics.base import Case, Context, Metric, sign


class FoundAtK(Metric):
    """A measure of the first k documents that were found, 0 to 1."""

    def __init__(self, context: Context, *, kind: str, k: int, name: str, column: str = "relevant") -> None:
        if k < 1:
            raise MetricError(f"metric {name!r}: k is at least 1, not {k}")
        self.name, self.kind, self.k, self.column = name, kind, k, column
        self.signature = sign(f"{kind}@{k}", column=column, v=1)

    def score(self, case: Case) -> float | None:
        """The measure of the sample; None where nothing was to be found or no search was made."""
        relevant = self._relevant(case)
        searches = [step.found for step in case.response.steps if step.action == "search"]
        if not relevant or not searches:
            return None
        found = list(dict.fromkeys(name for search in searches for name in search))[: self.k]
        return MEASURES[self.kind](found, relevant, self.k)

    def _relevant(self, case: Case) -> frozenset[str]:
        if self.column not in case.fields:
            raise MetricError(
                f"metric {self.name!r}: the sample has no column {self.column!r} with the ids of its "
                f"relevant documents; name one with `column`. Columns: {', '.join(sorted(case.fields))}"
            )
        value = case.fields[self.column]
        values = value if isinstance(value, list | tuple) else [] if value is None else [value]
        return frozenset(map(str, values))


def recall(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The share of relevant documents that were found."""
    return len(relevant & set(found)) / len(relevant)


def precision(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The share of relevant documents among k places, empty places included."""
    return len(relevant & set(found)) / k


def hit(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """1 where a relevant document was found."""
    return float(bool(relevant & set(found)))


def mrr(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """1 over the rank of the first relevant document; 0 where none was found."""
    return next((1 / rank for rank, name in enumerate(found, start=1) if name in relevant), 0.0)


def ndcg(found: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The discounted gain over that of the best order."""
    gain = math.fsum(1 / math.log2(rank + 1) for rank, name in enumerate(found, start=1) if name in relevant)
    best = math.fsum(1 / math.log2(rank + 1) for rank in range(1, min(len(relevant), k) + 1))
    return min(gain / best, 1.0)


MEASURES: Mapping[str, Callable[[Sequence[str], frozenset[str], int], float]] = MappingProxyType(
    {"recall": recall, "precision": precision, "hit": hit, "mrr": mrr, "ndcg": ndcg}
)
"""What stands before @k -> its function of (found, relevant, k)."""
