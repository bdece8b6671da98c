"""A run that ends early: for which verdicts, and on what they rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import CallError
from evalkit.core.records import Request
from evalkit.gate import Gate
from evalkit.store.folders import StoredRun

N = 120
ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n), "size": n // 90 * n} for n in range(N)]
"""The samples; the column `size` makes one cluster of the first 90, and one of each other."""


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 120 sums, made the current folder."""
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(wrong: Callable[[int], bool] = lambda n: False) -> MockModel:
    """A model that is wrong on the samples that the function names, asked one by one."""

    def answer(request: Request) -> str:
        n = int(request.sample_id[1:])
        return "wrong" if wrong(n) else str(n)

    return MockModel(answer, max_connections=1)


def base(**options: object) -> StoredRun:
    """The run of a model that is always right."""
    return evalkit.run(models=[model()], tasks=["sums"], **options)  # type: ignore[arg-type]


def gate(asked: MockModel, **options: object) -> Gate:
    """The gate on this model, which may end early."""
    known = options.pop("baseline", None) or base()
    rules = {"tolerance": 0.1, "early_stop": "both", **options}
    return check_gate(baseline=known, models=[asked], **rules)  # type: ignore[arg-type]


def used(found: Gate) -> int:
    """The calls that were made."""
    assert found.calls is not None
    return found.calls.asked


def test_a_run_that_ended_early_for_a_failure_has_failed(workspace: Path) -> None:
    """Checks that no test watches are of the family too: the run ends where the corrected p-value fails."""
    metrics = ["exact_match", *({"name": "exact_match", "as": f"m{n}"} for n in range(4))]
    write_task(workspace / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"}, metrics=metrics)
    known, asked = base(), model(lambda n: n % 2 == 0)
    alone = gate(asked, baseline=known, early_stop="fail")
    floors = {("sums", f"m{n}"): 0.1 for n in range(4)}
    family = gate(asked, baseline=known, early_stop="fail", floors=floors)
    assert family.stopped_early
    assert (alone.verdict, family.verdict) == ("fail", "fail")
    (check,) = (check for check in family.checks if check.rule == "tolerance")
    assert check.p_fail_adjusted == pytest.approx(5 * check.p_fail)
    assert used(alone) <= used(family) < N


def test_a_run_ends_early_for_a_pass_only_where_every_check_is_watched() -> None:
    """A floor needs all samples: with one the run goes on to the end, and passes there."""
    alone = gate(model(), tolerance=0.15)
    assert alone.stopped_early
    assert not any("macro" in note for note in alone.notes)
    found = gate(model(), tolerance=0.15, floors={("sums", "exact_match"): 0.5})
    assert (found.stopped_early, found.verdict, used(found)) == (False, "pass", N)


def test_an_early_stop_weighs_a_cluster_by_its_samples(workspace: Path) -> None:
    """Thirty wrong samples beside a cluster of ninety right ones do not prove a fall by a half."""
    plain = {"plain": "{{ question }}"}
    write_task(workspace / "tasks" / "sums", ROWS, prompts=plain, cluster="size")
    few = gate(model(lambda n: n >= 90), early_stop="fail", tolerance=0.5)
    assert (few.verdict, few.stopped_early) == ("inconclusive", False)
    write_task(workspace / "tasks" / "sums", ROWS[90:], prompts=plain, cluster="size")
    alone = gate(model(lambda n: n >= 90), early_stop="fail", tolerance=0.5)
    assert (alone.verdict, alone.stopped_early) == ("fail", True)


def test_a_sample_with_a_lost_repeat_is_missing_in_an_early_stop() -> None:
    """Where one of two repeats failed, the other does not stand for the sample: nothing passes on it."""
    count: dict[str, int] = {}

    def answer(request: Request) -> str | CallError:
        count[request.sample_id] = count.get(request.sample_id, 0) + 1
        if count[request.sample_id] == 2:
            return CallError("down", kind="bad_request", action="fail_sample")
        return request.sample_id[1:]

    found = gate(
        MockModel(answer, max_connections=1),
        baseline=base(repeats=2),
        tolerance=0.15,
        allow=["missing"],
    )
    assert not found.stopped_early
    assert found.verdict == "inconclusive"
