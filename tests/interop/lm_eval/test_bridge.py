"""Tasks of lm-evaluation-harness run like any other: same command, records, cache and report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit import MockModel
from evalkit.core.errors import CallError, TaskError
from evalkit.core.records import Request, Response
from evalkit.store.folders import StoredRun, load_run

CHOICE = """
task: pick
dataset_path: local/pick
test_split: test
output_type: multiple_choice
doc_to_text: "Q: {{q}}\\nA:"
doc_to_target: gold
doc_to_choice: "{{choices}}"
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
WRITE = """
task: write
dataset_path: local/write
test_split: test
output_type: generate_until
doc_to_text: "{{q}}"
doc_to_target: "{{a}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 7}
repeats: 3
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
filter_list:
  - {name: first, filter: [{function: take_first}]}
  - {name: vote, filter: [{function: majority_vote}, {function: take_first}]}
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two task files of the other format and local data."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "pick.yaml").write_text(CHOICE)
    (tmp_path / "theirs" / "write.yaml").write_text(WRITE)
    picks = [
        {"q": "one?", "choices": ["no", "yes it is"], "gold": 1},
        {"q": "two?", "choices": ["a", "b"], "gold": 0},
    ]
    writes = [{"q": "x?", "a": "X"}, {"q": "y?", "a": "Y"}]
    for name, rows in (("pick", picks), ("write", writes)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(model: MockModel, task: str, **options: Any) -> StoredRun:
    """The run of a model on one of the two tasks, found by its name in the folder."""
    options.setdefault("include_path", ["theirs"])
    name = Path(task).stem
    return evalkit.run(models=[model], tasks=[task], data={name: f"{name}.jsonl"}, **options)


def likes_short(request: Request) -> list[float]:
    """Loglikelihoods that fall with the length of the continuation."""
    return [-float(len(text)) for text in request.continuations]


def test_choices_are_ranked_in_one_request(workspace: Path) -> None:
    """All choices of a context are one request; scores stand under the field's names."""
    seen: list[Request] = []

    def score(request: Request) -> list[float]:
        seen.append(request)
        return likes_short(request)

    stored = run(MockModel(score, capabilities=("loglikelihood",)), "pick")
    assert [request.continuations for request in seen] == [(" no", " yes it is"), (" a", " b")]
    assert seen[0].messages[0].text == "Q: one?\nA:"
    values = {name: value.value for name, value in stored.run.cells[0].metrics.items()}
    assert values["acc,none"] == 0.5
    assert stored.run.cells[0].counts.scored == 2
    assert load_run(stored.folder).run == stored.run


def test_repeats_and_filters_are_theirs(workspace: Path) -> None:
    """Three repeats are asked; one pipeline takes the first, the other the majority."""
    stored = run(MockModel(lambda request: "X" if request.repeat else "Z"), "write")
    values = {name: value.value for name, value in stored.run.cells[0].metrics.items()}
    assert values == {"exact_match,first": 0.0, "exact_match,vote": 0.5}


def test_generation_settings_carry_over(workspace: Path) -> None:
    """Stops and lengths of the file are sent under LiteLLM's names; the user's parameters come first."""
    seen: list[Request] = []

    def answer(request: Request) -> str:
        seen.append(request)
        return "X"

    run(MockModel(answer), "write", params={"max_tokens": 9})
    assert seen[0].params["stop"] == ["\n"]
    assert seen[0].params["max_tokens"] == 9


def test_file_is_named_by_its_path(workspace: Path) -> None:
    """--tasks path/to/file.yaml needs no include path."""
    model = MockModel(likes_short, capabilities=("loglikelihood",))
    assert run(model, "theirs/pick.yaml", include_path=[]).run.status == "complete"


def test_chat_model_is_not_asked_for_letters(workspace: Path) -> None:
    """Ranking needs likelihoods: a chat-only model cannot be asked, and the error says so."""
    with pytest.raises(evalkit.EvalkitError, match="likelihoods"):
        run(MockModel(lambda request: "A"), "pick")


