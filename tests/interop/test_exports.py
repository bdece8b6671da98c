"""Runs written for other tools: read back, the numbers and the samples are the same, and texts stay texts."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from factories import make_cell, make_result, make_run

from evalkit.core.errors import StoreError, UsageError
from evalkit.core.records import (
    CellResult,
    GroupResult,
    Message,
    MetricValue,
    Response,
    ResponseError,
    SampleResult,
    TaskGroup,
)
from evalkit.interop.exports import TARGETS, export_run
from evalkit.interop.formats import import_results, read_format
from evalkit.store.folders import RunWriter, StoredRun, load_run
from evalkit.tasks.data import read_rows

HERE = Path(__file__).parent
HOSTILE = '=HYPERLINK("http://x")|<script>x</script>\\input{y} & 50% _a_ \x1b[31m'


def store(folder: Path, cell: CellResult, results: list[SampleResult]) -> StoredRun:
    """A stored run of one cell."""
    writer = RunWriter(folder)
    sink = writer.cell(cell.slug)
    for position, result in enumerate(results):
        sink.append(position, result)
    sink.close()
    run = make_run(cells=(cell,))
    names = {cell.model: next(iter(run.models.values()))}
    tasks = {cell.task: next(iter(run.tasks.values()))}
    writer.write(make_run(cells=(cell,), models=names, tasks=tasks))
    return load_run(folder)


@pytest.fixture
def sums(tmp_path: Path) -> StoredRun:
    """Inspect's sums: two metrics, two repeats, two failed calls."""
    return import_results("inspect", HERE / "results" / "inspect" / "own_sums.eval", tmp_path / "runs")[0][0]


@pytest.fixture
def hostile(tmp_path: Path) -> StoredRun:
    """A run whose texts would do harm where they are not taken for texts."""
    results = [
        make_result("=1+1", HOSTILE, answer=HOSTILE, target=(HOSTILE,), messages=(Message("user", HOSTILE),)),
        make_result(
            "../../s2",
            unscored_reason="server",
            answer=None,
            scores={},
            response=Response("error", error=ResponseError("server", HOSTILE)),
        ),
    ]
    return store(tmp_path / "hostile", make_cell(model=HOSTILE, task="sums", variant=HOSTILE), results)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a file as a spreadsheet sees them."""
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_pandas_reads_the_scores_back(to: str, sums: StoredRun, tmp_path: Path) -> None:
    """Values and what is unknown are the same as in the run's own frame."""
    (file,) = export_run(sums, to, tmp_path / f"scores.{to}")
    readers = {
        "csv": pd.read_csv,
        "jsonl": lambda path: pd.read_json(path, lines=True),
        "parquet": pd.read_parquet,
    }
    found, own = readers[to](file), sums.to_pandas()
    assert found["metric"].tolist() == ["match", "includes"]
    assert found["value"].tolist() == pytest.approx(own["value"].tolist())
    assert found["cost_usd"].isna().all()


@pytest.mark.parametrize("to", ["csv", "jsonl", "parquet"])
def test_samples_are_rows_too(to: str, sums: StoredRun, tmp_path: Path) -> None:
    """One row a sample and repeat; failed calls have no score."""
    (file,) = export_run(sums, to, tmp_path / f"samples.{to}", "samples")
    if to == "csv":
        found = pd.read_csv(file)
    else:
        found = pd.read_json(file, lines=True) if to == "jsonl" else pd.read_parquet(file)
    assert len(found) == 16
    assert found["score.match"].isna().sum() == 2
    assert found["score.match"].sum() == 12


def test_spreadsheets_run_nothing(hostile: StoredRun, tmp_path: Path) -> None:
    """No cell of a CSV begins with a character that starts a formula."""
    for rows in ("scores", "samples"):
        (file,) = export_run(hostile, "csv", tmp_path / f"{rows}.csv", rows)  # type: ignore[arg-type]
        for row in read_csv(file):
            texts = [
                value for value in row.values() if value and not value.lstrip("-").replace(".", "").isdigit()
            ]
            assert [value for value in texts if value[0] in "=+-@\t\r"] == []


def test_markdown_and_latex_keep_texts_texts(hostile: StoredRun, tmp_path: Path) -> None:
    """No markup of a name reaches the table."""
    (markdown,) = export_run(hostile, "markdown", tmp_path / "t.md")
    lines = markdown.read_text().splitlines()
    assert "<script>" not in markdown.read_text()
    assert {line.replace("\\|", "").count("|") for line in lines[:3]} == {3}
    (latex,) = export_run(hostile, "latex", tmp_path / "t.tex")
    assert "\\input" not in latex.read_text()
    assert "50\\%" in latex.read_text()


