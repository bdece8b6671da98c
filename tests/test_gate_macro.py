"""The gate on the mean over tasks, what repeats do for its intervals, and rescored runs as baselines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import UsageError
from evalkit.core.records import Request
from evalkit.gate import Rules, bless, open_baseline
from evalkit.pages.gate.markdown import to_markdown
from evalkit.running.rescoring import rescore
from evalkit.stats import make_evidence, pool
from evalkit.store.folders import StoredRun

NAMES = ("one", "two", "three")


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three tasks of 80 samples."""
    for name in NAMES:
        write(tmp_path, name, 80)
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(home: Path, name: str, n: int, **changes: object) -> None:
    """A task whose answer is its question."""
    rows = [{"id": f"{name}-{i}", "question": f"{name}-{i}", "answer": f"{name}-{i}"} for i in range(n)]
    fields = {"name": name, "prompts": {"p": "{{ question }}"}, **changes}
    write_task(home / "tasks" / name, rows, **fields)


def run(
    wrong: Callable[[str, int, int], bool] = lambda name, i, repeat: False, **options: object
) -> StoredRun:
    """The run of a model that is wrong where the function says."""

    def answer(request: Request) -> str:
        name, _, i = request.sample_id.partition("-")
        return "wrong" if wrong(name, int(i), request.repeat) else request.sample_id

    tasks = options.pop("tasks", NAMES)
    return evalkit.run(models=[MockModel(answer)], tasks=tasks, **options)  # type: ignore[arg-type]


def test_a_small_drop_everywhere_shows_in_the_mean() -> None:
    """Six of 80 newly wrong proves nothing in one task; in the mean of three it is a proven regression."""
    base, new = run(), run(lambda name, i, repeat: i < 6)
    alone = check_gate(new, baseline=base, tolerance=0.02)
    assert alone.verdict == "inconclusive"
    gate = check_gate(new, baseline=base, tolerance=0.02, macro=True)
    (macro,) = [check for check in gate.checks if check.rule == "macro"]
    assert (gate.verdict, macro.verdict, macro.candidate.task) == ("fail", "fail", "macro average of 3 tasks")
    d = np.array([-1.0] * 6 + [0.0] * 74)
    expected = pool([make_evidence(d, d, -1.0, 1.0)] * 3, mid=True)
    assert macro.change == pytest.approx(-0.075)
    assert macro.interval == pytest.approx(expected.interval(0.05))
    assert macro.p_fail == pytest.approx(expected.p_below(-0.02))
    assert (macro.baseline_value, macro.candidate_value, macro.n) == (1.0, pytest.approx(0.925), 240)
    assert "macro average of 3 tasks" in to_markdown(gate)


def test_an_unchanged_model_passes() -> None:
    """Nothing differs: every task and their mean are not worse."""
    gate = check_gate(run(), baseline=run(), tolerance=0.05, macro=True)
    assert (gate.verdict, len(gate.checks)) == ("pass", 4)


def test_the_mean_is_judged_at_any_size(workspace: Path) -> None:
    """A small task weighs as much as a large one, and its samples the more; one task has no mean."""
    write(workspace, "two", 30)
    gate = check_gate(run(), baseline=run(), tolerance=0.2, macro=True)
    assert [check.rule for check in gate.checks] == ["tolerance"] * 3 + ["macro"]
    assert gate.verdict == "pass"
    with pytest.raises(UsageError, match="one task only"):
        check_gate(run(tasks=["one"]), baseline=run(tasks=["one"]), macro=True)
    with pytest.raises(UsageError, match="--early-stop"):
        Rules(macro=True, early_stop="fail")


def test_missing_scores_are_adverse_in_the_mean_too() -> None:
    """A failed call is neither proof of a regression nor of its absence."""

    def answer(request: Request) -> str:
        from evalkit.core.errors import CallError

        if request.sample_id.endswith("-1"):
            raise CallError("down", kind="bad_request", action="fail_sample")
        return request.sample_id

    new = evalkit.run(models=[MockModel(answer)], tasks=NAMES)
    gate = check_gate(new, baseline=run(), tolerance=0.02, macro=True)
    (macro,) = [check for check in gate.checks if check.rule == "macro"]
    assert (macro.n_missing, macro.change, macro.verdict) == (3, 0.0, "inconclusive")
    assert macro.interval is not None
    assert macro.interval[0] < 0.0 < macro.interval[1]


def test_repeats_say_what_they_are_worth() -> None:
    """A model whose dice decide: most of the variance is the dice's, and the gate says how many would do."""
    base = run(lambda name, i, repeat: (i * 7 + repeat * 3) % 5 < 2, tasks=["one"], repeats=2)
    new = run(lambda name, i, repeat: (i * 3 + repeat * 2) % 5 < 2, tasks=["one"], repeats=2)
    gate = check_gate(new, baseline=base, tolerance=0.05)
    (check,) = gate.checks
    assert check.repeats is not None
    assert check.repeats.n == 2
    assert 0.0 < check.repeats.share <= 1.5
    assert "with 2 repeats" in to_markdown(gate)
    single = check_gate(run(tasks=["one"]), baseline=run(tasks=["one"]))
    assert single.checks[0].repeats is None


def test_a_rescored_run_is_a_baseline(workspace: Path) -> None:
    """After a metric is mended, the next candidate is measured against the old answers scored again."""
    old = run(tasks=["one"])
    write(workspace, "one", 80, extract=["first_line"], metrics=["exact_match", "f1"])
    again = rescore(old)
    path = bless(again.stored, workspace / "baseline", "the metric was mended")
    history = json.loads((path / "bless.json").read_text())
    assert history[-1]["run"] == again.stored.run.id
    baseline = open_baseline(str(path))
    assert baseline.run.rescored is not None
    gate = check_gate(run(tasks=["one"]), baseline=baseline, tolerance=0.05, metrics=["all"])
    assert gate.verdict == "pass"
    assert {check.metric for check in gate.checks} == {"exact_match", "f1"}
