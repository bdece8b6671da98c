"""pass@k, avg@k and maj@k."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import MetricError
from evalkit.core.records import MetricValue, Response
from evalkit.metrics import Case, Metric, build_metrics, sample_values, summarise


def over(metric: Metric, target: str, answers: Sequence[str | None]) -> MetricValue:
    """The value of one sample that was asked several times."""
    cases = [Case(answer, Response(), target=(target,)) for answer in answers]
    return summarise(
        metric,
        [metric.score(c) for c in cases],
        [metric.stats(c) for c in cases],
        sample_ids=["s"] * len(cases),
    )


def build(spec: object) -> Metric:
    """The metric of an English task."""
    (metric,) = build_metrics([spec], language="en")  # type: ignore[list-item]
    return metric


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 8))
def test_pass_is_the_share_of_subsets_with_a_right_answer(right: list[bool], k: int) -> None:
    """pass@k is what counting all subsets of k repeats gives; with fewer repeats it is unknown."""
    found = over(build(f"pass@{k}"), "1", ["1" if r else "2" for r in right]).value
    if k > len(right):
        assert found is None
        return
    subsets = list(itertools.combinations(right, k))
    assert found == pytest.approx(sum(any(s) for s in subsets) / len(subsets))


@pytest.mark.parametrize(
    ("answers", "k", "score"),
    [
        (["1", "2", "1.0"], 3, 1.0),
        (["2", "1", "2"], 3, 0.0),
        (["2", "1"], 2, 0.0),
        (["1", "2"], 2, 1.0),
        ([None, None, "1"], 3, 1.0),
        ([None, None, None], 3, 0.0),
        (["2", "1", "1", "2", "2"], 3, 1.0),
        (["The cat", "cat.", "dog"], 3, 0.0),
    ],
)
def test_majority(answers: list[str | None], k: int, score: float) -> None:
    """The most frequent answer in normal form is judged; the earliest among equals; no answer is no vote."""
    assert over(build(f"maj@{k}"), "1", answers).value == score


def test_majority_of_options() -> None:
    """In a choice task the options vote."""
    (metric,) = build_metrics(["maj@3"], language="zh", kind="choice")
    cases = [Case(None, Response(), choices=("a", "b"), gold=(1,), chosen=c) for c in (1, 0, 1)]
    found = summarise(
        metric, [metric.score(c) for c in cases], [metric.stats(c) for c in cases], sample_ids=["s"] * 3
    )
    assert found.value == 1.0


def test_average(metric: Callable[..., Metric]) -> None:
    """avg@k is the mean of the first k repeats of a graded metric."""
    found = over(build({"name": "avg@2", "of": "f1"}), "a cat", ["cat", "dog", "cat"])
    assert found.value == 0.5
    assert found.signature == "avg@2|of:f1|norm:squad|v:2"


def test_spelling() -> None:
    """The number stands in the name or in `k`; the judging metric takes parameters of its own."""
    assert build({"name": "pass@k", "k": 4}).name == "pass@4"
    named = build({"name": "pass@2", "as": "solved", "of": {"name": "exact_match", "numeric": "off"}})
    assert named.name == "solved"
    assert named.signature == "pass@2|of:exact_match|norm:squad+marks|numeric:no|v:2"
    for spec, message in (
        ({"name": "pass@k"}, "needs `k`"),
        ("pass@0", "k is at least 1"),
        ({"name": "pass@2", "of": "bleu"}, "is a metric of the corpus"),
        ({"name": "pass@2", "of": "rouge"}, "one metric"),
        ({"name": "pass@2", "of": "edit_distance"}, "as exact_match is"),
        ({"name": "pass@2", "n": 3}, "takes `of`, one metric; not n"),
    ):
        with pytest.raises(MetricError, match=message):
            build(spec)


def test_samples_keep_their_own_value() -> None:
    """sample_values combines repeats as the metric does, and leaves out samples with too few of them."""
    metric = build("pass@2")
    scores: list[float | None] = [1.0, 0.0, 0.0, None, 0.0, 0.0]
    ids = ["a", "a", "b", "b", "c", "c"]
    assert sample_values(metric, scores, [()] * 6, ids) == {"a": 1.0, "c": 0.0}
    assert sample_values(build("f1"), scores, [()] * 6, ids) == {"a": 0.5, "b": 0.0, "c": 0.0}
