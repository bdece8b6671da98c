"""What a search found against what it should: agreement with scikit-learn, edges, and what is unscored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from evalkit.core.errors import MetricError
from evalkit.core.records import Response, Step
from evalkit.metrics import Case, build_metrics


def value(name: str, searches: list[list[str]], relevant: object) -> float | None:
    """The metric of a sample that was searched for so often."""
    (metric,) = build_metrics([name], language="en")
    steps = tuple(Step("search", "q", found=tuple(found)) for found in searches)
    return metric.score(Case("a", Response(steps=steps), fields={"relevant": relevant}))


@settings(max_examples=60, deadline=None)
@given(st.permutations(list("abcdefgh")), st.sets(st.sampled_from("abcdefgh"), min_size=1), st.integers(1, 8))
def test_ndcg_agrees_with_scikit_learn(order: list[str], relevant: set[str], k: int) -> None:
    """With binary gains it is scikit-learn's ndcg_score at k."""
    gains = np.array([[float(name in relevant) for name in order]])
    scores = np.array([[float(-place) for place in range(len(order))]])
    assert value(f"ndcg@{k}", [order], sorted(relevant)) == pytest.approx(ndcg_score(gains, scores, k=k))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall@2", 0.5),
        ("recall@4", 1.0),
        ("precision@4", 0.5),
        ("hit@1", 0.0),
        ("hit@2", 1.0),
        ("mrr@4", 0.5),
    ],
)
def test_by_hand(name: str, expected: float) -> None:
    """b and d are relevant; a, b, c, d were found in this order."""
    assert value(name, [["a", "b", "c", "d"]], ["b", "d"]) == expected


def test_searches_of_one_sample_are_one_list() -> None:
    """Each document counts where it was found first."""
    assert value("recall@3", [["a", "b"], ["a", "c"]], ["c"]) == 1.0
    assert value("recall@2", [["a", "b"], ["a", "c"]], ["c"]) == 0.0


def test_unknown_is_not_zero() -> None:
    """No search, or nothing to be found, has no score; a search that found nothing has 0."""
    assert value("recall@3", [], ["a"]) is None
    assert value("recall@3", [["a"]], []) is None
    assert value("recall@3", [[]], ["a"]) == 0.0


def test_one_id_may_stand_alone() -> None:
    """A column may hold one id, and ids may be numbers."""
    assert value("hit@1", [["7"]], 7) == 1.0


@pytest.mark.parametrize("spec", [{"name": "recall@k"}, {"name": "recall@5", "of": "f1"}, "recall@0"])
def test_wrong_settings(spec: object) -> None:
    """k is a number from 1 on, and nothing but the column can be set."""
    with pytest.raises(MetricError):
        build_metrics([spec], language="en")  # type: ignore[list-item]


def test_missing_column_is_named() -> None:
    """A task whose samples name no relevant documents is told which column to add."""
    (metric,) = build_metrics([{"name": "recall@k", "k": 3, "column": "gold"}], language="en")
    steps = (Step("search", "q", found=("a",)),)
    with pytest.raises(MetricError, match="'gold'"):
        metric.score(Case("a", Response(steps=steps), fields={"relevant": ["a"]}))
