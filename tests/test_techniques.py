"""Prompt techniques: variants that any task has without saying so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from factories import make_task

import evalkit
from evalkit import MockModel
from evalkit.core.errors import TaskError
from evalkit.core.records import Request, Response
from evalkit.running.selection import find_tasks
from evalkit.running.workspace import open_workspace
from evalkit.store.folders import StoredRun
from evalkit.tasks.prompts import Variant
from evalkit.tasks.solvers.merging import merge_responses
from evalkit.tasks.techniques import obstacle

SUMS = """
name: sums
data: {file: samples.jsonl}
target: answer
prompts: {direct: "Question: {{ question }}\\nAnswer:"}
few_shot: {file: shots.jsonl}
extract: [number]
metrics: [exact_match]
"""
PICK = """
name: pick
gold: index
kind: choice
data: {file: samples.jsonl}
target: answer
choices: choices
prompts: {direct: "Question: {{ question }}\\nAnswer:"}
metrics: [accuracy]
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task to generate and a task to choose."""
    rows = [{"id": "a", "question": "1+1?", "answer": "2"}, {"id": "b", "question": "2+2?", "answer": "4"}]
    shots = [{"question": "3+3?", "answer": "6", "rationale": "Three and three."}]
    picks = [{"id": "p", "question": "Which?", "choices": ["x", "y"], "answer": 1}]
    for name, spec, data in (("sums", SUMS, rows), ("pick", PICK, picks)):
        folder = tmp_path / "tasks" / name
        folder.mkdir(parents=True)
        (folder / "task.yaml").write_text(spec)
        (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in data))
    (tmp_path / "tasks" / "sums" / "shots.jsonl").write_text(json.dumps(shots[0]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prompt(task_name: str, variant_name: str, *, letters: bool = False) -> str:
    """The user text that the first sample of a task is asked with."""
    (task,) = find_tasks(open_workspace(), [task_name])
    variant: Variant = task.variant(variant_name)
    sample = next(task.samples())
    shots = variant.choose_shots(task.few_shot_pool(), sample, 0)
    return variant.render(sample, shots, letters=letters)[-1].text


def run(model: MockModel, task: str, *prompts: str) -> StoredRun:
    """The run of a model on a task with these prompts."""
    return evalkit.run(models=[model], tasks=[task], prompts=prompts)


def test_few_shot_and_zero_shot(workspace: Path) -> None:
    """The task's own prompt, after so many worked examples, or none."""
    assert prompt("sums", "zero_shot") == "Question: 1+1?\nAnswer:"
    assert prompt("sums", "few_shot:1") == "Question: 3+3?\nAnswer: 6\n\nQuestion: 1+1?\nAnswer:"


def test_chain_of_thought_asks_the_question_and_drops_its_cue(workspace: Path) -> None:
    """The wish to think takes the place of the line that asks for the answer at once."""
    text = prompt("sums", "cot")
    assert text.startswith("Question: 1+1?\n\nThink step by step.")
    assert "Answer:\n" not in text


def test_worked_examples_show_their_reasoning(workspace: Path) -> None:
    """A rationale of the data stands before the example's answer."""
    assert "Three and three.\nAnswer: 6\n\nQuestion: 1+1?" in prompt("sums", "few_shot_cot:1")


def test_choice_with_reasoning_asks_for_a_letter_at_the_end(workspace: Path) -> None:
    """Options are listed, thinking is asked for, and the letter is read from the end of the reply."""
    seen: list[str] = []

    def answer(request: Request) -> str:
        seen.append(request.messages[-1].text)
        return "A is wrong since it is x.\nAnswer: B"

    cell = run(MockModel(answer), "pick", "cot").run.cells[0]
    assert seen == [
        'Question: Which?\nA. x\nB. y\nThink step by step. End with a line "Answer: " and one letter.'
    ]
    assert cell.metrics["accuracy"].value == 1.0
    assert cell.mode == "letter_generate"


def test_answer_is_read_after_the_line_that_was_asked_for(workspace: Path) -> None:
    """Of a reply with several numbers, the one behind "Answer:" counts."""
    model = MockModel(lambda request: "First 7, then 9.\nAnswer: 2\nI checked 5 times.")
    assert run(model, "sums", "cot").run.cells[0].metrics["exact_match"].value == 0.5


