"""The gate on stored runs and on models asked now: verdicts, obstacles, early stops, baselines."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from factories import write_rows, write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import CallError, StoreError, UsageError
from evalkit.core.records import Request, Response
from evalkit.gate import Gate, Rules, bless, open_baseline, parse_floors, parse_tolerances, read_history
from evalkit.gate.judge import correct, overall
from evalkit.gate.planning import plan_gate
from evalkit.stats import gate_decision, holm
from evalkit.store.folders import StoredRun

N = 200
ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n), "passage": f"p{n // 4}"} for n in range(N)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 200 sums, made the current folder."""
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(wrong: Callable[[int], bool] = lambda n: False, **options: object) -> MockModel:
    """A model that is wrong on the samples that the function names."""

    def answer(request: Request) -> str:
        n = int(request.sample_id[1:])
        return "wrong" if wrong(n) else str(n)

    return MockModel(answer, **options)  # type: ignore[arg-type]


def run(*models: MockModel, **options: object) -> StoredRun:
    """The run of these models on the sums."""
    return evalkit.run(models=models, tasks=["sums"], **options)  # type: ignore[arg-type]


def kinds(gate: Gate) -> set[str]:
    """The kinds of obstacle that keep the runs from being compared."""
    return {obstacle.kind for obstacle in gate.obstacles if not obstacle.allowed}


# ---- verdicts


def test_a_proven_regression_fails_and_names_the_samples() -> None:
    """20 of 200 samples newly wrong at a tolerance of 2 points is FAIL, with each sample and both answers."""
    gate = check_gate(run(model(lambda n: n < 20)), baseline=run(model()), tolerance=0.02)
    assert (gate.verdict, gate.exit_code) == ("fail", 1)
    (check,) = gate.checks
    assert check.n_newly_failed == 20
    assert {each.sample_id for each in check.newly_failed} == {f"s{n}" for n in range(20)}
    assert check.newly_failed[0].other_answer == "wrong"
    assert check.change == pytest.approx(-0.1)


def test_the_numbers_are_those_of_the_paired_test() -> None:
    """p-values and interval are stats.gate_decision's on the same pairs."""
    base, new = run(model(lambda n: n % 10 == 0)), run(model(lambda n: n % 10 == 1 and n > 60))
    (check,) = check_gate(new, baseline=base, tolerance=0.05).checks
    a = np.array([float(n % 10 != 0) for n in range(N)])
    b = np.array([float(not (n % 10 == 1 and n > 60)) for n in range(N)])
    expected = gate_decision(a, b, 0.05)
    assert (check.p_fail, check.p_pass) == pytest.approx((expected.p_fail, expected.p_pass))
    assert check.interval == pytest.approx((expected.lo, expected.hi))
    assert check.verdict == expected.verdict == "pass"


def test_no_change_passes_with_a_tolerance_and_is_inconclusive_without() -> None:
    """With margin 0 only an improvement can pass; with one, an unchanged model does."""
    base, new = run(model()), run(model())
    assert check_gate(new, baseline=base, tolerance=0.05).verdict == "pass"
    nothing = check_gate(new, baseline=base)
    assert (nothing.verdict, nothing.exit_code) == ("inconclusive", 0)


def test_failed_calls_count_against_both_verdicts() -> None:
    """2 % of errors prove no loss where there is none, and cost the pass its margin."""

    def answer(request: Request) -> str | CallError:
        n = int(request.sample_id[1:])
        if n % 50 == 0:
            return CallError("down", kind="bad_request", action="fail_sample")
        return str(n)

    base = run(model())
    gate = check_gate(run(MockModel(answer)), baseline=base, tolerance=0.02)
    assert gate.verdict == "inconclusive"
    assert gate.checks[0].n_missing == 4
    assert check_gate(run(MockModel(answer)), baseline=base, tolerance=0.08).verdict == "pass"