def test_failed_call_leaves_the_document_unscored(workspace: Path) -> None:
    """One failed call of a document makes the document unscored and the run incomplete."""

    def answer(request: Request) -> str | Exception:
        if request.repeat == 1 and "x?" in request.messages[0].text:
            return CallError("down", kind="server", action="fail_sample")
        return "Y"

    stored = run(MockModel(answer), "write")
    assert (stored.run.status, stored.run.cells[0].counts.unscored) == ("incomplete", 1)
    assert stored.run.cells[0].metrics["exact_match,first"].n == 1


def test_oracle_reaches_the_ceiling(workspace: Path) -> None:
    """The built-in ceiling and the baselines work on foreign tasks too."""
    for task, metric in (("pick", "acc,none"), ("write", "exact_match,first")):
        stored = evalkit.run(
            models=["baseline/oracle"],
            tasks=[task],
            data={task: f"{task}.jsonl"},
            include_path=["theirs"],
        )
        assert stored.run.cells[0].metrics[metric].value == 1.0


def test_code_from_elsewhere_needs_trust(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A task with functions from outside the workspace is refused before anything runs."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "utils.py").write_text("def target(doc):\n    return doc['a']\n")
    (folder / "write.yaml").write_text(WRITE.replace('"{{a}}"', "!function utils.target"))
    model = MockModel(lambda request: "X")
    with pytest.raises(TaskError, match="--trust"):
        run(model, "write", include_path=[str(folder)])
    stored = run(model, "write", include_path=[str(folder)], trust=True)
    assert stored.run.cells[0].metrics["exact_match,first"].value == 0.5


def test_answer_without_its_likelihoods_is_unscored(workspace: Path) -> None:
    """A server that leaves likelihoods out makes documents unscored, and the run does not break."""
    model = MockModel(lambda request: Response(), capabilities=("loglikelihood",))
    cell = run(model, "pick").run.cells[0]
    assert (cell.counts.scored, cell.counts.unscored) == (0, 2)
    assert cell.metrics == {}


def test_group_of_groups_is_averaged_over_its_tasks_as_there(workspace: Path) -> None:
    """A group of lm-evaluation-harness has its mean in the run: over all tasks below, by its own rule."""
    for name, gold in (("p1", 1), ("p2", 1), ("p3", 0)):
        text = CHOICE.replace("task: pick", f"task: {name}").replace("local/pick", f"local/{name}")
        (workspace / "theirs" / f"{name}.yaml").write_text(text)
        row = {"q": "one?", "choices": ["no", "yes it is"], "gold": gold}
        (workspace / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    rule = "aggregate_metric_list: [{metric: acc, weight_by_size: false}]\n"
    inner, outer = "group: inner\ntask: [p1, p2]\n", "group: outer\ntask: [inner, p3]\n"
    (workspace / "theirs" / "inner.yaml").write_text(inner + rule)
    (workspace / "theirs" / "outer.yaml").write_text(outer + rule)
    names = ("p1", "p2", "p3")
    done = evalkit.run(
        models=["baseline/oracle"],
        tasks=["outer"],
        include_path=["theirs"],
        data={f"local/{name}": Path(f"{name}.jsonl") for name in names},
    )
    oracle = {group.group: group for group in done.run.groups}
    assert {name: group.tasks for name, group in oracle.items()} == {
        "outer": names,
        "inner": names[:2],
    }
    assert oracle["outer"].value.signature.endswith("|group:equal|tasks:3")


def test_group_without_a_rule_for_the_headline_has_no_mean() -> None:
    """What that tool does not average is not averaged."""
    from evalkit.interop.lm_eval.groups import AggregateMetric, Group

    group = Group("g", None, ("a", "b"), (AggregateMetric("f1"), AggregateMetric("acc", ("x",))), {})
    assert group.means({"a": "acc,none", "b": "acc,none"}) == ()
    assert group.means({"a": "acc,x", "b": "acc,y"}) == ()
    assert [mean.weighting for mean in group.means({"a": "acc,x", "b": "acc,x"})] == ["size"]
