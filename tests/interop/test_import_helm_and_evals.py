"""Run folders of HELM and logs of OpenAI's evals as runs.

results/helm and results/openai_evals were written by the tools themselves (crfm-helm 0.5.16, evals 3.0.1)
through the scripts beside them. The other files have the layout of runs and recorders in the tools'
repositories (stanford-crfm/helm, commit 865aaae7; openai/evals, commit 00414586), with own content.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.core.errors import DataError
from evalkit.interop.formats import import_results
from evalkit.store.folders import StoredRun


def stat(name: str, mean: float, **more: Any) -> dict[str, Any]:
    """A number as HELM writes it."""
    return {"name": {"name": name, "split": "test", **more}, "count": 1, "sum": mean, "mean": mean}


def state(number: int, said: str, **result: Any) -> dict[str, Any]:
    """A request as HELM writes it."""
    options = [("one", number % 2 == 0), ("two", number % 2 == 1)]
    return {
        "instance": {
            "input": {"text": f"question {number}"},
            "references": [
                {"output": {"text": o}, "tags": ["correct"] if right else []} for o, right in options
            ],
            "split": "test",
            "id": f"id{number}",
        },
        "train_trial_index": 0,
        "output_mapping": {"A": "one", "B": "two"},
        "request": {"model": "own/model", "prompt": f"question {number}\nAnswer:"},
        "result": {
            "success": True,
            "cached": False,
            "request_time": 0.5,
            "completions": [{"text": said, "logprob": 0, "tokens": []}],
            **result,
        },
    }


@pytest.fixture
def helm(tmp_path: Path) -> Path:
    """A run folder: two right of three, a fourth call failed, one instance perturbed."""
    folder = tmp_path / "runs" / "v1" / "own:subject=all,model=own_model"
    folder.mkdir(parents=True)
    perturbed = {"perturbation": {"name": "robustness"}}
    right = {0: 1.0, 1: 1.0, 2: 0.0}
    files: dict[str, Any] = {
        "run_spec.json": {
            "name": folder.name,
            "scenario_spec": {"class_name": "own.Scenario", "args": {}},
            "adapter_spec": {
                "method": "multiple_choice_joint",
                "instructions": "Choose.",
                "model": "own/model",
                "max_train_instances": 2,
                "temperature": 0.0,
            },
            "groups": ["own"],
        },
        "stats.json": [
            stat("num_prompt_tokens", 12),
            stat("bits_per_byte", 0.25),
            stat("exact_match", 2 / 3),
            stat("exact_match", 0.1, **perturbed),
        ],
        "per_instance_stats.json": [
            {
                "instance_id": f"id{n}",
                "train_trial_index": 0,
                "stats": [stat("exact_match", value), stat("bits_per_byte", 0.25)],
            }
            for n, value in right.items()
        ],
        "scenario_state.json": {
            "adapter_spec": {},
            "request_states": [
                state(0, " A"),
                state(1, "B"),
                state(2, "B"),
                state(3, "", success=False, error="the server is down"),
            ],
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    return folder


def read(kind: str, path: Path, out: Path) -> StoredRun:
    """The only run at a path."""
    runs, _ = import_results(kind, path, out)
    assert len(runs) == 1
    return runs[0]


def test_helms_numbers_without_perturbation_are_taken(helm: Path, tmp_path: Path) -> None:
    """The headline leads, what HELM counts beside is no metric, and the model leaves the task's name."""
    run = read("helm", helm.parent, tmp_path / "out")
    cell = run.run.cells[0]
    assert (cell.model, cell.task, cell.num_fewshot) == ("own/model", "own:subject=all", 2)
    assert list(cell.metrics) == ["exact_match", "bits_per_byte"]
    assert cell.metrics["exact_match"].value == pytest.approx(2 / 3)
    assert cell.metrics["exact_match"].interval is not None
    assert not cell.metrics["bits_per_byte"].higher_is_better


def test_helms_instances_are_samples_and_failed_calls_unscored(helm: Path, tmp_path: Path) -> None:
    """Letters become the options that they stand for."""
    run = read("helm", helm, tmp_path / "out")
    results = list(run.samples(run.run.cells[0].slug))
    assert [(r.sample_id, r.answer, r.target) for r in results[:2]] == [
        ("id0", "one", ("one",)),
        ("id1", "two", ("two",)),
    ]
    assert results[3].unscored_reason == "call_failed"
    assert (run.run.cells[0].counts.scored, run.run.cells[0].counts.errors) == (3, 1)


def test_helms_numbers_alone_are_a_run(helm: Path, tmp_path: Path) -> None:
    """HELM's downloads often have stats.json only."""
    (helm / "scenario_state.json").unlink()
    run = read("helm", helm, tmp_path / "out")
    assert run.run.cells[0].metrics["exact_match"].value == pytest.approx(2 / 3)
    assert run.slugs() == frozenset()


def test_a_folder_without_runs_of_helm_is_told(tmp_path: Path) -> None:
    """The error says what to name."""
    with pytest.raises(DataError, match="benchmark_output/runs/SUITE"):
        read("helm", tmp_path, tmp_path / "out")