def test_tables_show_what_is_unscored(sums: StoredRun, tmp_path: Path) -> None:
    """A mean over fewer samples than were asked says so."""
    (file,) = export_run(sums, "markdown", tmp_path / "t.md")
    assert "85.7 \\[42.1–99.6\\] (2 unscored)" in file.read_text()


def test_junit_is_valid_and_failed_calls_are_errors(
    hostile: StoredRun, sums: StoredRun, tmp_path: Path
) -> None:
    """XML whatever the texts hold; a score alone is no failure."""
    (file,) = export_run(hostile, "junit", tmp_path / "t.xml")
    suite = ElementTree.parse(file).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    (file,) = export_run(sums, "junit", tmp_path / "u.xml")
    assert "2 of 16 calls failed" in file.read_text()


def test_model_card_is_read_by_the_hubs_own_library(sums: StoredRun, tmp_path: Path) -> None:
    """The model-index has each score with its n and interval."""
    from huggingface_hub import ModelCard

    (file,) = export_run(sums, "hf", tmp_path / "README.md")
    card = ModelCard.load(file)
    results = {each.metric_type: each for each in card.data.eval_results}
    assert card.data.model_name == "own/scripted"
    assert results["match"].metric_value == pytest.approx(6 / 7)
    assert results["match"].metric_args["unscored"] == 2


def test_lm_eval_results_hold_groups_with_their_levels(tmp_path: Path) -> None:
    """A mean of means goes out with the members of each level, and is read back as what it is."""
    stored = import_results("lm-eval", HERE / "results" / "lm_eval", tmp_path / "runs")[0][0]
    first = stored.run.cells[0]
    value_of = next(iter(first.metrics.values()))
    cells = tuple(
        replace(first, task=name, slug=name, metrics={"acc,none": replace(value_of, value=value)})
        for name, value in (("a", 0.2), ("b", 0.4), ("c", 0.9))
    )
    tasks = {cell.task: replace(stored.run.tasks[first.task], name=cell.task) for cell in cells}
    tree = TaskGroup("top", (TaskGroup("in", ("a", "b"), "equal"), "c"), "equal")
    mean = replace(value_of, value=0.6)
    group = GroupResult(
        "top",
        first.model,
        first.variant,
        ("a", "b", "c"),
        "equal",
        "acc,none",
        first.mode,
        mean,
        tree.members,
    )
    stored.run = replace(stored.run, cells=cells, tasks=tasks, groups=(group,))
    export_run(stored, "lm-eval", tmp_path / "out")
    again = import_results("lm-eval", tmp_path / "out", tmp_path / "again")[0][0].run.groups
    assert [(each.tree, each.value.value) for each in again] == [(tree, 0.6)]


def test_lm_eval_results_come_back_as_they_were(tmp_path: Path) -> None:
    """Imported, exported and imported again: the same numbers, samples and likelihoods."""
    first = import_results("lm-eval", HERE / "results" / "lm_eval", tmp_path / "runs")[0][0]
    export_run(first, "lm-eval", tmp_path / "out")
    second = import_results("lm-eval", tmp_path / "out", tmp_path / "again")[0][0]
    for before, after in zip(first.run.cells, second.run.cells, strict=True):
        assert before.task == after.task
        for name in before.metrics.keys() & after.metrics.keys():
            assert after.metrics[name].value == pytest.approx(before.metrics[name].value)
        assert [r.response.text for r in first.samples(before.slug)] == [
            r.response.text for r in second.samples(after.slug)
        ]
        assert [[x.logprob for x in r.response.loglikelihoods] for r in first.samples(before.slug)] == [
            [x.logprob for x in r.response.loglikelihoods] for r in second.samples(after.slug)
        ]
    assert first.run.cells[0].metrics.keys() == second.run.cells[0].metrics.keys()