def test_a_regression_is_seen_through_failed_calls() -> None:
    """With 2 % of errors a drop of 15 points still fails."""

    def answer(request: Request) -> str | CallError:
        n = int(request.sample_id[1:])
        if n % 50 == 49:
            return CallError("down", kind="bad_request", action="fail_sample")
        return "wrong" if n < 30 else str(n)

    assert check_gate(run(MockModel(answer)), baseline=run(model()), tolerance=0.02).verdict == "fail"


def test_too_many_failed_calls_are_not_comparable() -> None:
    """More than the cap without a score is exit 4, and --allow missing overrides."""

    def answer(request: Request) -> str | CallError:
        n = int(request.sample_id[1:])
        return CallError("down", kind="bad_request", action="fail_sample") if n < 20 else str(n)

    base, new = run(model()), run(MockModel(answer))
    gate = check_gate(new, baseline=base, tolerance=0.02)
    assert (gate.verdict, gate.exit_code, kinds(gate)) == ("not comparable", 4, {"missing"})
    assert check_gate(new, baseline=base, tolerance=0.02, allow=["missing"]).verdict == "inconclusive"


def test_several_checks_fail_by_holm_and_pass_without_correction(workspace: Path) -> None:
    """FAIL on any task is corrected over all; PASS needs each at alpha."""
    for name in ("a", "b", "c"):
        write_task(workspace / "tasks" / name, ROWS, prompts={"plain": "{{ question }}"}, name=name)

    def both(models: MockModel) -> StoredRun:
        return evalkit.run(models=[models], tasks=["a", "b", "c"])

    gate = check_gate(both(model(lambda n: n < 12)), baseline=both(model()), tolerance=0.02)
    assert len(gate.checks) == 3
    adjusted = holm([check.p_fail for check in gate.checks])
    assert [check.p_fail_adjusted for check in gate.checks] == pytest.approx(list(adjusted))
    assert (
        overall(correct([replace(c, p_fail=0.02, p_pass=1.0) for c in gate.checks], 0.05)) == "inconclusive"
    )
    assert overall(correct([replace(c, p_fail=1.0, p_pass=0.04) for c in gate.checks], 0.05)) == "pass"
    assert overall(correct([replace(c, p_fail=0.01, p_pass=1.0) for c in gate.checks], 0.05)) == "fail"


def test_dataset_target_compares_the_mean_itself() -> None:
    """With target=dataset one sample more wrong than allowed is FAIL, and there is no inconclusive."""
    base = run(model())
    at = check_gate(run(model(lambda n: n < 4)), baseline=base, tolerance=0.02, target="dataset")
    over = check_gate(run(model(lambda n: n < 5)), baseline=base, tolerance=0.02, target="dataset")
    assert (at.verdict, over.verdict) == ("pass", "fail")


def test_floors_are_judged_beside_tolerances() -> None:
    """A score proven below its floor fails, whatever the baseline's."""
    low = run(model(lambda n: n < 80))
    gate = check_gate(low, baseline=low, tolerance=0.1, floors={("sums", "exact_match"): 0.8})
    assert {check.rule: check.verdict for check in gate.checks} == {"tolerance": "pass", "floor": "fail"}
    high = check_gate(low, baseline=low, tolerance=0.1, floors={("*", "exact_match"): 0.4})
    assert high.verdict == "pass"


