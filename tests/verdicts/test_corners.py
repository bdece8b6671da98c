"""Promises of the statistics at their corners, as a user meets them: runs, gates, tables and boards."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.core.errors import CallError
from evalkit.core.records import Request, Response
from evalkit.gate import Rules, judge_run
from evalkit.pages.gate.markdown import to_markdown
from evalkit.pages.leaderboard import build
from evalkit.pages.report.cells import best_slugs
from evalkit.store.folders import StoredRun
from evalkit.tasks.choices import chance_in

N = 120
ROWS = [{"id": f"s{n}", "question": str(n), "answer": str(n), "passage": f"p{n // 4}"} for n in range(N)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of 120 sums, made the current folder."""
    write_task(tmp_path / "tasks" / "sums", ROWS, prompts={"plain": "{{ question }}"})
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(name: str, answer: Callable[[int], str | None]) -> MockModel:
    """A model by what it answers to each number; None is a failed call."""

    def reply(request: Request) -> str:
        text = answer(int(request.sample_id[1:]))
        if text is None:
            raise CallError("down", kind="bad_request", action="fail_sample")
        return text

    return MockModel(reply, name=name)


def run(*models: MockModel, **options: object) -> StoredRun:
    """The run of these models."""
    return evalkit.run(models=models, tasks=["sums"], **options)  # type: ignore[arg-type]


def ranks(stored: StoredRun) -> dict[str, tuple[int, int] | None]:
    """The places of each model in the one column of the board."""
    return {model: entry.rank for (model, _, _), entry in build([stored]).entries.items()}


@pytest.mark.parametrize("limit", [99, 100, 120])
def test_all_right_is_better_than_all_wrong(limit: int) -> None:
    """A difference without any spread sets the two apart, in the run's table and on the board."""
    stored = run(model("good", str), model("bad", lambda n: "wrong"), limit=limit)
    assert ranks(stored) == {"good": (1, 1), "bad": (2, 2)}
    best = {cell.model for cell in stored.run.cells if cell.slug in best_slugs(stored)}
    assert best == {"good"}


def test_failed_calls_do_not_raise_a_rank() -> None:
    """A model that fails on what it would get wrong is not proven better than its equal."""
    good = lambda n: str(n) if n % 10 else "wrong"  # noqa: E731
    stored = run(model("all", good), model("lost", lambda n: str(n) if n % 10 else None))
    assert ranks(stored) == {"all": (1, 2), "lost": (1, 2)}
    assert len(best_slugs(stored)) == 2


def labels_task(workspace: Path, n: int, metrics: list[str], labels: list[str]) -> None:
    """The task made one of classification, its gold labels taking turns."""
    rows = [{"id": f"s{i}", "question": str(i), "answer": labels[i % 2]} for i in range(n)]
    fields = {"prompts": {"plain": "{{ question }}"}, "metrics": metrics, "labels": labels}
    write_task(workspace / "tasks" / "sums", rows, **fields)


def test_identical_answers_do_not_pass_a_metric_of_the_corpus_by_a_hair(workspace: Path) -> None:
    """Fifty right answers twice prove nothing to a hundredth of a point, and the interval has a width."""
    labels_task(workspace, 50, ["macro_f1"], ["a", "b"])
    right = model("m", lambda n: "ab"[n % 2])
    gate = check_gate(run(right), baseline=run(right), tolerance=0.0001)
    (check,) = gate.checks
    assert gate.verdict == "inconclusive"
    assert check.interval == pytest.approx((-0.0581551, 0.0581551), abs=1e-5)
    assert check_gate(run(right), baseline=run(right), tolerance=0.07).verdict == "pass"
    assert "influence + unseen sample, first order" in to_markdown(gate)


def test_a_class_without_a_gold_sample_is_named(workspace: Path) -> None:
    """Macro-F1 over a class that no sample has: nothing can be told, in words."""
    labels_task(workspace, 60, ["macro_f1"], ["a", "b", "c"])
    right = model("m", lambda n: "ab"[n % 2])
    (check,) = check_gate(run(right), baseline=run(right), tolerance=0.5).checks
    assert (check.verdict, check.interval) == ("inconclusive", None)
    assert check.reason == "cannot tell: no sample of class c"


