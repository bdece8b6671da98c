"""What another tool's file does not say stays unknown in the run that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factories import make_cell, make_result, make_run

from evalkit.core.errors import DataError, UsageError
from evalkit.core.records import Response, Usage
from evalkit.gate.asking import Asking, plan_candidate
from evalkit.gate.rules import Rules
from evalkit.interop.exports import export_run
from evalkit.interop.formats import import_results
from evalkit.interop.imported import guess_language
from evalkit.pages.formats import UNKNOWN
from evalkit.pages.leaderboard.build import build
from evalkit.pages.leaderboard.render import render as render_board
from evalkit.pages.report.render import render
from evalkit.running.request import RunRequest
from evalkit.store.folders import RunWriter, StoredRun, load_run


@pytest.fixture
def bare(tmp_path: Path) -> StoredRun:
    """The results of an lm_eval that told neither numbers of samples nor worked examples nor a seed."""
    file = tmp_path / "results_old.json"
    file.write_text(json.dumps({"results": {"own": {"acc,none": 0.625, "alias": "own"}}, "date": 1.0}))
    runs, _ = import_results("lm-eval", file, tmp_path / "out")
    return load_run(runs[0].folder)


def test_numbers_alone_claim_neither_samples_nor_seed_nor_worked_examples(bare: StoredRun) -> None:
    """The value stands, and what it rests on is said to be unknown."""
    cell, info = bare.run.cells[0], bare.run.tasks["own"]
    assert cell.metrics["acc,none"].value == 0.625
    assert (bare.run.seed, cell.num_fewshot, info.n_samples, info.language) == (None, None, None, "")
    assert any("does not say how many samples" in note for note in cell.notes)


def test_pages_show_the_unknown_as_unknown(bare: StoredRun) -> None:
    """Neither report nor leaderboard shows a number of samples or a seed, nor a language to choose by."""
    page = render(bare)
    assert f"<span>n {UNKNOWN}</span>" in page
    assert "n 0" not in page.split("<script")[0]
    seed = page.split('data-t="fact.seed"')[1].split("</dd>")[0]
    assert 'class="unknown"' in seed
    board = build([bare])
    assert board.columns[0].n is None
    assert [facet.kind for facet in board.facets if facet.kind == "language"] == []
    assert "None" not in render_board(board).split("<script")[0]


def test_a_gate_does_not_invent_the_seed_of_a_baseline(bare: StoredRun) -> None:
    """A plan that cannot be carried out again is refused, and the error names the way that is left."""
    with pytest.raises(UsageError, match="evalkit gate RUN"):
        plan_candidate(bare, Rules(), Asking(RunRequest(models=("baseline/random",))))


def test_a_log_of_openai_evals_without_a_seed_has_none(tmp_path: Path) -> None:
    """A seed of 0 is a claim, and an absent one is none."""
    lines: list[dict[str, Any]] = [
        {"spec": {"completion_fns": ["own"], "base_eval": "sums", "run_config": {}}},
        {"sample_id": "a", "type": "match", "data": {"correct": True}},
        {"final_report": {"accuracy": 1.0}},
    ]
    for seed in (None, 0):
        lines[0]["spec"]["run_config"] = {} if seed is None else {"seed": seed}
        file = tmp_path / "log.jsonl"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        run = import_results("openai-evals", file, tmp_path / f"out{seed}")[0][0].run
        assert (run.seed, run.cells[0].num_fewshot) == (seed, None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", ""),
        ("3 + 4 =", ""),
        ("What is the capital of the country that won?", "en"),
        ("Quelle est la capitale de la France ?", ""),
        ("Wie heißt die Hauptstadt, die in Deutschland liegt?", ""),
        ("Wat is de hoofdstad van het land of is het een dorp?", ""),
        ("法国的首都是哪里？", "zh"),
        ("Какой город является столицей?", "ru"),
    ],
)
def test_a_language_is_guessed_only_where_the_text_decides_it(text: str, language: str) -> None:
    """Latin letters are not English; English is known by its commonest words."""
    assert guess_language([text]) == language


def test_an_epoch_that_is_none_is_an_error(tmp_path: Path) -> None:
    """A repeat is not made up for a sample of Inspect that does not say which it is."""
    log = json.loads((Path(__file__).parent / "results" / "inspect" / "own_sums.json").read_text())
    log["samples"][0]["epoch"] = None
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(DataError, match="epoch is None; it counts from 1"):
        import_results("inspect", tmp_path / "log.json", tmp_path / "out")


def test_unknown_tokens_are_no_usage_in_inspects_log(tmp_path: Path) -> None:
    """Inspect's record of usage has no word for unknown: what is known of it stands beside."""
    writer = RunWriter(tmp_path / "run")
    cell = make_cell(usage=Usage(input=7), cost_usd=0.5)
    sink = writer.cell(cell.slug)
    sink.append(0, make_result("a", response=Response(text="x", usage=Usage(input=7), cost_usd=0.5)))
    sink.append(1, make_result("b", response=Response(text="x", usage=Usage(7, 2), cost_usd=0.5)))
    sink.close()
    writer.write(make_run(cells=(cell,)))
    (file,) = export_run(load_run(tmp_path / "run"), "inspect", tmp_path / "log.json")
    log = json.loads(file.read_text())
    assert log["stats"]["model_usage"] == {}
    assert log["stats"]["completed_at"] > log["stats"]["started_at"]
    assert log["eval"]["metadata"]["cost_usd"] == 0.5
    unknown, known = log["samples"]
    assert "usage" not in unknown["output"]
    assert unknown["metadata"].items() >= {"input_tokens": 7, "cost_usd": 0.5}.items()
    assert known["output"]["usage"]["total_tokens"] == 9


def test_an_unknown_duration_is_no_end_in_inspects_log(tmp_path: Path) -> None:
    """Equal times would say that the run took nothing."""
    writer = RunWriter(tmp_path / "run")
    writer.write(make_run(cells=(make_cell(),), duration_s=None))
    sink = writer.cell(make_cell().slug)
    sink.append(0, make_result("a"))
    sink.close()
    (file,) = export_run(load_run(tmp_path / "run"), "inspect", tmp_path / "log.json")
    stats = json.loads(file.read_text())["stats"]
    assert (bool(stats["started_at"]), stats["completed_at"]) == (True, "")
