"""A mean weighted by a column of the data: its value, its interval, and weights that are none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from factories import write_task
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit
from evalkit import MockModel, check_gate, compare
from evalkit.core.errors import DataError, MetricError
from evalkit.core.records import MetricValue, Request, Response
from evalkit.metrics import Case, Metric, build_metrics, summarise
from evalkit.store.folders import StoredRun

SPEC = {"name": "exact_match", "weight": "points"}


def build(spec: str | Mapping[str, Any]) -> Metric:
    """The metric of one spec."""
    (metric,) = build_metrics([spec], language="en", labels=("a", "b"))
    return metric


def total(metric: Metric, scored: list[tuple[float, float]]) -> MetricValue:
    """The value over (score, weight) of samples."""
    ids = [str(i) for i in range(len(scored))]
    stats = [pair if metric.aggregation == "corpus" else () for pair in scored]
    return summarise(metric, [score for score, _ in scored], stats, sample_ids=ids)


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.integers(1, 60)), min_size=2, max_size=25))
@settings(max_examples=25)
def test_value_and_error_are_those_of_a_ratio(pairs: list[tuple[float, int]]) -> None:
    """numpy's weighted average; the error is the jackknife's over sum(w s) / sum(w), anew without each."""
    found = total(build(SPEC), [(score, float(weight)) for score, weight in pairs])
    scores, weights = (np.array(part, dtype=float) for part in zip(*pairs, strict=True))
    assert found.value == pytest.approx(np.average(scores, weights=weights))
    n = len(pairs)
    left_out = [np.average(np.delete(scores, i), weights=np.delete(weights, i)) for i in range(n)]
    error = np.sqrt((n - 1) / n * np.sum((np.array(left_out) - np.mean(left_out)) ** 2))
    assert found.stderr == pytest.approx(error, abs=1e-9)
    low, high = found.interval or (1.0, 0.0)
    assert 0.0 <= low <= found.value <= high <= 1.0


def test_equal_weights_give_the_interval_of_the_plain_mean() -> None:
    """A weight that all samples share changes nothing but the name of the method."""
    pairs = [(float(i % 10 < 7), 3.0) for i in range(40)]
    weighted, plain = total(build(SPEC), pairs), total(build("exact_match"), pairs)
    assert (weighted.value, weighted.n) == (plain.value, plain.n)
    assert weighted.interval == pytest.approx(plain.interval, abs=1e-6)
    assert (weighted.interval_method, plain.interval_method) == ("influence", "gaffke")
    assert weighted.signature == plain.signature + "|weight:points"


def test_heavy_sample_widens_the_interval_and_is_told() -> None:
    """One sample with most of the weight decides the mean: its samples are worth few."""
    even = [(float(i % 2), 1.0) for i in range(40)]
    heavy = [(1.0, 40.0), *even[1:]]
    metric = build(SPEC)
    widths = [high - low for low, high in (total(metric, each).interval or (0, 0) for each in (even, heavy))]
    assert widths[1] > 2 * widths[0]
    assert "one sample carries 51 % of the weight" in metric.notes(np.array(heavy))[0]
    assert metric.notes(np.array(even)) == ()


def write(home: Path, points: list[Any], **changes: Any) -> None:
    """A task with a column of points."""
    rows = [
        {"id": f"q{i}", "question": f"q{i}", "answer": f"q{i}", "points": p} for i, p in enumerate(points)
    ]
    for row in rows:
        if row["points"] == "absent":
            del row["points"]
    fields = {"name": "exam", "prompts": {"p": "{{ question }}"}, "metrics": [SPEC], **changes}
    write_task(home / "tasks" / "exam", rows, **fields)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project."""
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(wrong: set[str], asked: list[str] | None = None) -> StoredRun:
    """The run of a model that is wrong on these samples."""

    def answer(request: Request) -> str:
        if asked is not None:
            asked.append(request.sample_id)
        return "wrong" if request.sample_id in wrong else request.sample_id

    return evalkit.run(models=[MockModel(answer)], tasks=["exam"])


