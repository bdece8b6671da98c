"""A gate's demands in Python and in marks of pytest: what names nothing, or nothing possible, is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import CallError, ConfigError, UsageError
from evalkit.core.records import Request
from evalkit.running.workspace import open_workspace
from evalkit.store.folders import StoredRun
from evalkit.workshop.testing.verdict import judge_cell, read_demand

ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n)} for n in range(40)]
KEY = ("sums", "exact_match")
NAN, INF = float("nan"), float("inf")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task whose answer is its question."""
    metrics = ["exact_match", "bleu", {"name": "edit_distance"}]
    write_task(tmp_path / "tasks/sums", ROWS, prompts={"plain": "{{ question }}"}, metrics=metrics)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def right(request: Request) -> str:
    """The sample's answer."""
    return request.sample_id[1:]


def run(**options: Any) -> StoredRun:
    """A run that is right throughout."""
    return evalkit.run([MockModel(right)], ["sums"], **options)


@pytest.mark.parametrize(
    "demand",
    [
        {"floors": {("nope", "exact_match"): 0.9}},
        {"floors": {("sums", "nope"): 0.9}},
        {"floors": {KEY: 90}},
        {"floors": {KEY: NAN}},
        {"floors": {KEY: "0.8"}},
        {"floors": {KEY: True}},
        {"floors": {("sums", "bleu"): 101}},
        {"floors": {"sums": 0.9}},
        {"floors": {("sums", "*"): 0.5, ("*", "exact_match"): 0.9}},
        {"tolerances": {("nope", "*"): 0.1}},
        {"tolerances": {KEY: INF}},
        {"tolerances": [0.1]},
        {"tolerance": NAN},
        {"tolerance": "0.1"},
        {"metrics": ["nope"]},
        {"metrics": "exact_match"},
        {"alpha": "0.05"},
        {"alpha": NAN},
        {"target": "nope"},
        {"early_stop": "nope"},
        {"early_stop": "fail"},
        {"models": ["baseline/oracle"]},
        {"relative": True},
        {"macro": True},
        {"allow": ["nope"]},
        {"allow": "cells"},
    ],
    ids=str,
)
def test_a_keyword_that_means_nothing_is_refused(demand: dict[str, Any]) -> None:
    """As on the command line: no verdict."""
    stored = run()
    with pytest.raises(UsageError):
        check_gate(stored, baseline=stored, **demand)


def test_ranges_are_the_metric_s_own() -> None:
    """30 of a BLEU, 0.9 of a share, 100 of a distance that has no end."""
    stored = run()
    floors = {KEY: 0.9, ("sums", "bleu"): 30, ("sums", "edit_distance"): 100}
    gate = check_gate(stored, baseline=stored, floors=floors)
    assert sum(check.rule == "floor" for check in gate.checks) == 3


def test_a_demand_is_checked_before_anything_is_asked() -> None:
    """A misspelt floor of a gate that asks costs no call."""
    asked: list[str] = []

    def count(request: Request) -> str:
        asked.append(request.sample_id)
        return right(request)

    stored = run()
    for demand in ({"floors": {("sums", "exact_math"): 0.9}}, {"metrics": ["nope"]}, {"macro": True}):
        with pytest.raises(UsageError):
            check_gate(baseline=stored, models=[MockModel(count)], **demand)  # type: ignore[arg-type]
    assert asked == []


def test_a_name_of_what_is_not_comparable_is_no_mistake(workspace: Path) -> None:
    """A floor of a task that the candidate lacks: not comparable; with --allow cells it decides nothing."""
    write_task(workspace / "tasks/more", ROWS, name="more", prompts={"plain": "{{ question }}"})
    both, one = evalkit.run([MockModel(right)], ["sums", "more"]), run()
    floors = {("more", "exact_match"): 0.5}
    assert check_gate(one, baseline=both, floors=floors).verdict == "not comparable"
    with pytest.raises(UsageError, match="no task 'more' is judged"):
        check_gate(one, baseline=both, floors=floors, allow=["cells"])