def test_latency_is_approximate_and_says_what_it_takes_for_granted() -> None:
    """A verdict on values without a limit names the size of the change that it cannot exclude."""

    def timed(seed: int) -> MockModel:
        return MockModel(
            lambda r: Response(
                text=r.sample_id[1:], latency_s=random.Random(f"{seed}:{r.sample_id}").uniform(0.9, 1.1)
            )
        )

    rules = Rules(tolerance=0.1, max_latency_increase=0.5)
    gate = judge_run(run(timed(1)), run(timed(2)), rules)
    check = next(check for check in gate.checks if check.rule == "latency")
    assert (check.verdict, check.method) == ("pass", "approximate")
    assert "approximate: holds while no sample moves the change by more than" in to_markdown(gate)
    same = judge_run(run(timed(1)), run(timed(1)), rules)
    assert "cannot tell" in (next(c for c in same.checks if c.rule == "latency").reason or "")


def test_more_missing_than_allowed_is_said() -> None:
    """No answers could pass a tolerance that the failed calls use up."""
    base = run(model("m", str))
    new = run(model("m", lambda n: None if n < 4 else str(n)))
    gate = check_gate(new, baseline=base, tolerance=0.02)
    assert gate.checks[0].reason == (
        "cannot pass: 3.3 % of the samples have no score, and 2 points are allowed"
    )


def test_one_large_cluster_is_named(workspace: Path) -> None:
    """A passage that carries a third of the samples is one unit, and the gate says so."""
    rows = [{**row, "passage": "long" if n < 40 else row["passage"]} for n, row in enumerate(ROWS)]
    fields = {"prompts": {"plain": "{{ question }}"}, "cluster": "passage"}
    write_task(workspace / "tasks" / "sums", rows, **fields)
    gate = check_gate(run(model("m", str)), baseline=run(model("m", str)), tolerance=0.1)
    assert any("one cluster, long, carries 33 % of the samples" in note for note in gate.notes)


def test_chance_belongs_to_the_way_of_asking() -> None:
    """A guesser of four options is right in all four rotations once in 256 times."""
    assert chance_in("letter_generate", 0.25) == 0.25
    assert chance_in("letter_generate_seeded", 0.25) == 0.25
    assert chance_in("letter_generate_circular", 0.25) == pytest.approx(1 / 256)
    assert chance_in("letter_logprobs_circular", 100 / 3, 100.0) == pytest.approx(100 / 27)
    assert chance_in("letter_generate_circular", None) is None


def test_a_guesser_under_rotations_is_not_below_chance(workspace: Path) -> None:
    """Who always says A scores 0 where every rotation is asked, and Overall takes off next to nothing."""
    rows = [{"id": f"s{i}", "question": str(i), "options": list("wxyz"), "answer": "w"} for i in range(20)]
    fields = {
        "kind": "choice",
        "prompts": {"plain": {"user": "{{ question }}", "scoring": "letter"}},
        "choices": "options",
        "metrics": ["accuracy"],
        "chance": 0.25,
    }
    write_task(workspace / "tasks" / "sums", rows, **fields)
    stored = evalkit.run(models=[MockModel(lambda request: "A")], tasks=["sums"], choices_order="circular")
    board = build([stored])
    (column,) = board.columns
    (standing,) = board.standings["", "all"]
    assert column.mode.endswith("_circular")
    assert column.floor == pytest.approx(1 / 256)
    assert standing.overall == pytest.approx(-1 / 255)


def test_overall_over_one_task_is_that_task() -> None:
    """With one task and chance 0 the overall score has the task's own interval, and the same places."""
    board = build([run(model("good", str), model("fair", lambda n: str(n) if n % 3 else "wrong"))])
    (column,) = board.columns
    for standing in board.standings["", "all"]:
        entry = board.entry(standing.model, column)
        assert entry is not None
        assert entry.metric is not None
        assert standing.interval == pytest.approx(entry.metric.interval, abs=1e-9)
        assert standing.rank == entry.rank