@pytest.mark.parametrize("bad", [0, -1, "", "five", None, True, [2], 1e999, "nan", "absent"])
def test_weight_that_is_none_is_refused_before_anything_is_asked(home: Path, bad: Any) -> None:
    """0, a negative or missing number, NaN: an error that names file, sample and column."""
    write(home, [5, 3, bad])
    asked: list[str] = []
    with pytest.raises(DataError, match=r"samples\.jsonl, line 3: weight: .*points") as caught:
        run(set(), asked)
    assert asked == []
    assert "\n" not in str(caught.value)


def test_weights_of_a_table_are_texts(home: Path) -> None:
    """What CSV holds is a text, and a number all the same."""
    write(home, ["5", "2.5", 2.5])
    value = run({"q0"}).run.cells[0].metrics["exact_match"]
    assert value.value == pytest.approx(0.5)


@pytest.mark.parametrize("spec", ["macro_f1", "bleu", "pass@2", "judge"])
def test_only_means_of_single_scores_are_weighted(spec: str) -> None:
    """A metric of the corpus, of repeats or of a judge is refused, not weighted in silence."""
    with pytest.raises(MetricError, match="weight"):
        build({"name": spec, "weight": "points", **({"rubric": "correctness"} if spec == "judge" else {})})


@pytest.mark.parametrize("weight", [2, "", None, ["points"]])
def test_weight_is_the_name_of_a_column(weight: Any) -> None:
    """A number weighs all samples alike, which means nothing."""
    with pytest.raises(MetricError, match="name of a column"):
        build({"name": "f1", "weight": weight})


def test_repeats_share_the_weight_of_their_sample(home: Path) -> None:
    """A sample asked twice weighs what it weighs once: half right is half its points."""
    write(home, [3, 1], repeats=2)

    def answer(request: Request) -> str:
        return request.sample_id if request.sample_id == "q1" or request.repeat else "wrong"

    value = evalkit.run(models=[MockModel(answer)], tasks=["exam"]).run.cells[0].metrics["exact_match"]
    assert (value.value, value.n) == (pytest.approx((1.5 + 1) / 4), 2)


def test_paired_difference_and_verdict_are_weighted(home: Path) -> None:
    """compare and the gate see the weighted change, also where the task is no longer at hand."""
    points = [1 + i % 5 for i in range(120)]
    write(home, points)
    lost = {f"q{i}" for i in range(120) if points[i] == 5}
    base, other = run(set()), run(lost)
    change = -sum(p for p in points if p == 5) / sum(points)
    (found,) = compare(base, other).differences
    assert found.difference == pytest.approx(change)
    assert (found.losses, found.wins, found.method) == (24, 0, "influence")
    low, high = found.interval or (0.0, 0.0)
    assert low < change < high < 0
    gate = check_gate(other, baseline=base, tolerance=0.05)
    assert (gate.verdict, gate.checks[0].change) == ("fail", pytest.approx(change))
    plain = sum(1 for p in points if p == 5) / 120
    assert abs(change) > plain + 0.1


def test_unscored_sample_takes_its_weight_with_it() -> None:
    """What has no score has no part in either sum."""
    metric = build(SPEC)
    case = Case(None, Response(), target=("x",), fields={"points": 4})
    assert metric.stats(case) == (0.0, 4.0)
    found = summarise(metric, [1.0, None], [(1.0, 2.0), ()], sample_ids=["a", "b"])
    assert (found.value, found.n, found.interval) == (1.0, 1, None)


def test_hooks_are_weighted_too(home: Path) -> None:
    """A function of task.py is a mean like any other, under a name of its own."""
    write(home, [3, 1], metrics=[{"name": "starts", "weight": "points", "as": "by_points"}, "starts"])
    code = "from evalkit import metric\n\n@metric\ndef starts(case):\n    return case.answer[0] == 'q'\n"
    (home / "tasks" / "exam" / "task.py").write_text(code)
    metrics = run({"q0"}).run.cells[0].metrics
    assert {name: value.value for name, value in metrics.items()} == {"by_points": 0.25, "starts": 0.5}
    assert json.dumps([value.signature for value in metrics.values()]).count("weight:points") == 1
