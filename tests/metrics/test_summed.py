"""Metrics of the corpus in task.py: statistics of a sample, and a function of their sums."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import MetricError, TaskError
from evalkit.core.records import Request, Response
from evalkit.metrics import Case, build_metrics, summarise
from evalkit.metrics.summed import SummedMetric
from evalkit.store.folders import StoredRun

CODE = """
from evalkit import metric

@metric(value=lambda hits, said, right: 2 * hits / (said + right))
def pooled_f1(case):
    said, right = set((case.answer or "").split()), set(case.target[0].split())
    return len(said & right), len(said), len(right)
"""


def f1(hits: float, said: float, right: float) -> float:
    """F1 of pooled counts."""
    return 2 * hits / (said + right)


def binary(case: Case) -> tuple[float, float, float]:
    """Hits, predictions and gold samples of the label b."""
    said, right = case.answer == "b", case.target[0] == "b"
    return said and right, said, right


PAIRS = [("b", "b"), ("b", "c"), ("c", "b"), ("c", "c"), ("b", "b")] * 12


@pytest.mark.parametrize("possible", [None, [(1, 1, 1), (0, 0, 1), (0, 1, 0), (0, 0, 0)]])
def test_value_and_interval_are_those_of_the_built_in_metric(possible: Any) -> None:
    """F1 of a class, written as two functions, is binary_f1; with the extreme samples so is its interval."""
    own = SummedMetric("own", binary, f1, possible=possible)
    (built,) = build_metrics(["binary_f1"], language="en", labels=("c", "b"))
    cases = [Case(answer, Response(), target=(target,)) for target, answer in PAIRS]
    ids = [str(i) for i in range(len(cases))]
    found, expected = (
        summarise(m, [None] * len(cases), [m.stats(case) for case in cases], sample_ids=ids)
        for m in (own, built)
    )
    assert (found.value, found.stderr) == (pytest.approx(expected.value), pytest.approx(expected.stderr))
    if possible is None:
        assert found.interval_method == "jackknife-t"
    else:
        assert found.interval == pytest.approx(expected.interval, abs=1e-9)
        assert found.interval_method == expected.interval_method == "influence"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of 60 samples whose metric is a function of sums."""
    rows = [{"id": f"q{i}", "question": f"q{i}", "answer": f"q{i} is it"} for i in range(60)]
    write_task(tmp_path / "tasks" / "own", rows, code=CODE, name="own", metrics=["pooled_f1"])
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(bad: set[int]) -> StoredRun:
    """The run of a model that gives half an answer, and on these samples none of it."""

    def answer(request: Request) -> str:
        return "no idea" if int(request.sample_id[1:]) in bad else f"{request.sample_id} is"

    return evalkit.run(models=[MockModel(answer)], tasks=["own"])


def test_one_decorated_function_is_a_metric_of_the_corpus(home: Path) -> None:
    """The run has the value of the sums, an interval, and each sample's own value."""
    stored = run({0, 1, 2})
    value = stored.run.cells[0].metrics["pooled_f1"]
    assert value.value == pytest.approx(2 * 2 * 57 / (2 * 60 + 3 * 60))
    assert (value.interval_method, value.signature) == ("jackknife-t", "custom:pooled_f1|over:sums|version:1")
    low, high = value.interval or (1.0, 0.0)
    assert 0 < low < (value.value or 0.0) < high < 1
    first = next(iter(stored.samples(stored.run.cells[0].slug)))
    assert (first.scores["pooled_f1"], first.stats["pooled_f1"]) == (0.0, (0.0, 2.0, 3.0))


def test_gate_pairs_the_statistics(home: Path) -> None:
    """A drop is found through the sums, and called approximate where no extreme sample is declared."""
    gate = check_gate(run(set(range(30))), baseline=run({1, 3, 31, 33, 41}), tolerance=0.02)
    (check,) = gate.checks
    assert (check.method, check.change) == ("approximate", pytest.approx((30 * 4 - 55 * 4) / 300))


@pytest.mark.parametrize(
    ("function", "value", "said"),
    [
        (lambda case: 3, f1, "statistics are a tuple"),
        (lambda case: (1, math.nan, 1), f1, "statistics are a tuple"),
        (lambda case: (), f1, "statistics are a tuple"),
        (lambda case: "abc", f1, "statistics are a tuple"),
        (lambda case: (1, 2), f1, "one argument each"),
        (lambda case: (1, 1, 1), lambda *sums: "much", "gave str, not a number"),
        (lambda case: (9, 1, 1), f1, "outside 0..1"),
    ],
)
def test_function_that_gives_no_statistics_is_told(function: Any, value: Any, said: str) -> None:
    """What the author got wrong is an error that names the metric."""
    with pytest.raises(MetricError, match=said):
        SummedMetric("own", function, value).score(Case("b", Response(), target=("b",)))


def test_statistics_are_all_of_one_length() -> None:
    """Sums of unlike rows mean nothing."""
    metric = SummedMetric("own", lambda case: (1,) * len(case.answer or ""), lambda *sums: 0.0)
    metric.stats(Case("ab", Response()))
    with pytest.raises(MetricError, match="3 statistics for a sample and 2 for another"):
        metric.stats(Case("abc", Response()))


def test_value_that_is_not_defined_is_unknown() -> None:
    """A division by 0 gives a sample no score and a corpus no value, never 0; None leaves a sample out."""
    metric = SummedMetric("own", lambda case: None if case.answer is None else (0, 0, 0), f1)
    empty, absent = Case("", Response(), target=("",)), Case(None, Response(), target=("",))
    assert (metric.score(empty), metric.score(absent), metric.stats(absent)) == (None, None, ())
    found = summarise(metric, [None], [metric.stats(empty)], sample_ids=["a"])
    assert found.value is None


def test_possible_goes_with_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option without a meaning is refused where the file is read."""
    code = "from evalkit import metric\n\n@metric(possible=[(1, 1)])\ndef own(case):\n    return 1\n"
    write_task(tmp_path / "tasks" / "own", code=code, name="own", metrics=["own"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TaskError, match="possible goes with value"):
        evalkit.run(models=["baseline/oracle"], tasks=["own"])
