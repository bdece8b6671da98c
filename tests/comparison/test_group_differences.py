"""The paired difference of the mean over a group of tasks, in `compare` and in the gate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate, compare
from evalkit.core.records import Request
from evalkit.pages.comparison.page import write
from evalkit.stats import make_evidence, pool
from evalkit.store.folders import StoredRun

SIZES = {"a": 20, "b": 40, "c": 60}
SHARES = {"a": 0.25, "b": 0.25, "c": 0.5}
WRONG = {"a": 5, "b": 2, "c": 1}
GROUP = "tasks: [{name: inner, tasks: [a, b], weighting: equal}, c]\nweighting: equal\n"


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three tasks of unlike sizes and a group with two levels."""
    for name, n in SIZES.items():
        rows = [{"id": f"{name}-{i}", "question": f"{name}-{i}", "answer": f"{name}-{i}"} for i in range(n)]
        write_task(tmp_path / "tasks" / name, rows, name=name, prompts={"p": "{{ question }}"})
    group(tmp_path, GROUP)
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def group(home: Path, text: str) -> None:
    """The group of the project."""
    (home / "tasks" / "top").mkdir(exist_ok=True)
    (home / "tasks" / "top" / "group.yaml").write_text(text)


def run(wrong: dict[str, int] | None = None) -> StoredRun:
    """The run of a model that is wrong on the first so many samples of each task."""

    def answer(request: Request) -> str:
        name, _, i = request.sample_id.partition("-")
        return "wrong" if wrong and int(i) < wrong[name] else request.sample_id

    return evalkit.run(models=[MockModel(answer)], tasks=["top"])


def expected() -> tuple[float, object]:
    """The change of the mean and the evidence on it, with the weights written out."""
    parts = []
    for name, n in SIZES.items():
        d = np.array([-1.0] * WRONG[name] + [0.0] * (n - WRONG[name]))
        parts.append(make_evidence(d, d, -1.0, 1.0))
    change = -sum(SHARES[name] * WRONG[name] / n for name, n in SIZES.items())
    return change, pool(parts, list(SHARES.values()), mid=True)


def test_difference_of_a_group_has_the_weights_of_its_levels(tmp_path: Path) -> None:
    """A pair counts with its task's share of the mean of means; the page shows the group too."""
    runs = (run(), run(WRONG))
    found = compare(*runs)
    by_name = {item.other.task: item for item in found.differences}
    assert set(by_name) == {"a", "b", "c", "inner (2 tasks)", "top (3 tasks)"}
    top, (change, evidence) = by_name["top (3 tasks)"], expected()
    assert top.difference == pytest.approx(change)
    assert top.interval == pytest.approx(evidence.interval(0.025))  # type: ignore[attr-defined]
    assert (top.base_value, top.other_value) == (1.0, pytest.approx(1.0 + change))
    assert (top.n, top.losses, top.ties, top.wins) == (120, 8, 112, 0)
    write(found, tmp_path / "page.html", runs=runs)
    assert "top (3 tasks)" in (tmp_path / "page.html").read_text()


def test_means_weighted_by_points_have_a_group_too(workspace: Path) -> None:
    """A group of ratios: compare and the gate pair them, each pair with its influence and its share."""
    for name, n in SIZES.items():
        rows = [
            {"id": f"{name}-{i}", "question": f"{name}-{i}", "answer": f"{name}-{i}", "points": 1 + i % 3}
            for i in range(n)
        ]
        metric = {"name": "exact_match", "weight": "points"}
        write_task(
            workspace / "tasks" / name, rows, name=name, prompts={"p": "{{ question }}"}, metrics=[metric]
        )
    base, other = run(), run(WRONG)
    lost = {
        name: sum(1 + i % 3 for i in range(k)) / sum(1 + i % 3 for i in range(SIZES[name]))
        for name, k in WRONG.items()
    }
    change = -sum(SHARES[name] * share for name, share in lost.items())
    top = next(item for item in compare(base, other).differences if item.other.task == "top (3 tasks)")
    assert (top.difference, top.method) == (pytest.approx(change), "influence")
    low, high = top.interval or (0.0, 0.0)
    assert low < change < high
    gate = check_gate(other, baseline=base, tolerance=0.02, macro=True)
    checks = {check.candidate.task: check for check in gate.checks if check.rule == "macro"}
    assert checks["top (3 tasks)"].change == pytest.approx(change)
    assert checks["top (3 tasks)"].interval is not None


def test_group_with_other_weights_is_refused(workspace: Path) -> None:
    """Means of one name with unlike levels are not compared, and it is said."""
    base = run()
    group(workspace, GROUP.replace("\nweighting: equal", ""))
    found = compare(base, run(WRONG))
    assert "top (3 tasks)" not in {item.other.task for item in found.differences}
    (refusal,) = [item for item in found.refusals if item.other.task == "top (3 tasks)"]
    assert "equal(1,equal(2)) and size(1,equal(2))" in refusal.reason


def test_gate_judges_the_mean_of_a_group_with_its_weights() -> None:
    """--macro adds the group's own mean to the plain one, nested as its file says."""
    gate = check_gate(run(WRONG), baseline=run(), tolerance=0.02, macro=True)
    checks = {check.candidate.task: check for check in gate.checks if check.rule == "macro"}
    assert set(checks) == {"macro average of 3 tasks", "inner (2 tasks)", "top (3 tasks)"}
    change, evidence = expected()
    assert checks["top (3 tasks)"].change == pytest.approx(change)
    assert checks["top (3 tasks)"].p_fail == pytest.approx(evidence.p_below(-0.02))  # type: ignore[attr-defined]
