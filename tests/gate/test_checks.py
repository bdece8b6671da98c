"""Single checks of a gate: what they judge besides the score, and what they say where they cannot."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.records import Request, Response
from evalkit.gate import Gate, Rules, judge_run
from evalkit.gate.records import Check
from evalkit.store.folders import StoredRun

N = 120
ROWS = [{"id": f"s{n}", "question": str(n), "answer": "ab"[n % 2], "page": f"p{n // 40}"} for n in range(N)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 120 samples, made the current folder."""
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(dollars: float | None = None, wrong: int = 0, **options: object) -> StoredRun:
    """The run of a model whose calls cost about this much, wrong on the first samples."""

    def answer(request: Request) -> Response:
        n = int(request.sample_id[1:])
        cost = dollars and dollars * random.Random(f"{dollars}:{n}").uniform(0.9, 1.1)
        return Response(text="wrong" if n < wrong else "ab"[n % 2], cost_usd=cost)

    return evalkit.run(models=[MockModel(answer)], tasks=["sums"], **options)  # type: ignore[arg-type]


def only(gate: Gate, rule: str) -> Check:
    """The check of this rule."""
    (found,) = (check for check in gate.checks if check.rule == rule)
    return found


def test_a_share_of_nothing_allows_nothing() -> None:
    """Where the baseline's calls were free, free ones pass, and of others nothing can be said, in words."""
    rules = Rules(tolerance=0.2, max_cost_increase=0.5)
    free = only(judge_run(run(0.0), run(0.0), rules), "cost")
    assert (free.verdict, free.reason) == ("pass", None)
    dear = only(judge_run(run(0.0), run(0.01), rules), "cost")
    assert dear.verdict == "inconclusive"
    assert dear.reason == "the baseline's calls cost nothing, so that no share of it is allowed"


def test_a_check_of_cost_names_no_sample_as_failed() -> None:
    """A dearer call is no failed sample: the check of cost counts and lists none."""
    gate = judge_run(run(0.01), run(0.02, wrong=12), Rules(tolerance=0.5, max_cost_increase=0.1))
    cost = only(gate, "cost")
    assert cost.verdict == "fail"
    assert (cost.n_newly_failed, cost.n_newly_fixed, cost.newly_failed, cost.newly_fixed) == (0, 0, (), ())
    assert only(gate, "tolerance").n_newly_failed == 12


def test_a_floor_over_a_class_without_a_sample_cannot_be_told(workspace: Path) -> None:
    """Macro-F1 over a label that no sample has reaches no floor and misses none, and the label is named."""
    plain = {"plain": "{{ question }}"}
    labels = {"metrics": ["macro_f1"], "labels": ["a", "b", "c"]}
    write_task(workspace / "tasks" / "sums", ROWS, prompts=plain, **labels)
    stored = run()
    gate = check_gate(stored, baseline=stored, tolerance=0.5, floors={("sums", "macro_f1"): 0.5})
    floor = only(gate, "floor")
    assert (floor.verdict, floor.reason) == ("inconclusive", "cannot tell: no sample of class c")


@pytest.mark.parametrize(("cluster", "said"), [("page", True), ("id", False), (None, False)])
def test_a_cluster_that_carries_much_is_named(workspace: Path, cluster: str | None, said: bool) -> None:
    """Samples of one cluster are one unit; where one carries a third of all, a reader is told."""
    write_task(workspace / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"}, cluster=cluster)
    stored = run()
    notes = check_gate(stored, baseline=stored, tolerance=0.2).notes
    found = [note for note in notes if "one cluster" in note]
    assert found == (["sums: one cluster, p0, carries 33 % of the samples"] if said else [])