def test_corpus_metrics_are_judged_by_influence(workspace: Path) -> None:
    """chrF falls by more than allowed: FAIL; a relative tolerance of half the baseline passes."""
    write_task(workspace / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"}, metrics=["chrf"])
    base, new = run(model()), run(model(lambda n: n < 30))
    assert check_gate(new, baseline=base, tolerance=0.02).verdict == "fail"
    wide = check_gate(new, baseline=base, tolerance=0.5, relative=True)
    assert wide.verdict == "pass"
    assert wide.checks[0].is_ratio


def test_cost_and_latency_may_be_judged() -> None:
    """Calls that cost a quarter more fail a limit of a tenth and pass one of a half."""

    def priced(dollars: float) -> MockModel:
        def answer(request: Request) -> Response:
            rng = random.Random(f"{dollars}:{request.sample_id}")
            cost, latency = dollars * rng.uniform(0.9, 1.1), 0.1 * rng.uniform(0.9, 1.1)
            return Response(text=request.sample_id[1:], cost_usd=cost, latency_s=latency)

        return MockModel(answer)

    base, new = run(priced(0.01)), run(priced(0.0125))
    from evalkit.gate import judge_run

    strict = judge_run(base, new, Rules(tolerance=0.05, max_cost_increase=0.1, max_latency_increase=0.1))
    assert {check.rule: check.verdict for check in strict.checks} == {
        "tolerance": "pass",
        "cost": "fail",
        "latency": "pass",
    }
    assert judge_run(base, new, Rules(tolerance=0.05, max_cost_increase=0.5)).verdict == "pass"
    unpriced = judge_run(run(model()), run(model()), Rules(tolerance=0.05, max_cost_increase=0.5))
    assert unpriced.verdict == "inconclusive"


def test_clusters_are_the_units(workspace: Path) -> None:
    """Four samples of one passage are one unit: a drop in 5 passages proves less than in 20 samples."""
    loose = check_gate(run(model(lambda n: n < 20)), baseline=run(model()), tolerance=0.02)
    write_task(workspace / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"}, cluster="passage")
    tied = check_gate(run(model(lambda n: n < 20)), baseline=run(model()), tolerance=0.02)
    assert (loose.checks[0].n_units, tied.checks[0].n_units) == (200, 50)
    assert tied.checks[0].p_fail > loose.checks[0].p_fail


# ---- what is not comparable


def test_edited_data_are_not_comparable(workspace: Path) -> None:
    """One edited row is named; with --allow data the pairs that are left are judged."""
    base = run(model())
    rows = [dict(row) for row in ROWS]
    rows[0]["answer"] = "zero"
    write_rows(workspace / "tasks" / "sums" / "samples.jsonl", rows)
    new = run(model())
    gate = check_gate(new, baseline=base, tolerance=0.05)
    assert (gate.exit_code, kinds(gate)) == (4, {"data"})
    allowed = check_gate(new, baseline=base, tolerance=0.05, allow=["data"])
    assert allowed.verdict == "pass"
    assert allowed.checks[0].n == N - 1


def test_prompt_extractor_and_metric_changes_are_named(workspace: Path) -> None:
    """Each kind of difference is found, and --allow takes it away."""
    base = run(model())
    task = workspace / "tasks" / "sums"
    write_task(task, ROWS, prompts={"plain": "Sum: {{ question }}"})
    assert kinds(check_gate(run(model()), baseline=base, tolerance=0.05)) == {"prompt"}
    assert check_gate(run(model()), baseline=base, tolerance=0.05, allow=["prompt"]).verdict == "pass"
    write_task(task, ROWS, prompts={"plain": "{{ question }}"}, extract=["last_number"])
    assert kinds(check_gate(run(model()), baseline=base, tolerance=0.05)) == {"prompt"}
    write_task(
        task,
        ROWS,
        prompts={"plain": "{{ question }}"},
        metrics=[{"name": "exact_match", "ignore_case": True}],
    )
    assert kinds(check_gate(run(model()), baseline=base, tolerance=0.05)) == {"metric"}


def test_worked_examples_are_part_of_the_prompt(workspace: Path) -> None:
    """An edited file of worked examples changes no template, and is found in the rendered prompts."""
    task = workspace / "tasks" / "sums"
    shots = [{"question": "1", "answer": "1"}]
    write_task(task, ROWS, prompts={"plain": "{{ question }}"}, few_shot={"count": 1, "samples": shots})
    base = run(model())
    shots[0]["answer"] = "one"
    write_task(task, ROWS, prompts={"plain": "{{ question }}"}, few_shot={"count": 1, "samples": shots})
    assert kinds(check_gate(run(model()), baseline=base, tolerance=0.05)) == {"prompt"}


def test_another_model_is_measured_against_the_only_one() -> None:
    """A candidate model of another name is judged against the baseline's single model."""
    gate = check_gate(run(model(name="mock/new")), baseline=run(model(name="mock/old")), tolerance=0.05)
    assert gate.verdict == "pass"
    assert gate.checks[0].baseline.model == "mock/old"


def test_nothing_in_common_is_not_comparable(workspace: Path) -> None:
    """Runs of different tasks have no cell in common, and --allow cannot help."""
    write_task(workspace / "tasks" / "other", ROWS, prompts={"plain": "{{ question }}"}, name="other")
    gate = check_gate(run(model()), baseline=evalkit.run(models=[model()], tasks=["other"]), allow=["cells"])
    assert gate.verdict == "not comparable"


# ---- models asked now


def test_the_baselines_plan_is_asked_again() -> None:
    """Limit, repeats and parameters are the baseline's."""
    base = run(model(), limit=40, repeats=2, params={"temperature": 0.5})
    seen: list[Request] = []

    def answer(request: Request) -> str:
        seen.append(request)
        return request.sample_id[1:]

    gate = check_gate(baseline=base, models=[MockModel(answer)], tolerance=0.1)
    assert gate.verdict == "pass"
    assert len(seen) == 80
    assert {request.params["temperature"] for request in seen} == {0.5}


def test_edited_data_are_found_before_anything_is_asked(workspace: Path) -> None:
    """No call is spent on a comparison that cannot be made."""
    base = run(model())
    write_rows(workspace / "tasks" / "sums" / "samples.jsonl", ROWS[:-1])
    seen: list[str] = []
    gate = check_gate(baseline=base, models=[MockModel(lambda r: seen.append(r.sample_id) or "x")])
    assert (gate.exit_code, kinds(gate), seen) == (4, {"data"}, [])


@pytest.mark.parametrize(("stop", "wrong", "verdict"), [("fail", 0.5, "fail"), ("both", 0.0, "pass")])
def test_early_stop_saves_calls_and_says_how_many(stop: str, wrong: float, verdict: str) -> None:
    """The calls that are stated are those that the model counted, and the run is marked."""
    asked: list[str] = []

    def answer(request: Request) -> str:
        asked.append(request.sample_id)
        return "wrong" if random.Random(request.sample_id).random() < wrong else request.sample_id[1:]

    gate = check_gate(
        baseline=run(model()),
        models=[MockModel(answer, max_connections=4)],
        tolerance=0.15,
        early_stop=stop,  # type: ignore[arg-type]
    )
    assert gate.verdict == verdict
    assert gate.stopped_early
    assert gate.calls is not None
    assert gate.calls.asked == len(asked) < N
    assert gate.calls.saved == N - len(asked)
    assert gate.folder is not None
    stopped = evalkit.load_run(gate.folder)
    assert "stopped early" in stopped.run.cells[0].notes[0]
    with pytest.raises(UsageError, match="stopped early"):
        bless(stopped, "base", "why not")
    assert kinds(check_gate(run(model()), baseline=stopped)) == {"early-stopped", "missing"}


def test_the_order_is_registered_and_is_not_the_order_of_the_data() -> None:
    """The seed is in the run folder, the same plan draws the same order, and it is a shuffle."""
    base = run(model())

    def order() -> tuple[list[str], Gate]:
        asked: list[str] = []

        def answer(request: Request) -> str:
            asked.append(request.sample_id)
            return request.sample_id[1:]

        gate = check_gate(
            baseline=base, models=[MockModel(answer, max_connections=1)], early_stop="fail", tolerance=0.02
        )
        return asked, gate

    (first, gate), (second, _) = order(), order()
    assert first == second
    assert first != [row["id"] for row in ROWS]
    assert sorted(first) == sorted(row["id"] for row in ROWS)
    assert gate.calls is not None
    assert gate.calls.saved == 0
    registered = json.loads((Path(str(gate.folder)) / "order.json").read_text())
    assert registered["seed"] == gate.calls.order_seed


def test_clusters_and_repeats_stay_together_in_the_order(workspace: Path) -> None:
    """Whole clusters with all their repeats follow each other, so that a unit is complete before the next."""
    write_task(workspace / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"}, cluster="passage")
    base = run(model(), repeats=2, limit=40)
    asked: list[int] = []

    def answer(request: Request) -> str:
        asked.append(int(request.sample_id[1:]))
        return request.sample_id[1:]

    check_gate(
        baseline=base, models=[MockModel(answer, max_connections=1)], early_stop="fail", tolerance=0.02
    )
    blocks = [asked[i : i + 8] for i in range(0, 80, 8)]
    assert all(len({n // 4 for n in block}) == 1 for block in blocks)


def test_failed_calls_are_adverse_in_an_early_stop_too() -> None:
    """A model that always fails to answer proves nothing, early or late."""
    dead = MockModel(lambda r: CallError("down", kind="bad_request", action="fail_sample"))
    gate = check_gate(baseline=run(model()), models=[dead], early_stop="both", tolerance=0.02)
    assert gate.verdict == "not comparable"
    assert not gate.stopped_early


# ---- baselines and plans


@pytest.mark.parametrize("place", ["base", "base.zip"])
def test_a_baseline_is_replaced_on_purpose_and_its_history_kept(place: str) -> None:
    """bless writes a run that gates as before, and every run that was the baseline stays in bless.json."""
    first, second = run(model()), run(model(lambda n: n < 3))
    bless(first, place, "first release")
    bless(second, place, "prompt v2")
    history = read_history(place)
    assert [entry["run"] for entry in history] == [first.run.id, second.run.id]
    assert history[1]["replaces"] == first.run.id
    assert history[1]["reason"] == "prompt v2"
    again = open_baseline(place)
    assert again.run == second.run
    assert check_gate(run(model()), baseline=place, tolerance=0.05).verdict == "pass"


def test_a_baseline_needs_a_reason_a_whole_run_and_a_place_of_its_own(workspace: Path) -> None:
    """No reason, an unfinished run, or a folder with other content: nothing is replaced."""
    whole = run(model())
    with pytest.raises(UsageError, match="--reason"):
        bless(whole, "base", "  ")
    broken = run(MockModel(lambda r: CallError("x", kind="bad_request", action="fail_sample")))
    with pytest.raises(UsageError, match="incomplete"):
        bless(broken, "base", "why")
    with pytest.raises(UsageError, match="other content"):
        bless(whole, workspace, "why")
    (workspace / "junk.zip").write_text("junk")
    with pytest.raises(StoreError, match=r"junk\.zip"):
        open_baseline("junk.zip")


def test_the_plan_says_how_many_samples_are_needed() -> None:
    """With repeats the spread is the baseline's own; without, an assumption is named."""
    rng = random.Random(5)
    dice = MockModel(lambda r: r.sample_id[1:] if rng.random() < 0.8 else "wrong")
    (need,), _ = plan_gate(run(dice, repeats=4), Rules(tolerance=0.05))
    assert "repeats" in need.sd_source
    assert need.sd == pytest.approx((2 * 0.16 / 4) ** 0.5, rel=0.15)
    assert need.n_pass is not None
    (single,), _ = plan_gate(run(model()), Rules(tolerance=0.05))
    assert "assumed" in single.sd_source
    (zero,), _ = plan_gate(run(model()), Rules())
    assert zero.n_pass is None


def test_tolerances_and_floors_are_read_as_written() -> None:
    """A number is for all, task:metric=number for one; what is neither says how to write it."""
    assert parse_tolerances(["0.02", "a:f1=0.1", "b=0.3"]) == (0.02, {("a", "f1"): 0.1, ("b", "*"): 0.3})
    assert parse_floors(["a:f1=0.8"]) == {("a", "f1"): 0.8}
    for bad in ("x", "a:b=c", "=0.1"):
        with pytest.raises(UsageError, match="--tolerance"):
            parse_tolerances([bad])
    for wrong in ({"tolerance": 2.0}, {"alpha": 0.7}, {"allow": frozenset({"dta"})}):
        with pytest.raises(UsageError):
            Rules(**wrong)  # type: ignore[arg-type]