def test_a_mean_that_cannot_be_judged_is_no_pass(workspace: Path) -> None:
    """--macro over a headline without bounds: inconclusive, with the reason."""
    fields = {"prompts": {"plain": "{{ question }}"}, "metrics": ["edit_distance"]}
    for name in ("one", "two"):
        write_task(workspace / "tasks" / name, ROWS, name=name, **fields)
    stored = evalkit.run([MockModel(right)], ["one", "two"])
    gate = check_gate(stored, baseline=stored, macro=True, tolerance=0.1)
    (macro,) = [check for check in gate.checks if check.rule == "macro"]
    assert (macro.verdict, gate.verdict) == ("inconclusive", "inconclusive")
    assert "edit_distance of one is no metric with bounds" in str(macro.reason)


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": 2.5},
        {"limit": True},
        {"limit": 10**30},
        {"repeats": 10**12},
        {"num_fewshot": -1},
        {"seed": 2**64},
        {"seed": "x"},
        {"max_cost": NAN},
        {"max_cost": -1},
        {"max_cost": INF},
        {"max_connections": 0},
        {"timeout": 5},
        {"lane": "fast"},
        {"lane": "nope"},
        {"retry": ["nope"]},
        {"retry": "refused!"},
        {"params": {"temprature": 0}},
        {"params": {"temperature": NAN}},
        {"params": {"temperature": "hot"}},
        {"params": {"max_tokens": 1.5}},
        {"params": {"api_key": "x"}},
        {"params": {"logit_bias": {"5": INF}}},
        {"params": {"user": {1, 2}}},
        {"params": {"stop": [1]}},
        {"params": {"": 1}},
        {"params": {3: 1}},
        {"choices_order": "seeded"},
        {"prompts": ["nope"]},
        {"data": {"nope": "x"}},
        {"executor": "nope"},
        {"judge": "mock/echo"},
        {"track": ["nope"]},
    ],
    ids=str,
)
def test_run_refuses_what_means_nothing(options: dict[str, Any], workspace: Path) -> None:
    """Every keyword of evalkit.run with a value that is none; nothing is written."""
    with pytest.raises(evalkit.core.errors.EvalkitError):
        run(**options)
    assert not (workspace / "reports").exists()


def test_parameters_of_servers_of_their_own_pass() -> None:
    """Unknown names that are not near a known one, and every kind of JSON value."""
    params = {"top_k": 3, "top_a": 0.5, "min_p": 0.1, "mirostat": 2, "grammar": "x", "dry": {"a": [1, None]}}
    assert run(params=params, limit=2).run.status == "complete"


@pytest.mark.parametrize(
    "text",
    [
        "run: {max_cost: .nan}",
        "run: {max_cost: .inf}",
        "run: {timeout: .inf}",
        "run: {timeout: 1e400}",
        "run: {limit: 99999999999999999999}",
        "run: {limit: true}",
        "run: {limits: 3}",
        "run: {tasks: []}",
        "run: {models: ['']}",
        "run: {params: {temperature: .nan}}",
        "run: {params: {temprature: 0}}",
        "models: {m: {model: openai/x, params: {temprature: 0}}}",
        "models: {m: {model: openai/x, rpm: .nan}}",
        f"models: {{m: {{model: openai/x, rpm: {'9' * 400}}}}}",
        "models: {m: {model: openai/x, max_connections: .inf}}",
        "models: {'': openai/x}",
    ],
)
def test_evalkit_yaml_refuses_what_means_nothing(text: str, workspace: Path) -> None:
    """Misspelt, empty, twice, or no number: the file is named."""
    (workspace / "evalkit.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"evalkit\.yaml"):
        open_workspace()


@pytest.mark.parametrize(
    "demand",
    [
        {"min": {}},
        {"min": 0.8, "strict": "no"},
        {"min": 0.8, "task": []},
        {"min": 0.8, "model": ()},
        {"min": 0.8, "prompt": []},
        {"min": 0.8, "tolerance": 0.1},
        {"min": {"f1": 0.8}, "metric": "exact_match"},
        {"baseline": None},
        {"min": 0.8, "metrc": "f1"},
    ],
    ids=str,
)
def test_a_mark_that_means_nothing_is_refused(demand: dict[str, Any]) -> None:
    """Before anything is run."""
    with pytest.raises(pytest.UsageError):
        read_demand((), {"task": "sums", "model": "m", **demand}, "test_it")


@pytest.mark.parametrize(
    "demand", [{"min": {"nope": 0.8}}, {"min": NAN}, {"min": 90}, {"min": 0.1, "metric": "nope"}], ids=str
)
def test_a_mark_on_no_metric_fails(demand: dict[str, Any], workspace: Path) -> None:
    """It was a pass: no check was made."""
    asked = {"task": "sums", "model": MockModel(right), "prompt": None, **demand}
    with pytest.raises(pytest.fail.Exception):
        judge_cell(asked, workspace / "out", "off")


def test_a_mark_is_no_pass_where_most_calls_fail(workspace: Path) -> None:
    """Answers that never came cannot hold a least value: the gate compares nothing, and the test fails."""

    def broken(request: Request) -> str:
        if request.sample_id != "s1":
            raise CallError("down", kind="bad_request", action="fail_sample")
        return right(request)

    asked = {"task": "sums", "model": MockModel(broken), "prompt": None, "min": 0.5}
    with pytest.raises(pytest.fail.Exception, match="missing"):
        judge_cell(asked, workspace / "out", "off")
