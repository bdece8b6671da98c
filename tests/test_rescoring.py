"""A run scored again: the same answers, the present extractors and metrics, and never another prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories import ROWS, write_rows, write_task

import evalkit
from evalkit.core.errors import NotComparableError, TaskError, UsageError
from evalkit.core.records import Request, Response
from evalkit.models.mock import MockModel
from evalkit.running.rescoring import Rescoring, rescore
from evalkit.store.folders import StoredRun, load_run

N_CALLS = [0]


def reply(request: Request) -> str:
    """An answer that only a better extractor reads: 'It is 4, I think.'; of three, one is wrong."""
    N_CALLS[0] += 1
    number = 2 * int(request.sample_id[1:])
    wrong = request.repeat % 3 == 2
    return f"It is {number + wrong}, I think."


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one task."""
    (tmp_path / "evalkit.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    edit(tmp_path)
    return tmp_path


def edit(home: Path, **changes: Any) -> None:
    """Write the task again, with changes."""
    write_task(home / "tasks" / "sums", **{"extract": ["first_line"], **changes})


def run(**options: Any) -> StoredRun:
    """A run of the mock on the task."""
    return evalkit.run(models=[MockModel(reply, "mock/m")], tasks=["sums"], cache="off", **options)


def again(stored: StoredRun, **options: Any) -> Rescoring:
    """The run scored again, without a call."""
    before = N_CALLS[0]
    found = rescore(stored, **options)
    assert N_CALLS[0] == before
    return found


def test_a_mended_extractor_changes_the_score_and_nothing_else(home: Path) -> None:
    """The new run is complete and readable, says whose answers it holds, and cost nothing."""
    old = run()
    assert old.run.cells[0].metrics["exact_match"].value == 0.0
    edit(home, extract=["last_number"])
    found = again(old)
    cell = found.stored.run.cells[0]
    assert cell.metrics["exact_match"].value == 1.0
    assert (cell.counts.samples, cell.counts.scored, cell.counts.cached) == (6, 6, 6)
    assert found.stored.run.rescored is not None
    assert found.stored.run.rescored["run"] == old.run.id
    (change,) = found.changes
    assert (change.old, change.new, change.n, change.n_changed, change.n_answers) == (0.0, 1.0, 6, 6, 6)
    kept = load_run(found.stored.folder)
    assert kept.run == found.stored.run
    before, after = list(old.samples(cell.slug)), list(kept.samples(cell.slug))
    assert [r.response.text for r in after] == [r.response.text for r in before]
    assert [r.messages for r in after] == [r.messages for r in before]
    assert any("definition changed" in note for note in found.notes)


def test_nothing_changed_gives_the_same_scores(home: Path) -> None:
    """Scored again by the same rules, every score is the same; so is a rescored run scored again."""
    edit(home, extract=["last_number"], metrics=["exact_match", "f1"])
    old = run(repeats=3)
    once = again(old)
    twice = again(once.stored)
    for found in (once, twice):
        assert {c.metric: (c.old == c.new, c.n_changed, c.n_answers) for c in found.changes} == {
            "exact_match": (True, 0, 0),
            "f1": (True, 0, 0),
        }
        assert found.stored.run.cells[0].metrics == old.run.cells[0].metrics


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"prompts": {"direct": "Q: {{ question }}\nA:"}}, "prompt"),
        ({"generation": {"temperature": 1.0}}, "prompt"),
        ({"rows": [*ROWS[:5], {**ROWS[5], "answer": "11"}]}, "data"),
    ],
)
def test_answers_to_something_else_are_refused(home: Path, changes: dict[str, Any], kind: str) -> None:
    """An edited prompt, parameter or target is not comparable unless it is allowed, and then recorded."""
    edit(home, extract=["last_number"])
    old = run()
    edit(home, extract=["last_number"], **changes)
    with pytest.raises(NotComparableError, match=f"--allow {kind}") as caught:
        again(old)
    assert caught.value.exit_code == 4
    assert len(list((home / "reports").iterdir())) == 1
    found = again(old, allow=[kind])
    assert found.stored.run.rescored is not None
    assert found.stored.run.rescored["allowed"] == [kind]
    assert any(note.startswith(f"allowed to differ: {kind}") for note in found.notes)
    wanted = 5 / 6 if kind == "data" else 1.0
    assert found.stored.run.cells[0].metrics["exact_match"].value == pytest.approx(wanted)


def test_edited_worked_examples_are_another_prompt(home: Path) -> None:
    """The few-shot data decide the prompt: other examples are refused by the rendered prompts."""
    shots = write_rows(home / "tasks" / "sums" / "shots.jsonl", [{"question": "a?", "answer": "b"}])
    edit(home, few_shot={"file": "shots.jsonl", "count": 1})
    old = run()
    write_rows(shots, [{"question": "c?", "answer": "d"}])
    with pytest.raises(NotComparableError, match=r"6 of 6 rendered prompts.*'s0'"):
        again(old)


def test_votes_are_counted_again(home: Path) -> None:
    """All answers to a sample are kept, so that a mended extractor holds the vote again."""
    old = evalkit.run(
        models=[MockModel(reply, "mock/m")], tasks=["sums"], prompts=["self_consistency:3"], cache="off"
    )
    assert old.run.cells[0].metrics["exact_match"].value == 0.0
    results = list(old.samples(old.run.cells[0].slug))
    assert [part.text for part in results[1].response.parts] == [
        "It is 2, I think.",
        "It is 2, I think.",
        "It is 3, I think.",
    ]
    edit(home, extract=["last_number"])
    found = again(old)
    assert found.stored.run.cells[0].metrics["exact_match"].value == 1.0
    notes = [r.response.notes for r in found.stored.samples(old.run.cells[0].slug)]
    assert set(notes) == {("self-consistency: 2 of 3 votes",)}


