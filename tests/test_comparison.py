"""Comparisons of stored runs: what is paired, what is refused, and the numbers beside the statistics' own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import orjson
import pytest
from factories import write_rows, write_task
from scipy.stats import binomtest

import evalkit
from evalkit import MockModel
from evalkit.comparing.comparison import Comparison, Difference, compare
from evalkit.core.errors import CallError, UsageError
from evalkit.core.records import Request
from evalkit.pages.comparison.page import render
from evalkit.pages.comparison.wording import change, outcome, power_sentence, span
from evalkit.stats import gaffke_interval, gate_decision, holm
from evalkit.store.folders import StoredRun

N = 60
ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n), "topic": "ab"[n % 2]} for n in range(N)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 60 sums in two variants, made the current folder."""
    write_task(
        tmp_path / "tasks" / "sums",
        ROWS,
        prompts={"plain": "{{ question }}", "polite": "Please: {{ question }}"},
        metadata=["topic"],
        metrics=["exact_match", "chrf"],
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wrong_on(*numbers: int, polite: tuple[int, ...] | None = None) -> MockModel:
    """A model that is wrong on these samples, and on others when asked politely."""

    def answer(request: Request) -> str:
        n = int(request.sample_id[1:])
        asked = request.messages[0].text
        bad = polite if polite is not None and asked.startswith("Please") else numbers
        return "wrong" if n in bad else str(n)

    return MockModel(answer)


def run(*models: MockModel, **options: object) -> StoredRun:
    """The run of these models on the sums."""
    return evalkit.run(models=models, tasks=["sums"], **options)  # type: ignore[arg-type]


def only(found: Comparison) -> Difference:
    """The single difference of a comparison."""
    (difference,) = found.differences
    return difference


def test_prompts_are_compared_with_the_default_paired_by_sample() -> None:
    """Difference, interval and p are those of the exact paired test; every changed sample is named."""
    stored = run(wrong_on(0, 1, 2, polite=(1, *range(10, 22))), prompts=["all"])
    item = only(compare(stored))
    assert (item.base.variant, item.other.variant) == ("plain", "polite")
    a = np.array([0.0 if n in (0, 1, 2) else 1.0 for n in range(N)])
    b = np.array([0.0 if n in (1, *range(10, 22)) else 1.0 for n in range(N)])
    decision = gate_decision(a, b, 0.0, 0.025)
    assert item.difference == pytest.approx((b - a).mean())
    assert item.interval == pytest.approx(gaffke_interval(b - a, 0.95, None, -1, 1))
    assert item.p == pytest.approx(2 * decision.p_fail)
    assert item.p == pytest.approx(binomtest(2, 14).pvalue)  # McNemar's exact test: 2 better, 12 worse
    assert (item.wins, item.ties, item.losses) == (2, N - 14, 12)
    assert [each.sample_id for each in item.newly_fixed] == ["s0", "s2"]
    assert {each.sample_id for each in item.newly_failed} == {f"s{n}" for n in range(10, 22)}
    assert item.newly_failed[0].base_answer == "10"
    assert item.newly_failed[0].other_answer == "wrong"
    assert outcome(item) == "worse"


def test_holm_is_over_the_whole_family() -> None:
    """With three models there are three pairs, and Holm's correction is over both directions of each."""
    models = [wrong_on(), wrong_on(*range(8)), wrong_on(*range(20))]
    for number, model in enumerate(models):
        model.name = f"mock/m{number}"
    found = compare(run(*models))
    assert found.by == "model"
    assert len(found.differences) == 3
    sides = [side for d in found.differences for side in d.sides or ()]
    expected = holm(sides).reshape(3, 2).min(axis=1)
    assert [d.p_adjusted for d in found.differences] == pytest.approx(list(expected))
    assert [d.p for d in found.differences] == [min(1.0, 2 * min(d.sides or ())) for d in found.differences]
    against = compare(run(*models), base="mock/m2")
    assert [(d.base.model, d.other.model) for d in against.differences] == [
        ("mock/m2", "mock/m0"),
        ("mock/m2", "mock/m1"),
    ]


def test_a_failed_call_is_neither_right_nor_wrong() -> None:
    """Missing scores leave the difference, are counted, and widen the interval to both sides."""

    def answer(request: Request) -> str | CallError:
        if request.sample_id in ("s1", "s2"):
            return CallError("down", kind="bad_request", action="fail_sample")
        return request.messages[0].text

    item = only(compare(run(wrong_on()), run(MockModel(answer)), by="run"))
    assert item.n_missing == 2
    assert item.difference == 0.0
    assert item.losses == 0
    assert item.interval is not None
    whole = only(compare(run(wrong_on()), run(wrong_on()), by="run")).interval
    assert whole is not None
    assert item.interval[0] < whole[0]
    assert item.p == 1.0


def test_corpus_metrics_are_compared_by_influence() -> None:
    """chrF of both sides is the run's own, and the interval holds the difference."""
    stored = run(wrong_on(polite=tuple(range(12))), prompts=["all"])
    item = only(compare(stored, metric="chrf"))
    cells = {cell.variant: cell.metrics["chrf"] for cell in stored.run.cells}
    assert item.base_value == pytest.approx(cells["plain"].value)
    assert item.other_value == pytest.approx(cells["polite"].value)
    assert item.interval is not None
    assert item.interval[0] < item.difference < item.interval[1]  # type: ignore[operator]
    assert item.scale == "percent"
    assert outcome(item) == "worse"


def test_slices_are_differences_within_a_column() -> None:
    """Each value of a metadata column has its own paired difference; an unknown column is an error."""
    stored = run(wrong_on(polite=(0, 2, 4, 6, 8, 10)), prompts=["all"])
    item = only(compare(stored, slices=["topic"]))
    parts = {part.value: part for part in item.slices}
    assert parts["a"].difference == pytest.approx(-6 / 30)
    assert parts["b"].difference == 0.0
    assert parts["a"].n == parts["b"].n == 30
    with pytest.raises(UsageError, match="topic"):
        compare(stored, slices=["topik"])


def test_edited_samples_are_no_pairs(workspace: Path) -> None:
    """Samples whose target changed, were added or taken away leave the comparison and are counted."""
    first = run(wrong_on())
    rows = [dict(row) for row in ROWS[:-5]]
    rows[0]["answer"] = "another"
    write_rows(workspace / "tasks" / "sums" / "samples.jsonl", [*rows, {**ROWS[0], "id": "new"}])
    second = run(MockModel(lambda request: request.messages[0].text))
    item = only(compare(first, second, by="run"))
    assert item.n == N - 6
    assert (item.n_base_only, item.n_other_only) == (6, 1)


def test_unpaired_cells_are_refused_with_the_reason(workspace: Path) -> None:
    """Cells without a common sample, or asked in another way, are not compared, and it is said why."""
    first = run(wrong_on())
    write_rows(
        workspace / "tasks" / "sums" / "samples.jsonl", [{**row, "id": f"x{row['id']}"} for row in ROWS]
    )
    second = run(MockModel(lambda request: "1"))
    found = compare(first, second, by="run")
    assert not found.differences
    assert "share no sample" in found.refusals[0].reason


def test_nothing_to_compare_says_what_to_do() -> None:
    """One model with one prompt has no pair."""
    with pytest.raises(UsageError, match="--models"):
        compare(run(wrong_on()))
    with pytest.raises(UsageError, match="no cell has a metric"):
        compare(run(wrong_on(), prompts=["all"]), metric="blue")
    with pytest.raises(UsageError, match="--base"):
        compare(run(wrong_on(), prompts=["all"]), base="polit")


def test_equal_prompts_are_not_separable_and_the_power_is_said() -> None:
    """No difference found is not "equal": what could have been found stands beside it."""
    item = only(compare(run(wrong_on(0, polite=(1,)), prompts=["all"])))
    assert outcome(item) == "not separable"
    assert "to see 3 points it needs n =" in power_sentence(item)


def test_where_no_sample_differs_the_power_is_unknown() -> None:
    """Two variants with the same answers throughout show no spread, which is not a spread of 0."""
    item = only(compare(run(wrong_on(0), prompts=["all"])))
    assert (item.wins, item.losses, item.mde, item.n_for_3_points) == (0, 0, None, None)
    assert power_sentence(item) == ""


def test_repeats_are_one_value_a_sample() -> None:
    """Three repeats of 60 samples are 60 pairs."""
    item = only(compare(run(wrong_on(0), prompts=["all"], repeats=3)))
    assert item.n == item.n_units == N


def test_differences_are_written_for_people() -> None:
    """Signs, points and percent."""
    assert change(0.021, "fraction", False) == "+2.1"
    assert change(-0.021, "fraction", False) == "−2.1"
    assert change(0.0, "fraction", False) == "0.0"
    assert change(np.log(1.02), "unbounded", True) == "+2.0 %"
    assert span((-0.02, 0.031), "fraction", False) == "−2.0…+3.1"
    assert change(None, "fraction", False) == "–"


def test_page_is_one_document_and_foreign_text_is_text() -> None:
    """What a model wrote is escaped, and the page loads nothing."""
    hostile = "<script>alert(1)</script>"
    stored = run(
        MockModel(lambda r: hostile if r.messages[0].text.startswith("Please") else r.messages[0].text),
        prompts=["all"],
    )
    for lang in ("en", "zh"):
        page = render(compare(stored, slices=["topic"]), lang=lang)
        assert hostile not in page
        assert "&lt;script&gt;alert(1)" in page
        assert not re.search(r'(?:src|href)="https?:', page)


def test_a_comparison_is_one_json_document() -> None:
    """The record is JSON as it stands."""
    content = json.loads(orjson.dumps(compare(run(wrong_on(0), prompts=["all"]))))
    assert content["differences"][0]["metric"] == "exact_match"