def event(sample: str, kind: str, **data: Any) -> dict[str, Any]:
    """An event as the recorder of evals writes it."""
    return {"run_id": "r", "event_id": 0, "sample_id": sample, "type": kind, "data": data, "created_at": "x"}


SPEC = {
    "spec": {
        "completion_fns": ["own-model"],
        "eval_name": "own.s1.simple-v0",
        "base_eval": "own",
        "created_at": "2026-01-02 03:04:05.000006",
        "run_config": {"seed": 7, "max_samples": None},
    }
}
EVENTS = [
    SPEC,
    event("s.0", "sampling", prompt=[{"role": "user", "content": "1+1?"}], sampled=["2"]),
    event("s.0", "match", correct=True, expected="2", picked="2", sampled="2"),
    event("s.1", "sampling", prompt="2+2?", sampled=["5"]),
    event("s.1", "match", correct=False, expected=["4", "four"], picked=None, sampled="5"),
    event("s.2", "error", type="TimeoutError", message="too late"),
    {"final_report": {"accuracy": 0.5, "boostrap_std": 0.25}},
]


def evals(folder: Path, lines: list[Any]) -> Path:
    """A log with these lines."""
    path = folder / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def test_matches_of_evals_are_scores(tmp_path: Path) -> None:
    """Accuracy as in the final report; a failed call is unscored, and no pick is no answer."""
    run = read("openai-evals", evals(tmp_path, EVENTS), tmp_path / "out")
    cell = run.run.cells[0]
    assert (cell.model, cell.task, cell.variant, run.run.seed) == ("own-model", "own", "own.s1.simple-v0", 7)
    assert run.run.created == "2026-01-02T03:04:05Z"
    assert cell.metrics["accuracy"].value == 0.5
    assert (cell.counts.scored, cell.counts.unscored, cell.counts.no_answer) == (2, 1, 1)
    results = list(run.samples(cell.slug))
    assert (results[0].messages[0].text, results[0].answer) == ("1+1?", "2")
    assert results[1].target == ("4", "four")


def test_evals_that_did_not_end_say_so(tmp_path: Path) -> None:
    """Without a final report the run is incomplete."""
    run = read("openai-evals", evals(tmp_path, EVENTS[:3]), tmp_path / "out").run
    assert run.status == "incomplete"
    assert "did not end" in run.errors["own-model"]


@pytest.mark.parametrize("lines", [[{"x": 1}], EVENTS[1:3], [SPEC]])
def test_another_log_is_refused_by_name(lines: list[Any], tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(DataError, match=r"log\.jsonl"):
        read("openai-evals", evals(tmp_path, lines), tmp_path / "out")


RESULTS = Path(__file__).parent / "results"


def test_a_run_that_helm_wrote_gives_its_numbers_and_samples(tmp_path: Path) -> None:
    """Every number of stats.json without perturbation that is a metric, and each instance with its answer."""
    (folder,) = (RESULTS / "helm").iterdir()
    run = read("helm", folder, tmp_path)
    cell = run.run.cells[0]
    written = {
        each["name"]["name"]: each["mean"]
        for each in json.loads((folder / "stats.json").read_text())
        if each["name"].get("split") == "test" and "perturbation" not in each["name"] and each["count"]
    }
    assert next(iter(cell.metrics)) == "exact_match"
    assert {name: value.value for name, value in cell.metrics.items()} == pytest.approx(
        {name: written[name] for name in cell.metrics}
    )
    assert cell.metrics["exact_match"].value == pytest.approx(4 / 6)
    assert (cell.model, cell.task, cell.num_fewshot) == ("simple/model1", "simple_mcqa", 5)
    assert run.run.tasks["simple_mcqa"].n_samples == written["num_instances"] == 6
    results = list(run.samples(cell.slug))
    assert {(r.answer, r.target, r.scores["exact_match"]) for r in results} >= {
        ("Even", ("Even",), 1.0),
        ("Odd", ("Even",), 0.0),
    }
    assert all("Is " in r.messages[-1].text and r.choices == ("Even", "Odd") for r in results)


def test_a_log_that_openai_evals_wrote_gives_its_report(tmp_path: Path) -> None:
    """The accuracy of its final report, over its events."""
    log = RESULTS / "openai_evals" / "own_sums.jsonl"
    run = read("openai-evals", log, tmp_path)
    cell = run.run.cells[0]
    report = next(
        json.loads(line)["final_report"] for line in log.read_text().splitlines() if "final_report" in line
    )
    assert cell.metrics["accuracy"].value == report["accuracy"] == 0.625
    assert (cell.model, cell.task, run.run.seed) == ("own/scripted", "own-sums", 20220722)
    results = {r.sample_id: r for r in run.samples(cell.slug)}
    assert results["own-sums.dev.1"].messages[-1].text == "1 + 2 ="
    assert results["own-sums.dev.1"].answer == "3"
    assert sum(r.answer is None for r in results.values()) == 3