@pytest.mark.parametrize("order", ["data", "seeded", "circular"])
@pytest.mark.parametrize("capabilities", [("generate", "chat"), ("generate", "loglikelihood")])
def test_choices_are_read_again_in_every_order(home: Path, order: Any, capabilities: tuple[str, ...]) -> None:
    """What stands in the data's order is put back into the order of asking first."""
    rows = [
        {"id": str(n), "question": f"q{n}", "options": ["w", "x", "y", "z"], "answer": n % 4}
        for n in range(6)
    ]
    prompts = {
        "p": {"user": "{{ question }}{% for o in options %}\n{{ o }}{% endfor %}", "scoring": "letter"}
    }
    edit(home, rows=rows, kind="choice", choices="options", metrics=["accuracy"], prompts=prompts)

    def guess(request: Request) -> str | list[float]:
        lines = request.messages[-1].text.splitlines()[1:5]
        if request.continuations:
            return [-float(len(line)) - (line == "w") for line in lines]
        return "B" if request.sample_id in "012" else "A"

    old = evalkit.run(
        models=[MockModel(guess, "mock/m", capabilities)], tasks=["sums"], cache="off", choices_order=order
    )
    found = again(old)
    slug = old.run.cells[0].slug
    assert old.run.cells[0].mode.startswith("letter_")
    for before, after in zip(old.samples(slug), found.stored.samples(slug), strict=True):
        assert (before.answer, before.scores, before.response.loglikelihoods) == (
            after.answer,
            after.scores,
            after.response.loglikelihoods,
        )
        assert [p.loglikelihoods for p in before.response.parts] == [
            p.loglikelihoods for p in after.response.parts
        ]


def test_failed_calls_stay_failed_and_missing_samples_missing(home: Path) -> None:
    """What was never answered is unscored still: a rescored run is no more complete than its source."""

    def flaky(request: Request) -> Response | str:
        if request.sample_id == "s1":
            from evalkit.core.errors import CallError

            raise CallError("no", kind="bad_request", action="fail_sample")
        return "4"

    old = evalkit.run(models=[MockModel(flaky, "mock/m")], tasks=["sums"], cache="off")
    slug = old.run.cells[0].slug
    file = old.folder / "samples" / f"{slug}.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    found = again(old)
    counts = found.stored.run.cells[0].counts
    assert (counts.samples, counts.scored, counts.unscored, counts.errors) == (6, 4, 2, 1)
    assert found.stored.run.status == "incomplete"


def test_only_some_tasks(home: Path) -> None:
    """--task leaves the others out; an unknown one is told with what there is."""
    write_task(home / "tasks" / "more", name="more")
    old = evalkit.run(models=[MockModel(reply, "mock/m")], tasks=["sums", "more"], cache="off")
    found = again(old, tasks=["more"])
    assert [cell.task for cell in found.stored.run.cells] == ["more"]
    assert list(found.stored.run.tasks) == ["more"]
    with pytest.raises(UsageError, match=r"no task 'sum'.*'sums'"):
        again(old, tasks=["sum"])
    with pytest.raises(UsageError, match="prompt or data"):
        again(old, allow=["metric"])


def test_a_task_of_another_tool_is_scored_again(home: Path) -> None:
    """A task of lm-evaluation-harness: documents, filters and aggregation by its own rules."""
    write_rows(home / "docs.jsonl", [{"q": f"What is {n}?", "a": str(n)} for n in range(4)])
    theirs = """
task: tiny
dataset_path: local/tiny
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"]}
repeats: 2
metric_list: [{metric: exact_match}]
filter_list: [{name: first, filter: [%s{function: take_first}]}]
"""
    file = home / "tiny.yaml"
    file.write_text(theirs % "")
    model = MockModel(lambda request: f"So {request.sample_id}", "mock/m")
    data = {"tiny": home / "docs.jsonl"}
    old = evalkit.run(models=[model], tasks=[str(file)], data=data, cache="off")
    headline = old.run.tasks["tiny"].headline
    assert old.run.cells[0].metrics[headline].value == 0.0
    assert len(next(iter(old.samples(old.run.cells[0].slug))).response.parts) == 2
    file.write_text(theirs % '{function: regex, regex_pattern: "([0-9]+)"}, ')
    found = rescore(old, tasks=[str(file)], data=data)
    assert found.stored.run.cells[0].metrics[headline].value == 1.0
    with pytest.raises(TaskError, match="--task FILE"):
        rescore(old)


def test_command_prints_the_table_and_refuses_with_four(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command line: old, new, how many changed; `--json` is one document; exit 4 for another prompt."""
    from evalkit.cli import main

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["rescore", *args])
        out, err = capfd.readouterr()
        return int(caught.value.code or 0), out, err

    old = run()
    edit(home, extract=["last_number"])
    code, out, _ = call("latest", "--out", str(home / "again"))
    assert code == 0
    assert ["sums", "mock/m", "exact_match", "0.0", "100.0", "6", "of", "6"] in [
        line.split() for line in out.splitlines()
    ]
    assert f"6 answers are read in another way than in run {old.run.id}; nothing was asked" in out
    code, out, _ = call(old.run.id, "--json", "--out", str(home / "again"))
    assert json.loads(out)["changes"][0]["new"] == 1.0
    edit(home, prompts={"direct": "{{ question }}"})
    code, _, err = call(old.run.id)
    assert (code, "--allow prompt" in err) == (4, True)