@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_inspect_logs_come_back_as_they_were(suffix: str, sums: StoredRun, tmp_path: Path) -> None:
    """Scores, prompts, answers and failures survive the way there and back."""
    (file,) = export_run(sums, "inspect", tmp_path / f"log.{suffix}")
    again = import_results("inspect", file, tmp_path / "again")[0][0]
    before, after = sums.run.cells[0], again.run.cells[0]
    assert {n: v.value for n, v in after.metrics.items()} != {}
    assert [v.value for v in after.metrics.values()] == pytest.approx(
        [v.value for v in before.metrics.values()]
    )
    assert after.counts == before.counts
    pairs = zip(sums.samples(before.slug), again.samples(after.slug), strict=True)
    for one, two in pairs:
        assert (one.sample_id, one.repeat, one.messages, one.target) == (
            two.sample_id,
            two.repeat,
            two.messages,
            two.target,
        )
        assert (one.response.text or None, one.answer) == (two.response.text or None, two.answer)


def test_inspect_archive_has_what_its_viewer_needs(sums: StoredRun, tmp_path: Path) -> None:
    """Summaries, header and one member a sample, deflated; equal runs give equal bytes."""
    files = [export_run(sums, "inspect", tmp_path / name / "log.eval")[0] for name in ("a", "b")]
    with zipfile.ZipFile(files[0]) as archive:
        assert archive.testzip() is None
        assert len(json.loads(archive.read("summaries.json"))) == 16
        assert {"header.json", "_journal/start.json", "samples/sum-0_epoch_2.json"} <= set(archive.namelist())
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("to", sorted(TARGETS))
def test_every_format_takes_a_run_with_hostile_texts(to: str, hostile: StoredRun, tmp_path: Path) -> None:
    """Nothing is written outside of the place that was named."""
    place = tmp_path / "place"
    files = export_run(hostile, to, place)
    assert files
    assert all(file.is_file() and (file == place or place in file.parents) for file in files)


def test_a_slip_in_the_format_is_met_with_the_right_name(sums: StoredRun, tmp_path: Path) -> None:
    """As for every other name."""
    with pytest.raises(UsageError, match="Did you mean 'parquet'"):
        export_run(sums, "parket", tmp_path / "x")


def test_several_models_need_a_folder(tmp_path: Path) -> None:
    """One file cannot be the card of two models."""
    cells = (make_cell(), make_cell("other", model="other"))
    models = {name: next(iter(make_run().models.values())) for name in ("mock/fn", "other")}
    stored = StoredRun(make_run(cells=cells, models=models), tmp_path)
    with pytest.raises(UsageError, match="name a folder"):
        export_run(stored, "hf", tmp_path / "README.md")
    assert len(export_run(stored, "hf", tmp_path / "cards")) == 2


def test_samples_that_are_not_there_are_told(tmp_path: Path) -> None:
    """A log of Inspect without samples would be empty."""
    with pytest.raises(UsageError, match="has no samples"):
        export_run(StoredRun(make_run(), tmp_path), "inspect", tmp_path / "logs")


def test_a_place_that_cannot_be_written_is_named(sums: StoredRun, tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        export_run(sums, "csv", tmp_path / "file" / "t.csv")


def test_unknown_scores_are_no_zeros(tmp_path: Path) -> None:
    """A cell in which nothing was scored has no number in any table."""
    value = MetricValue(None, None, None, None, 0, "exact_match|v:1", True, "fraction")
    stored = StoredRun(make_run(cells=(make_cell(metrics={"exact_match": value}),)), tmp_path)
    (file,) = export_run(stored, "csv", tmp_path / "t.csv")
    assert read_csv(file)[0]["value"] == ""
    (file,) = export_run(stored, "markdown", tmp_path / "t.md")
    assert "| – |" in file.read_text()


def test_a_csv_opens_right_in_excel_and_is_read_back(sums: StoredRun, tmp_path: Path) -> None:
    """Excel takes UTF-8 for the system's encoding unless the file begins with the mark; we read both."""
    files = {}
    for bom in (None, True, False):
        (files[bom],) = export_run(sums, "csv", tmp_path / f"{bom}.csv", "samples", bom)
    assert files[None].read_bytes() == files[True].read_bytes()
    assert files[None].read_bytes() == b"\xef\xbb\xbf" + files[False].read_bytes()
    rows = [list(read_rows(file)) for file in files.values()]
    assert rows[0] == rows[2]
    assert "model" in rows[0][0]
    assert len(read_format("predictions", files[None])[0].cells) == len(sums.run.cells)
    with pytest.raises(UsageError, match="--no-bom are for csv, not for jsonl"):
        export_run(sums, "jsonl", tmp_path / "x.jsonl", "scores", False)
