"""Bad cases: failures become a task that loads, runs, and knows where it is from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from factories import entry, write_task

import evalkit
from evalkit import MockModel, check_gate
from evalkit.comparing.badcases import Collected, collect_badcases
from evalkit.core.errors import CallError, TaskError, UsageError
from evalkit.core.records import Request
from evalkit.store.folders import StoredRun
from evalkit.tasks.task import Task, load_task

ROWS = [{"id": f"s{n}", "question": f"{n} + {n}", "answer": str(2 * n)} for n in range(10)]
SHOTS = [{"question": "20 + 20", "answer": "40"}]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of ten sums and one worked example, made the current folder."""
    write_task(
        tmp_path / "tasks" / "sums",
        ROWS,
        prompts={"plain": "{{ question }} =", "polite": {"user": "Please: {{ question }}", "max_tokens": 9}},
        few_shot={"count": 1, "file": "shots.jsonl"},
        extract=["strip"],
        license="CC0-1.0",
        source="Written for a test.",
    )
    (tmp_path / "tasks" / "sums" / "shots.jsonl").write_text(json.dumps(SHOTS[0]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def model(name: str, wrong: set[int], broken: set[int] = frozenset()) -> MockModel:  # type: ignore[assignment]
    """A model that is wrong on some samples and cannot be reached for others."""

    def answer(request: Request) -> str | CallError:
        n = int(request.sample_id[1:])
        if n in broken:
            return CallError("down", kind="bad_request", action="fail_sample")
        return "no idea" if n in wrong else str(2 * n)

    return MockModel(answer, name)


def run(*models: MockModel, **options: object) -> StoredRun:
    """The run of these models on the sums."""
    return evalkit.run(models=models, tasks=["sums"], **options)  # type: ignore[arg-type]


def source() -> list[Task]:
    """The task as it is now."""
    return [load_task(entry(Path("tasks/sums/task.yaml").resolve()))]


def collect(stored: StoredRun, **options: object) -> Collected:
    """The single folder of bad cases."""
    (found,) = collect_badcases(stored, "tasks/hard", source(), **options)  # type: ignore[arg-type]
    return found


def test_failures_become_a_task_with_their_origin() -> None:
    """Each failed sample is there once, with its columns, who failed, what was answered, and the run."""
    stored = run(model("mock/a", {1, 2}, {9}), model("mock/b", {2, 3}))
    found = collect(stored)
    assert (found.n, found.n_asked) == (3, 10)
    rows = [json.loads(line) for line in (found.folder / "samples.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["s1", "s2", "s3"]
    assert rows[1]["badcase_models"] == ["mock/a · plain", "mock/b · plain"]
    assert rows[0]["badcase_answers"] == {"mock/a · plain": "no idea"}
    assert rows[0]["badcase_run"] == stored.run.id
    readme = (found.folder / "README.md").read_text()
    for text in (stored.run.id, "CC0-1.0", "Written for a test.", "no estimate", '"badcase_run"'):
        assert text in readme


def test_the_task_runs_with_the_same_prompts_and_can_be_gated_on() -> None:
    """Ids, prompts, worked examples and parameters are the source's: requests are equal to a digit."""
    stored = run(model("mock/a", {1, 2}), prompts=["all"])
    collect(stored)
    again = evalkit.run(models=[model("mock/a", {1})], tasks=["hard"], prompts=["all"])
    before = {
        (cell.variant, result.sample_id): result.request_digest
        for cell in stored.run.cells
        for result in stored.samples(cell.slug)
    }
    for cell in again.run.cells:
        for result in again.samples(cell.slug):
            assert before[cell.variant, result.sample_id] == result.request_digest
            assert result.metadata["badcase_run"] == stored.run.id
    assert again.run.cells[0].metrics["exact_match"].value == 0.5
    mended = evalkit.run(models=[model("mock/a", set())], tasks=["hard"], prompts=["all"])
    assert check_gate(mended, baseline=again, target="dataset").verdict == "pass"
    assert check_gate(again, baseline=mended, target="dataset").verdict == "fail"


def test_disagreements_are_what_another_model_could() -> None:
    """With disagree, a sample on which all fail is left out."""
    found = collect(run(model("mock/a", {1, 2}), model("mock/b", {2, 3})), disagree=True)
    rows = [json.loads(line) for line in (found.folder / "samples.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["s1", "s3"]


def test_models_and_limits_choose() -> None:
    """Only the named model's failures count; an unknown model is an error with a near match."""
    stored = run(model("mock/a", {1}), model("mock/b", {2, 3}))
    assert collect(stored, models=["mock/b"]).n == 2
    with pytest.raises(UsageError, match="mock/a"):
        collect_badcases(stored, "tasks/other", source(), models=["mock/aa"])


def test_nothing_is_overwritten_and_nothing_made_of_nothing() -> None:
    """An existing folder, a run without failures and a task that is gone are errors."""
    stored = run(model("mock/a", {1}))
    collect(stored)
    with pytest.raises(UsageError, match="exists already"):
        collect(stored)
    with pytest.raises(UsageError, match="no failed sample"):
        collect_badcases(run(model("mock/a", set())), "tasks/none", source())
    with pytest.raises(TaskError, match="not here"):
        collect_badcases(stored, "tasks/none", [])


def test_edited_samples_are_left_out_and_said(workspace: Path) -> None:
    """A sample whose target changed since the run is not what the model failed on."""
    stored = run(model("mock/a", {1, 2}))
    rows = [{**row, "answer": "x"} if row["id"] == "s1" else row for row in ROWS]
    (workspace / "tasks" / "sums" / "samples.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = collect(stored)
    assert found.n == 1
    assert "s1 has another target" in found.notes[0]


def test_a_task_with_python_hooks_gives_its_samples_as_they_were_made(workspace: Path) -> None:
    """What load_samples and map_row made stands in the data; extractors and metrics of task.py come along."""
    code = (
        "import json\nfrom evalkit import extractor\n\n"
        "def load_samples(path):\n"
        "    for line in path.read_text().splitlines():\n        yield json.loads(line)\n\n"
        "def map_row(row):\n    return {**row, 'question': row['question'] + '!'}\n\n"
        "@extractor\ndef shout(text):\n    return text.strip() or None\n"
    )
    folder = workspace / "tasks" / "sums"
    write_task(folder, ROWS, code=code, extract=["shout"])
    stored = run(model("mock/a", {1, 4}))
    found = collect(stored)
    rows = [json.loads(line) for line in (found.folder / "samples.jsonl").read_text().splitlines()]
    assert [row["question"] for row in rows] == ["1 + 1!", "4 + 4!"]
    made = load_task(entry(found.folder / "task.yaml"))
    assert [sample.fields["question"] for sample in made.samples()] == ["1 + 1!", "4 + 4!"]
    assert (made.hooks.load_samples, made.hooks.map_row, list(made.hooks.extractors)) == (
        None,
        None,
        ["shout"],
    )
    again = evalkit.run(models=[model("mock/a", {1})], tasks=[made.name])
    assert again.run.cells[0].metrics["exact_match"].value == 0.5


def test_code_that_only_made_samples_stays_behind(workspace: Path) -> None:
    """Where task.py has nothing but what made the samples, the new task has no Python at all."""
    code = "def map_row(row):\n    return {**row, 'question': 'Q ' + row['question']}\n"
    write_task(workspace / "tasks" / "sums", ROWS, code=code, extract=["strip"])
    found = collect(run(model("mock/a", {1})))
    assert not (found.folder / "task.py").exists()
    assert '"question": "Q 1 + 1"' in (found.folder / "samples.jsonl").read_text()
