"""Plain files of answers with scores as runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.core.errors import DataError
from evalkit.interop.exports import export_run
from evalkit.interop.formats import import_results
from evalkit.store.folders import StoredRun

CSV = "id,input,output,target,score\na,1+1?,2,2,1\nb,2+2?,5,4,0\nc,3+3?,,6,\n"


def read(folder: Path, content: str, name: str = "answers.csv", **names: str) -> StoredRun:
    """The run of a file with this content."""
    (folder / name).write_text(content, encoding="utf-8")
    return import_results("predictions", folder / name, folder / "out", **names)[0][0]


def test_a_spreadsheet_is_a_run(tmp_path: Path) -> None:
    """Scores, texts and targets; an empty score is unscored, not 0."""
    run = read(tmp_path, CSV, model="mine", task="sums")
    cell = run.run.cells[0]
    assert (cell.model, cell.task) == ("mine", "sums")
    assert (cell.metrics["score"].value, cell.metrics["score"].n) == (0.5, 2)
    assert (cell.counts.samples, cell.counts.scored, cell.counts.unscored) == (3, 2, 1)
    first = next(iter(run.samples(cell.slug)))
    assert (first.messages[0].text, first.response.text, first.target) == ("1+1?", "2", ("2",))


def test_json_lines_may_have_several_metrics_models_and_repeats(tmp_path: Path) -> None:
    """One cell for each model; lines of one id are repeats."""
    rows = [
        {"id": "a", "model": m, "output": "x", "scores": {"f1": f, "em": f == 1}}
        for m in ("one", "two")
        for f in (1, 0.5)
    ]
    run = read(tmp_path, "\n".join(map(json.dumps, rows)), "answers.jsonl")
    assert [cell.model for cell in run.run.cells] == ["one", "two"]
    assert run.run.cells[0].repeats == 2
    assert {name: value.value for name, value in run.run.cells[0].metrics.items()} == {"f1": 0.75, "em": 0.5}


@pytest.mark.parametrize("to", ["csv", "jsonl"])
def test_exported_samples_come_back(to: str, tmp_path: Path) -> None:
    """What `evalkit export --rows samples` writes is such a file: scores, repeats and failures."""
    log = Path(__file__).parent / "results" / "inspect" / "own_sums.eval"
    before = import_results("inspect", log, tmp_path / "runs")[0][0]
    (file,) = export_run(before, to, tmp_path / f"samples.{to}", "samples")
    after = import_results("predictions", file, tmp_path / "again")[0][0]
    one, two = before.run.cells[0], after.run.cells[0]
    assert (one.model, one.task, one.counts) == (two.model, two.task, two.counts)
    assert [v.value for v in one.metrics.values()] == pytest.approx([v.value for v in two.metrics.values()])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,output\na,2\n", "no scores"),
        ("id,score\na,good\n", "line 2: score is 'good'"),
        ("id,score\na,1,2\n", "line 2: 2 columns in the head, 3 in this line"),
        ("id,score\n", "holds no rows"),
    ],
)
def test_a_wrong_file_is_told_with_its_line(content: str, message: str, tmp_path: Path) -> None:
    """The error says where, and what to do instead."""
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_a_double_id_is_said(tmp_path: Path) -> None:
    """One id of three stands twice: the run says so, and in the terminal; two repeats of all say nothing."""
    run = read(tmp_path, "id,output,score\na,1,1\nb,1,1\na,2,0\nc,1,1\n")
    (note,) = run.notes
    assert "'a' 2 times, most 1 time" in note
    assert note.partition(": ")[2] in run.run.cells[0].notes
    even = read(tmp_path, "id,output,score\na,1,1\nb,1,1\na,2,0\nb,1,1\n", "even.csv")
    assert even.notes == []
