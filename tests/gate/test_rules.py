"""What a gate demands, in words and in numbers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.comparing.findings.decisions import Margin, log_margin
from evalkit.core.errors import StatsError, UsageError
from evalkit.core.records import Scale
from evalkit.gate import Rules, parse_floors, parse_tolerances
from evalkit.gate.rules import describe_margin
from evalkit.metrics import FunctionMetric, Metric


def metric(scale: Scale = "fraction", up: bool = True) -> Metric:
    """A metric on this scale."""
    return FunctionMetric("m", lambda case: None, scale=scale, higher_is_better=up)


@pytest.mark.parametrize(
    ("margin", "scale", "words"),
    [
        (Margin(0.02), "fraction", "2 points"),
        (Margin(2.5), "percent", "2.5 points"),
        (Margin(0.3), "unbounded", "0.3"),
        (Margin(0.015, relative=True), "unbounded", "1.5 % of the baseline"),
    ],
)
def test_an_allowed_drop_is_told_in_the_units_of_its_metric(margin: Margin, scale: Scale, words: str) -> None:
    """Points of 100 for fractions and percents, the number itself without bounds, a share where relative."""
    assert describe_margin(margin, metric(scale)) == words


def test_a_share_of_the_baseline_is_allowed_on_the_side_that_is_worse() -> None:
    """Two per cent more of a perplexity, two per cent less of a BLEU; all of it would allow anything."""
    assert log_margin(metric(up=False), 0.02) == pytest.approx(math.log(1.02))
    assert log_margin(metric(), 0.02) == pytest.approx(-math.log(0.98))
    with pytest.raises(StatsError, match="below 1"):
        log_margin(metric(), 1.0)


def test_an_error_names_the_option_that_was_written() -> None:
    """A limit that cannot be read says which of the two options it was."""
    for text in ("sums=", "=0.1", "sums:f1=two"):
        with pytest.raises(UsageError, match="--tolerance"):
            parse_tolerances([text])
        with pytest.raises(UsageError, match="--floor"):
            parse_floors([text])


def test_the_nearest_limit_holds() -> None:
    """A limit for task and metric goes before one for the task, that before one for the metric, then all."""
    rules = Rules(floors={("a", "m"): 1.0, ("a", "*"): 2.0, ("*", "m"): 3.0, ("*", "*"): 4.0})
    found = [rules.floor(task, name) for task, name in (("a", "m"), ("a", "n"), ("b", "m"), ("b", "n"))]
    assert found == [1.0, 2.0, 3.0, 4.0]
    assert Rules().floor("a", "m") is None


@pytest.mark.parametrize(("floor", "verdict"), [(20.0, "pass"), (90.0, "fail")])
def test_a_floor_of_a_metric_of_the_corpus_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, floor: float, verdict: str
) -> None:
    """chrF of answers half of which are right is proven to reach 20, and proven to stay below 90."""
    rows = [{"id": f"s{n}", "question": str(n), "answer": f"number {n}"} for n in range(120)]
    write_task(tmp_path / "tasks" / "sums", rows, metrics=["chrf"])
    monkeypatch.chdir(tmp_path)
    half = MockModel(lambda r: f"number {r.sample_id[1:]}" if int(r.sample_id[1:]) % 2 else "none")
    run = evalkit.run(models=[half], tasks=["sums"])
    gate = check_gate(run, baseline=run, tolerance=0.5, floors={("sums", "chrf"): floor})
    assert {check.rule: check.verdict for check in gate.checks}["floor"] == verdict