def test_no_overall_interval_leaves_what_is_possible() -> None:
    """Three samples, all wrong, with a chance of one half: nothing is below what all wrong would score."""
    write_task(
        Path("tasks") / "sums",
        ROWS[:3],
        prompts={"plain": "{{ question }}"},
        chance=0.5,
    )
    (standing,) = build([run(model("bad", lambda n: "wrong"))]).standings["", "all"]
    assert standing.interval is not None
    assert standing.interval[0] == pytest.approx(-1.0)
    assert standing.interval[1] <= 1.0


def test_a_metric_of_the_corpus_is_compared_alike_everywhere(workspace: Path) -> None:
    """Macro-F1 of two models: the places of the board follow from compare's verdict, sample by sample."""
    from evalkit import compare

    labels_task(workspace, 60, ["macro_f1"], ["a", "b"])
    stored = run(model("good", lambda n: "ab"[n % 2]), model("bad", lambda n: "ab"[(n + (n % 4 == 0)) % 2]))
    (difference,) = compare(stored, by="model").differences
    board = build([stored])
    (field,) = board.fields.values()
    assert field.found.method == "influence"
    assert field.adjusted[0, 1] == pytest.approx(difference.p_adjusted)
    assert difference.better is False
    assert ranks(stored) == {"good": (1, 1), "bad": (2, 2)}
    assert {cell.model for cell in stored.run.cells if cell.slug in best_slugs(stored)} == {"good"}


def test_the_interval_of_all_right_has_a_width(workspace: Path) -> None:
    """Macro-F1 of twenty right answers is 83 to 100, as an accuracy of twenty is; not 100 to 100."""
    labels_task(workspace, 20, ["macro_f1", "accuracy"], ["a", "b"])
    (cell,) = run(model("m", lambda n: "ab"[n % 2])).run.cells
    metric = cell.metrics["macro_f1"]
    assert (metric.value, metric.interval_method) == (1.0, "influence")
    assert metric.interval == pytest.approx((0.831567, 1.0), abs=1e-5)
    assert cell.metrics["accuracy"].interval == pytest.approx(metric.interval, abs=1e-6)


def test_no_interval_of_a_class_that_no_sample_has(workspace: Path) -> None:
    """The value stands alone where a declared class has no gold sample."""
    labels_task(workspace, 20, ["macro_f1"], ["a", "b", "c"])
    (cell,) = run(model("m", lambda n: "ab"[n % 2])).run.cells
    assert (cell.metrics["macro_f1"].value, cell.metrics["macro_f1"].interval) == (pytest.approx(2 / 3), None)


def test_too_few_samples_to_separate_anything_are_named() -> None:
    """Five samples cannot set two models apart, six can; the page says so."""
    from evalkit.pages import leaderboard

    for limit, said in ((5, True), (6, False)):
        stored = run(model("good", str), model("bad", lambda n: "wrong"), limit=limit)
        assert ('data-t="method.inseparable"' in leaderboard.render(build([stored]))) == said
        assert (ranks(stored) == {"good": (1, 2), "bad": (1, 2)}) == said


def test_overall_takes_metrics_of_the_corpus_by_their_samples(workspace: Path) -> None:
    """All right against all wrong in macro-F1 and in an accuracy: the mean of both sets them apart."""
    labels_task(workspace, 60, ["macro_f1"], ["a", "b"])
    rows = [{"id": f"s{i}", "question": str(i), "answer": "ab"[i % 2]} for i in range(60)]
    write_task(workspace / "tasks" / "more", rows, name="more", prompts={"plain": "{{ question }}"})
    models = [model("good", lambda n: "ab"[n % 2]), model("bad", lambda n: "ab"[(n + 1) % 2])]
    board = build([evalkit.run(models=models, tasks=["sums", "more"])])
    assert board.overalls[""].field.method == "gaffke"
    assert {s.model: s.rank for s in board.standings["", "all"]} == {"good": (1, 1), "bad": (2, 2)}