def test_self_consistency_takes_the_most_frequent_answer(workspace: Path) -> None:
    """Of five answers per sample the majority counts; every call's tokens are added; calls are told apart."""
    replies = ["Answer: 9", "Answer: 2", "Answer: 7", "Answer: 2", "Answer: 2"]
    digests: set[str] = set()

    def answer(request: Request) -> str:
        digests.add(request.digest)
        assert request.params["temperature"] == 0.7
        return replies[request.repeat]

    stored = run(MockModel(answer), "sums", "self_consistency:5")
    results = list(stored.samples(stored.run.cells[0].slug))
    assert [result.answer for result in results] == ["2", "2"]
    assert "self-consistency: 3 of 5 votes" in results[0].response.notes
    assert len(digests) == 10
    assert stored.run.cells[0].counts.samples == 2


def test_votes_are_kept_one_by_one(workspace: Path) -> None:
    """Every vote is cached by itself: a second run asks nothing."""
    asked: list[int] = []

    def answer(request: Request) -> str:
        asked.append(request.repeat)
        return "Answer: 2"

    for _ in range(2):
        run(MockModel(answer, cacheable=True), "sums", "self_consistency:3")
    assert sorted(asked) == [0, 0, 1, 1, 2, 2]


def test_prompts_of_the_workspace(workspace: Path) -> None:
    """prompts/NAME.yaml wraps any task's own prompt, with roles of its own."""
    (workspace / "prompts").mkdir()
    (workspace / "prompts" / "polite.yaml").write_text('system: Be kind.\nuser: "Please: {{ prompt }}"\n')
    seen: list[tuple[str, ...]] = []

    def answer(request: Request) -> str:
        seen.append(tuple(message.text for message in request.messages))
        return "2"

    run(MockModel(answer), "sums", "polite")
    assert seen[0] == ("Be kind.", "Please: Question: 1+1?")


def test_broken_prompt_of_the_workspace_names_file_and_key(workspace: Path) -> None:
    """A misspelt key is told with its file, its line and the nearest key."""
    (workspace / "prompts").mkdir()
    (workspace / "prompts" / "rude.yaml").write_text("usr: x\n")
    with pytest.raises(TaskError, match=r"rude\.yaml, line 1.*'usr'.*'user'"):
        run(MockModel(lambda request: "2"), "sums", "rude")


@pytest.mark.parametrize("name", ["few_shot:x", ":3", "fewshot:5", "cots"])
def test_unknown_technique_is_an_error(workspace: Path, name: str) -> None:
    """A name that nothing has is an error before anything is asked."""
    with pytest.raises(TaskError):
        run(MockModel(lambda request: "2"), "sums", name)


def test_too_few_examples_are_an_error(workspace: Path) -> None:
    """More examples than the task has are refused, with what there is."""
    with pytest.raises(evalkit.EvalkitError, match="has 1"):
        run(MockModel(lambda request: "2"), "sums", "few_shot:3")


def test_only_what_was_paid_now_is_counted_as_paid() -> None:
    """Answers from the cache cost nothing now; where all are cached, their old price is told."""
    new, old = Response(text="a", cost_usd=0.25), Response(text="a", cost_usd=0.5, from_cache=True)
    assert merge_responses(new, [new, old, old]).cost_usd == 0.25
    assert merge_responses(old, [old, old]).cost_usd == 1.0
    assert merge_responses(new, [new, Response(text="a")]).cost_usd is None


def test_a_technique_wraps_a_prompt_that_stands_without_its_solver(tmp_path: Path) -> None:
    """Where the first prompt waits for passages, the next that needs none is wrapped; where all wait, the
    task is left out with a reason."""
    rag = {"user": "{{ passages }} {{ question }}", "solver": "rag"}
    prompts = {"open_book": rag, "closed_book": "Only {{ question }}"}
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "d.jsonl").write_text('{"text": "one"}')
    task = make_task(folder, documents="d.jsonl", prompts=prompts)
    sample = next(iter(task.samples()))
    for name in ("cot", "pal", "react", "self_consistency", "best_of_n", "rag"):
        assert "Only " in task.variant(name).render(sample)[-1].text
    assert "Only" not in task.variant("zero_shot").render(sample)[-1].text
    alone = make_task(folder, documents="d.jsonl", prompts={"open_book": rag})
    assert "all prompts of task" in obstacle("pal", alone.spec)
    assert obstacle("zero_shot", alone.spec) == obstacle("open_book", alone.spec) == ""
